//! Whether the process lives, and whether it can do its work.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::Api;

pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// Ready means that Odoo would take a result: the last call to it succeeded.
pub async fn readyz(api: Data<Api>) -> HttpResponse {
    match api.odoo.get() {
        Ok(()) => HttpResponse::Ok().json(json!({"status": "ready", "odoo": "ok"})),
        Err(reason) => {
            HttpResponse::ServiceUnavailable().json(json!({"status": "not_ready", "odoo": reason}))
        }
    }
}
