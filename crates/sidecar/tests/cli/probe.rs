//! `insightpulse probe`, as a person or a script sees it.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use expect_test::expect;
use insightpulse_test_support::{Cluster, Options};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ended, insightpulse, run};

fn probe(arguments: &[&str]) -> Command {
    let mut command = insightpulse("/".as_ref());
    command.arg("probe").args(arguments);
    command
}

fn cluster() -> Cluster {
    Cluster::start_with(&Options {
        sql: "create role app login password 'p@ss/w#rd'",
        ..Options::default()
    })
}

fn json(ended: &Ended) -> Vec<Value> {
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", ended.stdout, ended.stderr))
}

#[test]
fn a_healthy_endpoint_is_exit_0_and_one_that_is_not_is_exit_1() {
    let cluster = cluster();
    let url = format!(
        "postgresql://app:p%40ss%2Fw%23rd@127.0.0.1:{}/postgres?sslmode=disable",
        cluster.port()
    );
    let ended = run(&mut probe(&[&url, "--output", "json"]));
    let [row] = json(&ended).try_into().expect("one row");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(row["status"], "success");
    assert_eq!(row["kind"], "postgresql");
    assert_eq!(row["facts"]["in_recovery"], false);
    let phases = row["phases"].as_object().expect("phases");
    let sum: f64 = phases.values().filter_map(Value::as_f64).sum();
    assert!(
        (sum - row["latency_ms"].as_f64().expect("a latency")).abs() < 0.001,
        "{row}"
    );

    let ended = run(&mut probe(&[&url, "http://127.0.0.1:1", "--output=json"]));
    let rows = json(&ended);
    assert_eq!(ended.code, Some(1));
    assert_eq!(rows[0]["status"], "success");
    assert_eq!(rows[1]["failure_kind"], "refused");
    assert_eq!(
        rows[1]["failure_advice"],
        "Check the port, and that the service is running and listens on this address."
    );
}

#[test]
fn what_works_and_not_well_is_exit_1() {
    let cluster = cluster();
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("endpoints.toml");
    let text = format!(
        "[[endpoint]]\nname = 'Crowded'\nurl = 'postgresql://app@127.0.0.1:{}/postgres'\npassword_env = 'SECRET'\nconnections_percent = 1\n",
        cluster.port()
    );
    fs::write(&file, text).expect("written");
    let _held = [cluster.hold_session(), cluster.hold_session()];
    let mut command = probe(&["--file", file.to_str().expect("text"), "--output", "json"]);
    let ended = run(command.env("SECRET", "p@ss/w#rd"));
    let [row] = json(&ended).try_into().expect("one row");
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        (&row["status"], &row["failure_kind"]),
        (&"degraded".into(), &"connections_high".into())
    );
}

#[test]
fn what_cannot_be_read_is_exit_2_and_says_nothing_secret() {
    let complaint = |arguments: &[&str]| {
        let ended = run(&mut probe(arguments));
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
        ended.stderr.trim().to_owned()
    };
    expect!["insightpulse: URL 2 cannot be read: The port is none; ports are 1 to 65535."]
        .assert_eq(&complaint(&["https://a", "mysql://u:canary@db:99999/x"]));
    expect!["insightpulse: read /no/such.toml: No such file or directory (os error 2)"]
        .assert_eq(&complaint(&["--file", "/no/such.toml"]));
    expect!["insightpulse: --timeout is 0.05 to 600 seconds"].assert_eq(&complaint(&[
        "https://a",
        "--timeout",
        "0",
    ]));
    assert!(complaint(&[]).contains("required arguments were not provided"));
    assert!(complaint(&["--password", "canary", "https://a"]).contains("unexpected argument '--password'"));
    let ended = run(probe(&["https://a"]).env("INSIGHTPULSE_EGRESS__DENI", "x"));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn a_password_comes_from_a_variable_or_from_standard_input() {
    let cluster = cluster();
    let url = format!("postgresql://app@127.0.0.1:{}/postgres", cluster.port());
    assert_eq!(run(&mut probe(&[&url])).code, Some(1));
    assert_eq!(run(probe(&[&url]).env("PGPASSWORD", "p@ss/w#rd")).code, Some(0));
    let mut child = probe(&[&url, "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"p@ss/w#rd\n").expect("it reads");
    drop(stdin);
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}

#[test]
fn the_table_is_plain_where_nobody_sees_colours_and_has_no_control_characters_of_a_name() {
    let plain = run(&mut probe(&["http://127.0.0.1:1/%1B%5B31m"]));
    assert!(!plain.stdout.contains('\x1b'), "{:?}", plain.stdout);
    assert!(
        plain.stdout.contains("0 healthy, 0 degraded, 1 failed"),
        "{}",
        plain.stdout
    );
    assert!(
        plain.stdout.contains("127.0.0.1:1 refused the connection."),
        "{}",
        plain.stdout
    );
    let colored = run(&mut probe(&["http://127.0.0.1:1", "--color", "always"]));
    assert!(colored.stdout.contains("\x1b["), "{:?}", colored.stdout);
}

#[test]
fn what_is_watched_is_tested_until_nobody_reads_any_more() {
    let mut child = probe(&["http://127.0.0.1:1", "--watch=0.1", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    for _ in 0..3 {
        let line = lines.next().expect("another round").expect("text");
        let rows: Vec<Value> = serde_json::from_str(&line).expect("a line is a document");
        assert_eq!(rows[0]["failure_kind"], "refused");
    }
    drop(lines);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}
