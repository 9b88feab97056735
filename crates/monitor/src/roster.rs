//! Which endpoints are monitored, as Odoo has them.

use std::sync::Arc;

use insightpulse_domain::{Cadence, Endpoint, RawEndpoint, Status};
use serde::Deserialize;
use uuid::Uuid;

use crate::windows::Window;

/// One endpoint that is monitored, with what its schedule needs.
#[derive(Debug)]
pub struct Monitored {
    pub raw: Arc<RawEndpoint>,
    pub cadence: Cadence,
    /// Of its own address; `None` while that makes no sense.
    pub host: Option<String>,
    pub agency: Option<i64>,
    pub is_paused: bool,
    pub windows: Vec<Window>,
    /// What Odoo shows; `None` before the first result.
    pub status: Option<Status>,
    /// The newest probe that Odoo knows of.
    pub last_probe: Option<Uuid>,
    /// As it stands in the list of all, to see whether it has changed since.
    pub version: String,
}

/// The same as Odoo writes it.
#[derive(Deserialize)]
struct Raw {
    #[serde(flatten)]
    endpoint: RawEndpoint,
    #[serde(default)]
    agency: Option<i64>,
    #[serde(default)]
    is_paused: bool,
    /// A window that a newer addon knows and this sidecar does not is none.
    #[serde(default)]
    windows: Vec<serde_json::Value>,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    last_probe: Option<Uuid>,
    version: String,
}

impl<'de> Deserialize<'de> for Monitored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Raw::deserialize(deserializer).map(Self::from)
    }
}

impl From<Raw> for Monitored {
    fn from(raw: Raw) -> Self {
        let host = Endpoint::parse(&raw.endpoint)
            .ok()
            .map(|endpoint| endpoint.service.address().host_and_port().0.to_string());
        let windows = raw.windows.into_iter().filter_map(|window| {
            serde_json::from_value(window)
                .inspect_err(|error| {
                    tracing::warn!(
                        endpoint.id = raw.endpoint.id,
                        %error,
                        "A maintenance window cannot be read and is ignored"
                    );
                })
                .ok()
        });
        Self {
            windows: windows.collect(),
            cadence: raw.endpoint.cadence(),
            host,
            agency: raw.agency,
            is_paused: raw.is_paused,
            status: raw.status,
            last_probe: raw.last_probe,
            version: raw.version,
            raw: Arc::new(raw.endpoint),
        }
    }
}

impl Monitored {
    /// Whether its schedule rests now.
    pub fn rests(&self, now: jiff::Timestamp) -> bool {
        self.is_paused || self.windows.iter().any(|window| window.covers(now))
    }
}
