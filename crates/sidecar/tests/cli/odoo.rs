//! `render` and `exec`, which ask an Odoo: here one that answers as it is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::program::{Ended, insightpulse, run};

const KEY: &str = "canary-api-key";

/// Three connections of agency RIM, and none of any other.
struct Odoo {
    content: String,
    refusal: Option<(&'static str, &'static str)>,
}

impl Respond for Odoo {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let arguments = &body["params"]["args"];
        let result = if body["params"]["service"] == "common" {
            assert_eq!(arguments[2], KEY);
            json!(7)
        } else {
            match arguments[4].as_str().expect("a method") {
                "search" if arguments[6]["domain"].to_string().contains("BOM") => json!([]),
                "search" => json!([1, 2, 3]),
                "render_config" if self.refusal.is_some() => {
                    let (name, message) = self.refusal.expect("one");
                    let error = json!({"data": {"name": name, "message": message, "debug": "Traceback"}});
                    return ResponseTemplate::new(200).set_body_json(json!({"error": error}));
                }
                "render_config" => {
                    assert_eq!(arguments[5][0], json!([1, 2, 3]));
                    let what = format!("{} {}", arguments[6]["format"], arguments[6]["reveal"]);
                    json!({"filename": "x", "mimetype": "x", "content": self.content.replace("WHAT", &what)})
                }
                other => panic!("{other} is not to be called"),
            }
        };
        ResponseTemplate::new(200).set_body_json(json!({"result": result}))
    }
}

struct Desk {
    server: MockServer,
    place: TempDir,
}

impl Desk {
    async fn new(content: &str) -> Self {
        Self::with(Odoo {
            content: content.into(),
            refusal: None,
        })
        .await
    }

    async fn with(odoo: Odoo) -> Self {
        let server = MockServer::start().await;
        Mock::given(path("/jsonrpc"))
            .respond_with(odoo)
            .mount(&server)
            .await;
        Self {
            server,
            place: tempfile::tempdir().expect("a directory"),
        }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = insightpulse(self.place.path());
        command
            .args(arguments)
            .env("PATH", "/usr/bin:/bin")
            .env("INSIGHTPULSE_ODOO__URL", self.server.uri())
            .env("INSIGHTPULSE_ODOO__DATABASE", "books")
            .env("INSIGHTPULSE_ODOO__LOGIN", "mia")
            .env("INSIGHTPULSE_ODOO__API_KEY", KEY);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let ended = run(&mut self.program(arguments));
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
        ended
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_printed_as_it_is() {
    let desk = Desk::new("WHAT\n").await;
    let hidden = desk.run(&["render", "--format", "env", "--agency", "RIM"]);
    assert_eq!(
        (hidden.code, hidden.stdout.as_str(), hidden.stderr.as_str()),
        (Some(0), "\"env\" false\n", "")
    );
    let shown = desk.run(&[
        "render",
        "--format",
        "uri",
        "--reveal",
        "--kind",
        "postgresql",
        "--name",
        "Books",
    ]);
    assert_eq!(shown.stdout, "\"uri\" true\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_for_its_owner_and_is_not_replaced_unasked() {
    let desk = Desk::new("one").await;
    let arguments = ["render", "--format", "uri", "--reveal", "--output", "books.env"];
    assert_eq!(desk.run(&arguments).code, Some(0));
    let file = desk.place.path().join("books.env");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "one");
    assert_eq!(
        fs::metadata(&file).expect("a file").permissions().mode() & 0o777,
        0o600
    );
    let again = desk.run(&arguments);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("say --force"), "{}", again.stderr);
    assert_eq!(desk.run(&[&arguments[..], &["--force"]].concat()).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_odoo_says_no_to_is_one_line() {
    let refusal = (
        "odoo.exceptions.AccessError",
        "This needs the right “Connection Administrator”.",
    );
    let desk = Desk::with(Odoo {
        content: String::new(),
        refusal: Some(refusal),
    })
    .await;
    let refused = desk.run(&["render", "--format", "env", "--reveal"]);
    assert!(
        refused
            .complaint()
            .contains("This needs the right “Connection Administrator”.")
    );
    let empty = desk.run(&["render", "--format", "env", "--agency", "BOM"]);
    assert_eq!(empty.complaint(), "no connection that you may read fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_unsafe_is_bad_input() {
    let desk = Desk::new("x").await;
    let check = |change: &dyn Fn(&mut Command), says: &str| {
        let mut command = desk.program(&["render", "--format", "env"]);
        change(&mut command);
        let ended = run(&mut command);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(says) && ended.stderr.lines().count() == 1,
            "{}",
            ended.stderr
        );
    };
    check(
        &|command| {
            command.env_remove("INSIGHTPULSE_ODOO__API_KEY");
        },
        "set it in the file or as INSIGHTPULSE_ODOO__API_KEY",
    );
    check(
        &|command| {
            command.env("INSIGHTPULSE_ODOO__URL", "http://odoo.example.com");
        },
        "has no TLS",
    );
    check(
        &|command| {
            command.env("INSIGHTPULSE_ODOO__API_KEY_FILE", "/nowhere");
        },
        "odoo.api_key and odoo.api_key_file are both set",
    );
}

const VARIABLES: &str =
    r#"{"BOOKS_URL": "postgresql://u@h/d", "BOOKS_PASSWORD": "it's $5\n", "A_URL": "x", "B_URL": "y"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_has_the_variables_in_its_environment_and_nowhere_else() {
    let desk = Desk::new(VARIABLES).await;
    let script = "printf '%s|' \"$BOOKS_PASSWORD\" \"$KEPT\" \"${INSIGHTPULSE_ODOO__API_KEY:-gone}\" \"$0\" \"$1\"; \
                  tr '\\0' ' ' < /proc/self/cmdline; cat /proc/$PPID/cmdline | tr '\\0' ' '; exit 7";
    let mut command = desk.program(&[
        "exec", "--agency", "RIM", "--", "sh", "-c", script, "name", "--flag",
    ]);
    command.env("KEPT", "kept").env("BOOKS_PASSWORD", "the old one");
    let ended = run(&mut command);
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    let (values, arguments) = ended.stdout.split_once("--flag|").expect("all of it");
    assert_eq!(values, "it's $5\n|kept|gone|name|");
    assert!(
        !arguments.contains("it's") && !arguments.contains("canary"),
        "{arguments}"
    );
    assert_eq!(ended.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reaches_the_command_itself() {
    let desk = Desk::new(VARIABLES).await;
    let mut running = desk
        .program(&["exec", "--", "sh", "-c", "echo ready; exec sleep 60"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut ready = [0; 6];
    std::io::Read::read_exact(running.stdout.as_mut().expect("a pipe"), &mut ready).expect("ready");
    let pid = running.id().to_string();
    let killed = Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .expect("kill runs");
    assert!(killed.success());
    let ended = tokio::task::spawn_blocking(move || running.wait());
    let status = tokio::time::timeout(Duration::from_secs(30), ended)
        .await
        .expect("it ends")
        .expect("a thread")
        .expect("a child");
    assert_eq!(status.signal(), Some(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_has_the_exit_codes_of_a_shell() {
    let desk = Desk::new(VARIABLES).await;
    assert_eq!(desk.run(&["exec", "--", "no-such-command"]).code, Some(127));
    fs::write(desk.place.path().join("text"), "x").expect("a file");
    assert_eq!(desk.run(&["exec", "--", "./text"]).code, Some(126));
    assert_eq!(desk.run(&["exec"]).code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_incomplete_is_told_and_what_is_no_variable_refused() {
    let desk = Desk::new(r#"{"BOOKS_URL": "x"}"#).await;
    let ended = desk.run(&["exec", "--", "true"]);
    assert_eq!(ended.code, Some(0));
    assert!(
        ended
            .stderr
            .contains("2 of 3 connections are not in the environment"),
        "{}",
        ended.stderr
    );
    for content in [
        r#"{"A-B": "canary"}"#,
        r#"{"A\u0000": "x"}"#,
        r#"{"A": "canary\u0000"}"#,
        "[]",
        "{\"A\": 1}",
    ] {
        let ended = Desk::new(content).await.run(&["exec", "--", "true"]);
        assert_eq!(ended.code, Some(1), "{content}: {}", ended.stderr);
    }
}
