//! What a probe found, as it is written back to Odoo.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::failure::{Explanation, Failure, FailureKind, Part, Reason};
use crate::thresholds::Thresholds;

/// What a card shows. `Draft` is Odoo's alone: no probe ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Success,
    Degraded,
    Failed,
}

/// What a successful probe measured besides time, and what of it is not well.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    pub server_version: Option<String>,
    /// Connections to the whole server, ours included.
    pub active_connections: Option<i64>,
    pub max_connections: Option<i64>,
    pub facts: Facts,
    /// What the probe itself found not to be well, such as a part that is down.
    pub concerns: Vec<Failure>,
}

/// What a probe learned beside what every database tells.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Of the connections at most, those that only some users may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved_connections: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_recovery: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_lag_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_bytes: Option<i64>,
    /// The first to expire of the certificates that the server shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// `HTTP/1.1`, or MCP's date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub databases: Option<i64>,
    /// The version of Odoo, where the endpoint's own version is its database's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odoo_version: Option<String>,
    /// The parts of the endpoint that answered.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub parts: Vec<Part>,
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
    /// What the message is made of, the worst first.
    #[serde(default)]
    pub explanations: Vec<Explanation>,
    #[serde(default)]
    pub facts: Facts,
    pub checked_at: Timestamp,
}

/// What a probe comes to: healthy, or not and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub status: Status,
    /// The worst first; none when all is well.
    pub reasons: Vec<Failure>,
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

impl Verdict {
    /// Holds what was found against the endpoint's limits.
    pub fn of(
        found: &Result<Evidence, Failure>,
        phases: &Phases,
        thresholds: &Thresholds,
        now: Timestamp,
    ) -> Self {
        match found {
            Err(failure) => Self {
                status: Status::Failed,
                reasons: vec![failure.clone()],
            },
            Ok(evidence) => {
                let mut reasons = evidence.concerns.clone();
                reasons.extend(evidence.beyond(phases.total_ms(), thresholds, now));
                Self {
                    status: if reasons.is_empty() {
                        Status::Success
                    } else {
                        Status::Degraded
                    },
                    reasons,
                }
            }
        }
    }

    /// What people read: a sentence for each reason.
    pub fn message(&self) -> Option<String> {
        let sentences: Vec<_> = self.reasons.iter().map(Failure::message).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

impl Evidence {
    fn beyond(&self, latency_ms: f64, thresholds: &Thresholds, now: Timestamp) -> Vec<Failure> {
        let mut reasons = Vec::new();
        let limit = |threshold: u32| Some(f64::from(threshold)).filter(|limit| *limit > 0.0);
        if let Some(expires) = self.facts.certificate_expires_at
            && let Some(most) = limit(thresholds.certificate_days)
        {
            let days = (expires.as_second() - now.as_second()) as f64 / 86_400.0;
            if days < 0.0 {
                reasons.push(Reason::CertificatePassed {});
            } else if days < most {
                reasons.push(Reason::CertificateExpiring {
                    days: format!("{:.0}", days.floor()),
                });
            }
        }
        if let (Some(used), Some(most)) = (self.active_connections, self.max_connections)
            && let Some(percent) = limit(thresholds.connections_percent)
            && most > 0
            && used as f64 * 100.0 > percent * most as f64
        {
            reasons.push(Reason::ConnectionsHigh {
                used: used.to_string(),
                most: most.to_string(),
                percent: percent.to_string(),
            });
        }
        if let Some(lag) = self.facts.replica_lag_s
            && let Some(most) = limit(thresholds.replica_lag_s)
            && lag > most
        {
            reasons.push(Reason::ReplicaLag {
                seconds: format!("{lag:.0}"),
                threshold: most.to_string(),
            });
        }
        if let Some(most) = limit(thresholds.slow_ms)
            && latency_ms > most
        {
            reasons.push(Reason::Slow {
                latency: format!("{latency_ms:.0}"),
                threshold: most.to_string(),
            });
        }
        reasons.into_iter().map(Failure::from).collect()
    }
}

impl Outcome {
    /// Puts together what identifies a probe and what it found.
    pub fn new(
        (id, record, revision): (i64, Uuid, i64),
        probe: Uuid,
        found: Result<Evidence, Failure>,
        phases: Phases,
        thresholds: &Thresholds,
        checked_at: Timestamp,
    ) -> Self {
        let verdict = Verdict::of(&found, &phases, thresholds, checked_at);
        let is_up = found.is_ok();
        let evidence = found.unwrap_or_default();
        let worst = verdict.reasons.first();
        Self {
            id,
            record,
            revision,
            probe,
            status: verdict.status,
            latency_ms: is_up.then(|| phases.total_ms()),
            phases,
            server_version: evidence.server_version,
            active_connections: evidence.active_connections,
            max_connections: evidence.max_connections,
            failure_kind: worst.map(Failure::kind),
            failure_message: verdict.message(),
            failure_advice: worst.map(|failure| failure.advice().to_owned()),
            explanations: verdict.reasons.iter().map(Failure::explain).collect(),
            facts: evidence.facts,
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

    fn limits() -> Thresholds {
        Thresholds {
            slow_ms: 100,
            certificate_days: 14,
            connections_percent: 85,
            replica_lag_s: 60,
        }
    }

    fn judge(evidence: Evidence, query_ms: u64, thresholds: &Thresholds) -> Verdict {
        let mut phases = Phases::default();
        phases.add(Phase::Query, Duration::from_millis(query_ms));
        Verdict::of(&Ok(evidence), &phases, thresholds, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_within_every_limit_is_a_success() {
        let day = 86_400;
        let evidence = Evidence {
            active_connections: Some(85),
            max_connections: Some(100),
            facts: Facts {
                replica_lag_s: Some(60.0),
                certificate_expires_at: Timestamp::from_second(14 * day).ok(),
                ..Facts::default()
            },
            ..Evidence::default()
        };
        let verdict = judge(evidence, 100, &limits());
        assert_eq!((verdict.status, verdict.message()), (Status::Success, None));
    }

    #[test]
    fn what_is_beyond_a_limit_is_degraded_and_each_says_why() {
        let evidence = Evidence {
            active_connections: Some(86),
            max_connections: Some(100),
            facts: Facts {
                replica_lag_s: Some(61.0),
                certificate_expires_at: Timestamp::from_second(13 * 86_400 + 1).ok(),
                ..Facts::default()
            },
            ..Evidence::default()
        };
        let verdict = judge(evidence.clone(), 101, &limits());
        assert_eq!(verdict.status, Status::Degraded);
        expect_test::expect!["The server's certificate expires in 13 days. 86 of 100 connections are in use, and more than 85% is much. The replica is 61 s behind, and more than 60 s is much. It took 101 ms, and more than 100 ms is slow."]
            .assert_eq(&verdict.message().expect("reasons"));
        let passed = Evidence {
            facts: Facts {
                certificate_expires_at: Timestamp::from_second(-1).ok(),
                ..Facts::default()
            },
            ..Evidence::default()
        };
        let verdict = judge(passed, 1, &limits());
        assert_eq!(verdict.reasons[0].kind(), FailureKind::CertificateExpired);
        let off = Thresholds {
            slow_ms: 0,
            certificate_days: 0,
            connections_percent: 0,
            replica_lag_s: 0,
        };
        assert_eq!(judge(evidence, 101, &off).status, Status::Success);
    }
}
