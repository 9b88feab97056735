//! `POST /v1/render`: configuration text, with placeholders for secrets.

use actix_web::web::{self, Json};
use insightpulse_domain::{Endpoint, RawEndpoint};
use insightpulse_render::{Document, Format, Named, combined, single};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Problem, require_database, require_few};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    format: String,
    /// One document for all endpoints, in place of one for each.
    #[serde(default)]
    combine: bool,
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
    /// Why there is no content: what the endpoint lacks.
    error: Option<String>,
}

pub async fn render(caller: Caller, request: Json<Request>) -> Result<Json<Response>, Problem> {
    let Request {
        database,
        format,
        combine,
        endpoints,
    } = request.into_inner();
    require_database(&caller, database)?;
    require_few(endpoints.len())?;
    let format: Format = format
        .parse()
        .map_err(|error| Problem::unknown_format(format!("{error}.")))?;
    // Thousands of records take a while, and other requests share this thread.
    let rendering = web::block(move || {
        if combine {
            Ok(vec![all(format, endpoints)?])
        } else {
            Ok(endpoints.iter().map(|raw| each(format, raw)).collect())
        }
    });
    let documents = rendering.await.map_err(|_| Problem::internal())??;
    Ok(Json(Response { documents }))
}

/// An endpoint that is not complete does not spoil the others' documents.
fn each(format: Format, raw: &RawEndpoint) -> Rendered {
    match Endpoint::parse(raw) {
        Ok(endpoint) => Rendered::new(Some(raw.id), single(format, &endpoint)),
        Err(invalid) => Rendered {
            id: Some(raw.id),
            filename: String::new(),
            mimetype: "text/plain",
            content: String::new(),
            error: Some(invalid.to_string()),
        },
    }
}

/// A document of one endpoint is that endpoint's own, and needs it whole.
fn all(format: Format, endpoints: Vec<RawEndpoint>) -> Result<Rendered, Problem> {
    let named: Vec<_> = endpoints
        .into_iter()
        .map(|raw| Named {
            endpoint: Endpoint::parse(&raw),
            name: raw.name,
        })
        .collect();
    let document = match named.as_slice() {
        [
            Named {
                endpoint: Ok(endpoint),
                ..
            },
        ] => single(format, endpoint),
        [
            Named {
                endpoint: Err(invalid),
                name,
            },
        ] => {
            return Err(Problem::invalid_endpoint(format!("{name}: {invalid}")));
        }
        several => combined(format, several),
    };
    Ok(Rendered::new(None, document))
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
