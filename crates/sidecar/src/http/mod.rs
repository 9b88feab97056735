//! The HTTP API: which route leads where, and what holds for all of them.

mod auth;
mod health;
mod probes;
mod problem;
mod render;
mod seal;

use std::sync::Arc;

use actix_web::error::JsonPayloadError;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, JsonConfig, ServiceConfig};
use insightpulse_monitor::Prober;
use insightpulse_vault::Keyring;
use secrecy::SecretString;
use uuid::Uuid;

pub use problem::Problem;

use crate::writeback::OdooState;

/// What handlers share.
pub struct Api {
    pub token: SecretString,
    /// The one database that is served.
    pub database: Uuid,
    pub keyring: Arc<Keyring>,
    pub prober: Prober,
    pub odoo: OdooState,
}

/// Ten thousand endpoints with their tokens fit; a mistake or an attack does not.
const BODY_MAX: usize = 16 * 1024 * 1024;
const ENDPOINTS_MAX: usize = 10_000;

pub fn routes(api: Data<Api>) -> impl FnOnce(&mut ServiceConfig) {
    move |service| {
        service
            .app_data(api)
            .app_data(
                JsonConfig::default()
                    .limit(BODY_MAX)
                    .error_handler(|error, _| body_problem(&error).into()),
            )
            .service(only("/healthz", web::get().to(health::healthz)))
            .service(only("/readyz", web::get().to(health::readyz)))
            .service(
                web::scope("/v1")
                    .wrap(from_fn(auth::require_token))
                    .service(only("/seal", web::post().to(seal::seal)))
                    .service(only("/probes", web::post().to(probes::probes)))
                    .service(only("/render", web::post().to(render::render)))
                    .default_service(web::to(not_found)),
            )
            .default_service(web::to(not_found));
    }
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
fn body_problem(error: &JsonPayloadError) -> Problem {
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            Problem::body_too_large(BODY_MAX)
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

impl Api {
    /// A copy of a database asks with a uuid of its own, and gets nothing.
    fn require_database(&self, database: Uuid) -> Result<(), Problem> {
        if database == self.database {
            Ok(())
        } else {
            Err(Problem::wrong_database())
        }
    }
}

fn require_few(endpoints: usize) -> Result<(), Problem> {
    if endpoints <= ENDPOINTS_MAX {
        Ok(())
    } else {
        Err(Problem::too_many_endpoints(ENDPOINTS_MAX))
    }
}
