#![doc = include_str!("../README.md")]

mod encode;
mod format;
mod secrets;

pub use format::{Document, Format, Named, UnknownFormat, combined, single};
pub use secrets::{Secrets, Unwritable};
