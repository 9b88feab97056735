//! How many secrets each key has sealed, in every database that is paired.

use std::collections::{BTreeMap, BTreeSet};

use insightpulse_odoo_rpc::Protocol;
use insightpulse_vault::{KeyId, Keyring};

use crate::odoo::Odoo;
use crate::pairings::{Pairing, Pairings};

pub struct Usage {
    databases: Vec<Counted>,
}

struct Counted {
    name: String,
    /// Which key sealed the API key of the pairing itself.
    api_key: Option<KeyId>,
    /// Or why Odoo cannot be asked.
    secrets: Result<BTreeMap<String, u64>, String>,
}

impl Usage {
    pub async fn ask(pairings: &Pairings, keyring: &Keyring, protocol: Protocol) -> anyhow::Result<Self> {
        let mut databases = Vec::new();
        for pairing in pairings.read()? {
            databases.push(Counted {
                api_key: pairing.sealed_api_key().ok().map(|token| token.key().clone()),
                secrets: count(&pairing, keyring, protocol).await,
                name: pairing.database_name,
            });
        }
        Ok(Self { databases })
    }

    /// `12 secrets in production, the API key of production`.
    pub fn of(&self, key: &KeyId) -> String {
        let mut uses = Vec::new();
        for counted in &self.databases {
            match &counted.secrets {
                Ok(secrets) => match secrets.get(key.as_str()) {
                    Some(1) => uses.push(format!("1 secret in {}", counted.name)),
                    Some(number) => uses.push(format!("{number} secrets in {}", counted.name)),
                    None => {}
                },
                Err(_) => uses.push(format!("unknown in {}", counted.name)),
            }
            if counted.api_key.as_ref() == Some(key) {
                uses.push(format!("the API key of {}", counted.name));
            }
        }
        if uses.is_empty() {
            return "not used".into();
        }
        uses.join(", ")
    }

    /// Keys that sealed something and are not in the keyring.
    pub fn strangers(&self, keyring: &Keyring) -> BTreeSet<KeyId> {
        let named = self
            .databases
            .iter()
            .filter_map(|counted| counted.secrets.as_ref().ok())
            .flat_map(BTreeMap::keys);
        named
            .filter_map(|id| id.parse().ok())
            .filter(|id| !keyring.ids().any(|known| known == id))
            .collect()
    }

    /// Says on standard error which databases could not be asked.
    pub fn complain(&self) {
        for counted in &self.databases {
            if let Err(reason) = &counted.secrets {
                eprintln!("insightpulse: {} cannot be asked: {reason}", counted.name);
            }
        }
    }

    /// What still uses a key, or may.
    pub fn why_not_retire(&self, key: &KeyId) -> Option<String> {
        let unknown = self.databases.iter().find_map(|counted| match &counted.secrets {
            Err(reason) => Some(format!("{} cannot be asked what it uses: {reason}", counted.name)),
            Ok(_) => None,
        });
        unknown.or_else(|| {
            let uses = self.of(key);
            (uses != "not used")
                .then(|| format!("it is used by {uses}; run `insightpulse keys reseal` first"))
        })
    }
}

async fn count(
    pairing: &Pairing,
    keyring: &Keyring,
    protocol: Protocol,
) -> Result<BTreeMap<String, u64>, String> {
    let client = pairing
        .client(keyring, protocol)
        .map_err(|error| format!("{error:#}"))?;
    Odoo::new(client)
        .count_sealed_secrets()
        .await
        .map_err(|error| error.to_string())
}
