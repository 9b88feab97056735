//! A sealed secret: made by the primary key, opened for its binding alone.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::binding::{Bound, associated_data};
use crate::keyring::{KeyId, Keyring};

const VERSION: &str = "ip1";
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// The longest secret that is sealed, in bytes.
const SECRET_MAX: usize = 64 * 1024;

/// `ip1.<key id>.<base64url of nonce, ciphertext and tag>`. Not a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedToken {
    key: KeyId,
    sealed: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("a secret of more than {SECRET_MAX} bytes is not sealed")]
    TooLong,
    #[error("the operating system has no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Why a token does not open, in words for who has to type the secret again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("The stored secret is damaged: it is not a sealed token.")]
    Malformed,
    #[error("The stored secret was sealed with the key {0}, which is not in this sidecar's keyring.")]
    UnknownKey(KeyId),
    #[error(
        "The stored secret does not open here: it was sealed for another server, record, field or database, \
         or it was changed."
    )]
    Refused,
}

impl Keyring {
    /// Seals with the primary key.
    pub fn seal(&self, secret: &SecretString, binding: &impl Bound) -> Result<SealedToken, SealError> {
        if secret.expose_secret().len() > SECRET_MAX {
            return Err(SealError::TooLong);
        }
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(SealError::Random)?;
        let payload = Payload {
            msg: secret.expose_secret().as_bytes(),
            aad: &associated_data(VERSION, self.primary().as_str(), binding),
        };
        let ciphertext = XChaCha20Poly1305::new(self.primary_key().bytes().into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("the length is far below the cipher's limit of 256 GiB");
        let mut sealed = nonce.to_vec();
        sealed.extend_from_slice(&ciphertext);
        Ok(SealedToken {
            key: self.primary().clone(),
            sealed,
        })
    }

    /// Opens with the key that the token names, for exactly its binding.
    pub fn open(&self, token: &SealedToken, binding: &impl Bound) -> Result<SecretString, OpenError> {
        let key = self
            .key(&token.key)
            .ok_or_else(|| OpenError::UnknownKey(token.key.clone()))?;
        let (nonce, ciphertext) = token
            .sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(OpenError::Malformed)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &associated_data(VERSION, token.key.as_str(), binding),
        };
        let plaintext = XChaCha20Poly1305::new(key.bytes().into())
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Refused)?;
        let text = std::str::from_utf8(&plaintext).map_err(|_| OpenError::Refused)?;
        Ok(SecretString::from(text))
    }
}

impl SealedToken {
    /// The key that sealed it.
    pub fn key(&self) -> &KeyId {
        &self.key
    }
}

impl fmt::Display for SealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{VERSION}.{}.{}",
            self.key,
            URL_SAFE_NO_PAD.encode(&self.sealed)
        )
    }
}

impl FromStr for SealedToken {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, OpenError> {
        let mut parts = text.split('.');
        let (Some(VERSION), Some(key), Some(sealed), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(OpenError::Malformed);
        };
        let key = key.parse().map_err(|_| OpenError::Malformed)?;
        if sealed.len() > 2 * SECRET_MAX {
            return Err(OpenError::Malformed);
        }
        // This engine refuses padding and left-over bits: one token has one spelling.
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| OpenError::Malformed)?;
        if sealed.len() < NONCE_LEN + TAG_LEN {
            return Err(OpenError::Malformed);
        }
        Ok(Self { key, sealed })
    }
}

#[cfg(test)]
mod tests {
    use insightpulse_domain::{Destination, Kind, RawEndpoint};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::binding::{Binding, Field, PairingBinding};

    fn keyring() -> Keyring {
        Keyring::generate().expect("random numbers")
    }

    fn destination(host: &str) -> Destination {
        Destination::of(&RawEndpoint {
            name: "Test".into(),
            base_url: Some(host.into()),
            port: Some(5432),
            tls_mode: None,
            username: Some("u".into()),
            ..RawEndpoint::new(Kind::Postgresql)
        })
    }

    fn binding() -> Binding {
        Binding {
            database: Uuid::from_u128(1),
            record: Uuid::from_u128(2),
            field: Field::Password,
            destination: destination("db.example.com"),
        }
    }

    fn open(keyring: &Keyring, token: &str, binding: &Binding) -> Result<String, OpenError> {
        Ok(keyring.open(&token.parse()?, binding)?.expose_secret().to_owned())
    }

    #[test]
    fn a_secret_opens_for_its_binding_and_for_no_other() {
        let keyring = keyring();
        let token = keyring
            .seal(&"pässwörd".into(), &binding())
            .expect("sealed")
            .to_string();
        assert_eq!(open(&keyring, &token, &binding()).as_deref(), Ok("pässwörd"));
        let others = [
            Binding {
                database: Uuid::from_u128(9),
                ..binding()
            },
            Binding {
                record: Uuid::from_u128(9),
                ..binding()
            },
            Binding {
                field: Field::ApiKey,
                ..binding()
            },
            Binding {
                destination: destination("evil.example.com"),
                ..binding()
            },
            // Database and record exchanged: their bytes in a row are not the same either.
            Binding {
                database: binding().record,
                record: binding().database,
                ..binding()
            },
        ];
        for other in others {
            assert_eq!(
                open(&keyring, &token, &other),
                Err(OpenError::Refused),
                "{other:?}"
            );
        }
    }

    #[test]
    fn an_api_key_of_a_pairing_is_no_secret_of_an_endpoint() {
        let keyring = keyring();
        let pairing = PairingBinding {
            database: binding().database,
            odoo_url: "https://odoo.example".into(),
        };
        let token = keyring.seal(&"key".into(), &pairing).expect("sealed");
        assert_eq!(
            keyring
                .open(&token, &pairing)
                .map(|key| key.expose_secret().to_owned()),
            Ok("key".into())
        );
        let elsewhere = PairingBinding {
            odoo_url: "https://evil.example".into(),
            ..pairing
        };
        assert_eq!(keyring.open(&token, &elsewhere).err(), Some(OpenError::Refused));
        assert_eq!(keyring.open(&token, &binding()).err(), Some(OpenError::Refused));
    }

    #[test]
    fn every_single_bit_change_of_a_token_is_refused() {
        let keyring = keyring();
        let token = keyring
            .seal(&"secret".into(), &binding())
            .expect("sealed")
            .to_string();
        for index in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                if let Ok(changed) = String::from_utf8(bytes) {
                    assert!(open(&keyring, &changed, &binding()).is_err(), "{changed}");
                }
            }
        }
    }

    #[test]
    fn an_older_key_goes_on_opening() {
        let mut keyring = keyring();
        let old = keyring
            .seal(&"secret".into(), &binding())
            .expect("sealed")
            .to_string();
        keyring.rotate(None).expect("random numbers");
        let new = keyring
            .seal(&"secret".into(), &binding())
            .expect("sealed")
            .to_string();
        assert_eq!(open(&keyring, &old, &binding()).as_deref(), Ok("secret"));
        assert_ne!(old.split('.').nth(1), new.split('.').nth(1));
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let other = keyring();
        let token = other
            .seal(&"secret".into(), &binding())
            .expect("sealed")
            .to_string();
        assert_eq!(
            open(&keyring(), &token, &binding()),
            Err(OpenError::UnknownKey(other.primary().clone()))
        );
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time() {
        let keyring = keyring();
        let seal = || {
            keyring
                .seal(&"secret".into(), &binding())
                .expect("sealed")
                .to_string()
        };
        assert_ne!(seal(), seal());
    }

    #[test]
    fn a_secret_that_is_too_long_is_refused() {
        let long = SecretString::from("x".repeat(SECRET_MAX + 1));
        assert!(matches!(
            keyring().seal(&long, &binding()),
            Err(SealError::TooLong)
        ));
    }

    proptest! {
        #[test]
        fn any_secret_comes_back(secret in any::<String>()) {
            let keyring = keyring();
            let token = keyring.seal(&secret.as_str().into(), &binding()).expect("sealed").to_string();
            prop_assert_eq!(open(&keyring, &token, &binding()), Ok(secret));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(ip1\\.)?[a-z0-9.=_-]{0,120}|.*") {
            if let Ok(token) = text.parse::<SealedToken>() {
                prop_assert_eq!(token.to_string(), text);
            }
        }
    }
}
