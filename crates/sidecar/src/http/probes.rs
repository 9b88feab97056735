//! `POST /v1/probes`: tests endpoints, and answers within the caller's wait.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Json;
use insightpulse_domain::{Outcome, RawEndpoint};
use insightpulse_monitor::Answer;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Problem, require_database, require_few};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    /// The same when Odoo runs the same request again.
    request: String,
    wait_ms: u64,
    endpoints: Vec<RawEndpoint>,
}

#[derive(Serialize)]
pub struct Response {
    /// In the order of the endpoints.
    results: Vec<Tested>,
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Tested {
    Done(Box<Outcome>),
    Testing { id: i64, probe: Uuid },
}

/// Whatever is asked for, a caller is not kept longer.
const WAIT_MAX: Duration = Duration::from_secs(5);

pub async fn probes(caller: Caller, request: Json<Request>) -> Result<Json<Response>, Problem> {
    let Request {
        database,
        request,
        wait_ms,
        endpoints,
    } = request.into_inner();
    require_database(&caller, database)?;
    require_few(endpoints.len())?;
    if request.is_empty() || request.len() > 100 {
        return Err(Problem::malformed_body("`request` has 1 to 100 characters."));
    }
    let wait = Duration::from_millis(wait_ms).min(WAIT_MAX);
    let answers = caller
        .monitor
        .test(&request, endpoints, wait)
        .await
        .map_err(|_| Problem::too_many_tests())?;
    let results = answers
        .into_iter()
        .map(|answer| match answer {
            Answer::Done(outcome) => Tested::Done(Box::new(Arc::unwrap_or_clone(outcome))),
            Answer::Testing { id, probe } => Tested::Testing { id, probe },
        })
        .collect();
    Ok(Json(Response { results }))
}
