#![doc = include_str!("../README.md")]

mod binding;
mod keyring;
mod token;

pub use binding::{Binding, Bound, Field, PairingBinding, SharedBinding};
pub use keyring::{KeyId, Keyring, KeyringError};
pub use token::{OpenError, SealError, SealedToken};
