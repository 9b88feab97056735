#![doc = include_str!("../README.md")]

mod call;
mod client;
mod error;
mod fault;
mod http;
mod json2;
mod jsonrpc;
mod version;
mod xml;
mod xmlrpc;

pub use call::Call;
pub use client::{Account, Client, Protocol};
pub use error::Error;
