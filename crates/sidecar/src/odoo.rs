//! What this program asks of Odoo: one typed method for each of the addon's.

use std::collections::BTreeMap;
use std::time::Instant;

use insightpulse_domain::RawEndpoint;
use insightpulse_monitor::{Monitored, Report};
use insightpulse_odoo_rpc::{Call, Client, Error};
use insightpulse_vault::Field;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::warn;
use uuid::Uuid;

use crate::metrics::TenantMetrics;

const ENDPOINTS: &str = "insightpulse.connection.endpoint";
const SIDECAR: &str = "insightpulse.sidecar";

pub struct Odoo {
    client: Client,
    /// Counts what is asked, where somebody counts.
    metrics: Option<TenantMetrics>,
}

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

/// A page of the list of all endpoints that are to be monitored.
#[derive(Debug, Deserialize)]
pub struct Versions {
    /// Which database answers.
    pub database: Uuid,
    /// Changes with what counts for all of them.
    pub rules: String,
    /// Who wants to be told what happens, written as an endpoint whose key signs.
    #[serde(default)]
    pub webhook: Option<RawEndpoint>,
    /// Id, uuid and version, by id.
    pub rows: Vec<(i64, Uuid, String)>,
}

impl Odoo {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            metrics: None,
        }
    }

    pub fn counted(client: Client, metrics: TenantMetrics) -> Self {
        Self {
            client,
            metrics: Some(metrics),
        }
    }

    /// With an empty batch it proves the key, the right and the addon.
    pub async fn apply_probe_results(&self, database: Uuid, batch: &[Report]) -> Result<Value, Error> {
        let call = Call::new(ENDPOINTS, "apply_probe_results")
            .arg("results", json!(batch))
            .arg("database", json!(database));
        self.call(call).await
    }

    /// All endpoints that are to be monitored, by id, from after one on.
    pub async fn monitored_versions(&self, after_id: i64, limit: usize) -> Result<Versions, Error> {
        let call = Call::new(ENDPOINTS, "monitored_versions")
            .arg("after_id", after_id)
            .arg("limit", limit);
        self.call(call).await
    }

    /// Those of them that are to be monitored, whole.
    pub async fn monitored_endpoints(&self, ids: &[i64]) -> Result<Vec<Monitored>, Error> {
        // Not the records that a method is called on: it is a method of the model.
        let call = Call::new(ENDPOINTS, "monitored_endpoints").arg("endpoint_ids", json!(ids));
        let listed: Vec<Value> = self.call(call).await?;
        let read = |endpoint: Value| {
            let id = endpoint["id"].as_i64();
            serde_json::from_value(endpoint)
                .inspect_err(|_| {
                    warn!(
                        endpoint.id = id,
                        "A connection cannot be read: the addon may be newer than this sidecar"
                    );
                })
                .ok()
        };
        Ok(listed.into_iter().filter_map(read).collect())
    }

    /// Makes another API key of our user; the older ones stay valid.
    pub async fn renew_api_key(&self) -> Result<RenewedKey, Error> {
        self.call(Call::new(SIDECAR, "renew_api_key")).await
    }

    /// Removes all keys of our user but the newest.
    pub async fn retire_older_api_keys(&self) -> Result<(), Error> {
        self.call::<Value>(Call::new(SIDECAR, "retire_older_api_keys"))
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
        let call = Call::new(ENDPOINTS, "sealed_secrets")
            .arg("after_id", after_id)
            .arg("limit", limit)
            .arg("except_key", except_key);
        self.call(call).await
    }

    pub async fn apply_resealed(&self, items: &[Resealed]) -> Result<ResealReceipt, Error> {
        self.call(Call::new(ENDPOINTS, "apply_resealed").arg("items", json!(items)))
            .await
    }

    /// How many stored secrets each key sealed.
    pub async fn count_sealed_secrets(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.call(Call::new(ENDPOINTS, "count_sealed_secrets")).await
    }

    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let method = call.method().to_owned();
        let begun = Instant::now();
        let answer = self.client.call(call).await;
        if let Some(metrics) = &self.metrics {
            metrics.called(&method, begun.elapsed(), answer.is_ok());
        }
        let answer = answer?;
        // What the answer was may be a key: its text is not repeated.
        serde_json::from_value(answer).map_err(|_| {
            Error::Invalid(format!(
                "{method} does not answer as this version of the sidecar expects"
            ))
        })
    }
}
