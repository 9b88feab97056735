//! Opens what an endpoint has stored, for as long as one answer takes.

use insightpulse_domain::{Endpoint, Failure, RawEndpoint, Reason};
use insightpulse_probe::Target;
use insightpulse_vault::{Binding, Field, Keyring, OpenError};
use secrecy::SecretString;
use uuid::Uuid;

/// `None` when the endpoint has none of this field.
pub fn open_secret(
    keyring: &Keyring,
    database: Uuid,
    endpoint: &RawEndpoint,
    field: Field,
) -> Result<Option<SecretString>, OpenError> {
    let token = match field {
        Field::Password => &endpoint.password,
        Field::ApiKey => &endpoint.api_key,
        Field::ClientKey => &endpoint.client_key,
    };
    let Some(token) = token else { return Ok(None) };
    let binding = Binding::of(database, endpoint, field);
    token
        .parse()
        .and_then(|token| keyring.open(&token, &binding))
        .map(Some)
}

/// Reads the endpoint and opens its secrets, for one probe.
pub fn open_target(keyring: &Keyring, database: Uuid, raw: &RawEndpoint) -> Result<Target, Failure> {
    let endpoint = Endpoint::parse(raw)?;
    let open = |field| {
        open_secret(keyring, database, raw, field).map_err(|error| {
            Failure::from(Reason::SecretUnreadable {
                detail: error.to_string(),
            })
        })
    };
    Ok(Target {
        endpoint,
        password: open(Field::Password)?,
        api_key: open(Field::ApiKey)?,
        client_key: open(Field::ClientKey)?,
    })
}
