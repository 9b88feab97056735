//! The application, started as `serve` starts it, and a client that asks as Odoo does.

use std::fs::{self, Permissions};
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use insightpulse_monitor::{Concurrency, Limits, StoreSettings};
use insightpulse_odoo_rpc::Protocol;
use insightpulse_probe::EgressPolicy;
use insightpulse_sidecar::settings::{
    KeyringSettings, Listen, LogFormat, LogSettings, ServerSettings, Settings, StateSettings,
};
use insightpulse_sidecar::startup::Application;
use insightpulse_test_support::{Cluster, Options};
use insightpulse_vault::Keyring;
use reqwest::{Client, Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

use crate::fake_odoo::{API_KEY, DATABASE, FakeOdoo, LOGIN};

pub const DATABASE_UUID: Uuid = Uuid::from_u128(0xda7a);

/// A probe that has to succeed gets more time than it can need.
pub const PLENTY: Duration = Duration::from_secs(45);

/// Longer than a probe with [`PLENTY`] waits, if the sidecar let it.
pub const WAIT: u64 = 5_000;

/// What outlives one run of the service.
pub struct Home {
    directory: TempDir,
    pub odoo_url: String,
    pub probe: Limits,
    pub state_dir: PathBuf,
    pub listen: Listen,
    pub metrics_token: Option<&'static str>,
    pub requests_per_second: u32,
    pub store: Option<StoreSettings>,
    /// What Odoo got when it was paired.
    token: Mutex<Option<String>>,
}

pub struct Service {
    pub url: String,
    pub token: String,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<anyhow::Result<()>>,
}

/// What a route answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub text: String,
}

impl Home {
    pub fn new(odoo_url: impl Into<String>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let keyring = directory.path().join("keyring.toml");
        let text = Keyring::generate().expect("random numbers").to_text();
        fs::write(&keyring, text.expose_secret()).expect("written");
        fs::set_permissions(&keyring, Permissions::from_mode(0o600)).expect("set");
        let state_dir = directory.path().join("state");
        Self {
            directory,
            odoo_url: odoo_url.into(),
            probe: Limits {
                timeout: PLENTY,
                concurrency: Concurrency {
                    total: 512,
                    per_host: 512,
                    per_agency: 512,
                },
            },
            state_dir,
            listen: Listen::Tcp {
                host: "127.0.0.1".into(),
                port: 0,
                tls: None,
            },
            metrics_token: None,
            requests_per_second: 1_000,
            store: None,
            token: Mutex::default(),
        }
    }

    /// On another machine, with the same keys and store.
    pub fn elsewhere(&self) -> Self {
        let mut home = Self::new(&self.odoo_url);
        fs::copy(self.path().join("keyring.toml"), home.path().join("keyring.toml")).expect("copied");
        home.store = self.store.clone();
        home
    }

    /// Probes end after this time.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.probe.timeout = timeout;
        self
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn settings(&self) -> Settings {
        Settings {
            server: ServerSettings {
                listen: self.listen.clone(),
                metrics_token: self.metrics_token.map(Into::into),
                requests_per_second: NonZeroU32::new(self.requests_per_second).expect("some"),
            },
            state: StateSettings {
                directory: self.state_dir.clone(),
                keyring: KeyringSettings::File(self.path().join("keyring.toml")),
                protocol: Protocol::Auto,
            },
            egress: EgressPolicy {
                allow_loopback: true,
                ..EgressPolicy::default()
            },
            probe: self.probe,
            store: self.store.clone(),
            log: LogSettings {
                filter: "info".into(),
                format: LogFormat::Text,
            },
        }
    }

    /// Changes a file of the state directory as another process would, whole.
    pub fn rewrite(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.state_dir.join(name);
        let mut value = serde_json::from_slice(&fs::read(&path).expect("there")).expect("JSON");
        change(&mut value);
        fs::write(&path, value.to_string()).expect("written");
    }

    /// The program itself, with this home's keys and pairings.
    pub fn insightpulse(&self, arguments: &[&str]) -> String {
        let ended = Command::new(env!("CARGO_BIN_EXE_insightpulse"))
            .args(arguments)
            .env_clear()
            .env("INSIGHTPULSE_STATE_DIR", &self.state_dir)
            .env("INSIGHTPULSE_KEYRING__FILE", self.path().join("keyring.toml"))
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{arguments:?}: {said}");
        String::from_utf8(ended.stdout).expect("text").trim().to_owned()
    }

    /// A new pairing code.
    pub fn code(&self) -> String {
        self.insightpulse(&["pair", "--quiet"])
    }

    /// What Odoo sends with a code.
    pub fn pairing(&self, code: &str, request: &str) -> Value {
        json!({
            "code": code, "request": request, "database": DATABASE_UUID, "database_name": DATABASE,
            "odoo_url": self.odoo_url, "login": LOGIN, "api_key": API_KEY,
            "api_key_expires_at": "2096-11-26T00:00:00Z",
        })
    }

    /// Runs, without being paired.
    pub fn start_unpaired(&self) -> Service {
        let application = Application::build(self.settings()).expect("it starts");
        let url = format!("http://127.0.0.1:{}", application.port().unwrap_or_default());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(application.run_until(async {
            // A dropped service stops, too.
            stopped.await.ok();
        }));
        Service {
            url,
            token: String::new(),
            client: Client::new(),
            stop: Some(stop),
            running,
        }
    }

    /// Runs, and is paired with the database, now or from an earlier run.
    pub async fn start(&self) -> Service {
        let mut service = self.start_unpaired();
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        service.token = match known {
            Some(token) => token,
            None => service.pair(&self.pairing(&self.code(), "first")).await,
        };
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(service.token.clone());
        service
    }
}

impl Service {
    /// With an Odoo that is well; for tests of one run.
    pub async fn with_odoo() -> (Self, FakeOdoo, Home) {
        let odoo = FakeOdoo::start().await;
        let home = Home::new(odoo.url());
        (home.start().await, odoo, home)
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    /// Pairs a database; returns its token.
    pub async fn pair(&self, pairing: &Value) -> String {
        let answer = Answer::of(self.anonymous(Method::POST, "/v1/pair").json(pairing)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Why Odoo does not take results, if it does not.
    pub async fn odoo(&self) -> Value {
        let answer = self.post("/v1/status", &json!({"database": DATABASE_UUID})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["odoo"].clone()
    }

    /// [`Service::odoo`], once that is as wanted: Odoo is asked behind the requests' back.
    pub async fn odoo_once(&self, is_wanted: impl Fn(Option<&str>) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let reason = self.odoo().await;
            if is_wanted(reason.as_str()) {
                return reason;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {reason}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// Tests endpoints, as one click does; returns the results.
    pub async fn probes(&self, request: &str, wait_ms: u64, endpoints: &[Value]) -> Vec<Value> {
        let body = json!({
            "database": DATABASE_UUID, "request": request, "wait_ms": wait_ms, "endpoints": endpoints,
        });
        let answer = self.post("/v1/probes", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["results"].as_array().expect("results").clone()
    }

    /// Seals a password for an endpoint; returns the token.
    pub async fn seal(&self, secret: &str, endpoint: &Value) -> String {
        let item = json!({"field": "password", "secret": secret, "endpoint": endpoint});
        let body = json!({"database": DATABASE_UUID, "items": [item]});
        let answer = self.post("/v1/seal", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["tokens"][0].as_str().expect("a token").to_owned()
    }

    pub fn begin_to_stop(&mut self) {
        self.stop.take().expect("stopped once").send(()).ok();
    }

    pub async fn stopped(self) {
        self.running.await.expect("no panic").expect("a clean end");
    }

    pub async fn stop(mut self) {
        self.begin_to_stop();
        self.stopped().await;
    }
}

/// What comes of it, where a test cannot wait.
pub fn now<T>(asked: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(asked))
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let content_type = response.headers().get("content-type");
        Self {
            status: response.status().as_u16(),
            content_type: content_type
                .map(|value| value.to_str().expect("text").to_owned())
                .unwrap_or_default(),
            text: response.text().await.expect("text"),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An endpoint as Odoo sends it, with the record of this id.
pub fn endpoint(id: u128, port: u16) -> Value {
    json!({
        "id": id, "record": Uuid::from_u128(id), "revision": 3, "name": format!("Test {id}"),
        "kind": "postgresql", "base_url": "127.0.0.1", "port": port, "tls_mode": "disable",
        "username": "app", "database_name": "postgres", "password": null, "api_key": null,
        // As long as the service lets it.
        "timeout_ms": 60_000,
    })
}

/// The same as one that is to be monitored, every five seconds, which no result has been told of.
pub fn monitored(endpoint: &Value) -> Value {
    changed(
        endpoint,
        &json!({"version": "1", "status": null, "last_probe": null, "interval_s": 5, "failure_threshold": 2}),
    )
}

/// The same with some of its values changed.
pub fn changed(endpoint: &Value, changes: &Value) -> Value {
    let mut changed = endpoint.clone();
    for (key, value) in changes.as_object().expect("an object") {
        changed[key] = value.clone();
    }
    changed
}

/// A server that lets `app` in with the password, and `guest` without one.
pub fn cluster() -> Cluster {
    Cluster::start_with(&Options {
        hba: "host all guest 127.0.0.1/32 trust",
        settings: &[("max_connections", "300")],
        sql: "create role app login password 'canary-of-the-app'; create role guest login",
        ..Options::default()
    })
}

pub const PASSWORD: &str = "canary-of-the-app";
