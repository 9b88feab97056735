#![doc = include_str!("../README.md")]

mod bounded;
mod egress;
mod http;
mod policy;
mod postgres;
mod resolve;
mod stopwatch;
mod tls;

use std::time::Duration;

use insightpulse_domain::{Endpoint, Evidence, Failure, FailureKind, Phase, Phases, Service};
use secrecy::SecretString;
use tokio::time::Instant;

pub use egress::Egress;
pub use policy::{EgressPolicy, EgressRule, NoRule};
pub use resolve::{Addresses, Resolve};
use stopwatch::Stopwatch;

/// An endpoint with its secrets in the clear, for one probe.
pub struct Target {
    pub endpoint: Endpoint,
    pub password: Option<SecretString>,
    pub api_key: Option<SecretString>,
}

/// What a probe found, and how long each phase took that took place.
#[derive(Debug)]
pub struct Probed {
    pub found: Result<Evidence, Failure>,
    pub phases: Phases,
}

/// Probes one endpoint and ends by the deadline.
pub async fn probe(target: &Target, net: &Egress, until: Instant) -> Probed {
    let watch = Stopwatch::start();
    let begun = Instant::now();
    let found = tokio::time::timeout_at(until, async {
        match &target.endpoint.service {
            Service::Postgres(place) => postgres::probe(place, target, net, &watch).await,
            Service::Http(place) => http::probe(place, target, net, &watch).await,
        }
    })
    .await
    .unwrap_or_else(|_| Err(timed_out(&target.endpoint, watch.current(), until - begun)));
    Probed {
        found,
        phases: watch.phases(),
    }
}

fn timed_out(endpoint: &Endpoint, phase: Phase, allowed: Duration) -> Failure {
    let place = endpoint.authority();
    let seconds = allowed.as_secs_f64();
    let message = match phase {
        Phase::Resolve => format!("DNS did not answer for {place} within {seconds:.1} s."),
        Phase::Connect => format!("{place} did not accept a connection within {seconds:.1} s."),
        Phase::Tls => {
            format!("{place} accepted the connection, but TLS did not finish within {seconds:.1} s.")
        }
        Phase::Login => {
            format!("{place} accepted the connection, but the login did not finish within {seconds:.1} s.")
        }
        Phase::Query => format!("{place} accepted the connection, but did not answer within {seconds:.1} s."),
    };
    Failure::new(FailureKind::Timeout, message)
}
