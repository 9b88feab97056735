//! `POST /v1/pair`: a one-time code in, a token out; `POST /v1/unpair` takes it back.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use insightpulse_odoo_rpc::Protocol;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use tracing::{error, warn};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::auth::peer;
use super::{Api, Caller, Problem, require_database};
use crate::digest::Digest;
use crate::metrics::Refusal;
use crate::pairing_code::Refused;
use crate::pairings::Pairing;

#[derive(Deserialize)]
pub struct Request {
    code: String,
    /// The same when Odoo runs the same request again.
    request: String,
    database: Uuid,
    database_name: String,
    odoo_url: String,
    login: String,
    api_key: SecretString,
    #[serde(default)]
    api_key_expires_at: Option<Timestamp>,
}

/// Longer than any of these texts is in a real Odoo.
const TEXT_MAX: usize = 500;

/// How long a stranger's body may take: what pairs fits into one packet or a few.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Cuts off who holds a connection by sending slowly: anybody may ask here.
pub async fn in_time(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    match timeout(BODY_TIMEOUT, next.call(request)).await {
        Ok(answer) => answer,
        Err(_) => Err(Problem::too_slow().into()),
    }
}

/// Odoo's key is valid only after its transaction: it is not tried here.
pub async fn pair(
    api: Data<Api>,
    http: HttpRequest,
    request: Json<Request>,
) -> Result<HttpResponse, Problem> {
    let request = request.into_inner();
    if !api.pairing_attempts.allow(peer(&http)) {
        api.metrics.refused(Refusal::rate);
        return Err(Problem::too_many_attempts());
    }
    let now = Timestamp::now();
    let (mut pairing, token) = prepare(&request, now)?;
    pairing
        .seal_api_key(&api.keyring.get(), &request.api_key)
        .map_err(|error| failed(&error))?;
    // Tells whether the address is one, before the code is used up.
    pairing
        .client(&api.keyring.get(), Protocol::default())
        .map_err(|error| Problem::invalid_pairing(format!("{}.", error.root_cause())))?;
    let permit = api
        .sharing
        .redeem(&request.code, &request.request, now)
        .await
        .map_err(|Refused| {
            warn!(peer = %peer(&http), "Refused a pairing code");
            api.metrics.refused(Refusal::pairing_code);
            Problem::code_refused()
        })?;
    pairing.carry_over_from = permit.carry_over_from;
    api.tenants.pair(pairing).map_err(|error| failed(&error))?;
    tell_others(&api, request.database).await;
    Ok(HttpResponse::Ok().json(json!({"token": token.expose_secret()})))
}

fn prepare(request: &Request, now: Timestamp) -> Result<(Pairing, SecretString), Problem> {
    let texts = [
        &request.database_name,
        &request.odoo_url,
        &request.login,
        &request.request,
    ];
    let fits = |text: &&String| !text.is_empty() && text.len() <= TEXT_MAX;
    if !texts.iter().all(fits) || request.api_key.expose_secret().len() > TEXT_MAX {
        return Err(Problem::malformed_body("A text is empty or too long."));
    }
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(random.as_mut()).map_err(|_| Problem::internal())?;
    let token = SecretString::from(URL_SAFE_NO_PAD.encode(random.as_ref()));
    let pairing = Pairing {
        database: request.database,
        database_name: request.database_name.clone(),
        odoo_url: request.odoo_url.clone(),
        login: request.login.clone(),
        api_key: String::new(),
        api_key_since: now,
        api_key_expires_at: request.api_key_expires_at,
        token: Digest::of(token.expose_secret().as_bytes()),
        paired_at: now,
        carry_over_from: None,
    };
    Ok((pairing, token))
}

#[derive(Deserialize)]
pub struct Goodbye {
    database: Uuid,
}

pub async fn unpair(api: Data<Api>, caller: Caller, request: Json<Goodbye>) -> Result<HttpResponse, Problem> {
    require_database(&caller, request.database)?;
    api.tenants
        .unpair(request.database)
        .map_err(|error| failed(&error))?;
    tell_others(&api, request.database).await;
    Ok(HttpResponse::Ok().json(json!({})))
}

/// Odoo may ask another sidecar next. One that cannot be told now is told later.
async fn tell_others(api: &Api, database: Uuid) {
    let reason = match api.sharing.exchange_soon().await {
        Ok(not_given) if !not_given.contains(&database) => return,
        Ok(_) => "what is there of it cannot be read or changed".into(),
        Err(error) => format!("{error:#}"),
    };
    warn!(%database, reason, "Other sidecars do not know yet how a database is paired");
}

fn failed(error: &anyhow::Error) -> Problem {
    error!(error = format!("{error:#}"), "A pairing cannot be stored");
    Problem::internal()
}
