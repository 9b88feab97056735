//! How long callers may be kept waiting, all together.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Time that may be spent with Odoo's workers waiting for us.
///
/// Each caller that waits holds a worker of Odoo's. One click may wait for its
/// result; forty at once must not, or two workers would do nothing else for
/// seconds. So waiting is paid for from a store that fills up at half the speed
/// of time.
#[derive(Debug)]
pub struct Patience(Mutex<Store>);

#[derive(Debug)]
struct Store {
    left: Duration,
    since: Instant,
}

/// What a full store holds: three waits of 300 ms, Odoo's default.
const FULL: Duration = Duration::from_millis(900);

impl Patience {
    pub fn new() -> Self {
        Self(Mutex::new(Store {
            left: FULL,
            since: Instant::now(),
        }))
    }

    /// Takes out as much of `wanted` as there is.
    pub fn take(&self, wanted: Duration) -> Duration {
        let mut store = self.lock();
        let granted = wanted.min(store.left);
        store.left -= granted;
        granted
    }

    /// Puts back what was not waited after all.
    pub fn put_back(&self, unused: Duration) {
        let mut store = self.lock();
        store.left = FULL.min(store.left + unused);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Store> {
        let mut store = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        store.left = FULL.min(store.left + (now - store.since) / 2);
        store.since = now;
        store
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(300);

    #[tokio::test(start_paused = true)]
    async fn a_crowd_uses_patience_up_and_time_restores_it() {
        let patience = Patience::new();
        for _ in 0..3 {
            assert_eq!(patience.take(WAIT), WAIT);
        }
        assert_eq!(patience.take(WAIT), Duration::ZERO);
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(patience.take(WAIT), Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn quick_answers_cost_what_they_took() {
        let patience = Patience::new();
        for _ in 0..100 {
            assert_eq!(patience.take(WAIT), WAIT);
            patience.put_back(WAIT);
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(patience.take(Duration::from_secs(9)), FULL);
    }
}
