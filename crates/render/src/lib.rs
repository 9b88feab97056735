#![doc = include_str!("../README.md")]

mod document;
mod encode;
mod filters;
mod format;
mod secrets;
mod templates;
mod text;
mod unwritable;
mod view;

pub use document::{Document, File, Parameter, Subject, combined, single};
pub use format::{Format, Frame, Row, Tab, UnknownFormat};
pub use secrets::Secrets;
pub use text::Text;
pub use unwritable::Unwritable;
