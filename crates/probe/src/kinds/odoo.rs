//! Odoo: its database, and its web server where an address is given.

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use insightpulse_domain::{DatabaseTarget, Evidence, Failure, HttpTarget, Part, Phase, Reason, server_text};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{beside, postgresql};
use crate::Asking;
use crate::http::{Client, bearer};

#[derive(Deserialize)]
struct Health {
    status: String,
}

#[derive(Deserialize)]
struct Answered<T> {
    result: T,
}

#[derive(Deserialize)]
struct Version {
    server_version: String,
    server_version_info: Vec<Value>,
}

const DATABASE: HeaderName = HeaderName::from_static("x-odoo-database");

/// The first version that has JSON-2.
const JSON2_SINCE: i64 = 19;

pub async fn probe(
    database: &DatabaseTarget,
    web: Option<&HttpTarget>,
    asking: Asking<'_>,
) -> Result<Evidence, Failure> {
    let Some(web) = web else {
        return postgresql::probe(database, asking).await;
    };
    let place = web.place();
    let (evidence, answered) = tokio::join!(
        postgresql::probe(database, asking),
        beside(asking, &place, async |watch| {
            ask(&mut Client::new(web, asking.net, watch), web, database, asking).await
        }),
    );
    let mut evidence = evidence.map_err(|failure| failure.of(Part::Database))?;
    let version = answered.map_err(|failure| failure.of(Part::Web))?;
    evidence.facts.odoo_version = Some(version);
    evidence.facts.parts = vec![Part::Database, Part::Web];
    Ok(evidence)
}

/// Returns Odoo's version.
async fn ask(
    client: &mut Client<'_>,
    web: &HttpTarget,
    database: &DatabaseTarget,
    asking: Asking<'_>,
) -> Result<String, Failure> {
    let place = client.place.clone();
    let base = web.path.trim_end_matches('/');
    let answer = client
        .get(&format!("{base}/web/health"), &HeaderMap::new(), Phase::Query)
        .await?;
    answer.expect_success()?;
    let health: Health = answer.text().await?.json()?;
    if health.status != "pass" {
        return Err(Reason::NotWell { place }.into());
    }

    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "call", "params": {}});
    let path = format!("{base}/web/webclient/version_info");
    let answer = client.post(&path, &HeaderMap::new(), &body, Phase::Query).await?;
    answer.expect_success()?;
    let version: Answered<Version> = answer.text().await?.json()?;
    let major = version.result.server_version_info.first().and_then(Value::as_i64);
    // What older ones have instead wants a login, or tells strangers which databases there are.
    if major.is_some_and(|major| major >= JSON2_SINCE) {
        let name = database.database.as_deref().unwrap_or(&database.user);
        ask_database(client, base, name, asking).await?;
    }
    Ok(server_text(&version.result.server_version))
}

/// A call of JSON-2: 404 is a database that is not there, 401 a key that is missing or wrong.
async fn ask_database(
    client: &mut Client<'_>,
    base: &str,
    name: &str,
    asking: Asking<'_>,
) -> Result<(), Failure> {
    let place = client.place.clone();
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(name).map_err(|_| Reason::ControlInDatabase {})?;
    headers.insert(DATABASE, value);
    if let Some(key) = &asking.target.api_key {
        headers.insert(AUTHORIZATION, bearer(key)?);
    }
    let path = format!("{base}/json/2/res.users/context_get");
    let answer = client.post(&path, &headers, &json!({}), Phase::Query).await?;
    match (answer.status, &asking.target.api_key) {
        (200..=299, _) | (401, None) => Ok(()),
        (401, Some(_)) => Err(Reason::KeyRefused { place }.into()),
        (404, _) => Err(Reason::OdooDatabaseUnknown {
            place,
            database: server_text(name),
        }
        .into()),
        _ => answer.expect_success(),
    }
}
