//! What a probe found, as it is written back to Odoo.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::failure::{Failure, FailureKind};

/// What a card shows. `Draft` is Odoo's alone: no probe ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Success,
    Degraded,
    Failed,
}

/// What a successful probe measured besides time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    pub server_version: Option<String>,
    /// Connections to the whole server, ours included.
    pub active_connections: Option<i64>,
    pub max_connections: Option<i64>,
}

/// A stretch of a probe. A probe's phases follow one another, so they add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Resolve,
    Connect,
    Tls,
    Login,
    /// The PostgreSQL query, or the HTTP request up to the response's head.
    Query,
}

/// Milliseconds of each phase that took place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolve_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_ms: Option<f64>,
}

/// One item of `apply_probe_results`, and of a finished test's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub id: i64,
    pub record: Uuid,
    pub revision: i64,
    /// A UUIDv7: of two probes of one endpoint, the greater is the newer.
    pub probe: Uuid,
    pub status: Status,
    /// The sum of the phases; `None` for a failure.
    pub latency_ms: Option<f64>,
    pub phases: Phases,
    pub server_version: Option<String>,
    pub active_connections: Option<i64>,
    pub max_connections: Option<i64>,
    pub failure_kind: Option<FailureKind>,
    pub failure_message: Option<String>,
    pub failure_advice: Option<String>,
    pub checked_at: Timestamp,
}

impl Phases {
    /// Adds to a phase; a phase may come in several stretches.
    pub fn add(&mut self, phase: Phase, time: Duration) {
        let slot = match phase {
            Phase::Resolve => &mut self.resolve_ms,
            Phase::Connect => &mut self.connect_ms,
            Phase::Tls => &mut self.tls_ms,
            Phase::Login => &mut self.login_ms,
            Phase::Query => &mut self.query_ms,
        };
        // Microseconds are as fine as the clock is worth over a network.
        let ms = (time.as_secs_f64() * 1e6).round() / 1e3;
        *slot = Some(slot.unwrap_or_default() + ms);
    }

    pub fn total_ms(&self) -> f64 {
        let total: f64 = [
            self.resolve_ms,
            self.connect_ms,
            self.tls_ms,
            self.login_ms,
            self.query_ms,
        ]
        .into_iter()
        .flatten()
        .sum();
        (total * 1e3).round() / 1e3
    }
}

impl Outcome {
    /// Puts together what identifies a probe and what it found.
    pub fn new(
        (id, record, revision): (i64, Uuid, i64),
        probe: Uuid,
        found: Result<Evidence, Failure>,
        phases: Phases,
        checked_at: Timestamp,
    ) -> Self {
        let (evidence, failure) = match found {
            Ok(evidence) => (evidence, None),
            Err(failure) => (Evidence::default(), Some(failure)),
        };
        Self {
            id,
            record,
            revision,
            probe,
            status: if failure.is_none() {
                Status::Success
            } else {
                Status::Failed
            },
            latency_ms: failure.is_none().then(|| phases.total_ms()),
            phases,
            server_version: evidence.server_version,
            active_connections: evidence.active_connections,
            max_connections: evidence.max_connections,
            failure_kind: failure.as_ref().map(Failure::kind),
            failure_message: failure.as_ref().map(|failure| failure.message().to_owned()),
            failure_advice: failure.as_ref().map(|failure| failure.advice().to_owned()),
            checked_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_add_up() {
        let mut phases = Phases::default();
        phases.add(Phase::Connect, Duration::from_micros(1_250));
        phases.add(Phase::Connect, Duration::from_micros(250));
        phases.add(Phase::Query, Duration::from_micros(500));
        assert_eq!(phases.connect_ms, Some(1.5));
        assert_eq!(phases.tls_ms, None);
        assert_eq!(phases.total_ms(), 2.0);
    }
}
