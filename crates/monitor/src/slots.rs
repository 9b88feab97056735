//! When an endpoint's turn is: moments of wall time that follow from its id alone.
//!
//! Whoever is to test an endpoint comes to the same moments, so a schedule needs
//! no memory, survives every restart, and is tested once an interval whoever does it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// 2^64 divided by the golden ratio: the multiples of a step of this part of a
/// circle lie as evenly on it as is possible without knowing how many there will be.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The moments at which one endpoint is due: one in each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    interval_ms: i64,
    phase_ms: i64,
}

impl Slots {
    /// `salt` keeps several databases from beginning at the same moments.
    pub fn new(id: i64, salt: u64, interval: Duration) -> Self {
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let turn = (id as u64).wrapping_mul(GOLDEN).wrapping_add(salt);
        let phase_ms = ((u128::from(turn) * interval_ms as u128) >> 64) as i64;
        Self {
            interval_ms,
            phase_ms,
        }
    }

    /// The first moment after this one.
    pub fn after(&self, now: Timestamp) -> Timestamp {
        let passed = (now.as_millisecond() - self.phase_ms).rem_euclid(self.interval_ms);
        Timestamp::from_millisecond(now.as_millisecond() - passed + self.interval_ms)
            .unwrap_or(Timestamp::MAX)
    }

    /// How long it is until the next one.
    pub fn wait_from(&self, now: Timestamp) -> Duration {
        let wait: SignedDuration = self.after(now).duration_since(now);
        wait.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("a time")
    }

    #[test]
    fn every_interval_has_one_slot_at_the_same_place() {
        let slots = Slots::new(7, 99, MINUTE);
        let first = slots.after(at(1_700_000_000_000));
        let second = slots.after(first);
        assert_eq!(second.duration_since(first), SignedDuration::from_mins(1));
        assert_eq!(slots.after(at(first.as_millisecond() - 1)), first);
        assert!(slots.wait_from(first) <= MINUTE);
    }

    #[test]
    fn starts_are_spread_evenly_and_never_in_a_herd() {
        let begun = at(1_700_000_000_000);
        for ids in [1..=1_000_i64, 40_000..=40_999] {
            let mut starts: Vec<_> = ids.map(|id| Slots::new(id, 5, MINUTE).wait_from(begun)).collect();
            starts.sort();
            // A thousand in a minute are one in 60 ms on average.
            let widest = starts.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(widest < Some(Duration::from_millis(180)), "{widest:?}");
            let in_a_second = |second: u64| starts.iter().filter(|start| start.as_secs() == second).count();
            let fullest = (0..60).map(in_a_second).max();
            assert!(fullest <= Some(19), "{fullest:?}");
        }
    }

    #[test]
    fn a_clock_that_jumps_leaves_the_next_start_within_an_interval() {
        let slots = Slots::new(7, 0, MINUTE);
        for ms in [0, -86_400_000, 4_102_444_800_000] {
            let wait = slots.wait_from(at(ms));
            assert!(wait > Duration::ZERO && wait <= MINUTE, "{wait:?}");
        }
    }
}
