//! Apache Superset: its health, a login, and a call with the token.
//!
//! <https://superset.apache.org/docs/api>

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, HeaderMap};
use insightpulse_domain::{Evidence, Facts, Failure, HttpTarget, Phase, Reason, server_text};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::Asking;
use crate::http::{Client, bearer};

#[derive(Deserialize)]
struct Login {
    access_token: SecretString,
}

#[derive(Deserialize)]
struct Version {
    version_string: Option<String>,
}

#[derive(Deserialize)]
struct Databases {
    count: i64,
}

pub async fn probe(place: &HttpTarget, asking: Asking<'_>) -> Result<Evidence, Failure> {
    let mut client = Client::new(place, asking.net, asking.watch);
    let base = place.path.trim_end_matches('/');
    let health = client
        .get(&format!("{base}/health"), &HeaderMap::new(), Phase::Query)
        .await?;
    health.expect_success()?;
    let words = health.text().await?;
    if words.bytes.trim_ascii() != b"OK" {
        return Err(Reason::NotWell { place: client.place }.into());
    }
    let databases = match &place.user {
        Some(user) => Some(with_login(&mut client, base, user, asking).await?),
        None => None,
    };
    let version = version(&mut client, base).await?;
    asking.watch.stop();
    Ok(Evidence {
        server_version: version,
        facts: Facts {
            databases,
            ..client.facts()
        },
        ..Evidence::default()
    })
}

/// A token is used for as long as it lives: a login costs a worker of Superset
/// a fifth of a second.
async fn with_login(
    client: &mut Client<'_>,
    base: &str,
    user: &str,
    asking: Asking<'_>,
) -> Result<i64, Failure> {
    let password = asking
        .target
        .password
        .as_ref()
        .ok_or_else(|| Reason::PasswordMissing {
            place: client.place.clone(),
            user: server_text(user),
        })?;
    let tokens = &asking.net.memory.superset_tokens;
    let whose = format!("{}{base} {user}", client.origin());
    if let Some(token) = tokens.get(&whose, password.expose_secret().as_bytes()) {
        match databases(client, base, &token).await {
            // It has expired, or was withdrawn: 401, or 422 for one that is signed otherwise.
            Err(failure) if is_about_token(&failure) => tokens.forget(&whose),
            asked => return asked,
        }
    }
    let token = Arc::new(log_in(client, base, user, password).await?);
    let count = databases(client, base, &token).await?;
    tokens.put(&whose, password.expose_secret().as_bytes(), token);
    Ok(count)
}

fn is_about_token(failure: &Failure) -> bool {
    matches!(
        failure.reason(),
        Reason::CredentialsRefused { .. } | Reason::StatusUnexpected { .. }
    )
}

async fn log_in(
    client: &mut Client<'_>,
    base: &str,
    user: &str,
    password: &SecretString,
) -> Result<SecretString, Failure> {
    let body = json!({
        "username": user,
        "password": password.expose_secret(),
        "provider": "db",
        "refresh": false,
    });
    let path = format!("{base}/api/v1/security/login");
    let place = client.place.clone();
    let answer = client.post(&path, &HeaderMap::new(), &body, Phase::Login).await?;
    if answer.status == 401 {
        let user = server_text(user);
        return Err(Reason::PasswordRefused { place, user }.into());
    }
    answer.expect_success()?;
    let login: Login = answer.text().await?.json()?;
    Ok(login.access_token)
}

async fn databases(client: &mut Client<'_>, base: &str, token: &SecretString) -> Result<i64, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer(token)?);
    let path = format!("{base}/api/v1/database/?q=(page_size:1,columns:!(id))");
    let answer = client.get(&path, &headers, Phase::Query).await?;
    answer.expect_success()?;
    let databases: Databases = answer.text().await?.json()?;
    Ok(databases.count)
}

/// Superset tells it from version 6 on; a proxy may have taken the address away.
async fn version(client: &mut Client<'_>, base: &str) -> Result<Option<String>, Failure> {
    let answer = client
        .get(&format!("{base}/version"), &HeaderMap::new(), Phase::Query)
        .await?;
    if answer.status != 200 {
        return Ok(None);
    }
    let version: Option<Version> = answer.text().await?.json().ok();
    Ok(version
        .and_then(|version| version.version_string)
        .map(|text| server_text(&text)))
}
