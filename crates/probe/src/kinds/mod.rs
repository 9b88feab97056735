//! One file for each kind of endpoint; each has one function `probe`.

pub mod api;
pub mod mcp;
pub mod mongodb;
pub mod mysql;
pub mod odoo;
pub mod postgresql;
pub mod supabase;
pub mod superset;

use std::time::Duration;

use insightpulse_domain::Failure;
use tokio::time::Instant;

use crate::stopwatch::Stopwatch;
use crate::{Asking, timed_out};

/// What is left of the time when the half beside the database has to have answered.
const MARGIN: Duration = Duration::from_millis(50);

/// Runs what is asked beside the database, with a watch of its own: it ends a
/// moment before the deadline, so that the database's verdict can be told.
async fn beside<T>(
    asking: Asking<'_>,
    place: &str,
    ask: impl AsyncFnOnce(&Stopwatch) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let watch = Stopwatch::start();
    let begun = Instant::now();
    let until = asking.until.checked_sub(MARGIN).unwrap_or(asking.until);
    let asked = tokio::time::timeout_at(until, ask(&watch)).await;
    asked.unwrap_or_else(|_| {
        let allowed = until.saturating_duration_since(begun);
        Err(timed_out(place, watch.current(), allowed))
    })
}
