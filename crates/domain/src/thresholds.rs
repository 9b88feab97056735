//! Beyond what an endpoint that works is degraded.

use serde::{Deserialize, Serialize};

/// The limits of one endpoint. Zero switches one off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Milliseconds of a whole probe.
    pub slow_ms: u32,
    /// Days that a certificate has left.
    pub certificate_days: u32,
    /// Connections in use, of a hundred that there may be.
    pub connections_percent: u32,
    /// Seconds that a replica is behind.
    pub replica_lag_s: u32,
}

/// What a record says of them: nothing means its kind's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct RawThresholds {
    #[serde(default)]
    pub slow_ms: Option<u32>,
    #[serde(default)]
    pub certificate_days: Option<u32>,
    #[serde(default)]
    pub connections_percent: Option<u32>,
    #[serde(default)]
    pub replica_lag_s: Option<u32>,
}

impl RawThresholds {
    pub(crate) fn over(self, kinds: Thresholds) -> Thresholds {
        Thresholds {
            slow_ms: self.slow_ms.unwrap_or(kinds.slow_ms),
            certificate_days: self.certificate_days.unwrap_or(kinds.certificate_days),
            connections_percent: self.connections_percent.unwrap_or(kinds.connections_percent),
            replica_lag_s: self.replica_lag_s.unwrap_or(kinds.replica_lag_s),
        }
    }
}
