//! Takes one database's results to its Odoo, and keeps the way there open.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use insightpulse_monitor::{Delivered, Delivery, Recorder, Report};
use insightpulse_odoo_rpc::{Error, Protocol};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::keyring_source::LiveKeyring;
use crate::metrics::TenantMetrics;
use crate::odoo::Odoo;
use crate::pairings::{Pairing, Pairings};
use crate::sharing::Sharing;

/// How often Odoo is asked whether it would take results.
const ASK_WHEN_WELL: Duration = Duration::from_secs(30);
const ASK_WHEN_NOT: Duration = Duration::from_secs(2);
/// Odoo pairs in a transaction, and knows the new API key only when that is committed.
const ASK_WHEN_NEW: Duration = Duration::from_millis(250);

const NOT_ASKED: &str = "Odoo has not been asked yet";

pub struct Writeback {
    pairings: Pairings,
    sharing: Arc<Sharing>,
    keyring: Arc<LiveKeyring>,
    protocol: Protocol,
    metrics: TenantMetrics,
    /// Told what Odoo has, so that nobody else delivers it again.
    recorder: Option<Recorder>,
    shared: Mutex<Shared>,
    /// Another pairing is there, and Odoo is to be asked at once.
    is_new: Notify,
}

struct Shared {
    pairing: Pairing,
    /// Or why there is none: its API key does not open.
    odoo: Result<Arc<Odoo>, String>,
    /// Whether the last call succeeded. Requests read this and never ask Odoo
    /// themselves: the worker that would answer may be the one that waits.
    state: Result<(), String>,
}

impl Writeback {
    pub fn new(
        pairing: Pairing,
        pairings: Pairings,
        sharing: Arc<Sharing>,
        keyring: Arc<LiveKeyring>,
        protocol: Protocol,
        metrics: TenantMetrics,
        recorder: Option<Recorder>,
    ) -> Self {
        let shared = Shared {
            odoo: connect(&pairing, &keyring, protocol, &metrics),
            pairing,
            state: Err(NOT_ASKED.into()),
        };
        Self {
            pairings,
            sharing,
            keyring,
            protocol,
            metrics,
            recorder,
            shared: Mutex::new(shared),
            is_new: Notify::new(),
        }
    }

    /// Who answers for the database, or why nobody can be asked.
    pub fn odoo(&self) -> Result<Arc<Odoo>, String> {
        self.lock().odoo.clone()
    }

    pub fn pairing(&self) -> Pairing {
        self.lock().pairing.clone()
    }

    /// Goes on with another token, address or API key.
    pub fn set_pairing(&self, pairing: Pairing) {
        let mut shared = self.lock();
        if shared.pairing != pairing {
            shared.odoo = connect(&pairing, &self.keyring, self.protocol, &self.metrics);
            shared.pairing = pairing;
            shared.state = Err(NOT_ASKED.into());
            self.is_new.notify_one();
        }
    }

    /// Whether Odoo took the last call, and if not, why.
    pub fn state(&self) -> Result<(), String> {
        self.lock().state.clone()
    }

    /// Keeps the state fresh and the API key alive, for as long as it is polled.
    ///
    /// Of several sidecars one alone `may_renew`: whoever came second would have the key
    /// retired that the first has just stored.
    pub async fn watch(&self, may_renew: impl Fn() -> bool) -> Infallible {
        let mut when_not = ASK_WHEN_NEW;
        loop {
            // Nothing to apply proves the key, the right and the addon.
            let pause = match self.apply(&[]).await {
                Ok(_) => {
                    if may_renew() {
                        self.renew_api_key(Timestamp::now()).await;
                    }
                    when_not = ASK_WHEN_NEW;
                    ASK_WHEN_WELL
                }
                Err(_) => {
                    let pause = when_not;
                    when_not = ASK_WHEN_NOT.min(when_not * 2);
                    pause
                }
            };
            if timeout(pause, self.is_new.notified()).await.is_ok() {
                when_not = ASK_WHEN_NEW;
            }
        }
    }

    async fn apply(&self, batch: &[Report]) -> Result<Value, Error> {
        let (odoo, database) = {
            let shared = self.lock();
            (shared.odoo.clone(), shared.pairing.database)
        };
        let applied = match odoo {
            Ok(odoo) => odoo.apply_probe_results(database, batch).await,
            Err(reason) => Err(Error::Unreachable(reason)),
        };
        self.metrics.odoo_takes_results(applied.is_ok());
        self.lock().state = applied.as_ref().map(|_| ()).map_err(Error::to_string);
        applied
    }

    /// After two thirds of the key's life: there is a third left for trying again.
    async fn renew_api_key(&self, now: Timestamp) {
        let pairing = self.pairing();
        if !is_due_by(pairing.api_key_since, pairing.api_key_expires_at, now, DUE) {
            return;
        }
        match self.renew(pairing, now).await {
            Ok(expires_at) => info!(%expires_at, "Renewed the API key of the sidecar's user"),
            Err(error) => warn!(
                error = format!("{error:#}"),
                "The API key of the sidecar's user could not be renewed; it is tried again"
            ),
        }
    }

    /// The old key stays valid until the new one is stored, so a stop at any
    /// point costs nothing.
    async fn renew(&self, mut pairing: Pairing, now: Timestamp) -> anyhow::Result<String> {
        // Another sidecar may have, or may not hear of it: there is time, until there is none.
        let told = self.tell_others(&pairing).await;
        if !is_due_by(pairing.api_key_since, pairing.api_key_expires_at, now, URGENT) {
            told?;
        }
        let known = self.pairings.read()?;
        let is_current = known
            .iter()
            .any(|other| other.database == pairing.database && other.api_key == pairing.api_key);
        anyhow::ensure!(is_current, "the pairing was changed meanwhile");
        let odoo = self.odoo().map_err(anyhow::Error::msg)?;
        let renewed = odoo.renew_api_key().await?;
        let before = pairing.api_key.clone();
        pairing.seal_api_key(&self.keyring.get(), &renewed.api_key)?;
        pairing.api_key_since = now;
        pairing.api_key_expires_at = renewed.expires_at;
        let is_stored = self.pairings.update(|pairings| {
            // Somebody may have paired anew or unpaired meanwhile.
            let found = pairings
                .iter_mut()
                .find(|other| other.database == pairing.database && other.api_key == before);
            found.map(|other| *other = pairing.clone()).is_some()
        })?;
        anyhow::ensure!(is_stored, "the pairing was changed meanwhile");
        self.set_pairing(pairing.clone());
        let odoo = self.odoo().map_err(anyhow::Error::msg)?;
        if let Err(error) = self.tell_others(&pairing).await {
            warn!(
                error = format!("{error:#}"),
                "Other sidecars do not have the new API key yet: the older ones stay valid until the next renewal"
            );
        } else if let Err(error) = odoo.retire_older_api_keys().await {
            error!(%error, "The older API keys of the sidecar's user are still valid in Odoo");
        }
        Ok(match renewed.expires_at {
            Some(expires_at) => expires_at.to_string(),
            None => "never".into(),
        })
    }

    /// Of what they do not know yet.
    async fn tell_others(&self, pairing: &Pairing) -> anyhow::Result<()> {
        let not_given = self.sharing.exchange().await.context("tell the other sidecars")?;
        anyhow::ensure!(
            !not_given.contains(&pairing.database),
            "the other sidecars cannot be told: what the store has of this pairing cannot be read or changed"
        );
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery for Writeback {
    async fn deliver(&self, batch: &[Report]) -> Delivered {
        match self.apply(batch).await {
            Ok(receipt) => {
                // Records that are gone, or were changed since: their results are worth nothing.
                debug!(%receipt, "Odoo took results");
                self.metrics.delivered(batch);
                Delivered::Accepted
            }
            // "Content Too Large", RFC 9110, 15.5.14: a proxy's limit.
            Err(error @ Error::NotOdoo(413)) => Delivered::TooLarge(error.to_string()),
            Err(error) if error.is_retryable() => Delivered::Later(error.to_string()),
            Err(error) => Delivered::Refused(error.to_string()),
        }
    }

    fn done(&self, batch: &[Report]) {
        if let Some(recorder) = &self.recorder {
            recorder.arrived(batch);
        }
    }
}

fn connect(
    pairing: &Pairing,
    keyring: &LiveKeyring,
    protocol: Protocol,
    metrics: &TenantMetrics,
) -> Result<Arc<Odoo>, String> {
    match pairing.client(&keyring.get(), protocol) {
        Ok(client) => Ok(Arc::new(Odoo::counted(client, metrics.clone()))),
        Err(error) => {
            let reason = format!("{error:#}");
            error!(
                database = %pairing.database,
                error = reason,
                "A pairing cannot be used; pair this database again"
            );
            Err(reason)
        }
    }
}

/// The part of a key's life after which it is renewed, and after which nobody is waited for.
const DUE: (i32, i32) = (2, 3);
const URGENT: (i32, i32) = (9, 10);

fn is_due_by(
    since: Timestamp,
    expires_at: Option<Timestamp>,
    now: Timestamp,
    (part, of): (i32, i32),
) -> bool {
    let Some(expires_at) = expires_at else {
        return false;
    };
    let life = expires_at.duration_since(since);
    now.duration_since(since) >= life * part / of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_renewed_after_two_thirds_of_its_life() {
        let at = |hours: i64| Timestamp::from_second(hours * 3600).expect("a time");
        let check =
            |now, expected| assert_eq!(is_due_by(at(0), Some(at(24)), at(now), DUE), expected, "{now}");
        check(0, false);
        check(15, false);
        check(16, true);
        check(25, true);
        assert!(!is_due_by(at(0), None, at(1_000_000), DUE));
    }
}
