#![doc = include_str!("../README.md")]

mod outbox;
mod patience;
mod prober;

pub use outbox::{Delivered, Delivery, Outbox, run_delivery};
pub use patience::Patience;
pub use prober::{Answer, Job, Limits, Prober, TooManyTests};
