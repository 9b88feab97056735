//! What sidecars of one store know together: who is paired, and the code that pairs the next.
//!
//! Each has a file of its own, which also serves while the store is away. Each second what is newer
//! is taken from the store, and what the store lacks is put there; all of it sealed, so that who can
//! write to the store and has no key cannot let anybody in.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use insightpulse_monitor::Store;
use insightpulse_vault::SharedBinding;
use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, warn};
use uuid::Uuid;

use crate::keyring_source::LiveKeyring;
use crate::pairing_code::{PairingCode, Permit, REPEATED, Refused, Stored};
use crate::pairings::{Entry, Pairings};
use crate::sealed::{Unopened, is_of_the_primary_key, open, seal};

pub struct Sharing {
    /// `None`: there is this sidecar alone.
    store: Option<Arc<Store>>,
    keyring: Arc<LiveKeyring>,
    pairings: Pairings,
    code: PairingCode,
    /// The last exchange; held while there is one.
    last: tokio::sync::Mutex<Option<Exchange>>,
    /// What does not open is told once.
    complained: Mutex<HashSet<String>>,
}

#[derive(Clone, Copy)]
struct Exchange {
    begun: Instant,
    has_succeeded: bool,
}

const EXCHANGE_EVERY: Duration = Duration::from_secs(1);

/// Strangers make nobody ask the store more often.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a request waits for the store: once to learn what is new, and once to tell it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a code is looked at there. Odoo waits two seconds for all of a pairing, and must not have
/// given up when it is replaced.
const REDEEMED_WITHIN: Duration = Duration::from_secs(1);

impl Sharing {
    pub fn new(
        store: Option<Arc<Store>>,
        keyring: Arc<LiveKeyring>,
        pairings: Pairings,
        code: PairingCode,
    ) -> Self {
        Self {
            store,
            keyring,
            pairings,
            code,
            last: tokio::sync::Mutex::default(),
            complained: Mutex::default(),
        }
    }

    /// Keeps in step with the others, for as long as it is polled.
    pub async fn run(&self) {
        loop {
            if let Err(error) = self.exchange().await {
                // That the store is away is told by who asks it for leases.
                debug!(error = format!("{error:#}"), "Pairings could not be exchanged");
            }
            sleep(EXCHANGE_EVERY).await;
        }
    }

    /// Learns whether somebody has paired with another sidecar a moment ago; says whether it could.
    /// Strangers who come together wait for the same answer.
    pub async fn look(&self) -> bool {
        let Some(store) = &self.store else { return false };
        let came = Instant::now();
        let look = async {
            let mut last = self.last.lock().await;
            if let Some(last) = *last {
                if last.begun >= came {
                    return last.has_succeeded;
                }
                sleep_until(last.begun + LOOK_EVERY).await;
            }
            !store.is_away() && self.exchange_with(store, &mut last).await.is_ok()
        };
        !store.is_away() && timeout(PATIENCE, look).await.unwrap_or(false)
    }

    /// Takes what is newer, and gives what the others lack; with no others there is nothing to do.
    ///
    /// Returns the databases of which the others could not be told.
    pub async fn exchange(&self) -> anyhow::Result<BTreeSet<Uuid>> {
        let Some(store) = &self.store else {
            return Ok(BTreeSet::new());
        };
        let mut last = self.last.lock().await;
        self.exchange_with(store, &mut last).await
    }

    /// The same, for who cannot wait long: what is not done then, [`Sharing::run`] does.
    pub async fn exchange_soon(&self) -> anyhow::Result<BTreeSet<Uuid>> {
        let Some(store) = &self.store else {
            return Ok(BTreeSet::new());
        };
        anyhow::ensure!(!store.is_away(), "the store is away");
        timeout(PATIENCE, self.exchange())
            .await
            .context("wait for the store")?
    }

    /// Uses a code up, whichever sidecar has made it.
    pub async fn redeem(&self, code: &str, request: &str, now: Timestamp) -> Result<Permit, Refused> {
        let Some(store) = &self.store else {
            return self.code.redeem(code, request, now);
        };
        if self.exchange_soon().await.is_err() {
            // The file has what could not be moved.
            return self.code.redeem(code, request, now);
        }
        if self.code.is_used_up(code, request) {
            return Err(Refused);
        }
        let used = async {
            let stored = self.stored_code(store).await?;
            let permit = stored.permit(code, now)?;
            let used = store.use_pairing_code(stored.id, request, REPEATED.as_secs_f64());
            matches!(used.await, Ok(true)).then_some(permit)
        };
        let permit = timeout(REDEEMED_WITHIN - PATIENCE, used)
            .await
            .ok()
            .flatten()
            .ok_or(Refused)?;
        self.code.remember(code, request, permit);
        Ok(permit)
    }

    async fn stored_code(&self, store: &Store) -> Option<Stored> {
        let sealed = store.pairing_code().await.ok()??;
        open(&self.keyring.get(), SharedBinding::PairingCode, &sealed).ok()
    }

    async fn exchange_with(
        &self,
        store: &Store,
        last: &mut Option<Exchange>,
    ) -> anyhow::Result<BTreeSet<Uuid>> {
        let begun = Instant::now();
        *last = Some(Exchange {
            begun,
            has_succeeded: false,
        });
        let mut not_given = self.exchange_pairings(store).await?;
        if !not_given.is_empty() {
            // Somebody may have been quicker.
            not_given = self.exchange_pairings(store).await?;
        }
        self.move_code(store).await?;
        *last = Some(Exchange {
            begun,
            has_succeeded: true,
        });
        Ok(not_given)
    }

    async fn exchange_pairings(&self, store: &Store) -> anyhow::Result<BTreeSet<Uuid>> {
        let keyring = self.keyring.get();
        let rows = store.pairings().await?;
        let ours: HashMap<_, _> = self
            .pairings
            .entries()?
            .into_iter()
            .map(|entry| (entry.database, entry))
            .collect();
        let (mut newer, mut not_given) = (Vec::new(), BTreeSet::new());
        let databases: BTreeSet<_> = rows.keys().chain(ours.keys()).copied().collect();
        for database in databases {
            let (row, ours) = (rows.get(&database), ours.get(&database).cloned());
            let binding = SharedBinding::Pairing(database);
            let opened = row.map(|sealed| (sealed, open::<Entry>(&keyring, binding, sealed)));
            let (theirs, is_sealed_anew) = match opened {
                None => (None, true),
                Some((sealed, Ok(entry))) => (Some(entry), is_of_the_primary_key(&keyring, sealed)),
                Some((sealed, Err(error))) => {
                    self.complain(database, sealed, error);
                    // Whoever has that key may know more than we do.
                    if error == Unopened::IsForAnother {
                        not_given.extend(ours.map(|_| database));
                        continue;
                    }
                    (None, true)
                }
            };
            let Some(known) = merge(ours.clone(), theirs.clone()) else {
                continue;
            };
            if theirs.as_ref() != Some(&known) || !is_sealed_anew {
                let sealed = seal(&keyring, binding, &known)?;
                let is_given = store
                    .put_pairing(database, &sealed, row.map(String::as_str))
                    .await?;
                not_given.extend((!is_given).then_some(database));
            }
            if ours.as_ref() != Some(&known) {
                newer.push(known);
            }
        }
        if !newer.is_empty() {
            self.pairings.take(&newer)?;
        }
        Ok(not_given)
    }

    /// A code of ours is kept in the store; one that was used here while the store was away is used there.
    async fn move_code(&self, store: &Store) -> anyhow::Result<()> {
        if let Some(used) = self.code.lately_used()
            && let Some(stored) = self.stored_code(store).await
            && stored.is_of(&used)
        {
            store
                .use_pairing_code(stored.id, &used.request, REPEATED.as_secs_f64())
                .await?;
        }
        let Some(code) = self.code.stored() else {
            return Ok(());
        };
        if code.is_alive(Timestamp::now()) {
            let sealed = seal(&self.keyring.get(), SharedBinding::PairingCode, &code)?;
            store.put_pairing_code(code.id, &sealed).await?;
        }
        self.code.discard(&code);
        Ok(())
    }

    fn complain(&self, database: Uuid, sealed: &str, why: Unopened) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.len() < COMPLAINTS_MAX && complained.insert(sealed.to_owned()) {
            match why {
                Unopened::IsForAnother => warn!(
                    %database,
                    "How a database is paired is sealed with a key that this sidecar does not have: give all the same \
                     keyring. If none has that key, remove the row from the store's table `pairing`"
                ),
                Unopened::Worthless => warn!(
                    %database,
                    "How a database is paired was written into the store by somebody who has no key; it counts for nothing"
                ),
            }
        }
    }
}

const COMPLAINTS_MAX: usize = 1_000;

fn merge(ours: Option<Entry>, theirs: Option<Entry>) -> Option<Entry> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(ours.merge(theirs)),
        (ours, theirs) => ours.or(theirs),
    }
}
