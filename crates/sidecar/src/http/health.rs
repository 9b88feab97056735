//! Whether the process lives, whether it can do its work, and what it counts.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{Api, Caller, Problem, require_database};
use crate::http::auth::require_metrics_token;

pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// Ready means that every Odoo that is paired would take a result. Anybody may
/// ask, and so learns no reason.
pub async fn readyz(api: Data<Api>) -> HttpResponse {
    let tenants = api.tenants.all();
    let away = tenants
        .iter()
        .filter(|tenant| tenant.odoo_state().is_err())
        .count();
    if tenants.is_empty() {
        HttpResponse::ServiceUnavailable().json(json!({"status": "not_paired"}))
    } else if away > 0 {
        HttpResponse::ServiceUnavailable().json(json!({"status": "not_ready"}))
    } else {
        HttpResponse::Ok().json(json!({"status": "ready"}))
    }
}

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
}

#[derive(Serialize)]
pub struct Response {
    /// Why Odoo does not take results; `None` when it does.
    odoo: Option<String>,
}

/// `POST /v1/status`: what `/readyz` knows, with the reason, for the database itself.
pub async fn status(caller: Caller, request: Json<Request>) -> Result<Json<Response>, Problem> {
    require_database(&caller, request.database)?;
    Ok(Json(Response {
        odoo: caller.odoo_state().err(),
    }))
}

/// `GET /metrics`, for who has its token.
pub async fn metrics(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require_metrics_token(&api, &request)?;
    for tenant in api.tenants.all() {
        api.metrics.set_waiting(tenant.database, tenant.waiting());
        api.metrics.set_endpoints(tenant.database, tenant.monitor.len());
        api.metrics.set_load(tenant.database, tenant.monitor.load());
    }
    if let Some(store) = api.tenants.store() {
        api.metrics.set_store(store);
    }
    let text = api.metrics.text().map_err(|_| Problem::internal())?;
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}
