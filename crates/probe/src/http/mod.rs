//! HTTP/1.1, as far as probes speak it: a few requests to one origin, over connections of its own.

mod answer;
mod client;
mod sse;

pub use answer::{Answer, Text};
pub use client::{Client, basic, bearer, sensitive};
pub use sse::{Event, Events};

/// More than certificates and the heads of a few responses need.
const HEAD_MAX: usize = 192 * 1024;

/// The most of one body that is read.
pub const BODY_MAX: usize = 1024 * 1024;
