//! `POST /v1/connect`: all that a Connect dialog shows of one endpoint, or of several.

use actix_web::web::{self, Data, Json};
use insightpulse_domain::{Kind, RawEndpoint};
use insightpulse_render::{Document, File, Format, Parameter, Subject, Tab, combined};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::subject::{Opener, subject};
use super::{Api, Caller, Problem, require_database, require_few};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    /// With the secrets, not placeholders. Odoo has checked who asks, and logged it.
    #[serde(default)]
    reveal: bool,
    endpoints: Vec<RawEndpoint>,
}

#[derive(Serialize)]
pub struct Response {
    tabs: &'static [Tab],
    formats: Vec<Written>,
    /// Of one endpoint.
    parameters: Vec<Parameter>,
}

#[derive(Serialize)]
struct Written {
    id: &'static str,
    label: &'static str,
    tab: &'static str,
    language: &'static str,
    filename: String,
    mimetype: &'static str,
    content: String,
    /// Why there is no content, for who reads it.
    error: Option<String>,
    /// Names of endpoints that are not in the content, and why.
    left_out: Vec<(String, String)>,
    /// What a download has, where that is an archive.
    files: Option<Vec<File>>,
}

pub async fn connect(
    api: Data<Api>,
    caller: Caller,
    request: Json<Request>,
) -> Result<Json<Response>, Problem> {
    let Request {
        database,
        reveal,
        endpoints,
    } = request.into_inner();
    require_database(&caller, database)?;
    require_few(endpoints.len())?;
    let opener = reveal.then(|| Opener::new(&api, database));
    let writing = web::block(move || {
        let subjects: Vec<_> = endpoints
            .iter()
            .map(|raw| subject(raw, opener.as_ref()))
            .collect();
        match subjects.as_slice() {
            [subject] => of_one(endpoints[0].kind, subject),
            subjects => of_several(subjects),
        }
    });
    Ok(Json(writing.await.map_err(|_| Problem::internal())?))
}

fn of_one(kind: Kind, subject: &Subject) -> Response {
    let formats = Format::of_kind(kind);
    Response::new(
        formats.map(|format| Written::new(format, subject.document(format))),
        subject.parameters(),
    )
}

/// Those formats of which one document holds several, as far as any of these has a use for it.
fn of_several(subjects: &[Subject]) -> Response {
    let kinds: Vec<_> = subjects.iter().filter_map(Subject::kind).collect();
    let formats = Format::of_several().filter(|format| kinds.iter().any(|kind| format.fits(*kind)));
    let write = |format| combined(format, subjects).map_err(|unwritable| unwritable.to_string());
    Response::new(formats.map(|format| Written::new(format, write(format))), vec![])
}

impl Response {
    fn new(formats: impl Iterator<Item = Written>, parameters: Vec<Parameter>) -> Self {
        Self {
            tabs: Format::tabs(),
            formats: formats.collect(),
            parameters,
        }
    }
}

impl Written {
    fn new(format: Format, written: Result<Document, String>) -> Self {
        let row = format.row();
        let (document, error) = match written {
            Ok(document) => (Some(document), None),
            Err(reason) => (None, Some(reason)),
        };
        let Document {
            filename,
            mimetype,
            content,
            left_out,
            files,
        } = document.unwrap_or_default();
        Self {
            id: format.as_str(),
            label: &row.label,
            tab: &row.tab,
            language: &row.language,
            filename,
            mimetype,
            content,
            error,
            left_out,
            files: (!files.is_empty()).then_some(files),
        }
    }
}
