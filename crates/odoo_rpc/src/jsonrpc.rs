//! Odoo's JSON-RPC: one POST for a call, failures as HTTP 200 with an `error`.

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::error::Error;
use crate::fault::classify;
use crate::http::send;

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

/// Calls a method of one of the services `common` and `object`.
pub async fn call(
    http: &reqwest::Client,
    server: &Url,
    service: &str,
    method: &str,
    database: &str,
    arguments: Value,
) -> Result<Value, Error> {
    let request = json!({
        "jsonrpc": "2.0",
        "method": "call",
        "id": 1,
        "params": {"service": service, "method": method, "args": arguments},
    });
    let answer = send(http.post(crate::client::at(server, "/jsonrpc")).json(&request)).await?;
    let status = answer.status.as_u16();
    let answer: Answer = serde_json::from_slice(&answer.success()?).map_err(|_| Error::NotOdoo(status))?;
    match answer.error {
        None => Ok(answer.result),
        Some(Fault { message, data }) if data.message.is_empty() => {
            Err(classify(&data.name, &message, database))
        }
        Some(Fault { data, .. }) => Err(classify(&data.name, &data.message, database)),
    }
}
