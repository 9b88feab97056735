//! The HTTP API: which route leads where, and what holds for all of them.

mod alerts;
mod auth;
mod connect;
mod endpoints;
mod health;
mod history;
mod open;
mod pair;
mod parse;
mod probes;
mod problem;
mod rebind;
mod render;
mod seal;
mod subject;

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::JsonPayloadError;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, JsonConfig, ServiceConfig};
use secrecy::SecretString;
use uuid::Uuid;

pub use auth::{Attempts, Caller};
pub use problem::Problem;

use crate::keyring_source::LiveKeyring;
use crate::metrics::Metrics;
use crate::sharing::Sharing;
use crate::tenants::{Tenant, Tenants};

/// What handlers share.
pub struct Api {
    pub tenants: Tenants,
    pub keyring: Arc<LiveKeyring>,
    pub sharing: Arc<Sharing>,
    pub pairing_attempts: Attempts,
    pub strangers: Attempts,
    pub metrics: Arc<Metrics>,
    pub metrics_token: Option<SecretString>,
}

/// Ten thousand endpoints with their tokens fit; a mistake or an attack does not.
const BODY_MAX: usize = 16 * 1024 * 1024;
const ENDPOINTS_MAX: usize = 10_000;

/// What a stranger may send: a code and a key.
const PAIR_BODY_MAX: usize = 16 * 1024;

pub fn routes(api: Data<Api>) -> impl FnOnce(&mut ServiceConfig) {
    move |service| {
        service
            .app_data(api)
            .app_data(json_up_to(BODY_MAX))
            .service(only("/healthz", web::get().to(health::healthz)))
            .service(only("/readyz", web::get().to(health::readyz)))
            .service(only("/metrics", web::get().to(health::metrics)))
            .service(
                only("/v1/pair", web::post().to(pair::pair))
                    .app_data(json_up_to(PAIR_BODY_MAX))
                    .wrap(from_fn(pair::in_time)),
            )
            .service(
                web::scope("/v1")
                    .wrap(from_fn(auth::admit))
                    .service(only("/status", web::post().to(health::status)))
                    .service(only("/unpair", web::post().to(pair::unpair)))
                    .service(only("/rebind", web::post().to(rebind::rebind)))
                    .service(only("/open", web::post().to(open::open)))
                    .service(only("/seal", web::post().to(seal::seal)))
                    .service(only("/parse", web::post().to(parse::read)))
                    .service(only("/probes", web::post().to(probes::probes)))
                    .service(only("/endpoints", web::post().to(endpoints::changed)))
                    .service(only("/alerts", web::post().to(alerts::test)))
                    .service(only("/history", web::get().to(history::history)))
                    .service(only("/connect", web::post().to(connect::connect)))
                    .service(only("/render", web::post().to(render::render)))
                    .default_service(web::to(not_found)),
            )
            .default_service(web::to(not_found));
    }
}

fn json_up_to(limit: usize) -> JsonConfig {
    JsonConfig::default()
        .limit(limit)
        .error_handler(move |error, _| body_problem(&error, limit).into())
}

/// Counts what was answered, by the route's pattern.
pub async fn count(
    api: Data<Api>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let answered = next.call(request).await;
    let (route, status) = match &answered {
        Ok(response) => (response.request().match_pattern(), response.status()),
        Err(error) => (None, error.as_response_error().status_code()),
    };
    api.metrics
        .answered(route.as_deref().unwrap_or("other"), status.as_u16());
    answered
}

/// A path with one method; the others are answered with a problem too.
fn only(path: &'static str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path)
        .route(route)
        .default_service(web::to(wrong_method))
}

async fn not_found() -> Result<&'static str, Problem> {
    Err(Problem::not_found())
}

async fn wrong_method() -> Result<&'static str, Problem> {
    Err(Problem::method_not_allowed())
}

/// Says where a body is wrong, not what is there: it may be a secret.
fn body_problem(error: &JsonPayloadError, limit: usize) -> Problem {
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            Problem::body_too_large(limit)
        }
        JsonPayloadError::ContentType => {
            Problem::malformed_body("The content type has to be application/json.")
        }
        JsonPayloadError::Deserialize(error) => Problem::malformed_body(&format!(
            "The body is not what this route takes (line {}, column {}).",
            error.line(),
            error.column()
        )),
        _ => Problem::malformed_body("The body cannot be read."),
    }
}

/// A copy of a database asks with a uuid of its own, and gets nothing.
fn require_database(caller: &Tenant, database: Uuid) -> Result<(), Problem> {
    if database == caller.database {
        Ok(())
    } else {
        Err(Problem::wrong_database())
    }
}

fn require_few(endpoints: usize) -> Result<(), Problem> {
    if endpoints <= ENDPOINTS_MAX {
        Ok(())
    } else {
        Err(Problem::too_many_endpoints(ENDPOINTS_MAX))
    }
}
