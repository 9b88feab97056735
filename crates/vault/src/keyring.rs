//! The keys: one that seals, any number that open.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Names a key in tokens and to people: `k-1f0c9a7e`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// 256 bits, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key([u8; 32]);

/// One primary key, which seals, beside any number of keys that open.
///
/// As text it is TOML:
///
/// ```toml
/// primary = "k-1f0c9a7e"
///
/// [keys]
/// k-1f0c9a7e = "<32 bytes in base64>"
/// ```
#[derive(Clone)]
pub struct Keyring {
    primary: KeyId,
    keys: BTreeMap<KeyId, Key>,
}

/// Why a keyring's text is none. No variant holds any part of a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("the keyring is not TOML with `primary` and `[keys]`")]
    Format,
    #[error("“{0}” is not a key's name: lower-case letters, digits and `-`, at most 32")]
    KeyId(String),
    #[error("the key {0} is not 32 bytes in base64")]
    Key(KeyId),
    #[error("the primary key {0} is not among the keys")]
    PrimaryMissing(KeyId),
    #[error("the keyring has no key {0}")]
    Unknown(KeyId),
    #[error("{0} is the primary key, which seals; rotate to another one first")]
    Primary(KeyId),
    #[error("the operating system has no random numbers: {0}")]
    Random(getrandom::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    primary: String,
    keys: BTreeMap<String, SecretString>,
}

impl Keyring {
    /// A keyring with one new key.
    pub fn generate() -> Result<Self, KeyringError> {
        let (id, key) = new_key()?;
        Ok(Self {
            primary: id.clone(),
            keys: BTreeMap::from([(id, key)]),
        })
    }

    /// Adds a new key that opens and does not seal yet, so that it can reach
    /// every replica before the first token names it.
    pub fn add(&mut self) -> Result<KeyId, KeyringError> {
        let (id, key) = new_key()?;
        self.keys.insert(id.clone(), key);
        Ok(id)
    }

    /// Makes a key the primary, a new one when none is named; the others go on opening.
    pub fn rotate(&mut self, to: Option<&KeyId>) -> Result<&KeyId, KeyringError> {
        let id = match to {
            Some(id) if self.keys.contains_key(id) => id.clone(),
            Some(id) => return Err(KeyringError::Unknown(id.clone())),
            None => self.add()?,
        };
        self.primary = id;
        Ok(&self.primary)
    }

    /// Forgets a key: what it sealed does not open any more.
    pub fn remove(&mut self, id: &KeyId) -> Result<(), KeyringError> {
        if *id == self.primary {
            return Err(KeyringError::Primary(id.clone()));
        }
        match self.keys.remove(id) {
            Some(_) => Ok(()),
            None => Err(KeyringError::Unknown(id.clone())),
        }
    }

    pub fn parse(text: &SecretString) -> Result<Self, KeyringError> {
        // toml's error quotes the line that is wrong, which may be a key.
        let text: Text = toml::from_str(text.expose_secret()).map_err(|_| KeyringError::Format)?;
        let primary: KeyId = text.primary.parse()?;
        let mut keys = BTreeMap::new();
        for (id, encoded) in &text.keys {
            let id: KeyId = id.parse()?;
            let bytes = STANDARD
                .decode(encoded.expose_secret().trim())
                .map(Zeroizing::new);
            let key = bytes
                .ok()
                .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
                .ok_or_else(|| KeyringError::Key(id.clone()))?;
            keys.insert(id, Key(key));
        }
        if !keys.contains_key(&primary) {
            return Err(KeyringError::PrimaryMissing(primary));
        }
        Ok(Self { primary, keys })
    }

    /// What [`Keyring::parse`] reads.
    pub fn to_text(&self) -> SecretString {
        // Room for everything, so that no copy of a key is left behind by growing.
        let mut text = String::with_capacity(256 + 96 * self.keys.len());
        text.push_str("# InsightPulse keyring. Who has this file opens every sealed secret: keep a copy\n");
        text.push_str("# in a safe place, apart from Odoo's database.\n");
        text.push_str(&format!("primary = \"{}\"\n\n[keys]\n", self.primary));
        for (id, key) in &self.keys {
            let encoded = Zeroizing::new(STANDARD.encode(key.0));
            text.push_str(&id.0);
            text.push_str(" = \"");
            text.push_str(&encoded);
            text.push_str("\"\n");
        }
        SecretString::from(text)
    }

    pub fn primary(&self) -> &KeyId {
        &self.primary
    }

    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.keys()
    }

    pub(crate) fn primary_key(&self) -> &Key {
        &self.keys[&self.primary]
    }

    pub(crate) fn key(&self, id: &KeyId) -> Option<&Key> {
        self.keys.get(id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("primary", &self.primary)
            .field("keys", &self.keys.keys())
            .finish()
    }
}

impl Key {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl KeyId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = KeyringError;

    fn from_str(text: &str) -> Result<Self, KeyringError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > 32 || !text.bytes().all(allowed) {
            return Err(KeyringError::KeyId(text.chars().take(40).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The id is random, not counted: two keyrings that were made apart and are
/// put together later have no two keys of one name.
fn new_key() -> Result<(KeyId, Key), KeyringError> {
    let mut name = [0; 4];
    getrandom::fill(&mut name).map_err(KeyringError::Random)?;
    let mut key = Key([0; 32]);
    getrandom::fill(&mut key.0).map_err(KeyringError::Random)?;
    Ok((KeyId(format!("k-{:08x}", u32::from_be_bytes(name))), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match Keyring::parse(&SecretString::from(text)) {
            Ok(keyring) => panic!("read as {keyring:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_keyring_is_read_as_it_was_written() {
        let mut keyring = Keyring::generate().expect("random numbers");
        let first = keyring.primary().clone();
        keyring.rotate(None).expect("random numbers");
        let read = Keyring::parse(&keyring.to_text()).expect("its own text");
        assert_eq!(read.primary(), keyring.primary());
        assert_ne!(read.primary(), &first);
        assert_eq!(
            read.key(&first).map(Key::bytes),
            keyring.key(&first).map(Key::bytes)
        );
        assert_eq!(read.ids().count(), 2);
    }

    #[test]
    fn a_key_opens_before_it_seals_and_is_removed_only_when_it_does_not_seal() {
        let mut keyring = Keyring::generate().expect("random numbers");
        let first = keyring.primary().clone();
        let second = keyring.add().expect("random numbers");
        assert_eq!((keyring.primary(), keyring.ids().count()), (&first, 2));
        assert!(matches!(keyring.remove(&first), Err(KeyringError::Primary(_))));
        assert_eq!(keyring.rotate(Some(&second)).expect("it is there"), &second);
        keyring.remove(&first).expect("it does not seal any more");
        assert!(matches!(keyring.remove(&first), Err(KeyringError::Unknown(_))));
        assert!(matches!(
            keyring.rotate(Some(&first)),
            Err(KeyringError::Unknown(_))
        ));
    }

    #[test]
    fn a_broken_keyring_is_refused_without_showing_a_key() {
        let key = STANDARD.encode([7; 32]);
        assert!(refused(&format!("primary = \"k-1\"\nkeys = \"{key}\"")).contains("not TOML"));
        assert!(refused(&format!("primary = \"k-2\"\n[keys]\nk-1 = \"{key}\"")).contains("k-2 is not among"));
        let short = refused("primary = \"k-1\"\n[keys]\nk-1 = \"c2hvcnQ=\"");
        assert!(
            short.contains("k-1 is not 32 bytes") && !short.contains("c2hv"),
            "{short}"
        );
        assert!(refused("primary = \"K 1\"\n[keys]").contains("not a key's name"));
        assert!(
            refused(&format!("primary = \"k-1\"\nextra = 1\n[keys]\nk-1 = \"{key}\"")).contains("not TOML")
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let keyring = Keyring::generate().expect("random numbers");
        let encoded = STANDARD.encode(keyring.primary_key().bytes());
        assert!(keyring.to_text().expose_secret().contains(&encoded));
        assert!(!format!("{keyring:?}").contains(&encoded));
        assert!(!format!("{keyring:?}").contains(&format!("{:?}", keyring.primary_key().bytes())));
    }
}
