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
use insightpulse_vault::{Keyring, OpenError, SealedToken, SharedBinding};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, warn};
use uuid::Uuid;

use crate::keyring_source::LiveKeyring;
use crate::pairing_code::{PairingCode, Permit, REPEATED, Refused, Stored};
use crate::pairings::{Entry, Pairings};

pub struct Sharing {
    /// `None`: there is this sidecar alone.
    store: Option<Arc<Store>>,
    keyring: Arc<LiveKeyring>,
    pairings: Pairings,
    code: PairingCode,
    /// When the last exchange began that succeeded; held while there is one.
    exchanged: tokio::sync::Mutex<Option<Instant>>,
    /// What does not open is told once.
    complained: Mutex<HashSet<String>>,
}

const EXCHANGE_EVERY: Duration = Duration::from_secs(1);

/// Strangers make nobody ask the store more often.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
            exchanged: tokio::sync::Mutex::default(),
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
        let Some(store) = self.store.as_ref().filter(|store| !store.is_away()) else {
            return false;
        };
        let came = Instant::now();
        let mut exchanged = self.exchanged.lock().await;
        if exchanged.is_some_and(|begun| begun >= came) {
            return true;
        }
        if let Some(begun) = *exchanged {
            sleep_until(begun + LOOK_EVERY).await;
        }
        self.exchange_with(store, &mut exchanged).await.is_ok()
    }

    /// Takes what is newer, and gives what the others lack; with no others there is nothing to do.
    pub async fn exchange(&self) -> anyhow::Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut exchanged = self.exchanged.lock().await;
        self.exchange_with(store, &mut exchanged).await
    }

    /// Uses a code up, whichever sidecar has made it.
    pub async fn redeem(&self, code: &str, request: &str, now: Timestamp) -> Result<Permit, Refused> {
        let Some(store) = &self.store else {
            return self.code.redeem(code, request, now);
        };
        if self.exchange().await.is_err() {
            // The file has what could not be moved.
            return self.code.redeem(code, request, now);
        }
        let sealed = store.pairing_code().await.ok().flatten().ok_or(Refused)?;
        let stored: Stored =
            open(&self.keyring.get(), SharedBinding::PairingCode, &sealed).map_err(|_| Refused)?;
        let permit = stored.permit(code, now).ok_or(Refused)?;
        match store
            .use_pairing_code(&sealed, request, REPEATED.as_secs_f64())
            .await
        {
            Ok(true) => Ok(permit),
            _ => Err(Refused),
        }
    }

    async fn exchange_with(&self, store: &Store, exchanged: &mut Option<Instant>) -> anyhow::Result<()> {
        let begun = Instant::now();
        let keyring = self.keyring.get();
        let rows = store.pairings().await?;
        let ours: HashMap<_, _> = self
            .pairings
            .entries()?
            .into_iter()
            .map(|entry| (entry.database, entry))
            .collect();
        let mut newer = Vec::new();
        let databases: BTreeSet<_> = rows.keys().chain(ours.keys()).copied().collect();
        for database in databases {
            let (row, ours) = (rows.get(&database), ours.get(&database).cloned());
            let binding = SharedBinding::Pairing(database);
            let (theirs, is_sealed_anew) = match row.map(|sealed| (sealed, open(&keyring, binding, sealed))) {
                None => (None, true),
                Some((sealed, Ok(entry))) => (Some(entry), is_of_the_primary_key(&keyring, sealed)),
                Some((sealed, Err(error))) => {
                    self.complain(database, sealed, error);
                    // Whoever has that key may know more than we do.
                    if matches!(error, Unopened::UnknownKey) {
                        continue;
                    }
                    (None, true)
                }
            };
            let Some(known) = merge(ours.clone(), theirs.clone()) else {
                continue;
            };
            if known.database != database {
                continue;
            }
            if theirs.as_ref() != Some(&known) || !is_sealed_anew {
                let sealed = seal(&keyring, binding, &known)?;
                store
                    .put_pairing(database, &sealed, row.map(String::as_str))
                    .await?;
            }
            if ours.as_ref() != Some(&known) {
                newer.push(known);
            }
        }
        if !newer.is_empty() {
            self.pairings.take(&newer)?;
        }
        if let Some(code) = self.code.stored() {
            let sealed = seal(&keyring, SharedBinding::PairingCode, &code)?;
            store.put_pairing_code(&sealed).await?;
            self.code.discard(&code);
        }
        *exchanged = Some(begun);
        Ok(())
    }

    fn complain(&self, database: Uuid, sealed: &str, why: Unopened) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.len() < COMPLAINTS_MAX && complained.insert(sealed.to_owned()) {
            match why {
                Unopened::UnknownKey => warn!(
                    %database,
                    "How a database is paired is sealed with a key that this sidecar does not have: give all the same \
                     keyring. If none has that key, remove the row from the store's table `pairing`"
                ),
                Unopened::Refused => warn!(
                    %database,
                    "How a database is paired was written into the store by somebody who has no key; it counts for nothing"
                ),
            }
        }
    }
}

const COMPLAINTS_MAX: usize = 1_000;

/// Why a text from the store tells nothing.
#[derive(Debug, Clone, Copy)]
enum Unopened {
    UnknownKey,
    Refused,
}

fn merge(ours: Option<Entry>, theirs: Option<Entry>) -> Option<Entry> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(ours.merge(theirs)),
        (ours, theirs) => ours.or(theirs),
    }
}

fn seal<T: Serialize>(keyring: &Keyring, binding: SharedBinding, value: &T) -> anyhow::Result<String> {
    let text = SecretString::from(serde_json::to_string(value).context("encode what is shared")?);
    let sealed = keyring.seal(&text, &binding).context("seal what is shared")?;
    Ok(sealed.to_string())
}

fn open<T: DeserializeOwned>(keyring: &Keyring, binding: SharedBinding, sealed: &str) -> Result<T, Unopened> {
    let token: SealedToken = sealed.parse().map_err(|_| Unopened::Refused)?;
    let text = keyring.open(&token, &binding).map_err(|error| match error {
        OpenError::UnknownKey(_) => Unopened::UnknownKey,
        OpenError::Malformed | OpenError::Refused => Unopened::Refused,
    })?;
    // A newer sidecar may write what this one cannot read.
    serde_json::from_str(text.expose_secret()).map_err(|_| Unopened::UnknownKey)
}

fn is_of_the_primary_key(keyring: &Keyring, sealed: &str) -> bool {
    sealed
        .parse::<SealedToken>()
        .is_ok_and(|token| token.key() == keyring.primary())
}
