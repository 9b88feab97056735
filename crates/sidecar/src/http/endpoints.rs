//! `POST /v1/endpoints`: Odoo says what has changed; the sidecar reads it by itself, a moment later.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};
use serde::Deserialize;
use uuid::Uuid;

use super::{Api, Caller, Problem, require_database, require_few};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    /// What it is called now.
    database_name: String,
    /// Odoo's ids of endpoints that were made, changed, archived or deleted.
    #[serde(default)]
    changed: Vec<i64>,
    /// Anything may have changed.
    #[serde(default)]
    all: bool,
}

const NAME_MAX: usize = 200;

pub async fn changed(
    api: Data<Api>,
    caller: Caller,
    request: Json<Request>,
) -> Result<HttpResponse, Problem> {
    let Request {
        database,
        database_name,
        changed,
        all,
    } = request.into_inner();
    require_database(&caller, database)?;
    require_few(changed.len())?;
    if database_name.is_empty() || database_name.len() > NAME_MAX {
        return Err(Problem::malformed_body(
            "`database_name` has 1 to 200 characters.",
        ));
    }
    if let Err(error) = api.tenants.rename(database, &database_name) {
        tracing::error!(%database, error = format!("{error:#}"), "The new name of a database cannot be stored");
    }
    if all {
        caller.hints.all_changed();
    }
    caller.hints.changed(changed);
    if let Some(store) = api.tenants.store().cloned() {
        // The others look at all, which they would have done within a minute anyway.
        actix_web::rt::spawn(async move {
            if let Err(error) = store.hint(database).await {
                tracing::debug!(%error, "The other sidecars were not told of a change");
            }
        });
    }
    Ok(HttpResponse::Accepted().json(serde_json::json!({})))
}
