//! The databases that trust this sidecar, in a file of the state directory.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use insightpulse_odoo_rpc::{Account, Client, Protocol};
use insightpulse_vault::{Keyring, PairingBinding, SealedToken};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::Digest;
use crate::private_file;

/// One Odoo database, and what both sides know each other by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// Odoo's `database.uuid`.
    pub database: Uuid,
    pub database_name: String,
    pub odoo_url: String,
    pub login: String,
    /// Sealed for this database and this address.
    pub api_key: String,
    pub api_key_since: Timestamp,
    /// `None` for a key that does not expire.
    pub api_key_expires_at: Option<Timestamp>,
    /// Of the token that this Odoo shows; the token itself is Odoo's alone.
    pub token: Digest,
    pub paired_at: Timestamp,
    /// Another database whose secrets this one may take over, for a while.
    #[serde(default)]
    pub carry_over_from: Option<Uuid>,
}

/// The file with all pairings.
#[derive(Debug, Clone)]
pub struct Pairings(PathBuf);

impl Pairing {
    /// A client that calls this Odoo.
    pub fn client(&self, keyring: &Keyring, protocol: Protocol) -> anyhow::Result<Client> {
        let account = Account {
            url: self.odoo_url.clone(),
            database: self.database_name.clone(),
            login: self.login.clone(),
            api_key: self.open_api_key(keyring)?,
        };
        Client::new(account, protocol)
            .with_context(|| format!("call Odoo for the database {}", self.database_name))
    }

    /// The token that the API key is stored as.
    pub fn seal_api_key(&mut self, keyring: &Keyring, api_key: &SecretString) -> anyhow::Result<()> {
        let sealed = keyring
            .seal(api_key, &self.binding())
            .context("seal Odoo's API key")?;
        self.api_key = sealed.to_string();
        Ok(())
    }

    pub fn open_api_key(&self, keyring: &Keyring) -> anyhow::Result<SecretString> {
        self.sealed_api_key()
            .and_then(|token| Ok(keyring.open(&token, &self.binding())?))
            .with_context(|| format!("open the API key of the database {}", self.database_name))
    }

    pub fn sealed_api_key(&self) -> anyhow::Result<SealedToken> {
        Ok(self.api_key.parse()?)
    }

    fn binding(&self) -> PairingBinding {
        PairingBinding {
            database: self.database,
            odoo_url: self.odoo_url.clone(),
        }
    }
}

impl Pairings {
    pub fn new(state_dir: &Path) -> Self {
        Self(state_dir.join("pairings.json"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All of them, in the order in which they were made.
    pub fn read(&self) -> anyhow::Result<Vec<Pairing>> {
        let shown = self.0.display();
        let bytes = match fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("read the pairings {shown}")),
        };
        serde_json::from_slice(&bytes).with_context(|| format!("read the pairings {shown}"))
    }

    /// Changes them; another process that does so waits.
    pub fn update<T>(&self, change: impl FnOnce(&mut Vec<Pairing>) -> T) -> anyhow::Result<T> {
        let directory = self.0.parent().unwrap_or(Path::new("."));
        private_file::make_directory(directory)?;
        let _lock = private_file::lock(directory)?;
        let before = self.read()?;
        let mut pairings = before.clone();
        let answer = change(&mut pairings);
        if pairings != before {
            let bytes = serde_json::to_vec_pretty(&pairings).context("encode pairings")?;
            private_file::write(&self.0, &bytes)?;
        }
        Ok(answer)
    }

    /// Adds a pairing, or replaces that of the same database.
    pub fn put(&self, pairing: Pairing) -> anyhow::Result<()> {
        self.update(|pairings| {
            pairings.retain(|other| other.database != pairing.database);
            pairings.push(pairing);
        })
    }

    /// Forgets a database; says whether it was there.
    pub fn remove(&self, database: Uuid) -> anyhow::Result<bool> {
        self.update(|pairings| {
            let before = pairings.len();
            pairings.retain(|pairing| pairing.database != database);
            pairings.len() < before
        })
    }
}
