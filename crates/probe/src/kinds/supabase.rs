//! Supabase: its database, and with a key its REST API and its Auth.
//!
//! <https://supabase.com/docs/guides/api>, <https://docs.postgrest.org/en/stable/references/errors.html>

use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use insightpulse_domain::{DatabaseTarget, Evidence, Failure, FailureKind, HttpTarget, Part, Phase, Reason};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{beside, postgresql};
use crate::Asking;
use crate::http::{Client, bearer, sensitive};
use crate::stopwatch::Stopwatch;

const APIKEY: HeaderName = HeaderName::from_static("apikey");

/// No table of this name is there, and every key may ask for it. What lists
/// the tables instead is a secret of some keys only, and long.
const NO_TABLE: &str = "/rest/v1/insightpulse_probe?limit=0";

/// PostgREST's, or PostgreSQL's, for a table that is not there.
const TABLE_MISSING: [&str; 2] = ["PGRST205", "42P01"];

#[derive(Deserialize)]
struct RestError {
    code: String,
}

/// What tells Auth from a page that says yes to everything.
#[derive(Deserialize)]
struct AuthHealth {
    #[serde(rename = "version")]
    _version: String,
}

/// A part that does not answer is a concern, as long as the database does. A
/// key that is refused is a failure: nothing that has it works.
pub async fn probe(
    database: &DatabaseTarget,
    web: Option<&HttpTarget>,
    asking: Asking<'_>,
) -> Result<Evidence, Failure> {
    let (web, key) = match (web, &asking.target.api_key) {
        (_, None) => return postgresql::probe(database, asking).await,
        (None, Some(_)) => return Err(Reason::WebAddressMissing {}.into()),
        (Some(web), Some(key)) => (web, key),
    };
    let place = web.place();
    let (evidence, rest, auth) = tokio::join!(
        postgresql::probe(database, asking),
        beside(asking, &place, async |watch| rest(web, key, asking, watch).await),
        beside(asking, &place, async |watch| auth(web, key, asking, watch).await),
    );
    let mut evidence = evidence.map_err(|failure| failure.of(Part::Database))?;
    evidence.facts.parts.push(Part::Database);
    let parts = [(Part::Rest, rest), (Part::Auth, auth)];
    for (part, answered) in parts {
        match answered {
            Ok(()) => evidence.facts.parts.push(part),
            Err(failure) if is_about_us(failure.kind()) => return Err(failure.of(part)),
            Err(failure) => evidence.concerns.push(failure.of(part)),
        }
    }
    Ok(evidence)
}

/// It answers, and what is wrong is the key or the address.
fn is_about_us(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Auth | FailureKind::Forbidden | FailureKind::InvalidEndpoint | FailureKind::EgressDenied
    )
}

async fn rest(
    web: &HttpTarget,
    key: &SecretString,
    asking: Asking<'_>,
    watch: &Stopwatch,
) -> Result<(), Failure> {
    let mut client = Client::new(web, asking.net, watch);
    let path = format!("{}{NO_TABLE}", web.path.trim_end_matches('/'));
    let answer = client.get(&path, &headers(key)?, Phase::Query).await?;
    if answer.status != 404 {
        return answer.expect_success();
    }
    let error: RestError = answer.text().await?.json()?;
    if TABLE_MISSING.contains(&error.code.as_str()) {
        return Ok(());
    }
    let failure = Failure::from(Reason::ServerError { place: client.place });
    Err(failure.said(&error.code, [key.expose_secret()]))
}

async fn auth(
    web: &HttpTarget,
    key: &SecretString,
    asking: Asking<'_>,
    watch: &Stopwatch,
) -> Result<(), Failure> {
    let mut client = Client::new(web, asking.net, watch);
    let path = format!("{}/auth/v1/health", web.path.trim_end_matches('/'));
    let answer = client.get(&path, &headers(key)?, Phase::Query).await?;
    answer.expect_success()?;
    answer.text().await?.json::<AuthHealth>().map(|_| ())
}

/// A key of the older sort is a token as well; one of the newer sort is not,
/// and is refused as one.
fn headers(key: &SecretString) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(APIKEY, sensitive(key.expose_secret())?);
    if !key.expose_secret().starts_with("sb_") {
        headers.insert(AUTHORIZATION, bearer(key)?);
    }
    Ok(headers)
}
