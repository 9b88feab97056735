//! Waits for what happens on its own, as long as it takes within reason.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(10);

/// Long enough for a machine that is busy with other things: only a test that
/// fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Panics when `what` has not come true in a minute.
pub async fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(EVERY).await;
    }
}

/// [`eventually`], outside a runtime.
pub fn eventually_blocking(what: &str, mut is_true: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(EVERY);
    }
}
