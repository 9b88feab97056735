//! Times a probe's phases, which follow one another without a gap.

use std::sync::Mutex;
use std::time::Instant;

use insightpulse_domain::{Phase, Phases};

/// Shared with code that a library calls back in the middle of a phase.
pub struct Stopwatch(Mutex<State>);

struct State {
    phases: Phases,
    current: Phase,
    since: Instant,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self(Mutex::new(State {
            phases: Phases::default(),
            current: Phase::Resolve,
            since: Instant::now(),
        }))
    }

    /// Ends the current phase and begins another.
    pub fn enter(&self, next: Phase) {
        let mut state = self.lock();
        let now = Instant::now();
        let (ended, took) = (state.current, now - state.since);
        if ended != next {
            state.phases.add(ended, took);
            state.current = next;
            state.since = now;
        }
    }

    pub fn current(&self) -> Phase {
        self.lock().current
    }

    /// Ends the current phase, and with it the measurement: time that passes
    /// until [`Stopwatch::phases`] is not counted.
    pub fn stop(&self) {
        let mut state = self.lock();
        let (ended, took) = (state.current, state.since.elapsed());
        state.phases.add(ended, took);
    }

    /// The phases that have ended.
    pub fn phases(&self) -> Phases {
        self.lock().phases
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
