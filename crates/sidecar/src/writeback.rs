//! Takes results to Odoo, and knows whether Odoo takes them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use insightpulse_domain::Outcome;
use insightpulse_monitor::{Delivered, Delivery};
use insightpulse_odoo_rpc::{Client, Error};
use serde_json::{Value, json};
use tracing::debug;

const MODEL: &str = "insightpulse.connection.endpoint";

/// How often Odoo is asked whether it would take results.
const ASK_WHEN_WELL: Duration = Duration::from_secs(30);
const ASK_WHEN_NOT: Duration = Duration::from_secs(2);

/// Whether the last call to Odoo succeeded. Requests read this and never ask
/// Odoo themselves: the worker that would answer may be the one that waits.
#[derive(Debug, Clone)]
pub struct OdooState(Arc<Mutex<Result<(), String>>>);

pub struct Writeback {
    odoo: Client,
    state: OdooState,
}

impl OdooState {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Err("Odoo has not been asked yet".into()))))
    }

    pub fn get(&self) -> Result<(), String> {
        self.lock().clone()
    }

    fn set(&self, state: Result<(), String>) {
        *self.lock() = state;
    }

    fn lock(&self) -> MutexGuard<'_, Result<(), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writeback {
    pub fn new(odoo: Client) -> Self {
        Self {
            odoo,
            state: OdooState::new(),
        }
    }

    pub fn state(&self) -> OdooState {
        self.state.clone()
    }

    /// Keeps the state fresh, for as long as it is polled.
    pub async fn watch(&self) -> Infallible {
        loop {
            // Nothing to apply proves the key, the right and the addon.
            let pause = match self.apply(&[]).await {
                Ok(_) => ASK_WHEN_WELL,
                Err(_) => ASK_WHEN_NOT,
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn apply(&self, batch: &[Outcome]) -> Result<Value, Error> {
        let applied = self
            .odoo
            .call(MODEL, "apply_probe_results", json!([batch]), json!({}))
            .await;
        self.state
            .set(applied.as_ref().map(|_| ()).map_err(Error::to_string));
        applied
    }
}

impl Delivery for Writeback {
    async fn deliver(&self, batch: &[Outcome]) -> Delivered {
        match self.apply(batch).await {
            Ok(receipt) => {
                // Records that are gone, or were changed since: their results are worth nothing.
                debug!(%receipt, "Odoo took results");
                Delivered::Accepted
            }
            Err(error) if error.is_retryable() => Delivered::Later(error.to_string()),
            Err(error) => Delivered::Refused(error.to_string()),
        }
    }
}
