//! What Odoo is told of an endpoint: the newest outcome, what happened on the way, and sums.

use insightpulse_domain::{Explanation, FailureKind, Outcome, Status};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::judge::Unconfirmed;

/// One item of `apply_probe_results`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its status is the one to show, which several results may stand behind.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The newest result says otherwise, and not often enough yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<Unconfirmed>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_flapping: bool,
    /// In their order. Each has an id, by which Odoo knows it when it comes twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Of the results since the last report: one for each day, in UTC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tallies: Vec<Tally>,
}

/// What people are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: Uuid,
    pub at: Timestamp,
    pub kind: EventKind,
    pub from: Option<Status>,
    pub to: Status,
    /// Nobody needs to hear of each change of what goes up and down all the time.
    pub is_flapping: bool,
    /// It happened while the schedule rests: who tests by hand then knows, and nobody else asked.
    #[serde(default)]
    pub is_quiet: bool,
    pub failure_kind: Option<FailureKind>,
    pub failure_message: Option<String>,
    pub failure_advice: Option<String>,
    pub explanations: Vec<Explanation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    Transition,
    /// It began to go up and down.
    Flapping,
    /// It stopped going up and down.
    Steady,
}

/// The results of one endpoint on one day, summed up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub day: Date,
    pub probes: u32,
    pub failures: u32,
    /// The time that the results stand for, in seconds.
    pub observed_s: f64,
    /// The part of it in which the endpoint answered.
    pub up_s: f64,
    /// Of those that answered, in milliseconds.
    pub latency_sum_ms: f64,
    pub latency_max_ms: f64,
}

impl Report {
    /// Takes in what is newer, and loses nothing that has to be told.
    pub fn merge(&mut self, newer: Report) {
        let Report {
            outcome,
            unconfirmed,
            is_flapping,
            events,
            tallies,
        } = newer;
        if outcome.probe >= self.outcome.probe {
            self.outcome = outcome;
            self.unconfirmed = unconfirmed;
            self.is_flapping = is_flapping;
        }
        for event in events {
            // A store and a file may both have kept it.
            if self.events.iter().all(|known| known.id != event.id) {
                self.events.push(event);
            }
        }
        for tally in tallies {
            match self.tallies.iter_mut().find(|known| known.day == tally.day) {
                Some(known) => known.add(&tally),
                None => self.tallies.push(tally),
            }
        }
    }
}

impl Event {
    /// Whether people want to hear of it: not of each change of what flaps, that a new endpoint works, or
    /// daily of a certificate. Odoo's `_is_to_be_told` says the same.
    pub fn is_news(&self) -> bool {
        if self.is_quiet {
            return false;
        }
        self.kind != EventKind::Transition
            || !(self.is_flapping
                || (self.from.is_none() && self.to == Status::Success)
                || (self.failure_kind == Some(FailureKind::CertificateExpiring)
                    && self.from != Some(Status::Failed)))
    }
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.probes += other.probes;
        self.failures += other.failures;
        self.observed_s += other.observed_s;
        self.up_s += other.up_s;
        self.latency_sum_ms += other.latency_sum_ms;
        self.latency_max_ms = self.latency_max_ms.max(other.latency_max_ms);
    }
}
