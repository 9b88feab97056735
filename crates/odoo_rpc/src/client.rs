//! A client for one Odoo database and one user.

use std::time::Duration;

use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
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
    uid: Mutex<Option<i64>>,
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
            uid: Mutex::new(None),
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
        let answer = jsonrpc::call(&self.http, &self.endpoint, "object", "execute_kw", arguments).await;
        if matches!(answer, Err(Error::AccessDenied)) {
            // The user may have been made anew, under another id.
            *self.uid.lock().await = None;
        }
        answer
    }

    /// Logs in, if that has not been done: `Ok` means that Odoo is there, has
    /// the database and knows the key.
    pub async fn uid(&self) -> Result<i64, Error> {
        let mut known = self.uid.lock().await;
        match *known {
            Some(uid) => Ok(uid),
            None => {
                let uid = self.authenticate().await?;
                *known = Some(uid);
                Ok(uid)
            }
        }
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

#[cfg(test)]
mod tests {
    use wiremock::matchers::body_partial_json;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    #[tokio::test]
    async fn after_a_refused_key_it_logs_in_anew() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = MockServer::start().await;
        let answering = |service: &str, body: Value| {
            Mock::given(body_partial_json(json!({"params": {"service": service}})))
                .respond_with(ResponseTemplate::new(200).set_body_json(body))
        };
        answering("common", json!({"result": 7}))
            .expect(2)
            .mount(&server)
            .await;
        let denied = json!({"error": {"data": {"name": "odoo.exceptions.AccessDenied", "message": "No."}}});
        answering("object", denied).up_to_n_times(1).mount(&server).await;
        answering("object", json!({"result": true})).mount(&server).await;
        let odoo = Client::new(Account {
            url: server.uri(),
            database: "d".into(),
            login: "l".into(),
            api_key: "k".to_owned().into(),
        })
        .expect("an address");
        let ask = async || odoo.call("m", "f", json!([]), json!({})).await;
        assert!(matches!(ask().await, Err(Error::AccessDenied)));
        assert_eq!(ask().await.expect("an answer"), json!(true));
        assert_eq!(ask().await.expect("an answer"), json!(true));
        server.verify().await;
    }
}
