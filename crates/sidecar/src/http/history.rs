//! `GET /v1/history`: how an endpoint has been.

use actix_web::web::{Json, Query};
use insightpulse_monitor::{History, Range};
use serde::Deserialize;
use uuid::Uuid;

use super::{Caller, Problem, require_database};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    record: Uuid,
    /// `24h`, `7d`, `30d` or `90d`.
    range: String,
}

/// Of an endpoint that is not known, nothing is known.
pub async fn history(caller: Caller, request: Query<Request>) -> Result<Json<History>, Problem> {
    require_database(&caller, request.database)?;
    let range = Range::of(&request.range)
        .ok_or_else(|| Problem::malformed_body("`range` is 24h, 7d, 30d or 90d."))?;
    Ok(Json(caller.monitor.history(request.record, range)))
}
