#![doc = include_str!("../README.md")]

mod history;
mod judge;
mod monitor;
mod notice;
mod outbox;
mod patience;
mod prober;
mod report;
mod roster;
mod slots;
mod store;
mod turns;
mod windows;

pub use history::{History, Point, Range, Uptime};
pub use judge::{Asked, Unconfirmed};
pub use monitor::{Changed, Keeping, Monitor, MonitorSetup, Observer, Opens};
pub use notice::{Notice, Notifier};
pub use outbox::{Delivered, Delivery, Outbox, Urgency, run_delivery};
pub use patience::Patience;
pub use prober::{Answer, Limits, Load, TooManyTests};
pub use report::{Event, EventKind, Report, Tally};
pub use roster::Monitored;
pub use slots::Slots;
pub use store::{Member, Recorder, Replica, Retention, Store, StoreError, StoreSettings, Writer};
pub use turns::Concurrency;
pub use windows::Window;
