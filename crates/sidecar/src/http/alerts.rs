//! `POST /v1/alerts`: has the webhook told that somebody tests it.

use std::time::Duration;

use actix_web::web::Json;
use insightpulse_domain::RawEndpoint;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Problem, require_database};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    endpoint: RawEndpoint,
}

#[derive(Serialize)]
pub struct Response {
    /// `None` when it is still on its way.
    sent: Option<bool>,
    error: Option<String>,
}

/// Odoo's worker waits no longer.
const WAIT: Duration = Duration::from_millis(300);

pub async fn test(caller: Caller, request: Json<Request>) -> Result<Json<Response>, Problem> {
    require_database(&caller, request.database)?;
    let told = caller.webhook.test(&request.endpoint, WAIT).await;
    Ok(Json(Response {
        sent: told.as_ref().map(Result::is_ok),
        error: told.and_then(Result::err),
    }))
}
