//! `POST /v1/render`: configuration text, with secrets or placeholders for them.

use std::sync::Arc;

use actix_web::web::{self, Data, Json};
use insightpulse_domain::{Endpoint, RawEndpoint};
use insightpulse_render::{Document, Format, Named, Secrets, combined, single};
use insightpulse_vault::{Field, Keyring};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Api, Caller, Problem, require_database, require_few};
use crate::secrets::open_secret;

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    format: String,
    /// One document for all endpoints, in place of one for each.
    #[serde(default)]
    combine: bool,
    /// With the secrets, not placeholders. Odoo has checked who asks, and logged it.
    #[serde(default)]
    reveal: bool,
    endpoints: Vec<RawEndpoint>,
}

#[derive(Serialize)]
pub struct Response {
    documents: Vec<Rendered>,
}

#[derive(Serialize)]
struct Rendered {
    /// `None` for a document of all endpoints.
    id: Option<i64>,
    filename: String,
    mimetype: &'static str,
    content: String,
    /// Why there is no content, for who reads it.
    error: Option<String>,
}

pub async fn render(
    api: Data<Api>,
    caller: Caller,
    request: Json<Request>,
) -> Result<Json<Response>, Problem> {
    let Request {
        database,
        format,
        combine,
        reveal,
        endpoints,
    } = request.into_inner();
    require_database(&caller, database)?;
    require_few(endpoints.len())?;
    let format: Format = format
        .parse()
        .map_err(|error| Problem::unknown_format(format!("{error}.")))?;
    let opener = reveal.then(|| Opener {
        keyring: api.keyring.get(),
        database,
    });
    // Thousands of records take a while, and other requests share this thread.
    let rendering = web::block(move || {
        let opener = opener.as_ref();
        if combine && endpoints.len() != 1 {
            vec![all(format, endpoints, opener)]
        } else {
            // A document of one endpoint is that endpoint's own, and needs it whole.
            endpoints.iter().map(|raw| each(format, raw, opener)).collect()
        }
    });
    let documents = rendering.await.map_err(|_| Problem::internal())?;
    Ok(Json(Response { documents }))
}

/// What opens the secrets of one request.
struct Opener {
    keyring: Arc<Keyring>,
    database: Uuid,
}

impl Opener {
    fn secrets(&self, raw: &RawEndpoint) -> Result<Secrets, String> {
        let open =
            |field| open_secret(&self.keyring, self.database, raw, field).map_err(|error| error.to_string());
        Ok(Secrets::Revealed {
            password: open(Field::Password)?,
            api_key: open(Field::ApiKey)?,
        })
    }
}

fn read(raw: &RawEndpoint, opener: Option<&Opener>) -> Result<(Endpoint, Secrets), String> {
    let endpoint = Endpoint::parse(raw).map_err(|invalid| invalid.to_string())?;
    let secrets = opener.map_or(Ok(Secrets::Placeholders), |opener| opener.secrets(raw))?;
    Ok((endpoint, secrets))
}

/// An endpoint that is not complete does not spoil the others' documents.
fn each(format: Format, raw: &RawEndpoint, opener: Option<&Opener>) -> Rendered {
    let written = read(raw, opener).and_then(|(endpoint, secrets)| {
        single(format, &endpoint, &secrets).map_err(|unwritable| unwritable.to_string())
    });
    match written {
        Ok(document) => Rendered::new(Some(raw.id), document),
        Err(reason) => Rendered {
            id: Some(raw.id),
            filename: String::new(),
            mimetype: "text/plain",
            content: String::new(),
            error: Some(reason),
        },
    }
}

fn all(format: Format, endpoints: Vec<RawEndpoint>, opener: Option<&Opener>) -> Rendered {
    let named: Vec<_> = endpoints
        .into_iter()
        .map(|raw| Named {
            endpoint: read(&raw, opener),
            name: raw.name,
        })
        .collect();
    Rendered::new(None, combined(format, &named))
}

impl Rendered {
    fn new(id: Option<i64>, document: Document) -> Self {
        Self {
            id,
            filename: document.filename,
            mimetype: document.mimetype,
            content: document.content,
            error: None,
        }
    }
}
