//! `POST /v1/probes`: tests endpoints, and answers within the caller's wait.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, Json};
use insightpulse_domain::{Endpoint, Failure, Outcome, RawEndpoint, Reason};
use insightpulse_monitor::{Answer, Job};
use insightpulse_probe::Target;
use insightpulse_vault::{Field, Keyring};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Api, Caller, Problem, require_database, require_few};
use crate::secrets::open_secret;

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

pub async fn probes(
    api: Data<Api>,
    caller: Caller,
    request: Json<Request>,
) -> Result<Json<Response>, Problem> {
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
    let keyring = api.keyring.get();
    let jobs = endpoints
        .into_iter()
        .map(|raw| job(database, Arc::clone(&keyring), raw))
        .collect();
    let wait = Duration::from_millis(wait_ms).min(WAIT_MAX);
    let answers = caller
        .prober
        .test(&request, jobs, wait)
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

fn job(database: Uuid, keyring: Arc<Keyring>, raw: RawEndpoint) -> Job {
    Job {
        id: raw.id,
        record: raw.record,
        revision: raw.revision,
        name: raw.name.clone(),
        open: Box::new(move || open(database, &keyring, &raw)),
    }
}

/// Reads the endpoint and opens its secrets.
fn open(database: Uuid, keyring: &Keyring, raw: &RawEndpoint) -> Result<Target, Failure> {
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
