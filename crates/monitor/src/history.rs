//! How an endpoint has been: latency and availability over time.

use std::collections::VecDeque;
use std::time::Duration;

use insightpulse_domain::Outcome;
use jiff::Timestamp;
use serde::Serialize;

/// One result, as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub at: Timestamp,
    pub is_up: bool,
    /// Of one that answered.
    pub latency_ms: Option<f64>,
    /// The time that it stands for: since the one before, within reason.
    pub observed: Duration,
}

/// Stretches of time that people ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Range {
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
    #[serde(rename = "30d")]
    Month,
    #[serde(rename = "90d")]
    Quarter,
}

/// What is known of one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// Seconds that one point stands for.
    pub step_s: u32,
    /// In the order of time; none where nothing is known.
    pub points: Vec<Point>,
    pub uptime: Vec<Uptime>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Its beginning.
    pub at: Timestamp,
    pub probes: u32,
    pub failures: u32,
    /// Of those that answered.
    pub latency_ms: Option<f64>,
    pub latency_max_ms: Option<f64>,
}

/// The part of a stretch in which an endpoint answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Uptime {
    pub range: Range,
    /// 0 to 1; `None` when nothing is known.
    pub share: Option<f64>,
}

/// What one process remembers without a database, bounded for each endpoint: a
/// day in quarters of an hour, a quarter of a year in days.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    fine: VecDeque<Bucket>,
    coarse: VecDeque<Bucket>,
}

/// The samples of one stretch, summed up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The stretch, counted from 1970.
    index: u32,
    probes: u32,
    failures: u32,
    observed_s: f32,
    up_s: f32,
    latency_sum_ms: f32,
    latency_max_ms: f32,
}

const FINE_S: u32 = 15 * 60;
const FINE_MOST: usize = 24 * 4 + 1;
const COARSE_S: u32 = 24 * 3_600;
const COARSE_MOST: usize = 91;

impl Sample {
    /// `since` is the time since the sample before, if there was one; what lies
    /// further back than two intervals was not observed.
    pub fn new(outcome: &Outcome, since: Option<Duration>, interval: Duration) -> Self {
        Self {
            at: outcome.checked_at,
            is_up: outcome.latency_ms.is_some(),
            latency_ms: outcome.latency_ms,
            observed: since.unwrap_or_default().min(2 * interval),
        }
    }
}

impl Range {
    pub const ALL: [Range; 4] = [Range::Day, Range::Week, Range::Month, Range::Quarter];

    pub fn length(self) -> Duration {
        let days = match self {
            Range::Day => 1,
            Range::Week => 7,
            Range::Month => 30,
            Range::Quarter => 90,
        };
        Duration::from_secs(days * 86_400)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Range::Day => "24h",
            Range::Week => "7d",
            Range::Month => "30d",
            Range::Quarter => "90d",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.as_str() == name)
    }
}

impl Remembered {
    pub fn add(&mut self, sample: &Sample) {
        add(&mut self.fine, FINE_S, FINE_MOST, sample);
        add(&mut self.coarse, COARSE_S, COARSE_MOST, sample);
    }

    pub fn history(&self, range: Range, now: Timestamp) -> History {
        let (buckets, step_s) = match range {
            Range::Day => (&self.fine, FINE_S),
            Range::Week | Range::Month | Range::Quarter => (&self.coarse, COARSE_S),
        };
        let points = within(buckets, step_s, range, now).map(|bucket| bucket.point(step_s));
        let uptime = Range::ALL.map(|range| {
            let (buckets, step_s) = match range {
                Range::Day => (&self.fine, FINE_S),
                _ => (&self.coarse, COARSE_S),
            };
            let (up, observed) =
                within(buckets, step_s, range, now).fold((0.0, 0.0), |(up, observed), bucket| {
                    (
                        up + f64::from(bucket.up_s),
                        observed + f64::from(bucket.observed_s),
                    )
                });
            Uptime {
                range,
                share: share(up, observed),
            }
        });
        History {
            step_s,
            points: points.collect(),
            uptime: uptime.to_vec(),
        }
    }
}

/// 0 to 1, of a time that was observed at all.
pub fn share(up_s: f64, observed_s: f64) -> Option<f64> {
    (observed_s > 0.0).then(|| (up_s / observed_s).clamp(0.0, 1.0))
}

fn within(
    buckets: &VecDeque<Bucket>,
    step_s: u32,
    range: Range,
    now: Timestamp,
) -> impl Iterator<Item = &Bucket> {
    let last = index(now, step_s);
    let most = u32::try_from(range.length().as_secs() / u64::from(step_s)).unwrap_or(u32::MAX);
    let first = last.saturating_sub(most);
    buckets
        .iter()
        .filter(move |bucket| first < bucket.index && bucket.index <= last)
}

fn index(at: Timestamp, step_s: u32) -> u32 {
    u32::try_from(at.as_second().max(0) / i64::from(step_s)).unwrap_or(u32::MAX)
}

fn add(buckets: &mut VecDeque<Bucket>, step_s: u32, most: usize, sample: &Sample) {
    let index = index(sample.at, step_s);
    // A clock that jumped back adds to where it jumped to, if that is remembered.
    let place = buckets.iter().rposition(|bucket| bucket.index <= index);
    let place = match place {
        Some(place) if buckets[place].index == index => place,
        _ => {
            let place = place.map_or(0, |place| place + 1);
            buckets.insert(place, Bucket::empty(index));
            place
        }
    };
    buckets[place].add(sample);
    while buckets.len() > most {
        buckets.pop_front();
    }
}

impl Bucket {
    fn empty(index: u32) -> Self {
        Self {
            index,
            probes: 0,
            failures: 0,
            observed_s: 0.0,
            up_s: 0.0,
            latency_sum_ms: 0.0,
            latency_max_ms: 0.0,
        }
    }

    fn add(&mut self, sample: &Sample) {
        self.probes += 1;
        self.observed_s += sample.observed.as_secs_f32();
        if sample.is_up {
            self.up_s += sample.observed.as_secs_f32();
        } else {
            self.failures += 1;
        }
        if let Some(latency) = sample.latency_ms {
            self.latency_sum_ms += latency as f32;
            self.latency_max_ms = self.latency_max_ms.max(latency as f32);
        }
    }

    fn point(&self, step_s: u32) -> Point {
        let answered = self.probes - self.failures;
        let rounded = |value: f32| (f64::from(value) * 1e3).round() / 1e3;
        Point {
            at: Timestamp::from_second(i64::from(self.index) * i64::from(step_s)).unwrap_or(Timestamp::MAX),
            probes: self.probes,
            failures: self.failures,
            latency_ms: (answered > 0).then(|| rounded(self.latency_sum_ms / answered as f32)),
            latency_max_ms: (answered > 0).then(|| rounded(self.latency_max_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64, latency_ms: Option<f64>) -> Sample {
        Sample {
            at: Timestamp::from_second(second).expect("a time"),
            is_up: latency_ms.is_some(),
            latency_ms,
            observed: Duration::from_secs(30),
        }
    }

    const MIDNIGHT: i64 = 1_795_824_000;

    #[test]
    fn a_day_is_told_in_quarters_of_an_hour() {
        let mut remembered = Remembered::default();
        for (second, latency) in [(0, Some(10.0)), (30, Some(20.0)), (60, None), (900, Some(5.0))] {
            remembered.add(&sample(MIDNIGHT + second, latency));
        }
        let now = Timestamp::from_second(MIDNIGHT + 1_000).expect("a time");
        let History {
            step_s,
            points,
            uptime,
        } = remembered.history(Range::Day, now);
        assert_eq!((step_s, points.len()), (900, 2));
        let Point {
            probes,
            failures,
            latency_ms,
            latency_max_ms,
            ..
        } = points[0];
        assert_eq!(
            (probes, failures, latency_ms, latency_max_ms),
            (3, 1, Some(15.0), Some(20.0))
        );
        assert!(
            uptime.iter().all(|uptime| uptime.share == Some(0.75)),
            "{uptime:?}"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded_whatever_comes() {
        let mut remembered = Remembered::default();
        for hour in 0..200 * 24 {
            remembered.add(&sample(MIDNIGHT + hour * 3_600, Some(1.0)));
        }
        assert!(remembered.fine.len() <= FINE_MOST && remembered.coarse.len() <= COARSE_MOST);
        let now = Timestamp::from_second(MIDNIGHT + 200 * 86_400 - 1).expect("a time");
        assert_eq!(remembered.history(Range::Day, now).points.len(), 24);
        assert_eq!(remembered.history(Range::Quarter, now).points.len(), 90);
    }

    #[test]
    fn a_clock_that_jumps_back_keeps_the_order() {
        let mut remembered = Remembered::default();
        for second in [10_000, 2_000, 10_001, 5_000] {
            remembered.add(&sample(MIDNIGHT + second, Some(1.0)));
        }
        let indices: Vec<_> = remembered.fine.iter().map(|bucket| bucket.index).collect();
        assert!(indices.is_sorted(), "{indices:?}");
    }

    #[test]
    fn of_what_nobody_observed_nothing_is_said() {
        let history = Remembered::default().history(Range::Week, Timestamp::UNIX_EPOCH);
        assert!(history.points.is_empty());
        assert!(history.uptime.iter().all(|uptime| uptime.share.is_none()));
    }
}
