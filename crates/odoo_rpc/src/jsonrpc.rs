//! Odoo's JSON-RPC: one POST for a call, failures as HTTP 200 with an `error`.

use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::error::Error;

/// Answers are receipts and pages of records; more is a mistake or an attack.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

/// The most characters of Odoo's own words that go into an error.
const WORDS_MAX: usize = 300;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: FaultData,
}

/// `data.debug`, the traceback, is left unread.
#[derive(Deserialize, Default)]
struct FaultData {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
}

pub async fn call(
    http: &Client,
    endpoint: &Url,
    service: &str,
    method: &str,
    arguments: Value,
) -> Result<Value, Error> {
    let request = json!({
        "jsonrpc": "2.0",
        "method": "call",
        "id": 1,
        "params": {"service": service, "method": method, "args": arguments},
    });
    let response = http
        .post(endpoint.clone())
        .json(&request)
        .send()
        .await
        .map_err(unreachable)?;
    let status = response.status();
    if !status.is_success() {
        return Err(Error::NotOdoo(status.as_u16()));
    }
    let body = read(response).await?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| Error::NotOdoo(status.as_u16()))?;
    match answer.error {
        None => Ok(answer.result),
        Some(fault) => Err(classify(fault)),
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(Error::TooLarge(ANSWER_MAX));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unreachable(error: reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::Timeout;
    }
    // The innermost cause says it best: "Connection refused".
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Error::Unreachable(cause.to_string())
}

/// By the name of Odoo's exception: `odoo.exceptions`, and what its database
/// layer raises for a database that is not there.
fn classify(fault: Fault) -> Error {
    let Fault { message, data } = fault;
    let words = if data.message.is_empty() {
        message
    } else {
        data.message
    };
    let words: String = words
        .chars()
        .filter(|c| !c.is_control())
        .take(WORDS_MAX)
        .collect();
    match data.name.as_str() {
        "odoo.exceptions.AccessDenied" => Error::AccessDenied,
        "odoo.exceptions.AccessError" => Error::Forbidden(words),
        "odoo.exceptions.ValidationError" | "odoo.exceptions.UserError" => Error::Invalid(words),
        "odoo.exceptions.MissingError" => Error::Missing(words),
        "psycopg2.OperationalError" if words.contains("does not exist") => Error::WrongDatabase,
        "builtins.KeyError" | "odoo.modules.registry.RegistryError" => Error::WrongDatabase,
        _ => Error::Server(words),
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{body_partial_json, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    async fn answered(template: ResponseTemplate) -> Result<Value, Error> {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/jsonrpc"))
            .and(body_partial_json(
                json!({"params": {"service": "object", "args": [1]}}),
            ))
            .respond_with(template)
            .mount(&server)
            .await;
        let url = Url::parse(&server.uri())
            .and_then(|url| url.join("/jsonrpc"))
            .expect("an address");
        call(&Client::new(), &url, "object", "execute_kw", json!([1])).await
    }

    fn fault(name: &str, message: &str) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_json(json!({
            "jsonrpc": "2.0",
            "error": {"code": 200, "message": "Odoo Server Error",
                      "data": {"name": name, "message": message, "debug": "Traceback with a secret"}},
        }))
    }

    #[tokio::test]
    async fn a_result_is_handed_on() {
        let answer =
            ResponseTemplate::new(200).set_body_json(json!({"jsonrpc": "2.0", "result": {"applied": [7]}}));
        assert_eq!(answered(answer).await.expect("a result"), json!({"applied": [7]}));
    }

    #[tokio::test]
    async fn each_exception_of_odoo_is_its_own_error() {
        let said =
            |name: &'static str| async move { answered(fault(name, "No.")).await.expect_err("an error") };
        assert!(matches!(
            said("odoo.exceptions.AccessDenied").await,
            Error::AccessDenied
        ));
        assert!(
            matches!(said("odoo.exceptions.AccessError").await, Error::Forbidden(words) if words == "No.")
        );
        assert!(matches!(
            said("odoo.exceptions.ValidationError").await,
            Error::Invalid(_)
        ));
        assert!(matches!(
            said("odoo.exceptions.MissingError").await,
            Error::Missing(_)
        ));
        assert!(matches!(said("builtins.ValueError").await, Error::Server(_)));
    }

    #[tokio::test]
    async fn a_traceback_is_in_no_error() {
        let error = answered(fault("builtins.ValueError", "No."))
            .await
            .expect_err("an error");
        assert!(!format!("{error} {error:?}").contains("Traceback"));
    }

    #[tokio::test]
    async fn a_proxys_page_is_not_odoo() {
        let page = ResponseTemplate::new(200).set_body_string("<html>Sign in</html>");
        assert!(matches!(answered(page).await, Err(Error::NotOdoo(200))));
        assert!(matches!(
            answered(ResponseTemplate::new(502)).await,
            Err(Error::NotOdoo(502))
        ));
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_unreachable() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse("http://127.0.0.1:1/jsonrpc").expect("an address");
        let error = call(&Client::new(), &url, "object", "execute_kw", json!([]))
            .await
            .expect_err("an error");
        assert!(
            matches!(&error, Error::Unreachable(_)) && error.is_retryable(),
            "{error:?}"
        );
    }
}
