//! `GET /v1/history`: how an endpoint has been.

use actix_web::web::{Data, Json, Query};
use insightpulse_monitor::{History, Range};
use serde::Deserialize;
use uuid::Uuid;

use super::{Api, Caller, Problem, require_database};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    record: Uuid,
    /// `24h`, `7d`, `30d` or `90d`.
    range: String,
}

/// Of an endpoint that is not known, nothing is known.
pub async fn history(
    api: Data<Api>,
    caller: Caller,
    request: Query<Request>,
) -> Result<Json<History>, Problem> {
    require_database(&caller, request.database)?;
    let range = Range::of(&request.range)
        .ok_or_else(|| Problem::malformed_body("`range` is 24h, 7d, 30d or 90d."))?;
    if let Some(store) = api.tenants.store() {
        match store.history(caller.database, request.record, range).await {
            Ok(history) => return Ok(Json(history)),
            // Odoo has the days, and shows those.
            Err(error) => tracing::warn!(%error, "The store does not tell an endpoint's history"),
        }
    }
    Ok(Json(caller.monitor.history(request.record, range)))
}
