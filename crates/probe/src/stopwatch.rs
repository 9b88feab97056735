//! Times a probe's phases, which follow one another without a gap.

use std::sync::Mutex;
use std::time::Instant;

use insightpulse_domain::{Phase, Phases};

/// Shared with code that a library calls back in the middle of a phase.
pub struct Stopwatch(Mutex<State>);

struct State {
    phases: Phases,
    current: Phase,
    /// `None` while it is stopped.
    since: Option<Instant>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self(Mutex::new(State {
            phases: Phases::default(),
            current: Phase::Resolve,
            since: Some(Instant::now()),
        }))
    }

    /// Ends the current phase and begins another.
    pub fn enter(&self, next: Phase) {
        let mut state = self.lock();
        if state.current == next && state.since.is_some() {
            return;
        }
        let now = Instant::now();
        state.end(now);
        state.current = next;
        state.since = Some(now);
    }

    pub fn current(&self) -> Phase {
        self.lock().current
    }

    /// Ends the current phase; the time until another begins is not counted.
    pub fn stop(&self) {
        self.lock().end(Instant::now());
    }

    /// The phases that have ended.
    pub fn phases(&self) -> Phases {
        self.lock().phases
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.phases.add(self.current, now - since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stopped_counts_nothing_until_a_phase_begins() {
        let watch = Stopwatch::start();
        watch.enter(Phase::Query);
        watch.stop();
        let phases = watch.phases();
        std::thread::sleep(std::time::Duration::from_millis(2));
        watch.stop();
        assert_eq!(watch.phases(), phases);
        watch.enter(Phase::Query);
        std::thread::sleep(std::time::Duration::from_millis(2));
        watch.stop();
        assert!(watch.phases().query_ms > phases.query_ms);
    }
}
