//! What a Prometheus may read: counts and states, never a name, an address or a secret.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use insightpulse_domain::{Outcome, Status};
use insightpulse_monitor::{Load, Monitored, Observer, Report, Store};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use uuid::Uuid;

use crate::endpoint_metrics::EndpointMetrics;

pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    results: Family<ResultLabels, Counter>,
    odoo_takes_results: Family<DatabaseLabels, Gauge>,
    waiting: Family<DatabaseLabels, Gauge>,
    endpoints: Family<DatabaseLabels, Gauge>,
    running: Family<DatabaseLabels, Gauge>,
    queued: Family<DatabaseLabels, Gauge>,
    webhook: Family<WebhookLabels, Counter>,
    probes: Family<ProbeLabels, Counter>,
    lateness: Histogram,
    odoo_calls: Family<CallLabels, Histogram, fn() -> Histogram>,
    store_away: Gauge,
    store_written: Counter,
    store_dropped: Counter,
    store_failures: Counter,
    without_series: Counter,
    /// Has a registry of its own, without our prefix: other programs' names.
    each: Arc<EndpointMetrics>,
    others: Registry,
}

/// The metrics of one database.
#[derive(Clone)]
pub struct TenantMetrics {
    shared: Arc<Metrics>,
    database: Uuid,
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

/// What became of a message to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types)]
pub enum Delivery {
    sent,
    /// It is tried again, if it was no test.
    failed,
    dropped,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    database: String,
    result: Delivery,
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
struct ProbeLabels {
    kind: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    method: String,
    ok: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DatabaseLabels {
    database: String,
}

/// A millisecond to ten seconds.
const LATENESS_S: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
const CALL_S: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

impl Metrics {
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("insightpulse"),
            requests: Family::default(),
            refusals: Family::default(),
            results: Family::default(),
            odoo_takes_results: Family::default(),
            waiting: Family::default(),
            endpoints: Family::default(),
            running: Family::default(),
            queued: Family::default(),
            webhook: Family::default(),
            probes: Family::default(),
            lateness: Histogram::new(LATENESS_S),
            odoo_calls: Family::new_with_constructor(|| Histogram::new(CALL_S)),
            store_away: Gauge::default(),
            store_written: Counter::default(),
            store_dropped: Counter::default(),
            store_failures: Counter::default(),
            without_series: Counter::default(),
            each: Arc::default(),
            others: Registry::default(),
        };
        metrics
            .others
            .register_collector(Box::new(Arc::clone(&metrics.each)));
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
        registry.register(
            "endpoints",
            "Endpoints of this database that are monitored",
            metrics.endpoints.clone(),
        );
        registry.register(
            "probes_running",
            "Probes of this database that are under way",
            metrics.running.clone(),
        );
        registry.register(
            "probes_waiting",
            "Probes of this database that are due and wait for a limit: in all, of a host, of an agency",
            metrics.queued.clone(),
        );
        registry.register(
            "webhook_messages",
            "Attempts to tell this database's webhook, and messages that were given up",
            metrics.webhook.clone(),
        );
        registry.register(
            "probes",
            "Probes that ended, by kind and result",
            metrics.probes.clone(),
        );
        registry.register(
            "probe_lateness_seconds",
            "How long after its time a scheduled probe began",
            metrics.lateness.clone(),
        );
        registry.register(
            "odoo_call_duration_seconds",
            "How long calls of Odoo took, by method and whether they succeeded",
            metrics.odoo_calls.clone(),
        );
        registry.register(
            "store_away",
            "1 while the store does not answer",
            metrics.store_away.clone(),
        );
        for (name, help, counter) in [
            (
                "store_written",
                "Results written into the store",
                &metrics.store_written,
            ),
            (
                "store_dropped",
                "Results that the store never got, since it was away too long",
                &metrics.store_dropped,
            ),
            (
                "store_failures",
                "Questions that the store did not answer",
                &metrics.store_failures,
            ),
            (
                "results_without_series",
                "Results of endpoints that have no series, since there are too many",
                &metrics.without_series,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        metrics
    }

    /// In the text format of OpenMetrics 1.0.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        set(&self.without_series, self.each.without_series());
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &self.others)?;
        encode_eof(&mut text)?;
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
        for result in [Delivery::sent, Delivery::failed, Delivery::dropped] {
            // A rate needs a zero to begin with.
            let database = database.to_string();
            drop(self.webhook.get_or_create(&WebhookLabels { database, result }));
        }
        TenantMetrics {
            database,
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

    pub fn set_endpoints(&self, database: Uuid, endpoints: usize) {
        let labels = DatabaseLabels {
            database: database.to_string(),
        };
        self.endpoints
            .get_or_create(&labels)
            .set(signed(endpoints as u64));
    }

    pub fn set_load(&self, database: Uuid, load: Load) {
        let labels = DatabaseLabels {
            database: database.to_string(),
        };
        let running = self.running.get_or_create(&labels);
        running.set(signed(load.running as u64));
        let queued = self.queued.get_or_create(&labels);
        queued.set(signed(load.waiting as u64));
    }

    pub fn set_store(&self, store: &Store) {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.store_away.set(i64::from(store.is_away()));
        set(&self.store_written, count(&store.counts().written));
        set(&self.store_dropped, count(&store.counts().dropped));
        set(&self.store_failures, count(&store.counts().failures));
    }

    /// A database that is no longer served has no state.
    pub fn forget(&self, database: Uuid) {
        let labels = DatabaseLabels {
            database: database.to_string(),
        };
        self.odoo_takes_results.remove(&labels);
        self.waiting.remove(&labels);
        self.endpoints.remove(&labels);
        self.running.remove(&labels);
        for result in [Delivery::sent, Delivery::failed, Delivery::dropped] {
            let database = database.to_string();
            self.webhook.remove(&WebhookLabels { database, result });
        }
        self.queued.remove(&labels);
        self.each.forget(database);
    }
}

impl Observer for TenantMetrics {
    fn begun(&self, late: Duration) {
        self.shared.lateness.observe(late.as_secs_f64());
    }

    fn landed(&self, outcome: &Outcome, endpoint: Option<&Monitored>) {
        let labels = ProbeLabels {
            kind: endpoint.map_or("", |endpoint| endpoint.raw.kind.as_str()),
            status: status_name(outcome.status),
        };
        self.shared.probes.get_or_create(&labels).inc();
    }

    fn measured(&self, outcome: &Outcome, endpoint: &Monitored) {
        self.shared.each.measured(self.database, outcome, endpoint);
    }

    fn gone(&self, record: Uuid) {
        self.shared.each.gone(self.database, record);
    }
}

impl TenantMetrics {
    /// Odoo was asked; `method` is one of ours.
    pub fn called(&self, method: &str, took: Duration, is_ok: bool) {
        let labels = CallLabels {
            method: method.to_owned(),
            ok: if is_ok { "true" } else { "false" },
        };
        self.shared
            .odoo_calls
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    pub fn webhook(&self, result: Delivery) {
        let database = self.labels.database.clone();
        let labels = WebhookLabels { database, result };
        self.shared.webhook.get_or_create(&labels).inc();
    }

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

/// Takes over what somebody else counts.
fn set(counter: &Counter, count: u64) {
    counter.inner().store(count, Ordering::Relaxed);
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Success => "success",
        Status::Degraded => "degraded",
        Status::Failed => "failed",
    }
}
