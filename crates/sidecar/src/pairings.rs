//! The databases that trust this sidecar, in a file of the state directory.

use std::collections::HashMap;
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

/// How a database is paired, or that it is not any more, so that two who know
/// different things find out which is the newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Entry {
    pub database: Uuid,
    /// How often it was paired or unpaired. No other change, however often, outvotes that.
    pub generation: i64,
    /// How often it has changed since.
    pub revision: i64,
    pub pairing: Option<Pairing>,
}

/// An entry as the file has it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Gone {
        database: Uuid,
        generation: i64,
        is_gone: bool,
    },
    There {
        #[serde(default)]
        generation: i64,
        #[serde(default)]
        revision: i64,
        #[serde(flatten)]
        pairing: Box<Pairing>,
    },
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
        let entries = self.entries()?.into_iter();
        Ok(entries.filter_map(|entry| entry.pairing).collect())
    }

    /// Those that are there and those that were.
    pub fn entries(&self) -> anyhow::Result<Vec<Entry>> {
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
        self.rewrite(|entries| {
            let mut pairings: Vec<_> = entries.iter().filter_map(|entry| entry.pairing.clone()).collect();
            let answer = change(&mut pairings);
            let mut before: HashMap<_, _> = entries.drain(..).map(|entry| (entry.database, entry)).collect();
            for pairing in pairings {
                let known = before.remove(&pairing.database);
                entries.push(Entry::of(pairing, known));
            }
            let mut gone: Vec<_> = before.into_values().map(Entry::gone).collect();
            gone.sort_by_key(|entry| entry.database);
            entries.extend(gone);
            answer
        })
    }

    /// Takes in what others know, where that is newer.
    pub fn take(&self, others: &[Entry]) -> anyhow::Result<()> {
        self.rewrite(|entries| {
            for other in others {
                match entries.iter_mut().find(|entry| entry.database == other.database) {
                    Some(entry) => *entry = entry.clone().merge(other.clone()),
                    None => entries.push(other.clone()),
                }
            }
        })
    }

    fn rewrite<T>(&self, change: impl FnOnce(&mut Vec<Entry>) -> T) -> anyhow::Result<T> {
        let directory = self.0.parent().unwrap_or(Path::new("."));
        private_file::make_directory(directory)?;
        let _lock = private_file::lock(directory)?;
        let before = self.entries()?;
        let mut entries = before.clone();
        let answer = change(&mut entries);
        if entries != before {
            let bytes = serde_json::to_vec_pretty(&entries).context("encode pairings")?;
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

impl Entry {
    /// After what was `known`.
    fn of(pairing: Pairing, known: Option<Self>) -> Self {
        match known {
            Some(known) if known.pairing.as_ref() == Some(&pairing) => known,
            Some(known)
                if known
                    .pairing
                    .as_ref()
                    .is_some_and(|before| before.token == pairing.token) =>
            {
                Self {
                    revision: known.revision + 1,
                    pairing: Some(pairing),
                    ..known
                }
            }
            known => Self {
                database: pairing.database,
                generation: known.map_or(0, |known| known.generation) + 1,
                revision: 0,
                pairing: Some(pairing),
            },
        }
    }

    /// Not paired any more.
    fn gone(self) -> Self {
        Self {
            generation: self.generation + i64::from(self.pairing.is_some()),
            revision: 0,
            pairing: None,
            ..self
        }
    }

    /// What both know together: the same whichever way round. A renewed API key outlives
    /// whatever else was changed meanwhile, since the one before it dies.
    pub fn merge(self, other: Self) -> Self {
        let (before, mut newer) = if self.rank() < other.rank() {
            (self, other)
        } else {
            (other, self)
        };
        if let (Some(before), Some(now)) = (before.pairing, &mut newer.pairing)
            && (before.token, before.paired_at) == (now.token, now.paired_at)
            && before.api_key_since > now.api_key_since
        {
            now.api_key = before.api_key;
            now.api_key_since = before.api_key_since;
            now.api_key_expires_at = before.api_key_expires_at;
            newer.revision += 1;
        }
        newer
    }

    /// Greater is newer. Of two that were paired and unpaired at the same time, one that is gone is.
    fn rank(&self) -> impl Ord + use<> {
        let pairing = self.pairing.as_ref();
        let rest = pairing.map(|pairing| {
            let key = (pairing.api_key_since, pairing.api_key.clone());
            (
                pairing.paired_at,
                self.revision,
                key,
                pairing.database_name.clone(),
            )
        });
        (self.generation, pairing.is_none(), rest)
    }
}

impl From<Written> for Entry {
    fn from(written: Written) -> Self {
        match written {
            Written::Gone {
                database, generation, ..
            } => Self {
                database,
                generation,
                revision: 0,
                pairing: None,
            },
            Written::There {
                generation,
                revision,
                pairing,
            } => Self {
                database: pairing.database,
                generation,
                revision,
                pairing: Some(*pairing),
            },
        }
    }
}

impl From<Entry> for Written {
    fn from(entry: Entry) -> Self {
        match entry.pairing {
            Some(pairing) => Self::There {
                generation: entry.generation,
                revision: entry.revision,
                pairing: Box::new(pairing),
            },
            None => Self::Gone {
                database: entry.database,
                generation: entry.generation,
                is_gone: true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    fn pairing(name: &str) -> Pairing {
        Pairing {
            database: Uuid::from_u128(1),
            database_name: name.into(),
            odoo_url: "https://odoo.example.com".into(),
            login: "sidecar".into(),
            api_key: "first".into(),
            api_key_since: at(0),
            api_key_expires_at: None,
            token: Digest::of(b"token"),
            paired_at: at(0),
            carry_over_from: None,
        }
    }

    fn there(generation: i64, revision: i64, pairing: Pairing) -> Entry {
        Entry {
            database: pairing.database,
            generation,
            revision,
            pairing: Some(pairing),
        }
    }

    fn gone(generation: i64) -> Entry {
        Entry {
            database: Uuid::from_u128(1),
            generation,
            revision: 0,
            pairing: None,
        }
    }

    #[test]
    fn the_newer_is_the_same_whichever_way_round() {
        let renewed = Pairing {
            api_key: "second".into(),
            api_key_since: at(9),
            ..pairing("a")
        };
        let renewed_and_renamed = Pairing {
            database_name: "b".into(),
            ..renewed.clone()
        };
        let anew = Pairing {
            token: Digest::of(b"another"),
            paired_at: at(5),
            api_key_since: at(5),
            ..pairing("a")
        };
        let check = |one: Entry, other: Entry, expected: Entry| {
            assert_eq!(one.clone().merge(other.clone()), expected);
            assert_eq!(other.merge(one), expected);
        };
        let (a, b) = (pairing("a"), pairing("b"));
        check(
            there(1, 1, a.clone()),
            there(1, 2, b.clone()),
            there(1, 2, b.clone()),
        );
        check(
            there(1, 2, b.clone()),
            there(1, 2, a.clone()),
            there(1, 2, b.clone()),
        );
        // Who unpairs or pairs is not outvoted by who renames.
        check(there(1, 99, a.clone()), gone(2), gone(2));
        check(
            there(1, 99, a.clone()),
            there(2, 0, anew.clone()),
            there(2, 0, anew.clone()),
        );
        check(there(3, 0, a.clone()), gone(2), there(3, 0, a.clone()));
        check(there(2, 9, a.clone()), gone(2), gone(2));
        check(
            there(2, 9, a.clone()),
            there(2, 0, anew.clone()),
            there(2, 0, anew.clone()),
        );
        // A key that was renewed is not lost to a rename, nor kept by who paired anew.
        check(
            there(1, 2, renewed.clone()),
            there(1, 3, b),
            there(1, 4, renewed_and_renamed),
        );
        check(
            there(1, 2, renewed.clone()),
            there(1, 2, a),
            there(1, 2, renewed.clone()),
        );
        check(there(2, 0, anew.clone()), there(1, 2, renewed), there(2, 0, anew));
    }

    #[test]
    fn each_change_is_newer_than_what_was_and_what_is_gone_is_remembered() {
        let directory = tempfile::tempdir().expect("a directory");
        let pairings = Pairings::new(directory.path());
        let entries = || pairings.entries().expect("there");
        pairings.put(pairing("a")).expect("written");
        pairings.update(|_| ()).expect("read");
        assert_eq!(entries(), [there(1, 0, pairing("a"))]);
        pairings.put(pairing("b")).expect("written");
        assert_eq!(entries(), [there(1, 1, pairing("b"))]);
        assert!(pairings.remove(Uuid::from_u128(1)).expect("written"));
        assert!(!pairings.remove(Uuid::from_u128(1)).expect("written"));
        assert_eq!(entries(), [gone(2)]);
        assert_eq!(pairings.read().expect("there"), []);
        // What somebody else still has is older.
        pairings.take(&[there(1, 9, pairing("b"))]).expect("written");
        assert_eq!(entries(), [gone(2)]);
        pairings.put(pairing("c")).expect("written");
        assert_eq!(entries(), [there(3, 0, pairing("c"))]);
        let anew = Pairing {
            token: Digest::of(b"another"),
            ..pairing("c")
        };
        pairings.put(anew.clone()).expect("written");
        assert_eq!(entries(), [there(4, 0, anew)]);
    }

    #[test]
    fn a_file_of_before_revisions_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let pairings = Pairings::new(directory.path());
        let text = serde_json::to_string(&[pairing("a")]).expect("JSON");
        fs::write(pairings.path(), text).expect("written");
        assert_eq!(pairings.entries().expect("there"), [there(0, 0, pairing("a"))]);
    }
}
