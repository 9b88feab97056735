//! When an endpoint changes colour: judgement over several results.

use std::collections::VecDeque;
use std::time::Duration;

use insightpulse_domain::{Cadence, Status};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is thought of one endpoint, in one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    /// What a card shows; `None` before the first result.
    shown: Option<Status>,
    /// Results in a row that say otherwise.
    contrary: u32,
    /// Of those, whether they said that it answers, or how.
    contrary_to: Option<Class>,
    /// When it went down or came up, the last few times.
    flips: VecDeque<Timestamp>,
    is_flapping: bool,
    /// What people were told last, in whichever revision that was.
    told: Option<Status>,
    /// Which of this series of changes comes next. Two sidecars that go on from the same
    /// judgement give the same change the same id, so nobody is told twice.
    series: Uuid,
    changes: u64,
}

/// What a result comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    pub shown: Status,
    pub change: Option<Change>,
    /// Of the change, the same whoever hears the result.
    pub id: Uuid,
    /// Nobody is told of the change.
    pub is_quiet: bool,
    /// The result says otherwise than what is shown, and not often enough yet.
    pub unconfirmed: Option<Unconfirmed>,
    pub is_flapping: bool,
}

/// So many results of those that are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    pub count: u32,
    pub needed: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// From what was shown; `None` when nothing was.
    Transition(Option<Status>),
    /// It goes up and down so often that this is the news.
    FlappingBegan(Option<Status>),
    /// And now it does not any more; it may just have changed, too.
    FlappingEnded(Option<Status>),
}

/// Who asked for a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    BySchedule,
    /// Somebody wants to know how it is now: no second result is waited for.
    ByHand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Class {
    Failed,
    Answers,
}

/// Up and down so often within the window is flapping; so seldom is not any more.
const FLAPPING_FROM: usize = 5;
const FLAPPING_UNTIL: usize = 2;

/// The window: so long, and for endpoints that are seldom tested so many intervals.
const WINDOW: Duration = Duration::from_secs(1_800);
const WINDOW_INTERVALS: u32 = 40;

impl Class {
    fn of(status: Status) -> Self {
        match status {
            Status::Failed => Class::Failed,
            Status::Success | Status::Degraded => Class::Answers,
        }
    }
}

impl Judge {
    /// Goes on from what Odoo shows.
    pub fn new(shown: Option<Status>) -> Self {
        Self {
            shown,
            contrary: 0,
            contrary_to: None,
            flips: VecDeque::new(),
            is_flapping: false,
            told: shown,
            series: Uuid::now_v7(),
            changes: 0,
        }
    }

    /// Begins anew, since somebody has changed the endpoint: Odoo has withdrawn what was said of it.
    /// What people were told they still believe.
    pub fn renew(&mut self) {
        *self = Self {
            told: self.told,
            series: self.series,
            changes: self.changes,
            ..Self::new(None)
        };
    }

    pub fn shown(&self) -> Option<Status> {
        self.shown
    }

    /// `rests`: nobody wants to be told of what happens now, but what has come of it they are told later.
    pub fn hear(
        &mut self,
        result: Status,
        asked: Asked,
        cadence: &Cadence,
        now: Timestamp,
        rests: bool,
    ) -> Heard {
        let before = self.shown;
        let needed = match asked {
            Asked::ByHand => 1,
            Asked::BySchedule => needed(before, result, cadence),
        };
        let unconfirmed = if before == Some(result) {
            self.contrary = 0;
            None
        } else {
            let class = Class::of(result);
            // A failure between two successes begins the count anew.
            if self.contrary_to != Some(class) {
                self.contrary = 0;
            }
            self.contrary_to = Some(class);
            self.contrary += 1;
            (self.contrary < needed).then_some(Unconfirmed {
                count: self.contrary,
                needed,
            })
        };
        if unconfirmed.is_none() {
            self.shown = Some(result);
            self.contrary = 0;
        }
        let shown = self.shown.unwrap_or(result);
        let change = self
            .change(before, shown, cadence, now)
            .or_else(|| self.still_to_be_told(result, rests));
        let is_quiet = rests || (change == Some(Change::Transition(None)) && self.is_known_to_fail(shown));
        if change.is_some() {
            self.changes += 1;
            if !rests {
                self.told = Some(shown);
            }
        }
        Heard {
            shown,
            change,
            id: Uuid::new_v5(&self.series, &self.changes.to_be_bytes()),
            is_quiet,
            unconfirmed,
            is_flapping: self.is_flapping,
        }
    }

    fn change(
        &mut self,
        before: Option<Status>,
        shown: Status,
        cadence: &Cadence,
        now: Timestamp,
    ) -> Option<Change> {
        let window = WINDOW.max(Duration::from_secs(cadence.interval_s.into()) * WINDOW_INTERVALS);
        let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
        // Flips of the future are those of a clock that was wrong.
        self.flips
            .retain(|flip| *flip <= now && now.duration_since(*flip) < window);
        if before.is_some_and(|before| Class::of(before) != Class::of(shown)) {
            self.flips.push_back(now);
            if self.flips.len() > FLAPPING_FROM {
                self.flips.pop_front();
            }
        }
        let was_flapping = self.is_flapping;
        self.is_flapping = if was_flapping {
            self.flips.len() > FLAPPING_UNTIL
        } else {
            self.flips.len() >= FLAPPING_FROM
        };
        match (was_flapping, self.is_flapping) {
            (false, true) => Some(Change::FlappingBegan(before)),
            (true, false) => Some(Change::FlappingEnded(before)),
            // Whoever was told that it fails is told that it works, though it was changed in between.
            _ if before.is_none() && shown != Status::Failed && self.told == Some(Status::Failed) => {
                Some(Change::Transition(self.told))
            }
            _ if before != Some(shown) => Some(Change::Transition(before)),
            _ => None,
        }
    }

    /// What changed while nobody wanted to hear of it, and is still so.
    fn still_to_be_told(&self, result: Status, rests: bool) -> Option<Change> {
        let is_known = self.told.unwrap_or(Status::Success) == result;
        let is_sure = self.shown == Some(result);
        (is_sure && !is_known && !rests && !self.is_flapping).then_some(Change::Transition(self.told))
    }

    fn is_known_to_fail(&self, shown: Status) -> bool {
        shown == Status::Failed && self.told == Some(Status::Failed)
    }
}

/// How many results in a row it takes to show this one.
fn needed(before: Option<Status>, result: Status, cadence: &Cadence) -> u32 {
    match (before, result) {
        // What nobody knows yet, and what works less well than it did, is told at once.
        (None, _) | (Some(Status::Success), Status::Degraded) => 1,
        (Some(_), Status::Failed) => cadence.failure_threshold,
        (Some(_), _) => cadence.success_threshold,
    }
}

#[cfg(test)]
mod tests {
    use insightpulse_domain::Kind;

    use super::*;

    /// One letter a result: what is then shown, and `!` where people are told that it changed, `?`
    /// where they are not. It rests in parentheses, and somebody changes it at each `*`.
    #[track_caller]
    fn check(results: &str, shown: &str) {
        check_every(30, results, shown);
    }

    #[track_caller]
    fn check_every(seconds: i64, results: &str, shown: &str) {
        let cadence = Kind::Postgresql.cadence();
        let mut judge = Judge::new(None);
        let mut said = String::new();
        let mut rests = false;
        for (index, letter) in results.chars().enumerate() {
            match letter {
                '(' => rests = true,
                ')' => rests = false,
                '*' => judge.renew(),
                _ => {}
            }
            if !letter.is_alphabetic() {
                said.push(letter);
                continue;
            }
            let asked = if letter.is_uppercase() {
                Asked::ByHand
            } else {
                Asked::BySchedule
            };
            let status = match letter.to_ascii_lowercase() {
                's' => Status::Success,
                'd' => Status::Degraded,
                'f' => Status::Failed,
                other => panic!("{other}"),
            };
            let now = Timestamp::from_second(1_000_000 + index as i64 * seconds).expect("a time");
            let heard = judge.hear(status, asked, &cadence, now, rests);
            said.push(match heard.shown {
                Status::Success => 's',
                Status::Degraded => 'd',
                Status::Failed => 'f',
            });
            match heard.change {
                Some(Change::Transition(_)) => said.push(if heard.is_quiet { '?' } else { '!' }),
                Some(Change::FlappingBegan(_)) => said.push('~'),
                Some(Change::FlappingEnded(_)) => said.push('='),
                None => {}
            }
        }
        assert_eq!(said, shown);
    }

    #[test]
    fn the_first_result_is_shown_at_once() {
        check("s", "s!");
        check("f", "f!");
        check("d", "d!");
    }

    #[test]
    fn three_failures_in_a_row_are_red_and_two_are_not() {
        check("sffsff", "s!sssss");
        check("sfff", "s!ssf!");
    }

    #[test]
    fn two_successes_in_a_row_are_green_again() {
        check("sfffsfss", "s!ssf!fffs!");
    }

    #[test]
    fn degraded_is_shown_at_once_and_left_after_two_successes() {
        check("sdsdss", "s!d!ddds!");
        check("sdfff", "s!d!ddf!");
    }

    #[test]
    fn what_answers_again_is_shown_as_it_answers() {
        check("sfffds", "s!ssf!fs!");
        check("sfffsd", "s!ssf!fd!");
    }

    #[test]
    fn who_presses_test_waits_for_no_second_result() {
        check("sF", "s!f!");
        check("fS", "f!s!");
    }

    #[test]
    fn what_broke_while_nobody_wanted_to_hear_of_it_is_told_afterwards_and_once() {
        check("s(F)ff", "s!(f?)f!f");
        check("s(FS)s", "s!(f?s?)s");
        // It may be about to recover.
        check("s(F)ss", "s!(f?)fs!");
        check("(F)ff", "(f?)f!f");
        check("fff(S)s", "f!ff(s?)s!");
        check("s(D)d", "s!(d?)d!");
    }

    #[test]
    fn whoever_was_told_that_it_fails_is_told_that_its_change_has_helped() {
        check("f*s", "f!*s!");
        check("f*d", "f!*d!");
        check("s*f", "s!*f!");
        // And not that it still fails, which they know.
        check("f*fff*s", "f!*f?ff*s!");
    }

    #[test]
    fn a_change_has_the_same_id_for_all_who_go_on_from_the_same_judgement_and_never_twice() {
        let cadence = Kind::Postgresql.cadence();
        let mut one = Judge::new(None);
        let hear = |judge: &mut Judge, status| {
            judge
                .hear(status, Asked::ByHand, &cadence, Timestamp::UNIX_EPOCH, false)
                .id
        };
        let mut ids = vec![hear(&mut one, Status::Success)];
        let stored = serde_json::to_value(&one).expect("JSON");
        let mut other: Judge = serde_json::from_value(stored).expect("a judgement");
        ids.push(hear(&mut one, Status::Failed));
        assert_eq!(hear(&mut other, Status::Failed), ids[1]);
        one.renew();
        ids.push(hear(&mut one, Status::Success));
        ids.push(hear(&mut Judge::new(None), Status::Success));
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn what_goes_up_and_down_is_marked_once_and_told_when_it_is_over() {
        // Five flips: the fifth is the news, and the sixth is still told as a transition of what flaps.
        check_every(30, "SFSFSFS", "s!f!s!f!s!f~s!");
        let calm = "s".repeat(60);
        let begun = "s!f!s!f!s!f~s!";
        let mut expected = String::from(begun);
        // Half an hour after the third last flip it has become quiet.
        for index in 7..67 {
            expected.push('s');
            if index == 64 {
                expected.push('=');
            }
        }
        check_every(30, &format!("SFSFSFS{calm}"), &expected);
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_keep_it_flapping_for_ever() {
        let cadence = Kind::Postgresql.cadence();
        let mut judge = Judge::new(None);
        let at = |second| Timestamp::from_second(second).expect("a time");
        for (index, status) in [Status::Success, Status::Failed]
            .into_iter()
            .cycle()
            .take(8)
            .enumerate()
        {
            judge.hear(
                status,
                Asked::ByHand,
                &cadence,
                at(9_000_000 + index as i64),
                false,
            );
        }
        assert!(judge.is_flapping);
        let heard = judge.hear(Status::Failed, Asked::BySchedule, &cadence, at(1_000), false);
        assert_eq!(heard.change, Some(Change::FlappingEnded(Some(Status::Failed))));
    }
}
