//! JSON-2, from Odoo 19 on: a URL for a method, an HTTP status for a failure.

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::call::Call;
use crate::client::{Account, at};
use crate::error::Error;
use crate::fault::classify;
use crate::http::send;
use crate::version::{self, Told};

/// `debug`, the traceback, is left unread.
#[derive(Deserialize)]
struct Fault {
    name: String,
    #[serde(default)]
    message: String,
}

pub async fn call(
    http: &reqwest::Client,
    server: &Url,
    account: &Account,
    call: &Call,
) -> Result<Value, Error> {
    let mut body = call.named();
    if let Some(ids) = &call.ids {
        body.insert("ids".into(), json!(ids));
    }
    let path = format!("/json/2/{}/{}", call.model, call.method);
    let request = http
        .post(at(server, &path))
        .header("X-Odoo-Database", &account.database)
        .bearer_auth(account.api_key.expose_secret())
        .json(&body);
    let answer = send(request).await?;
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).map_err(|_| Error::NotOdoo(status))?;
        // An Odoo before 19 answers so for a route that it does not have.
        return match value.get("jsonrpc").and(value.get("error")) {
            Some(_) => Err(Error::NotOdoo(404)),
            None => Ok(value),
        };
    }
    match serde_json::from_slice::<Fault>(&answer.body) {
        Ok(Fault { name, message }) => Err(classify(&name, &message, &account.database)),
        // Without the database there is no JSON-2, and Odoo answers as to a browser. So may a
        // proxy; but behind that nobody would say which version of Odoo it is.
        Err(_) => match version::of(http, server).await? {
            Told::Version(major) if status == 404 && major >= version::WITH_JSON2 => {
                Err(Error::WrongDatabase)
            }
            _ => Err(Error::NotOdoo(status)),
        },
    }
}
