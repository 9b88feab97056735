#![doc = include_str!("../README.md")]

mod encode;
mod format;

pub use format::{Document, Format, Named, UnknownFormat, combined, single};
