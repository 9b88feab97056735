//! `POST /v1/parse`: a pasted text becomes the values of a new record.

use actix_web::web::{self, Json};
use insightpulse_domain::{Connection, SignIn, TlsMode};
use insightpulse_parse::parse;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Problem, require_database};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    text: SecretString,
}

#[derive(Serialize)]
pub struct Response {
    connections: Vec<Values>,
    /// Of a `.env` file or a table: names and values, in their order.
    variables: Vec<(String, String)>,
}

/// Secrets are in plaintext: whoever pasted them sent them here.
#[derive(Serialize)]
struct Values {
    name: String,
    kind: &'static str,
    base_url: Option<String>,
    port: Option<i64>,
    tls_mode: Option<&'static str>,
    username: Option<String>,
    database_name: Option<String>,
    web_url: Option<String>,
    pooler_host: Option<String>,
    tls_authority: Option<String>,
    client_certificate: Option<String>,
    is_replica: bool,
    sign_in: Option<&'static str>,
    key_header: Option<String>,
    expected_status: Option<String>,
    expected_path: Option<String>,
    expected_text: Option<String>,
    password: Option<String>,
    api_key: Option<String>,
}

pub async fn read(caller: Caller, request: Json<Request>) -> Result<Json<Response>, Problem> {
    let Request { database, text } = request.into_inner();
    require_database(&caller, database)?;
    let reading = web::block(move || parse(text.expose_secret()));
    let pasted = reading
        .await
        .map_err(|_| Problem::internal())?
        .map_err(|unreadable| Problem::unreadable_text(unreadable.to_string()))?;
    Ok(Json(Response {
        connections: pasted.connections.into_iter().map(Values::from).collect(),
        variables: pasted
            .variables
            .into_iter()
            .map(|(name, value)| (name, value.expose_secret().to_owned()))
            .collect(),
    }))
}

impl From<Connection> for Values {
    fn from(connection: Connection) -> Self {
        let Connection {
            raw,
            password,
            api_key,
        } = connection;
        let text = |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
        Self {
            name: raw.name,
            kind: raw.kind.as_str(),
            base_url: raw.base_url,
            port: raw.port,
            tls_mode: raw.tls_mode.map(TlsMode::as_str),
            username: raw.username,
            database_name: raw.database_name,
            web_url: raw.web_url,
            pooler_host: raw.pooler_host,
            tls_authority: raw.tls_authority,
            client_certificate: raw.client_certificate,
            is_replica: raw.is_replica,
            sign_in: raw.sign_in.map(SignIn::as_str),
            key_header: raw.key_header,
            expected_status: raw.expected_status,
            expected_path: raw.expected_path,
            expected_text: raw.expected_text,
            password: text(password),
            api_key: text(api_key),
        }
    }
}
