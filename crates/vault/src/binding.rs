//! What a sealed secret is bound to.

use std::borrow::Cow;

use insightpulse_domain::{Destination, RawEndpoint};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which of a record's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Password,
    ApiKey,
    ClientKey,
}

/// The place that a secret belongs to, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Odoo's `database.uuid`: a duplicated database gets another.
    pub database: Uuid,
    /// The record's own uuid: its id does not exist yet when it is created.
    pub record: Uuid,
    pub field: Field,
    pub destination: Destination,
}

impl Field {
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Password => "password",
            Field::ApiKey => "api_key",
            Field::ClientKey => "client_key",
        }
    }
}

impl Binding {
    /// Where a secret of an endpoint belongs, by what the endpoint is now.
    pub fn of(database: Uuid, endpoint: &RawEndpoint, field: Field) -> Self {
        Self {
            database,
            record: endpoint.record,
            field,
            destination: Destination::of(endpoint),
        }
    }
}

/// What a token may be opened for: the parts of its associated data.
///
/// Two kinds never have the same parts: an endpoint's begin with the 16 bytes of
/// a uuid, every other kind's with its name, which is shorter.
pub trait Bound {
    fn parts(&self) -> Vec<Cow<'_, [u8]>>;
}

impl Bound for Binding {
    fn parts(&self) -> Vec<Cow<'_, [u8]>> {
        let fixed: [&[u8]; 3] = [
            self.database.as_bytes(),
            self.record.as_bytes(),
            self.field.as_str().as_bytes(),
        ];
        let destination = self.destination.parts().map(str::as_bytes);
        fixed.into_iter().chain(destination).map(Cow::Borrowed).collect()
    }
}

/// The API key by which one Odoo is called, at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingBinding {
    pub database: Uuid,
    pub odoo_url: String,
}

impl Bound for PairingBinding {
    fn parts(&self) -> Vec<Cow<'_, [u8]>> {
        let parts: [&[u8]; 3] = [b"pairing", self.database.as_bytes(), self.odoo_url.as_bytes()];
        parts.into_iter().map(Cow::Borrowed).collect()
    }
}

/// What sidecars of one store tell each other there: who can write to the store
/// and has no key can neither read nor make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedBinding {
    /// How a database is paired.
    Pairing(Uuid),
    /// The code that pairs the next one.
    PairingCode,
    /// What a webhook of a database is to be told.
    Notice { database: Uuid, id: Uuid },
}

impl Bound for SharedBinding {
    fn parts(&self) -> Vec<Cow<'_, [u8]>> {
        let parts: &[&[u8]] = match self {
            Self::Pairing(database) => &[b"shared pairing", database.as_bytes()],
            Self::PairingCode => &[b"pairing code"],
            Self::Notice { database, id } => &[b"notice", database.as_bytes(), id.as_bytes()],
        };
        parts.iter().copied().map(Cow::Borrowed).collect()
    }
}

/// The associated data of a token: every part with its length before it, as
/// four bytes, most significant first.
pub(crate) fn associated_data(version: &str, key: &str, bound: &impl Bound) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(256);
    let mut push = |part: &[u8]| {
        let length = u32::try_from(part.len()).expect("a request's body is bounded far below 4 GiB");
        encoded.extend_from_slice(&length.to_be_bytes());
        encoded.extend_from_slice(part);
    };
    push(version.as_bytes());
    push(key.as_bytes());
    bound.parts().iter().for_each(|part| push(part));
    encoded
}
