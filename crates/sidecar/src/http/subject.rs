//! What a request tells of an endpoint, read for the renderer.

use std::sync::Arc;

use insightpulse_domain::{Endpoint, RawEndpoint};
use insightpulse_render::{Secrets, Subject};
use insightpulse_vault::{Field, Keyring};
use uuid::Uuid;

use super::Api;
use crate::secrets::open_secret;

/// What opens the secrets of one request.
pub struct Opener {
    keyring: Arc<Keyring>,
    database: Uuid,
}

impl Opener {
    pub fn new(api: &Api, database: Uuid) -> Self {
        Self {
            keyring: api.keyring.get(),
            database,
        }
    }
}

/// Without an opener, with placeholders.
pub fn subject(raw: &RawEndpoint, opener: Option<&Opener>) -> Subject {
    Subject {
        record: raw.record,
        name: raw.name.clone(),
        endpoint: read(raw, opener),
    }
}

fn read(raw: &RawEndpoint, opener: Option<&Opener>) -> Result<(Endpoint, Secrets), String> {
    let endpoint = Endpoint::parse(raw).map_err(|invalid| invalid.to_string())?;
    let secrets = match opener {
        None => Secrets::Placeholders {
            has_password: raw.password.is_some(),
            has_api_key: raw.api_key.is_some(),
        },
        Some(opener) => {
            let open = |field| {
                open_secret(&opener.keyring, opener.database, raw, field).map_err(|error| error.to_string())
            };
            Secrets::Revealed {
                password: open(Field::Password)?,
                api_key: open(Field::ApiKey)?,
            }
        }
    };
    Ok((endpoint, secrets))
}
