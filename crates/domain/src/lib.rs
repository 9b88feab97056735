#![doc = include_str!("../README.md")]

mod cadence;
mod connection_url;
mod destination;
mod endpoint;
mod env_name;
mod expectation;
mod failure;
mod kind;
mod outcome;
mod supabase;
mod thresholds;

pub use cadence::{Cadence, RawCadence};
pub use connection_url::{Connection, SCHEMES, UrlError, libpq_mode, mysql_mode};
pub use destination::Destination;
pub use endpoint::{
    Address, ApiTarget, DatabaseTarget, Endpoint, Host, HttpTarget, Port, RawEndpoint, Scheme, Service,
    SignIn, TlsMode,
};
pub use env_name::{env_prefixes, slug, slugs};
pub use expectation::{JsonPath, StatusSet, Step};
pub use failure::{Explanation, Failure, FailureKind, Part, Reason, SAID, server_text, server_text_without};
pub use kind::{Family, Kind};
pub use outcome::{Evidence, Facts, Outcome, Phase, Phases, Status, Verdict};
pub use supabase::{
    Entrance, Way, database_of_api, is_supabase_host, project as supabase_project, web as web_of_supabase,
};
pub use thresholds::{RawThresholds, Thresholds};
