#![doc = include_str!("../README.md")]

pub mod commands;
mod http;
mod keyring_file;
mod private_file;
pub mod settings;
mod spool;
pub mod startup;
mod telemetry;
mod writeback;
