//! When an endpoint is meant to be away: maintenance windows.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::Deserialize;

/// A stretch of time in which nobody tests by schedule, and nobody is told anything.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Window {
    Once {
        starts_at: Timestamp,
        ends_at: Timestamp,
    },
    Weekly(Weekly),
}

/// The same hours of some days of each week, by a wall clock.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RawWeekly")]
pub struct Weekly {
    weekdays: Vec<Weekday>,
    starts: Time,
    length: SignedDuration,
    zone: TimeZone,
}

#[derive(Deserialize)]
struct RawWeekly {
    /// 0 is Monday.
    weekdays: Vec<i8>,
    /// `22:00`
    starts: Time,
    minutes: i64,
    /// As the IANA database names it: `Asia/Manila`.
    tz: String,
}

const WEEK_MINUTES: i64 = 7 * 24 * 60;

impl TryFrom<RawWeekly> for Weekly {
    type Error = jiff::Error;

    fn try_from(raw: RawWeekly) -> Result<Self, jiff::Error> {
        Ok(Self {
            weekdays: raw
                .weekdays
                .into_iter()
                .map(Weekday::from_monday_zero_offset)
                .collect::<Result<_, _>>()?,
            starts: raw.starts,
            length: SignedDuration::from_mins(raw.minutes.clamp(0, WEEK_MINUTES)),
            zone: TimeZone::get(&raw.tz)?,
        })
    }
}

impl Window {
    /// The end is not part of it.
    pub fn covers(&self, now: Timestamp) -> bool {
        match self {
            Window::Once { starts_at, ends_at } => *starts_at <= now && now < *ends_at,
            Window::Weekly(weekly) => weekly.covers(now),
        }
    }
}

impl Weekly {
    /// A window that is open now began today, or on one of the days that its length reaches back.
    fn covers(&self, now: Timestamp) -> bool {
        let today = now.to_zoned(self.zone.clone()).date();
        (0..=self.length.as_hours() / 24 + 1).any(|days| {
            let Ok(day) = today.checked_sub(Span::new().days(days)) else {
                return false;
            };
            self.weekdays.contains(&day.weekday())
                && day
                    .to_datetime(self.starts)
                    .to_zoned(self.zone.clone())
                    .is_ok_and(|start| {
                        let since = now.duration_since(start.timestamp());
                        !since.is_negative() && since < self.length
                    })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(json: &str) -> Window {
        serde_json::from_str(json).expect("a window")
    }

    #[track_caller]
    fn check(window: &Window, inside: &[&str], outside: &[&str]) {
        for text in inside {
            assert!(window.covers(text.parse().expect("a time")), "{text} is outside");
        }
        for text in outside {
            assert!(!window.covers(text.parse().expect("a time")), "{text} is inside");
        }
    }

    #[test]
    fn a_window_of_once_is_open_from_its_start_to_just_before_its_end() {
        let once = window(
            r#"{"kind": "once", "starts_at": "2026-11-28T22:00:00Z", "ends_at": "2026-11-29T02:00:00Z"}"#,
        );
        check(
            &once,
            &["2026-11-28T22:00:00Z", "2026-11-29T01:59:59Z"],
            &[
                "2026-11-28T21:59:59Z",
                "2026-11-29T02:00:00Z",
                "2027-11-28T23:00:00Z",
            ],
        );
    }

    #[test]
    fn a_weekly_window_goes_by_its_own_clock_and_past_midnight() {
        let manila = window(
            r#"{"kind": "weekly", "weekdays": [5], "starts": "22:00", "minutes": 240, "tz": "Asia/Manila"}"#,
        );
        // Saturday, 28 November 2026, 22:00 in Manila is 14:00 UTC.
        check(
            &manila,
            &[
                "2026-11-28T14:00:00Z",
                "2026-11-28T17:59:59Z",
                "2026-12-05T16:30:00Z",
            ],
            &[
                "2026-11-28T13:59:59Z",
                "2026-11-28T18:00:00Z",
                "2026-11-27T15:00:00Z",
            ],
        );
    }

    #[test]
    fn a_weekly_window_keeps_its_hour_when_the_clocks_change() {
        let berlin = window(
            r#"{"kind": "weekly", "weekdays": [6], "starts": "04:00", "minutes": 60, "tz": "Europe/Berlin"}"#,
        );
        // Summer time ended on Sunday, 25 October 2026.
        check(
            &berlin,
            &["2026-10-18T02:30:00Z", "2026-10-25T03:30:00Z"],
            &["2026-10-18T03:30:00Z", "2026-10-25T02:30:00Z"],
        );
    }

    /// The addon's `test_a_window_begins_once_when_…` has the same, or its cards would say something else.
    #[test]
    fn a_window_begins_once_when_a_clock_goes_back_and_an_hour_later_when_it_goes_forward() {
        let at = |starts: &str| {
            window(&format!(
                r#"{{"kind": "weekly", "weekdays": [6], "starts": "{starts}", "minutes": 60, "tz": "Europe/Berlin"}}"#
            ))
        };
        check(&at("02:00"), &["2026-10-25T00:30:00Z"], &["2026-10-25T01:30:00Z"]);
        check(&at("02:30"), &["2026-03-29T01:30:00Z"], &["2026-03-29T01:00:00Z"]);
    }

    #[test]
    fn a_window_of_a_whole_week_has_no_gap() {
        let always = window(
            r#"{"kind": "weekly", "weekdays": [0], "starts": "00:00", "minutes": 10080, "tz": "UTC"}"#,
        );
        check(
            &always,
            &[
                "2026-11-23T00:00:00Z",
                "2026-11-29T23:59:59Z",
                "2026-11-30T00:00:00Z",
            ],
            &[],
        );
    }

    #[test]
    fn a_zone_that_nobody_knows_is_an_error() {
        let raw =
            r#"{"kind": "weekly", "weekdays": [0], "starts": "00:00", "minutes": 1, "tz": "Mars/Olympus"}"#;
        assert!(serde_json::from_str::<Window>(raw).is_err());
    }
}
