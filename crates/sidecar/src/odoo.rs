//! What this program asks of Odoo: one typed method for each of the addon's.

use std::collections::BTreeMap;

use insightpulse_domain::{Outcome, RawEndpoint};
use insightpulse_odoo_rpc::{Client, Error};
use insightpulse_vault::Field;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const ENDPOINTS: &str = "insightpulse.connection.endpoint";
const SIDECAR: &str = "insightpulse.sidecar";

pub struct Odoo(Client);

#[derive(Deserialize)]
pub struct RenewedKey {
    pub api_key: SecretString,
    pub expires_at: Option<Timestamp>,
}

/// A token to be replaced, if it is still there.
#[derive(Debug, Serialize)]
pub struct Resealed {
    pub id: i64,
    pub field: Field,
    pub old: String,
    pub new: String,
}

#[derive(Debug, Deserialize)]
pub struct ResealReceipt {
    pub changed: u64,
    /// Secrets that were changed or cleared meanwhile.
    pub skipped: u64,
}

impl Odoo {
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// With an empty batch it proves the key, the right and the addon.
    pub async fn apply_probe_results(&self, batch: &[Outcome]) -> Result<Value, Error> {
        self.call(ENDPOINTS, "apply_probe_results", json!([batch])).await
    }

    /// Makes another API key of our user; the older ones stay valid.
    pub async fn renew_api_key(&self) -> Result<RenewedKey, Error> {
        self.call(SIDECAR, "renew_api_key", json!([])).await
    }

    /// Removes all keys of our user but the newest.
    pub async fn retire_older_api_keys(&self) -> Result<(), Error> {
        self.call::<Value>(SIDECAR, "retire_older_api_keys", json!([]))
            .await
            .map(drop)
    }

    /// Endpoints with a secret that another key sealed, by id, from after one on.
    pub async fn sealed_secrets(
        &self,
        after_id: i64,
        limit: usize,
        except_key: &str,
    ) -> Result<Vec<RawEndpoint>, Error> {
        self.call(ENDPOINTS, "sealed_secrets", json!([after_id, limit, except_key]))
            .await
    }

    pub async fn apply_resealed(&self, items: &[Resealed]) -> Result<ResealReceipt, Error> {
        self.call(ENDPOINTS, "apply_resealed", json!([items])).await
    }

    /// How many stored secrets each key sealed.
    pub async fn count_sealed_secrets(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.call(ENDPOINTS, "count_sealed_secrets", json!([])).await
    }

    async fn call<T: DeserializeOwned>(&self, model: &str, method: &str, args: Value) -> Result<T, Error> {
        let answer = self.0.call(model, method, args, json!({})).await?;
        // What the answer was may be a key: its text is not repeated.
        serde_json::from_value(answer).map_err(|_| {
            Error::Invalid(format!(
                "{method} does not answer as this version of the sidecar expects"
            ))
        })
    }
}
