//! A web address: sign in as it says, and hold the answer against what is expected.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};
use insightpulse_domain::{
    ApiTarget, Evidence, Facts, Failure, JsonPath, Phase, Reason, SignIn, Step, server_text,
};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::http::{Client, Text, basic, bearer, sensitive};
use crate::{Asking, Target};

pub async fn probe(place: &ApiTarget, asking: Asking<'_>) -> Result<Evidence, Failure> {
    let headers = sign_in(place, asking.target)?;
    let mut client = Client::new(&place.http, asking.net, asking.watch);
    let answer = client.get(&place.http.path, &headers, Phase::Query).await?;
    answer.expect(&place.status)?;
    let (status, version) = (answer.status, answer.version());
    let size = if place.path.is_some() || place.text.is_some() {
        let text = answer.text().await?;
        hold_against(&text, place)?;
        text.bytes.len()
    } else {
        answer.size().await?
    };
    asking.watch.stop();
    Ok(Evidence {
        facts: Facts {
            http_status: Some(status),
            protocol: Some(version),
            body_bytes: i64::try_from(size).ok(),
            ..client.facts()
        },
        ..Evidence::default()
    })
}

fn sign_in(place: &ApiTarget, target: &Target) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let missing = || Reason::KeyMissing {
        place: place.http.place(),
    };
    let way = match (place.sign_in, &target.api_key, &place.http.user) {
        (Some(way), _, _) => way,
        (None, Some(_), _) => SignIn::Bearer,
        (None, None, Some(_)) => SignIn::Basic,
        (None, None, None) => SignIn::None,
    };
    match way {
        SignIn::None => {}
        SignIn::Bearer => {
            let key = target.api_key.as_ref().ok_or_else(missing)?;
            headers.insert(AUTHORIZATION, bearer(key)?);
        }
        SignIn::Basic => {
            let user = place.http.user.as_deref().unwrap_or_default();
            headers.insert(AUTHORIZATION, basic(user, target.password.as_ref())?);
        }
        SignIn::Header => {
            let key = target.api_key.as_ref().ok_or_else(missing)?;
            let name =
                HeaderName::from_bytes(place.key_header.as_bytes()).map_err(|_| Reason::HeaderInvalid {
                    header: server_text(&place.key_header),
                })?;
            headers.insert(name, sensitive(key.expose_secret())?);
        }
    }
    Ok(headers)
}

/// A text is looked for where the path leads, or in the whole of the answer.
fn hold_against(text: &Text<'_>, expected: &ApiTarget) -> Result<(), Failure> {
    let place = expected.http.place();
    let Some(path) = &expected.path else {
        let words = String::from_utf8_lossy(&text.bytes);
        let wanted = expected.text.as_deref().unwrap_or_default();
        return match words.contains(wanted) {
            true => Ok(()),
            false => Err(Reason::TextMissing {
                place,
                text: server_text(wanted),
            }
            .into()),
        };
    };
    let document: Value = text.json()?;
    let Some(found) = follow(&document, path) else {
        return Err(Reason::PathMissing {
            place,
            path: path.to_string(),
        }
        .into());
    };
    let found = match found {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match &expected.text {
        // What stands there instead is not told: it may be what only the key may see.
        Some(wanted) if !found.contains(wanted.as_str()) => Err(Reason::PathDiffers {
            place,
            path: path.to_string(),
            text: server_text(wanted),
        }
        .into()),
        _ => Ok(()),
    }
}

fn follow<'a>(document: &'a Value, path: &JsonPath) -> Option<&'a Value> {
    path.steps().iter().try_fold(document, |value, step| match step {
        Step::Name(name) => value.as_object()?.get(name),
        Step::Index(index) => {
            let array = value.as_array()?;
            let index = match usize::try_from(*index) {
                Ok(index) => index,
                Err(_) => array
                    .len()
                    .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
            };
            array.get(index)
        }
    })
}
