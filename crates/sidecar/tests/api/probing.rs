//! Tests, as a click starts them and as their results come back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use insightpulse_test_support::{BlackHole, FaultServer, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fake_odoo::FakeOdoo;
use crate::service::{Home, Service, WAIT, changed, cluster, endpoint};

fn guest(id: u128, port: u16) -> Value {
    changed(&endpoint(id, port), &json!({"username": "guest"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_together_is_written_back_in_one_call_as_it_was_told() {
    let (service, odoo, _home) = Service::with_odoo().await;
    let broken = |id| changed(&endpoint(id, 5432), &json!({"base_url": null}));
    let endpoints: Vec<_> = (1..=5).map(broken).collect();
    let results = service.probes("r", WAIT, &endpoints).await;
    let written = odoo.wait_for(5).await;
    let ids = |outcomes: &[Value]| -> BTreeSet<i64> {
        outcomes
            .iter()
            .map(|outcome| outcome["id"].as_i64().expect("an id"))
            .collect()
    };
    assert_eq!(ids(&written), BTreeSet::from([1, 2, 3, 4, 5]));
    assert_eq!(odoo.batches().len(), 1);
    for result in &results {
        assert_eq!(result["state"], "done");
        let mut told = result.clone();
        told.as_object_mut().expect("an object").remove("state");
        assert!(written.contains(&told), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_dialled_says_what_to_correct() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    for (change, said) in [
        (json!({"base_url": null}), "The server is missing."),
        (
            json!({"base_url": "a b"}),
            "“a b” is not a host name or an IP address.",
        ),
        (
            json!({"port": 70000}),
            "70000 is not a port; ports are 1 to 65535.",
        ),
        (json!({"port": -1}), "-1 is not a port; ports are 1 to 65535."),
        (json!({"username": null}), "The user name is missing."),
        (
            json!({"kind": "api", "base_url": "file:///etc/passwd"}),
            "The scheme “file” is not allowed; http and https are.",
        ),
    ] {
        let broken = changed(&endpoint(7, 5432), &change);
        let result = &service.probes(said, WAIT, &[broken]).await[0];
        assert_eq!(result["failure_kind"], "invalid_endpoint", "{result}");
        assert_eq!(result["failure_message"], said);
        assert_eq!(
            result["failure_advice"],
            "Correct the connection's fields, then test again."
        );
        assert_eq!(
            (&result["latency_ms"], &result["phases"]),
            (&Value::Null, &json!({}))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_has_what_identifies_it_and_what_was_measured() {
    let cluster = cluster();
    let (service, odoo, _home) = Service::with_odoo().await;
    service.probes("r", 0, &[guest(7, cluster.port())]).await;
    let outcome = &odoo.wait_for(1).await[0];
    let keys: Vec<_> = outcome
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        BTreeSet::from_iter(keys),
        BTreeSet::from([
            "active_connections",
            "checked_at",
            "explanations",
            "facts",
            "failure_advice",
            "failure_kind",
            "failure_message",
            "id",
            "latency_ms",
            "max_connections",
            "phases",
            "probe",
            "record",
            "revision",
            "server_version",
            "status",
        ])
    );
    assert_eq!(
        (&outcome["id"], &outcome["record"], &outcome["revision"]),
        (&json!(7), &json!(Uuid::from_u128(7)), &json!(3))
    );
    let probe: Uuid = outcome["probe"].as_str().expect("text").parse().expect("a uuid");
    assert_eq!(probe.get_version_num(), 7);
    let phases = outcome["phases"].as_object().expect("an object");
    let sum: f64 = phases.values().filter_map(Value::as_f64).sum();
    assert!(
        (outcome["latency_ms"].as_f64().expect("a number") - sum).abs() < 0.001,
        "{outcome}"
    );
    assert!(
        outcome["checked_at"].as_str().is_some_and(|at| at.ends_with('Z')),
        "{outcome}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_probes_once() {
    let server = FaultServer::answering(["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]).await;
    let (service, odoo, _home) = Service::with_odoo().await;
    let api = changed(
        &endpoint(7, server.port()),
        &json!({"kind": "api", "base_url": "http://127.0.0.1", "username": null}),
    );
    let first = service.probes("r1", WAIT, std::slice::from_ref(&api)).await;
    let again = service.probes("r1", WAIT, std::slice::from_ref(&api)).await;
    assert_eq!(first[0]["probe"], again[0]["probe"]);
    assert_eq!(server.seen().accepted, 1);
    let other = service.probes("r2", WAIT, &[api]).await;
    assert_ne!(first[0]["probe"], other[0]["probe"]);
    eventually("the second test has arrived", || {
        odoo.outcomes()
            .iter()
            .any(|outcome| outcome["probe"] == other[0]["probe"])
    })
    .await;
    assert_eq!(server.seen().accepted, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_is_told_testing_and_odoo_the_end() {
    let hole = BlackHole::start().await;
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url()).with_timeout(Duration::from_secs(2));
    let service = home.start().await;
    let results = service.probes("r", 50, &[endpoint(7, hole.port())]).await;
    assert_eq!(
        (&results[0]["id"], &results[0]["state"]),
        (&json!(7), &json!("testing"))
    );
    let outcome = &odoo.wait_for(1).await[0];
    assert_eq!(outcome["probe"], results[0]["probe"]);
    assert_eq!(outcome["failure_kind"], "timeout");
    assert_eq!(
        outcome["failure_advice"],
        "Check for a firewall that drops packets, a wrong address, or an overloaded server."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_endpoints_with_twenty_black_holes_take_one_timeout() {
    let (cluster, hole) = (cluster(), BlackHole::start().await);
    let odoo = FakeOdoo::start().await;
    // Long enough for the others to end while the holes still wait.
    let home = Home::new(odoo.url()).with_timeout(Duration::from_secs(6));
    let service = home.start().await;
    let endpoints: Vec<_> = (1..=200)
        .map(|id| {
            let port = if id % 10 == 0 { hole.port() } else { cluster.port() };
            // How fast a busy machine is, is not asserted: 0 switches that warning off.
            changed(&guest(id, port), &json!({"slow_ms": 0}))
        })
        .collect();
    let results = service.probes("r", 300, &endpoints).await;
    assert_eq!(results.len(), 200);
    // One after the other, there would never be more than one.
    eventually("all twenty black holes are being dialled at once", || {
        hole.attempts() == 20
    })
    .await;
    let outcomes = odoo.wait_for(200).await;
    let mut kinds = BTreeMap::new();
    for outcome in &outcomes {
        *kinds.entry(outcome["failure_kind"].to_string()).or_insert(0) += 1;
    }
    let expected = [("\"timeout\"".to_owned(), 20), ("null".to_owned(), 180)];
    assert_eq!(kinds, BTreeMap::from(expected));
    let records: BTreeSet<_> = outcomes
        .iter()
        .map(|outcome| outcome["record"].to_string())
        .collect();
    assert_eq!((records.len(), outcomes.len()), (200, 200), "each once");
    assert!(odoo.batches().len() <= 40, "{} calls", odoo.batches().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_probes_run_at_once_than_are_allowed() {
    let server = FaultServer::silent().await;
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.probe.concurrency.total = 3;
    let service = home.start().await;
    let endpoints: Vec<_> = (1..=12).map(|id| endpoint(id, server.port())).collect();
    service.probes("r1", 0, &endpoints).await;
    eventually("three probes are under way", || server.seen().open == 3).await;
    // It would be done at once if its turn came.
    let broken = changed(&endpoint(13, 5432), &json!({"base_url": null}));
    let results = service.probes("r2", 300, &[broken]).await;
    assert_eq!(results[0]["state"], "testing");
    assert_eq!(server.seen().accepted, 3);
}
