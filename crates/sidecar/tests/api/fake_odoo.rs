//! Odoo's side of the write-back, which remembers what it was told.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use insightpulse_test_support::eventually;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::service::DATABASE_UUID;

pub const DATABASE: &str = "production";
pub const LOGIN: &str = "insightpulse_sidecar";
pub const API_KEY: &str = "canary-api-key-of-odoo";
const UID: i64 = 7;

pub struct FakeOdoo {
    server: MockServer,
    shared: Arc<Shared>,
}

/// How Odoo is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mood {
    Well,
    BadGateway,
    /// A proxy's page for people, with status 200.
    Html,
    /// Odoo does not know the key.
    AccessDenied,
    /// Odoo knows the key, and the method is not this user's.
    Forbidden,
    /// It answers all but results, for which a proxy says that it is away.
    NoResults,
}

struct Shared {
    mood: Mutex<Mood>,
    /// The batches that had something in them, in order.
    batches: Mutex<Vec<Vec<Value>>>,
    /// Those that came while it took none.
    refused: Mutex<Vec<Vec<Value>>>,
    /// The endpoints that are to be monitored, as `monitored_endpoints` has them.
    monitored: Mutex<Vec<Value>>,
    webhook: Mutex<Option<Value>>,
    /// Which database it says it is.
    database: Mutex<Uuid>,
    /// The API keys that are valid, the newest last.
    keys: Mutex<Vec<String>>,
    /// The life of the next keys, in seconds.
    life: Mutex<i64>,
    calls: AtomicUsize,
}

impl FakeOdoo {
    pub async fn start() -> Self {
        Self::start_at(TcpListener::bind("127.0.0.1:0").expect("a free port")).await
    }

    pub async fn start_at(listener: TcpListener) -> Self {
        let shared = Arc::new(Shared {
            mood: Mutex::new(Mood::Well),
            batches: Mutex::default(),
            refused: Mutex::default(),
            monitored: Mutex::default(),
            webhook: Mutex::default(),
            database: Mutex::new(DATABASE_UUID),
            keys: Mutex::new(vec![API_KEY.into()]),
            life: Mutex::new(365 * 86_400),
            calls: AtomicUsize::new(0),
        });
        let server = MockServer::builder().listener(listener).start().await;
        Mock::given(method("POST"))
            .and(path("/jsonrpc"))
            .respond_with(Answers(Arc::clone(&shared)))
            .mount(&server)
            .await;
        Self { server, shared }
    }

    pub fn url(&self) -> String {
        self.server.uri()
    }

    pub fn set(&self, mood: Mood) {
        *lock(&self.shared.mood) = mood;
    }

    /// What is to be monitored from now on; each needs a `version`.
    pub fn monitor(&self, endpoints: &[Value]) {
        *lock(&self.shared.monitored) = endpoints.to_vec();
    }

    pub fn set_webhook(&self, webhook: Option<Value>) {
        *lock(&self.shared.webhook) = webhook;
    }

    /// Another database has taken the name.
    pub fn become_another(&self, database: Uuid) {
        *lock(&self.shared.database) = database;
    }

    pub fn keys(&self) -> Vec<String> {
        lock(&self.shared.keys).clone()
    }

    /// How many calls have come.
    pub fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    pub fn batches(&self) -> Vec<Vec<Value>> {
        lock(&self.shared.batches).clone()
    }

    /// All outcomes that it did not take.
    pub fn refused(&self) -> Vec<Value> {
        lock(&self.shared.refused).concat()
    }

    /// All outcomes so far.
    pub fn outcomes(&self) -> Vec<Value> {
        self.batches().concat()
    }

    /// Waits until so many outcomes have come.
    pub async fn wait_for(&self, number: usize) -> Vec<Value> {
        eventually("the outcomes arrive at Odoo", || self.outcomes().len() >= number).await;
        self.outcomes()
    }
}

struct Answers(Arc<Shared>);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mood = *lock(&self.0.mood);
        match mood {
            Mood::BadGateway => return ResponseTemplate::new(502),
            Mood::Html => return ResponseTemplate::new(200).set_body_string("<html>Sign in</html>"),
            Mood::AccessDenied => return fault("odoo.exceptions.AccessDenied"),
            Mood::Forbidden => return fault("odoo.exceptions.AccessError"),
            Mood::Well | Mood::NoResults => {}
        }
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let service = &body["params"]["service"];
        let arguments = body["params"]["args"].as_array().expect("arguments");
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        match service.as_str() {
            Some("common")
                if arguments[..2] == [json!(DATABASE), json!(LOGIN)] && self.knows(&arguments[2]) =>
            {
                result(&json!(UID))
            }
            Some("common") => result(&json!(false)),
            _ if arguments[..2] != [json!(DATABASE), json!(UID)] => fault("builtins.ValueError"),
            _ if !self.knows(&arguments[2]) => fault("odoo.exceptions.AccessDenied"),
            _ => {
                let (model, method) = (arguments[3].as_str(), arguments[4].as_str());
                match (model.unwrap_or_default(), method.unwrap_or_default()) {
                    ("insightpulse.connection.endpoint", "apply_probe_results") => {}
                    ("insightpulse.connection.endpoint", "monitored_versions") => {
                        return result(&self.versions(&arguments[6]["after_id"]));
                    }
                    ("insightpulse.connection.endpoint", "monitored_endpoints") => {
                        let ids = arguments[6]["endpoint_ids"].as_array().expect("ids");
                        let mut endpoints = lock(&self.0.monitored).clone();
                        endpoints.retain(|endpoint| ids.contains(&endpoint["id"]));
                        return result(&json!(endpoints));
                    }
                    ("insightpulse.sidecar", "renew_api_key") => return self.renew(),
                    ("insightpulse.sidecar", "retire_older_api_keys") => {
                        let mut keys = lock(&self.0.keys);
                        let newest = keys.pop().expect("a key");
                        *keys = vec![newest];
                        return result(&json!(true));
                    }
                    _ => return fault("builtins.ValueError"),
                }
                if arguments[6]["database"] != json!(*lock(&self.0.database)) {
                    return fault("odoo.exceptions.AccessError");
                }
                let batch = arguments[6]["results"].as_array().expect("a batch").clone();
                if mood == Mood::NoResults {
                    lock(&self.0.refused).push(batch);
                    return ResponseTemplate::new(502);
                }
                let ids: Vec<_> = batch.iter().map(|outcome| outcome["id"].clone()).collect();
                if !batch.is_empty() {
                    lock(&self.0.batches).push(batch);
                }
                result(&json!({"applied": ids, "ignored": []}))
            }
        }
    }
}

impl Answers {
    fn knows(&self, key: &Value) -> bool {
        lock(&self.0.keys).iter().any(|known| key == known)
    }

    fn versions(&self, after: &Value) -> Value {
        let monitored = lock(&self.0.monitored);
        let rows: Vec<_> = monitored
            .iter()
            .filter(|endpoint| endpoint["id"].as_i64() > after.as_i64())
            .map(|endpoint| json!([endpoint["id"], endpoint["record"], endpoint["version"]]))
            .collect();
        json!({"database": *lock(&self.0.database), "rules": "", "rows": rows, "webhook": *lock(&self.0.webhook)})
    }

    fn renew(&self) -> ResponseTemplate {
        let mut keys = lock(&self.0.keys);
        let key = format!("canary-renewed-key-{}", keys.len());
        keys.push(key.clone());
        let expires_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(*lock(&self.0.life));
        result(&json!({"api_key": key, "expires_at": expires_at}))
    }
}

fn result(value: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"jsonrpc": "2.0", "id": 1, "result": value}))
}

fn fault(name: &str) -> ResponseTemplate {
    let data = json!({"name": name, "message": "No.", "debug": "Traceback"});
    ResponseTemplate::new(200).set_body_json(
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error", "data": data}}),
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
