//! `POST /v1/seal`: plaintexts in, tokens out that only this sidecar opens.

use actix_web::web::{Data, Json};
use insightpulse_domain::RawEndpoint;
use insightpulse_vault::{Binding, Field};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Api, Caller, Problem, require_database, require_few};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    field: Field,
    secret: SecretString,
    endpoint: RawEndpoint,
}

#[derive(Serialize)]
pub struct Response {
    /// In the order of the items.
    tokens: Vec<String>,
}

pub async fn seal(api: Data<Api>, caller: Caller, request: Json<Request>) -> Result<Json<Response>, Problem> {
    let Request { database, items } = request.into_inner();
    require_database(&caller, database)?;
    require_few(items.len())?;
    let keyring = api.keyring.get();
    let tokens = items
        .into_iter()
        .map(
            |Item {
                 field,
                 secret,
                 endpoint,
             }| {
                let binding = Binding::of(database, &endpoint, field);
                let token = keyring.seal(&secret, &binding);
                token
                    .map(|token| token.to_string())
                    .map_err(|error| Problem::unsealable(format!("{error}.")))
            },
        )
        .collect::<Result<_, _>>()?;
    Ok(Json(Response { tokens }))
}
