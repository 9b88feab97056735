//! What a Prometheus may read of each endpoint, by the names that blackbox_exporter has.
//!
//! <https://github.com/prometheus/blackbox_exporter>, `prober/*.go`. Kept is a small struct for
//! each endpoint; the series are written when somebody asks.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use insightpulse_domain::{Kind, Outcome};
use insightpulse_monitor::Monitored;
use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use uuid::Uuid;

/// Of all databases.
#[derive(Debug, Default)]
pub struct EndpointMetrics {
    known: Mutex<HashMap<(Uuid, Uuid), Measured>>,
    without_series: AtomicU64,
}

/// The newest result of one endpoint.
#[derive(Debug, Clone)]
struct Measured {
    id: i64,
    kind: Kind,
    agency: Option<i64>,
    is_up: bool,
    duration_s: f64,
    /// Seconds: resolve, connect, TLS, login, query.
    phases: [Option<f64>; 5],
    status_code: Option<u16>,
    certificate_expires_at: Option<Timestamp>,
    tls_version: Option<TlsVersion>,
}

/// A closed list: a text of a server's would be a label of its choice.
#[derive(Debug, Clone, Copy)]
struct TlsVersion(&'static str);

const TLS_VERSIONS: [&str; 2] = ["TLS 1.2", "TLS 1.3"];

/// More endpoints than these have no series: labels must not explode.
const ENDPOINTS_MAX: usize = 20_000;

const PHASES: [&str; 5] = ["resolve", "connect", "tls", "login", "query"];

/// blackbox_exporter's names for the phases of HTTP; a login is none of them.
const HTTP_PHASES: [Option<&str>; 5] = [
    Some("resolve"),
    Some("connect"),
    Some("tls"),
    None,
    Some("processing"),
];

impl EndpointMetrics {
    pub fn measured(&self, database: Uuid, outcome: &Outcome, endpoint: &Monitored) {
        let mut known = self.lock();
        let key = (database, outcome.record);
        if known.len() >= ENDPOINTS_MAX && !known.contains_key(&key) {
            self.without_series.fetch_add(1, Ordering::Relaxed);
            return;
        }
        known.insert(key, Measured::new(outcome, endpoint));
    }

    pub fn gone(&self, database: Uuid, record: Uuid) {
        self.lock().remove(&(database, record));
    }

    pub fn forget(&self, database: Uuid) {
        self.lock().retain(|(of, _), _| *of != database);
    }

    /// Results of endpoints that have no series, since there are too many.
    pub fn without_series(&self) -> u64 {
        self.without_series.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Uuid, Uuid), Measured>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measured {
    fn new(outcome: &Outcome, endpoint: &Monitored) -> Self {
        let phases = &outcome.phases;
        let seconds = [
            phases.resolve_ms,
            phases.connect_ms,
            phases.tls_ms,
            phases.login_ms,
            phases.query_ms,
        ]
        .map(|phase| phase.map(|ms| ms / 1e3));
        let tls_version = outcome.facts.tls_version.as_deref().and_then(|told| {
            let known = TLS_VERSIONS
                .into_iter()
                .find(|version| told.contains(&version[4..]));
            known.map(TlsVersion)
        });
        Self {
            id: outcome.id,
            kind: endpoint.raw.kind,
            agency: endpoint.agency,
            is_up: outcome.latency_ms.is_some(),
            duration_s: outcome.phases.total_ms() / 1e3,
            phases: seconds,
            status_code: outcome.facts.http_status,
            certificate_expires_at: outcome.facts.certificate_expires_at,
            tls_version,
        }
    }

    fn labels(&self, database: Uuid) -> Vec<(&'static str, String)> {
        vec![
            ("database", database.to_string()),
            ("endpoint", self.id.to_string()),
            ("kind", self.kind.as_str().to_owned()),
            ("agency", self.agency.map(|id| id.to_string()).unwrap_or_default()),
        ]
    }
}

impl Collector for EndpointMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let known = self.lock().clone();
        let mut rows: Vec<_> = known
            .iter()
            .map(|((database, _), one)| (*database, one))
            .collect();
        rows.sort_by_key(|(database, one)| (*database, one.id));
        let mut family = |name: &str, help: &str, value: &dyn Fn(&Measured) -> Values| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (database, one) in &rows {
                for (label, value) in value(one) {
                    let mut labels = one.labels(*database);
                    labels.extend(label.map(|(name, value)| (name, value.to_owned())));
                    family.encode_family(&labels)?.encode_gauge(&value)?;
                }
            }
            Ok::<(), fmt::Error>(())
        };
        let alone = |value: Option<f64>| value.map(|value| (None, value)).into_iter().collect();
        family("probe_success", "Whether the newest probe succeeded", &|one| {
            alone(Some(f64::from(u8::from(one.is_up))))
        })?;
        family(
            "probe_duration_seconds",
            "How long the newest probe took",
            &|one| alone(Some(one.duration_s)),
        )?;
        family(
            "probe_dns_lookup_time_seconds",
            "How long the name was looked up",
            &|one| alone(one.phases[0]),
        )?;
        family(
            "probe_http_status_code",
            "The status of the newest answer over HTTP",
            &|one| alone(one.status_code.map(f64::from)),
        )?;
        family(
            "probe_http_duration_seconds",
            "How long each phase of the newest probe over HTTP took",
            &|one| {
                let phases = HTTP_PHASES.iter().zip(one.phases);
                let phases = phases.filter(|_| !one.kind.is_database());
                phases
                    .filter_map(|(phase, seconds)| Some((Some(("phase", (*phase)?)), seconds?)))
                    .collect()
            },
        )?;
        family(
            "probe_ssl_earliest_cert_expiry",
            "When the first of the server's certificates expires, in seconds since 1970",
            &|one| alone(one.certificate_expires_at.map(|at| at.as_second() as f64)),
        )?;
        family(
            "probe_tls_version_info",
            "Which version of TLS was spoken",
            &|one| {
                one.tls_version
                    .map(|version| (Some(("version", version.0)), 1.0))
                    .into_iter()
                    .collect()
            },
        )?;
        family(
            "insightpulse_probe_phase_seconds",
            "How long each phase of the newest probe took, whatever its protocol",
            &|one| {
                let phases = PHASES.iter().zip(one.phases);
                phases
                    .filter_map(|(phase, seconds)| Some((Some(("phase", *phase)), seconds?)))
                    .collect()
            },
        )
    }
}

/// A label of the series' own, and its value.
type Values = Vec<(Option<Label>, f64)>;
type Label = (&'static str, &'static str);
