//! What a Prometheus may read: counts and states, never a name, an address or a secret.

use std::sync::Arc;

use insightpulse_domain::Status;
use insightpulse_monitor::{Observer, Report};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use uuid::Uuid;

pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    results: Family<ResultLabels, Counter>,
    odoo_takes_results: Family<DatabaseLabels, Gauge>,
    waiting: Family<DatabaseLabels, Gauge>,
}

/// The metrics of one database.
pub struct TenantMetrics {
    shared: Arc<Metrics>,
    labels: DatabaseLabels,
}

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types)]
pub enum Refusal {
    token,
    pairing_code,
    rate,
    busy,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: Refusal,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    database: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DatabaseLabels {
    database: String,
}

impl Metrics {
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("insightpulse"),
            requests: Family::default(),
            refusals: Family::default(),
            results: Family::default(),
            odoo_takes_results: Family::default(),
            waiting: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Requests answered, by route and HTTP status",
            metrics.requests.clone(),
        );
        registry.register(
            "refusals",
            "Requests refused at the door",
            metrics.refusals.clone(),
        );
        registry.register(
            "results",
            "Results of probes that Odoo took",
            metrics.results.clone(),
        );
        registry.register(
            "odoo_takes_results",
            "1 when the last call to this database's Odoo succeeded",
            metrics.odoo_takes_results.clone(),
        );
        registry.register(
            "results_waiting",
            "Results that this database's Odoo has not taken yet",
            metrics.waiting.clone(),
        );
        metrics
    }

    /// In the text format of OpenMetrics 1.0.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// `route` is the pattern, never a path that somebody made up.
    pub fn answered(&self, route: &str, status: u16) {
        let route = route.to_owned();
        self.requests
            .get_or_create(&RequestLabels { route, status })
            .inc();
    }

    pub fn refused(&self, reason: Refusal) {
        self.refusals.get_or_create(&RefusalLabels { reason }).inc();
    }

    pub fn of(self: &Arc<Self>, database: Uuid) -> TenantMetrics {
        TenantMetrics {
            shared: Arc::clone(self),
            labels: DatabaseLabels {
                database: database.to_string(),
            },
        }
    }

    pub fn set_waiting(&self, database: Uuid, results: usize) {
        let labels = DatabaseLabels {
            database: database.to_string(),
        };
        self.waiting
            .get_or_create(&labels)
            .set(i64::try_from(results).unwrap_or(i64::MAX));
    }

    /// A database that is no longer served has no state.
    pub fn forget(&self, database: Uuid) {
        let labels = DatabaseLabels {
            database: database.to_string(),
        };
        self.odoo_takes_results.remove(&labels);
        self.waiting.remove(&labels);
    }
}

impl Observer for TenantMetrics {}

impl TenantMetrics {
    pub fn odoo_takes_results(&self, takes: bool) {
        self.shared
            .odoo_takes_results
            .get_or_create(&self.labels)
            .set(i64::from(takes));
    }

    pub fn delivered(&self, batch: &[Report]) {
        for report in batch {
            let labels = ResultLabels {
                database: self.labels.database.clone(),
                status: status_name(report.outcome.status),
            };
            self.shared.results.get_or_create(&labels).inc();
        }
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Success => "success",
        Status::Degraded => "degraded",
        Status::Failed => "failed",
    }
}
