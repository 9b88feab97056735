#![doc = include_str!("../README.md")]

pub mod commands;
mod digest;
mod endpoint_metrics;
mod following;
mod http;
mod keyring_source;
mod listener;
mod metrics;
mod odoo;
mod pairing_code;
mod pairings;
mod private_file;
mod reloading;
mod sealed;
mod secrets;
pub mod settings;
mod sharing;
mod spool;
pub mod startup;
mod telemetry;
mod tenants;
mod webhook;
mod writeback;
