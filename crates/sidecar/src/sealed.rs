//! Values that lie where others may write, sealed with the keyring as a whole.

use anyhow::Context;
use insightpulse_vault::{Keyring, OpenError, SealedToken, SharedBinding};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a sealed text tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// Another sidecar may read it: one with another key, or a newer one.
    IsForAnother,
    /// Somebody without a key has written it.
    Worthless,
}

pub fn seal<T: Serialize>(keyring: &Keyring, binding: SharedBinding, value: &T) -> anyhow::Result<String> {
    let text = SecretString::from(serde_json::to_string(value).context("encode what is shared")?);
    let sealed = keyring.seal(&text, &binding).context("seal what is shared")?;
    Ok(sealed.to_string())
}

pub fn open<T: DeserializeOwned>(
    keyring: &Keyring,
    binding: SharedBinding,
    sealed: &str,
) -> Result<T, Unopened> {
    let token: SealedToken = sealed.parse().map_err(|_| Unopened::Worthless)?;
    let text = keyring.open(&token, &binding).map_err(|error| match error {
        OpenError::UnknownKey(_) => Unopened::IsForAnother,
        OpenError::Malformed | OpenError::Refused => Unopened::Worthless,
    })?;
    serde_json::from_str(text.expose_secret()).map_err(|_| Unopened::IsForAnother)
}

pub fn is_of_the_primary_key(keyring: &Keyring, sealed: &str) -> bool {
    sealed
        .parse::<SealedToken>()
        .is_ok_and(|token| token.key() == keyring.primary())
}
