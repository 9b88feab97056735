#![doc = include_str!("../README.md")]

mod client;
mod error;
mod jsonrpc;

pub use client::{Account, Client};
pub use error::Error;
