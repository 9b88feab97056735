//! `POST /v1/render`: configuration text, with secrets or placeholders for them.

use actix_web::web::{self, Data, Json};
use insightpulse_domain::RawEndpoint;
use insightpulse_render::{Document, Format, combined};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::subject::{Opener, subject};
use super::{Api, Caller, Problem, require_database, require_few};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    format: String,
    /// One document for all endpoints, each with its name, in place of one for each.
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
    let opener = reveal.then(|| Opener::new(&api, database));
    // Thousands of records take a while, and other requests share this thread.
    let rendering = web::block(move || {
        let opener = opener.as_ref();
        if combine {
            vec![all(format, &endpoints, opener)]
        } else {
            endpoints.iter().map(|raw| each(format, raw, opener)).collect()
        }
    });
    let documents = rendering.await.map_err(|_| Problem::internal())?;
    Ok(Json(Response { documents }))
}

/// An endpoint that is not complete does not spoil the others' documents.
fn each(format: Format, raw: &RawEndpoint, opener: Option<&Opener>) -> Rendered {
    Rendered::new(Some(raw.id), subject(raw, opener).document(format))
}

fn all(format: Format, endpoints: &[RawEndpoint], opener: Option<&Opener>) -> Rendered {
    let subjects: Vec<_> = endpoints.iter().map(|raw| subject(raw, opener)).collect();
    let written = combined(format, &subjects).map_err(|unwritable| unwritable.to_string());
    Rendered::new(None, written)
}

impl Rendered {
    fn new(id: Option<i64>, written: Result<Document, String>) -> Self {
        match written {
            Ok(document) => Self {
                id,
                filename: document.filename,
                mimetype: document.mimetype,
                content: document.content,
                error: None,
            },
            Err(reason) => Self {
                id,
                filename: String::new(),
                mimetype: "text/plain",
                content: String::new(),
                error: Some(reason),
            },
        }
    }
}
