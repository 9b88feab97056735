//! `serve` as a service manager runs it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use insightpulse_test_support::{Cluster, Options, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{insightpulse, run};

const DATABASE_UUID: &str = "00000000-0000-0000-0000-00000000da7a";

/// Killed when it is dropped.
struct Served {
    child: Child,
    log: Arc<Mutex<String>>,
    place: TempDir,
}

impl Served {
    fn start(variables: &[(&str, &str)]) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let keys = run(insightpulse(place.path())
            .env("INSIGHTPULSE_STATE_DIR", "state")
            .args(["keys", "add"]));
        assert_eq!(keys.code, Some(0), "{}", keys.stderr);
        let mut child = insightpulse(place.path())
            .arg("serve")
            .env("INSIGHTPULSE_STATE_DIR", "state")
            .env("INSIGHTPULSE_SERVER__PORT", "0")
            .env("INSIGHTPULSE_EGRESS__ALLOW_LOOPBACK", "true")
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let log = Arc::<Mutex<String>>::default();
        let (lines, written) = (child.stderr.take().expect("piped"), Arc::clone(&log));
        thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                let mut log = written.lock().expect("no panic");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, log, place }
    }

    fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    async fn url(&self) -> String {
        eventually("it listens", || self.log().contains("Listening port=")).await;
        let log = self.log();
        let (_, rest) = log.split_once("Listening port=").expect("just seen");
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        format!("http://127.0.0.1:{port}")
    }

    /// Sends a signal; returns the exit code.
    fn end(&mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.expect("kill runs").success());
        self.child.wait().expect("a child").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn either_signal_ends_it_well() {
    for signal in ["TERM", "INT"] {
        let mut served = Served::start(&[]);
        served.url().await;
        assert_eq!(served.end(signal), Some(0));
        eventually("the log says why", || {
            served.log().contains(&format!("Stopping on SIG{signal}")) && served.log().contains("Stopped")
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_for_machines_is_json_line_by_line() {
    let mut served = Served::start(&[("INSIGHTPULSE_LOG__FORMAT", "json")]);
    eventually("it listens", || served.log().contains("\"Listening\"")).await;
    assert_eq!(served.end("TERM"), Some(0));
    eventually("it says that it stopped", || served.log().contains("\"Stopped\"")).await;
    for line in served.log().lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            entry["level"].is_string() && entry["timestamp"].is_string(),
            "{entry}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_even_at_its_most_talkative() {
    let cluster = Cluster::start_with(&Options {
        sql: "create role app login password 'canary-password'",
        ..Options::default()
    });
    let served = Served::start(&[("INSIGHTPULSE_LOG__FILTER", "trace")]);
    let url = served.url().await;
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::new();
    let endpoint = json!({
        "id": 7, "record": DATABASE_UUID, "revision": 1, "name": "Test", "kind": "postgresql",
        "base_url": "127.0.0.1", "port": cluster.port(), "tls_mode": "disable", "username": "app",
        "database_name": "postgres", "password": null, "api_key": null,
    });
    let post = async |path: &str, token: &str, body: &Value| -> Value {
        let request = client.post(format!("{url}{path}")).bearer_auth(token).json(body);
        request
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON")
    };
    let code = run(insightpulse(served.place.path())
        .env("INSIGHTPULSE_STATE_DIR", "state")
        .args(["pair", "--quiet"]));
    let pairing = json!({
        "code": code.stdout.trim(), "request": "r", "database": DATABASE_UUID, "database_name": "production",
        "odoo_url": "http://127.0.0.1:9", "login": "sidecar", "api_key": "canary-api-key",
    });
    let paired = post("/v1/pair", "", &pairing).await;
    let token = paired["token"].as_str().expect("a token");
    let item = json!({"field": "password", "secret": "canary-password", "endpoint": endpoint});
    let seal = json!({"database": DATABASE_UUID, "items": [item]});
    let sealed = post("/v1/seal", token, &seal).await;
    let mut whole = endpoint.clone();
    whole["password"] = sealed["tokens"][0].clone();
    let probes = json!({
        "database": DATABASE_UUID, "request": "r", "wait_ms": 5000, "endpoints": [whole],
    });
    post("/v1/probes", token, &probes).await;
    post("/v1/seal", "canary-wrong-token", &seal).await;
    post("/v1/seal", token, &json!({"items": "canary-malformed"})).await;
    eventually("the probe is in the log", || {
        served.log().contains("status=Success")
    })
    .await;
    let log = served.log();
    let leaked: Vec<_> = log
        .lines()
        .filter(|line| line.contains("canary") || line.contains(token) || line.contains(code.stdout.trim()))
        .collect();
    assert!(leaked.is_empty(), "{leaked:#?}");
}
