//! A client for one Odoo database and one user.

use std::time::Duration;

use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use crate::error::Error;
use crate::jsonrpc;

/// Which database, and as whom.
#[derive(Debug, Clone)]
pub struct Account {
    /// `https://odoo.example.com`, where the web client's login page is.
    pub url: String,
    pub database: String,
    pub login: String,
    pub api_key: SecretString,
}

pub struct Client {
    http: reqwest::Client,
    endpoint: Url,
    account: Account,
    uid: OnceCell<i64>,
}

/// Odoo itself ends a request after two minutes by default.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Client {
    pub fn new(account: Account) -> Result<Self, Error> {
        let bad_url = || Error::BadUrl(account.url.clone());
        let endpoint = Url::parse(&account.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .and_then(|url| url.join("/jsonrpc").ok())
            .ok_or_else(bad_url)?;
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // The body holds the API key: it goes to the address that was configured, or nowhere.
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Unreachable(error.without_url().to_string()))?;
        Ok(Self {
            http,
            endpoint,
            account,
            uid: OnceCell::new(),
        })
    }

    /// Calls a public method of a model: `args` is an array, `kwargs` an object.
    pub async fn call(&self, model: &str, method: &str, args: Value, kwargs: Value) -> Result<Value, Error> {
        let uid = self.uid().await?;
        let arguments = json!([
            self.account.database,
            uid,
            self.account.api_key.expose_secret(),
            model,
            method,
            args,
            kwargs
        ]);
        jsonrpc::call(&self.http, &self.endpoint, "object", "execute_kw", arguments).await
    }

    /// Logs in, if that has not been done: `Ok` means that Odoo is there, has
    /// the database and knows the key.
    pub async fn uid(&self) -> Result<i64, Error> {
        self.uid.get_or_try_init(|| self.authenticate()).await.copied()
    }

    async fn authenticate(&self) -> Result<i64, Error> {
        let arguments = json!([
            self.account.database,
            self.account.login,
            self.account.api_key.expose_secret(),
            {}
        ]);
        let uid = jsonrpc::call(&self.http, &self.endpoint, "common", "authenticate", arguments).await?;
        // A wrong key is not an error to Odoo, but the answer `false`.
        uid.as_i64().ok_or(Error::AccessDenied)
    }
}
