//! Keeps what is monitored in step with Odoo: by what Odoo says has changed, and by looking at all from time to time.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use insightpulse_monitor::Monitor;
use insightpulse_odoo_rpc::Error;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::odoo::Odoo;
use crate::webhook::Webhook;
use crate::writeback::Writeback;

/// What Odoo has said that has not been looked at yet.
#[derive(Default)]
pub struct Hints {
    state: Mutex<Hinted>,
    came: Notify,
}

#[derive(Default)]
struct Hinted {
    ids: BTreeSet<i64>,
    all: bool,
}

/// How often all is looked at, whatever Odoo says.
const ALL_EVERY: Duration = Duration::from_secs(60);

/// Changes that come within this time of each other are read together.
const LINGER: Duration = Duration::from_millis(50);

/// More changes than these are found faster by looking at all.
const HINTS_MAX: usize = 500;

/// Of the short list of all, and of endpoints as a whole.
const LIST_PAGE: usize = 5_000;
const ENDPOINTS_PAGE: usize = 200;

const BACKOFF_FIRST: Duration = Duration::from_millis(500);
const BACKOFF_MOST: Duration = Duration::from_secs(30);

impl Hints {
    /// These have changed, or are gone.
    pub fn changed(&self, ids: impl IntoIterator<Item = i64>) {
        let mut state = self.lock();
        state.ids.extend(ids);
        if state.ids.len() > HINTS_MAX {
            state.ids.clear();
            state.all = true;
        }
        drop(state);
        self.came.notify_one();
    }

    /// Anything may have.
    pub fn all_changed(&self) {
        self.lock().all = true;
        self.came.notify_one();
    }

    fn take(&self) -> Hinted {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Hinted> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows Odoo for as long as it is polled.
pub async fn follow(
    database: Uuid,
    writeback: &Writeback,
    monitor: &Monitor,
    webhook: &Webhook,
    hints: &Hints,
) -> Infallible {
    let mut all_at = Instant::now();
    let mut backoff = BACKOFF_FIRST;
    let mut complained = false;
    loop {
        if timeout_at(all_at, hints.came.notified()).await.is_ok() {
            sleep(LINGER).await;
        }
        let mut hinted = hints.take();
        hinted.all |= all_at <= Instant::now();
        let looked = match writeback.odoo() {
            Err(reason) => Err(Error::Unreachable(reason)),
            Ok(odoo) if hinted.all => look_at_all(database, &odoo, monitor, webhook).await,
            Ok(odoo) => look_at(&hinted.ids, &odoo, monitor).await,
        };
        match looked {
            Ok(()) => {
                if hinted.all {
                    all_at = Instant::now() + ALL_EVERY;
                }
                (backoff, complained) = (BACKOFF_FIRST, false);
            }
            Err(error) => {
                if !complained {
                    warn!(%database, %error, "Odoo does not say which connections there are; what is known goes on being tested");
                }
                complained = true;
                // What was hinted at is among all, which are looked at next.
                all_at = Instant::now() + backoff;
                backoff = (backoff * 2).min(BACKOFF_MOST);
            }
        }
    }
}

async fn look_at_all(database: Uuid, odoo: &Odoo, monitor: &Monitor, webhook: &Webhook) -> Result<(), Error> {
    let mut listed = HashMap::new();
    let mut after = 0;
    loop {
        let page = odoo.monitored_versions(after, LIST_PAGE).await?;
        if page.database != database {
            return Err(Error::Invalid(
                "another database answers under the name of the one that was paired".into(),
            ));
        }
        if after == 0 {
            webhook.set_place(page.webhook);
        }
        for (id, record, version) in &page.rows {
            listed.insert(*record, (*id, format!("{}{version}", page.rules)));
        }
        match page.rows.last() {
            Some((last, ..)) if page.rows.len() == LIST_PAGE => after = *last,
            _ => break,
        }
    }
    let known = monitor.versions();
    let mut changed: Vec<_> = listed
        .iter()
        .filter(|(record, (_, version))| known.get(record) != Some(version))
        .map(|(_, (id, _))| *id)
        .collect();
    changed.sort_unstable();
    let gone = monitor.keep_only(&listed.keys().copied().collect::<HashSet<_>>());
    let mut read = 0;
    for ids in changed.chunks(ENDPOINTS_PAGE) {
        let endpoints = odoo.monitored_endpoints(ids).await?;
        read += endpoints.len();
        monitor.take_in(endpoints);
    }
    if read + gone > 0 {
        info!(%database, endpoints = listed.len(), read, gone, "Read which connections there are");
    }
    Ok(())
}

async fn look_at(ids: &BTreeSet<i64>, odoo: &Odoo, monitor: &Monitor) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = ids.iter().copied().collect();
    for ids in ids.chunks(ENDPOINTS_PAGE) {
        let endpoints = odoo.monitored_endpoints(ids).await?;
        let there: HashSet<_> = endpoints.iter().map(|endpoint| endpoint.raw.id).collect();
        let gone: HashSet<_> = ids.iter().copied().filter(|id| !there.contains(id)).collect();
        debug!(
            read = there.len(),
            gone = gone.len(),
            "Read connections that have changed"
        );
        monitor.take_in(endpoints);
        monitor.forget(&gone);
    }
    Ok(())
}
