//! A client for one Odoo database and one user.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use crate::call::Call;
use crate::error::Error;
use crate::version::Told;
use crate::{http, json2, jsonrpc, version, xmlrpc};

/// Which database, and as whom.
#[derive(Debug, Clone)]
pub struct Account {
    /// `https://odoo.example.com`, where the web client's login page is.
    pub url: String,
    pub database: String,
    pub login: String,
    pub api_key: SecretString,
}

/// How Odoo is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// JSON-RPC where the server's version still has it, JSON-2 from where it has not.
    #[default]
    Auto,
    JsonRpc,
    XmlRpc,
    Json2,
}

/// What [`Protocol::Auto`] comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    JsonRpc,
    XmlRpc,
    Json2,
}

pub struct Client {
    http: reqwest::Client,
    server: Url,
    account: Account,
    protocol: Protocol,
    known: Mutex<Known>,
}

/// What a server is asked for once.
#[derive(Default)]
struct Known {
    dialect: Option<Dialect>,
    uid: Option<i64>,
}

impl Protocol {
    pub const ALL: [Protocol; 4] = [
        Protocol::Auto,
        Protocol::JsonRpc,
        Protocol::XmlRpc,
        Protocol::Json2,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Auto => "auto",
            Protocol::JsonRpc => "jsonrpc",
            Protocol::XmlRpc => "xmlrpc",
            Protocol::Json2 => "json2",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str() == text)
            .ok_or_else(|| {
                format!("“{text}” is no protocol of Odoo's; it may be auto, jsonrpc, xmlrpc or json2")
            })
    }
}

impl Client {
    pub fn new(account: Account, protocol: Protocol) -> Result<Self, Error> {
        let server = Url::parse(&account.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or(Error::BadUrl)?;
        Ok(Self {
            http: http::client()?,
            server,
            account,
            protocol,
            known: Mutex::default(),
        })
    }

    /// Calls a public method of a model.
    pub async fn call(&self, call: Call) -> Result<Value, Error> {
        self.ask(&call).await
    }

    /// `Ok` means that Odoo is there, has the database and knows the key.
    pub async fn check(&self) -> Result<(), Error> {
        match self.dialect().await? {
            Dialect::Json2 => self.ask(&Call::new("res.users", "context_get")).await.map(drop),
            dialect => {
                let known = self.uid(dialect).await;
                match self.without_jsonrpc(&known).await {
                    true => self.ask(&Call::new("res.users", "context_get")).await.map(drop),
                    false => known.map(drop),
                }
            }
        }
    }

    async fn ask(&self, call: &Call) -> Result<Value, Error> {
        let dialect = self.dialect().await?;
        let answer = self.ask_in(dialect, call).await;
        if matches!(answer, Err(Error::AccessDenied)) {
            // The user may have been made anew, under another id.
            self.known.lock().await.uid = None;
        }
        if self.without_jsonrpc(&answer).await {
            // The call was not made: nobody was there to make it.
            return self.ask_in(Dialect::Json2, call).await;
        }
        answer
    }

    async fn ask_in(&self, dialect: Dialect, call: &Call) -> Result<Value, Error> {
        match dialect {
            Dialect::Json2 => json2::call(&self.http, &self.server, &self.account, call).await,
            Dialect::JsonRpc | Dialect::XmlRpc => {
                let (positional, named) = call.split();
                let arguments = json!([
                    self.account.database,
                    self.uid(dialect).await?,
                    self.account.api_key.expose_secret(),
                    call.model,
                    call.method,
                    positional,
                    named,
                ]);
                self.service(dialect, "object", "execute_kw", arguments).await
            }
        }
    }

    /// Whether JSON-RPC was chosen by us and turns out to be gone, since servers are
    /// upgraded; JSON-2 is chosen then.
    async fn without_jsonrpc<T>(&self, answer: &Result<T, Error>) -> bool {
        if self.protocol != Protocol::Auto || !matches!(answer, Err(Error::NotOdoo(404))) {
            return false;
        }
        let told = version::of(&self.http, &self.server).await;
        let has_json2 = matches!(told, Ok(Told::Version(major)) if major >= version::WITH_JSON2);
        let mut known = self.known.lock().await;
        let was_jsonrpc = known.dialect != Some(Dialect::Json2);
        known.dialect = has_json2.then_some(Dialect::Json2);
        has_json2 && was_jsonrpc
    }

    async fn dialect(&self) -> Result<Dialect, Error> {
        match self.protocol {
            Protocol::JsonRpc => Ok(Dialect::JsonRpc),
            Protocol::XmlRpc => Ok(Dialect::XmlRpc),
            Protocol::Json2 => Ok(Dialect::Json2),
            Protocol::Auto => {
                let mut known = self.known.lock().await;
                if let Some(dialect) = known.dialect {
                    return Ok(dialect);
                }
                let told = version::of(&self.http, &self.server).await?;
                let dialect = match told {
                    Told::Version(major) if major >= version::WITHOUT_JSONRPC => Dialect::Json2,
                    _ => Dialect::JsonRpc,
                };
                // A server that is starting says nothing yet, and is asked again.
                if told != Told::Nothing {
                    known.dialect = Some(dialect);
                }
                Ok(dialect)
            }
        }
    }

    /// Odoo hashes a password to answer this, which takes a third of a second:
    /// it is asked once.
    async fn uid(&self, dialect: Dialect) -> Result<i64, Error> {
        let mut known = self.known.lock().await;
        if let Some(uid) = known.uid {
            return Ok(uid);
        }
        let arguments = json!([
            self.account.database,
            self.account.login,
            self.account.api_key.expose_secret(),
            {}
        ]);
        let uid = self.service(dialect, "common", "authenticate", arguments).await?;
        // A wrong key is not an error to Odoo, but the answer `false`.
        let uid = uid.as_i64().ok_or(Error::AccessDenied)?;
        known.uid = Some(uid);
        Ok(uid)
    }

    async fn service(
        &self,
        dialect: Dialect,
        service: &str,
        method: &str,
        arguments: Value,
    ) -> Result<Value, Error> {
        let database = &self.account.database;
        match dialect {
            Dialect::XmlRpc => {
                xmlrpc::call(&self.http, &self.server, service, method, database, arguments).await
            }
            Dialect::JsonRpc | Dialect::Json2 => {
                jsonrpc::call(&self.http, &self.server, service, method, database, arguments).await
            }
        }
    }
}

/// A place on the server, whose own path does not count.
pub(crate) fn at(server: &Url, path: &str) -> Url {
    let mut url = server.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.set_path(path);
    url
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{body_partial_json, body_string_contains, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    fn client(server: &MockServer, protocol: Protocol) -> Client {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let account = Account {
            url: server.uri(),
            database: "d".into(),
            login: "l".into(),
            api_key: "k".to_owned().into(),
        };
        Client::new(account, protocol).expect("an address")
    }

    async fn answer(server: &MockServer, at: &str, template: ResponseTemplate) {
        Mock::given(method("POST"))
            .and(path(at))
            .respond_with(template)
            .mount(server)
            .await;
    }

    async fn is_version(server: &MockServer, version: &str, times: u64) {
        Mock::given(method("GET"))
            .and(path("/web/version"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"version": version})))
            .expect(times)
            .mount(server)
            .await;
    }

    fn fault(name: &str) -> Value {
        json!({"name": name, "message": "No.", "debug": "Traceback with a secret"})
    }

    async fn ask(client: &Client) -> Result<Value, Error> {
        client.call(Call::new("m", "f").ids([7]).arg("a", 1)).await
    }

    #[tokio::test]
    async fn after_a_refused_key_it_logs_in_anew() {
        let server = MockServer::start().await;
        let answering = |service: &str, body: Value| {
            Mock::given(body_partial_json(json!({"params": {"service": service}})))
                .respond_with(ResponseTemplate::new(200).set_body_json(body))
        };
        answering("common", json!({"result": 7}))
            .expect(2)
            .mount(&server)
            .await;
        let denied = json!({"error": {"data": fault("odoo.exceptions.AccessDenied")}});
        answering("object", denied).up_to_n_times(1).mount(&server).await;
        answering("object", json!({"result": true})).mount(&server).await;
        let odoo = client(&server, Protocol::JsonRpc);
        assert!(matches!(ask(&odoo).await, Err(Error::AccessDenied)));
        assert_eq!(ask(&odoo).await.expect("an answer"), json!(true));
        assert_eq!(ask(&odoo).await.expect("an answer"), json!(true));
        server.verify().await;
    }

    #[tokio::test]
    async fn by_itself_it_speaks_json_rpc_where_that_is_and_asks_once() {
        let server = MockServer::start().await;
        is_version(&server, "19.0", 1).await;
        answer(
            &server,
            "/jsonrpc",
            ResponseTemplate::new(200).set_body_json(json!({"result": 7})),
        )
        .await;
        let odoo = client(&server, Protocol::Auto);
        for _ in 0..2 {
            assert_eq!(ask(&odoo).await.expect("an answer"), json!(7));
        }
        server.verify().await;
    }

    #[tokio::test]
    async fn by_itself_it_speaks_json_2_where_nothing_else_is() {
        let server = MockServer::start().await;
        is_version(&server, "22.0", 1).await;
        Mock::given(path("/json/2/m/f"))
            .and(header("Authorization", "Bearer k"))
            .and(header("X-Odoo-Database", "d"))
            .and(body_partial_json(json!({"ids": [7], "a": 1})))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!("two")))
            .mount(&server)
            .await;
        let odoo = client(&server, Protocol::Auto);
        assert_eq!(ask(&odoo).await.expect("an answer"), json!("two"));
        server.verify().await;
    }

    #[tokio::test]
    async fn a_server_that_was_upgraded_is_spoken_to_anew() {
        let server = MockServer::start().await;
        Mock::given(path("/web/version"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"version": "21.0"})))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        is_version(&server, "22.0", 1).await;
        Mock::given(path("/jsonrpc"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"result": 7})))
            .up_to_n_times(2)
            .mount(&server)
            .await;
        answer(
            &server,
            "/json/2/m/f",
            ResponseTemplate::new(200).set_body_json(json!("two")),
        )
        .await;
        let odoo = client(&server, Protocol::Auto);
        assert_eq!(ask(&odoo).await.expect("an answer"), json!(7));
        for _ in 0..2 {
            assert_eq!(ask(&odoo).await.expect("an answer"), json!("two"));
        }
        server.verify().await;
    }

    #[tokio::test]
    async fn a_server_that_was_starting_is_asked_again_what_it_is() {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::any())
            .respond_with(ResponseTemplate::new(503))
            .up_to_n_times(2)
            .mount(&server)
            .await;
        is_version(&server, "22.0", 1).await;
        answer(
            &server,
            "/json/2/m/f",
            ResponseTemplate::new(200).set_body_json(json!("two")),
        )
        .await;
        let odoo = client(&server, Protocol::Auto);
        assert!(matches!(ask(&odoo).await, Err(Error::NotOdoo(503))));
        assert_eq!(ask(&odoo).await.expect("an answer"), json!("two"));
    }

    #[tokio::test]
    async fn where_the_route_has_gone_before_its_version_json_2_is_spoken() {
        let server = MockServer::start().await;
        is_version(&server, "20.0", 2).await;
        answer(
            &server,
            "/json/2/m/f",
            ResponseTemplate::new(200).set_body_json(json!("two")),
        )
        .await;
        let odoo = client(&server, Protocol::Auto);
        for _ in 0..2 {
            assert_eq!(ask(&odoo).await.expect("an answer"), json!("two"));
        }
        server.verify().await;
    }

    #[tokio::test]
    async fn json_2_of_an_odoo_that_has_none_is_no_answer() {
        let server = MockServer::start().await;
        let error =
            json!({"jsonrpc": "2.0", "id": null, "error": {"code": 404, "message": "404: Not Found"}});
        answer(
            &server,
            "/json/2/m/f",
            ResponseTemplate::new(200).set_body_json(error),
        )
        .await;
        let error = ask(&client(&server, Protocol::Json2))
            .await
            .expect_err("an error");
        assert!(matches!(error, Error::NotOdoo(404)), "{error:?}");
    }

    #[test]
    fn no_secret_is_in_what_is_printed_of_a_call_or_an_address() {
        let call = Call::new("m", "f").arg("password", "canary");
        assert_eq!(format!("{call:?}"), "m.f(…)");
        let account = Account {
            url: "ftp://u:canary@h".into(),
            database: "d".into(),
            login: "l".into(),
            api_key: "k".to_owned().into(),
        };
        let error = Client::new(account, Protocol::Auto).err().expect("an error");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[tokio::test]
    async fn an_odoo_that_does_not_tell_its_version_is_an_old_one() {
        let server = MockServer::start().await;
        answer(
            &server,
            "/jsonrpc",
            ResponseTemplate::new(200).set_body_json(json!({"result": 7})),
        )
        .await;
        assert_eq!(
            ask(&client(&server, Protocol::Auto)).await.expect("an answer"),
            json!(7)
        );
    }

    #[tokio::test]
    async fn xml_rpc_asks_the_same_services() {
        let server = MockServer::start().await;
        let int = |number: i64| {
            ResponseTemplate::new(200).set_body_string(format!(
                "<?xml version='1.0'?><methodResponse><params><param><value><int>{number}</int></value></param></params></methodResponse>"
            ))
        };
        answer(&server, "/xmlrpc/common", int(7)).await;
        Mock::given(path("/xmlrpc/object"))
            .and(body_string_contains("<methodName>execute_kw</methodName>"))
            .and(body_string_contains("<int>7</int>"))
            .respond_with(int(8))
            .mount(&server)
            .await;
        assert_eq!(
            ask(&client(&server, Protocol::XmlRpc)).await.expect("an answer"),
            json!(8)
        );
    }

    #[tokio::test]
    async fn a_traceback_is_in_no_error() {
        for (protocol, at, template) in [
            (
                Protocol::JsonRpc,
                "/jsonrpc",
                ResponseTemplate::new(200).set_body_json(json!({"error": {"data": fault("builtins.ValueError")}})),
            ),
            (
                Protocol::Json2,
                "/json/2/m/f",
                ResponseTemplate::new(500).set_body_json(fault("builtins.ValueError")),
            ),
            (
                Protocol::XmlRpc,
                "/xmlrpc/common",
                ResponseTemplate::new(200).set_body_string(
                    "<methodResponse><fault><value><struct><member><name>faultCode</name><value><string>No.</string></value></member>\
                     <member><name>faultString</name><value><string>Traceback with a secret\nValueError: No.</string></value></member>\
                     </struct></value></fault></methodResponse>",
                ),
            ),
        ] {
            let server = MockServer::start().await;
            answer(&server, at, template).await;
            let error = ask(&client(&server, protocol)).await.expect_err("an error");
            assert!(matches!(&error, Error::Server(name) if name == "builtins.ValueError"), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("Traceback"));
        }
    }

    #[tokio::test]
    async fn a_proxys_page_is_not_odoo_in_any_protocol() {
        for protocol in [
            Protocol::JsonRpc,
            Protocol::XmlRpc,
            Protocol::Json2,
            Protocol::Auto,
        ] {
            for status in [200, 404, 502] {
                let server = MockServer::start().await;
                Mock::given(wiremock::matchers::any())
                    .respond_with(ResponseTemplate::new(status).set_body_string("<html>Sign in</html>"))
                    .mount(&server)
                    .await;
                let error = ask(&client(&server, protocol)).await.expect_err("an error");
                assert!(
                    matches!(error, Error::NotOdoo(code) if code == status),
                    "{protocol}: {error:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn json_2_without_the_database_is_a_wrong_database_where_odoo_is() {
        let server = MockServer::start().await;
        is_version(&server, "19.0", 1).await;
        answer(
            &server,
            "/json/2/m/f",
            ResponseTemplate::new(404).set_body_string("<html>404</html>"),
        )
        .await;
        let error = ask(&client(&server, Protocol::Json2))
            .await
            .expect_err("an error");
        assert!(matches!(error, Error::WrongDatabase), "{error:?}");
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_unreachable() {
        for protocol in Protocol::ALL {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let account = Account {
                url: "http://127.0.0.1:1".into(),
                database: "d".into(),
                login: "l".into(),
                api_key: "k".to_owned().into(),
            };
            let odoo = Client::new(account, protocol).expect("an address");
            let error = ask(&odoo).await.expect_err("an error");
            assert!(
                matches!(&error, Error::Unreachable(_)) && error.is_retryable(),
                "{error:?}"
            );
        }
    }
}
