#![doc = include_str!("../README.md")]

mod authority;
mod black_hole;
mod cluster;
mod eventually;
mod fault_server;
mod keeper;
mod own_network;
mod server_user;
mod template;

pub use authority::{Authority, Certificate, with_known_authority};
pub use black_hole::BlackHole;
pub use cluster::{Cluster, HeldSession, Options};
pub use eventually::{eventually, eventually_blocking};
pub use fault_server::{FaultServer, Seen, Step};
pub use own_network::in_own_network;
