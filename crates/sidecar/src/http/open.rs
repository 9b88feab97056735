//! `POST /v1/open`: an endpoint's secret in the clear, for Odoo's own code that may have it.

use actix_web::web::{Data, Json};
use insightpulse_domain::RawEndpoint;
use insightpulse_vault::Field;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::{Api, Caller, Problem, require_database, require_few};
use crate::secrets::open_secret;

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    field: Field,
    endpoint: RawEndpoint,
}

#[derive(Serialize)]
pub struct Response {
    /// In the order of the items.
    results: Vec<Opened>,
}

#[derive(Serialize)]
struct Opened {
    /// `None` when none is stored, or when it does not open.
    #[serde(serialize_with = "in_the_clear")]
    secret: Option<SecretString>,
    error: Option<String>,
}

pub async fn open(api: Data<Api>, caller: Caller, request: Json<Request>) -> Result<Json<Response>, Problem> {
    let Request { database, items } = request.into_inner();
    require_database(&caller, database)?;
    require_few(items.len())?;
    let keyring = api.keyring.get();
    let results = items
        .iter()
        .map(
            |item| match open_secret(&keyring, database, &item.endpoint, item.field) {
                Ok(secret) => Opened { secret, error: None },
                Err(error) => Opened {
                    secret: None,
                    error: Some(error.to_string()),
                },
            },
        )
        .collect();
    Ok(Json(Response { results }))
}

fn in_the_clear<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret
        .as_ref()
        .map(|secret| secret.expose_secret())
        .serialize(serializer)
}
