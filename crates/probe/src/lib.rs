#![doc = include_str!("../README.md")]

mod bounded;
mod certificate;
mod database;
mod egress;
mod http;
mod kinds;
mod login;
mod memory;
mod mongodb;
mod mysql;
mod policy;
mod post;
mod postgres;
mod remembered;
mod resolve;
mod scram;
mod stopwatch;
mod tls;

/// What reads a server's bytes, for who fuzzes it.
#[doc(hidden)]
pub mod parsers;

use std::time::Duration;

use insightpulse_domain::{Endpoint, Evidence, Failure, Phase, Phases, Reason, Service};
use secrecy::SecretString;
use tokio::time::Instant;

pub use egress::Egress;
use kinds::{api, mcp, odoo, postgresql, supabase, superset};
pub use policy::{EgressPolicy, EgressRule, NoRule};
pub use post::post;
pub use resolve::{Addresses, Resolve};
use stopwatch::Stopwatch;
use tls::another_protocol;

/// An endpoint with its secrets in the clear, for one probe.
pub struct Target {
    pub endpoint: Endpoint,
    pub password: Option<SecretString>,
    pub api_key: Option<SecretString>,
    /// The private key of the client certificate, in PEM.
    pub client_key: Option<SecretString>,
}

/// What a probe found, and how long each phase took that took place.
#[derive(Debug)]
pub struct Probed {
    pub found: Result<Evidence, Failure>,
    pub phases: Phases,
}

/// What every kind's probe has: the secrets, the network, the clock.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub target: &'a Target,
    pub net: &'a Egress,
    pub watch: &'a Stopwatch,
    pub until: Instant,
}

/// Probes one endpoint and ends by the deadline.
pub async fn probe(target: &Target, net: &Egress, until: Instant) -> Probed {
    let watch = Stopwatch::start();
    let begun = Instant::now();
    let asking = Asking {
        target,
        net,
        watch: &watch,
        until,
    };
    let found = tokio::time::timeout_at(until, async {
        match &target.endpoint.service {
            Service::Supabase { database, web, .. } => supabase::probe(database, web.as_ref(), asking).await,
            Service::Postgresql(place) => postgresql::probe(place, asking).await,
            Service::Odoo { database, web } => odoo::probe(database, web.as_ref(), asking).await,
            Service::Mysql(place) => kinds::mysql::probe(place, asking).await,
            Service::Mongodb(place) => kinds::mongodb::probe(place, asking).await,
            Service::Superset(place) => superset::probe(place, asking).await,
            Service::Mcp(place) => mcp::probe(place, asking).await,
            Service::Api(place) => api::probe(place, asking).await,
        }
    })
    .await
    .unwrap_or_else(|_| {
        Err(timed_out(
            &target.endpoint.authority(),
            watch.current(),
            until - begun,
        ))
    });
    // A failure's phases are those that had ended.
    if found.is_ok() {
        watch.stop();
    }
    Probed {
        found,
        phases: watch.phases(),
    }
}

fn timed_out(place: &str, phase: Phase, allowed: Duration) -> Failure {
    let place = place.to_owned();
    let seconds = format!("{:.1}", allowed.as_secs_f64());
    let reason = match phase {
        Phase::Resolve => Reason::ResolveTimeout { place, seconds },
        Phase::Connect => Reason::ConnectTimeout { place, seconds },
        Phase::Tls => Reason::TlsTimeout { place, seconds },
        Phase::Login => Reason::LoginTimeout { place, seconds },
        Phase::Query => Reason::AnswerTimeout { place, seconds },
    };
    reason.into()
}
