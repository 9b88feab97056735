#![doc = include_str!("../README.md")]

mod destination;
mod endpoint;
mod env_name;
mod failure;
mod kind;
mod outcome;

pub use destination::Destination;
pub use endpoint::{
    Endpoint, Host, HttpTarget, Invalid, Port, PostgresTarget, RawEndpoint, Scheme, Service, TlsMode,
};
pub use env_name::{env_prefixes, slug};
pub use failure::{Failure, FailureKind, server_text, server_text_without};
pub use kind::{Family, Kind};
pub use outcome::{Evidence, Outcome, Phase, Phases, Status};
