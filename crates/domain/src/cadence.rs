//! How often an endpoint is tested, and how many results make a verdict.

use serde::{Deserialize, Serialize};

/// The rhythm of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cadence {
    /// Seconds between the starts of two tests.
    pub interval_s: u32,
    /// Milliseconds that one test may take.
    pub timeout_ms: u32,
    /// Failures in a row before an endpoint is shown as failed.
    pub failure_threshold: u32,
    /// Successes in a row before it is shown as connected again.
    pub success_threshold: u32,
}

/// What a record says of it: nothing means its kind's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawCadence {
    #[serde(default)]
    pub interval_s: Option<u32>,
    #[serde(default)]
    pub timeout_ms: Option<u32>,
    #[serde(default)]
    pub failure_threshold: Option<u32>,
    #[serde(default)]
    pub success_threshold: Option<u32>,
}

/// Shorter would be load rather than monitoring; a week is as good as never.
const INTERVAL_S: std::ops::RangeInclusive<u32> = 5..=7 * 86_400;
const TIMEOUT_MS: std::ops::RangeInclusive<u32> = 100..=60_000;
const THRESHOLD: std::ops::RangeInclusive<u32> = 1..=100;

impl RawCadence {
    /// Keeps every value within what makes sense, whoever wrote it.
    pub(crate) fn over(self, kinds: Cadence) -> Cadence {
        let within = |value: Option<u32>, usual: u32, range: std::ops::RangeInclusive<u32>| {
            value.unwrap_or(usual).clamp(*range.start(), *range.end())
        };
        Cadence {
            interval_s: within(self.interval_s, kinds.interval_s, INTERVAL_S),
            timeout_ms: within(self.timeout_ms, kinds.timeout_ms, TIMEOUT_MS),
            failure_threshold: within(self.failure_threshold, kinds.failure_threshold, THRESHOLD),
            success_threshold: within(self.success_threshold, kinds.success_threshold, THRESHOLD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn what_a_record_does_not_say_is_its_kinds() {
        let kinds = Kind::Mcp.cadence();
        assert_eq!(RawCadence::default().over(kinds), kinds);
        let raw = RawCadence {
            interval_s: Some(10),
            failure_threshold: Some(1),
            ..RawCadence::default()
        };
        let expected = Cadence {
            interval_s: 10,
            failure_threshold: 1,
            ..kinds
        };
        assert_eq!(raw.over(kinds), expected);
    }

    #[test]
    fn what_makes_no_sense_becomes_the_nearest_that_does() {
        let raw = RawCadence {
            interval_s: Some(0),
            timeout_ms: Some(u32::MAX),
            failure_threshold: Some(0),
            success_threshold: Some(1_000),
        };
        let Cadence {
            interval_s,
            timeout_ms,
            failure_threshold,
            success_threshold,
        } = raw.over(Kind::Api.cadence());
        assert_eq!(
            (interval_s, timeout_ms, failure_threshold, success_threshold),
            (5, 60_000, 1, 100)
        );
    }
}
