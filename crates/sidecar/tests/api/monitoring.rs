//! What is monitored is tested by itself, and Odoo learns what changes.

use insightpulse_test_support::{FaultServer, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fake_odoo::{FakeOdoo, Mood};
use crate::service::{DATABASE_UUID, Service, changed, cluster, endpoint, monitored};

/// What needs neither a name nor a server to fail.
fn broken(id: u128) -> Value {
    monitored(&changed(&endpoint(id, 5432), &json!({"base_url": null})))
}

async fn hint(service: &Service, ids: &[i64]) {
    let body = json!({"database": DATABASE_UUID, "database_name": "production", "changed": ids});
    let answer = service.post("/v1/endpoints", &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

fn events(outcomes: &[Value]) -> Vec<(i64, Value, Value)> {
    outcomes
        .iter()
        .flat_map(|outcome| {
            let events = outcome["events"].as_array().cloned().unwrap_or_default();
            let id = outcome["id"].as_i64().expect("an id");
            events
                .into_iter()
                .map(move |event| (id, event["from"].clone(), event["to"].clone()))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_odoo_lists_is_tested_without_being_asked_for() {
    let (service, odoo, _home) = Service::with_odoo().await;
    odoo.monitor(&[broken(7), broken(8)]);
    hint(&service, &[7, 8]).await;
    let outcomes = odoo.wait_for(2).await;
    let mut seen = events(&outcomes);
    seen.sort_by_key(|(id, ..)| *id);
    let failed = json!("failed");
    assert_eq!(seen, [(7, Value::Null, failed.clone()), (8, Value::Null, failed)]);
    let tally = &outcomes[0]["tallies"][0];
    assert_eq!((&tally["probes"], &tally["failures"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restart_finds_is_not_told_again() {
    let odoo = FakeOdoo::start().await;
    let known = changed(
        &broken(7),
        &json!({"status": "failed", "last_probe": Uuid::from_u128(u128::MAX >> 4)}),
    );
    odoo.monitor(&[known]);
    let home = crate::service::Home::new(odoo.url());
    let service = home.start().await;
    let outcomes = odoo.wait_for(1).await;
    assert_eq!(events(&outcomes), []);
    // Whatever the clock says, it is newer than what Odoo has.
    let probe: Uuid = outcomes[0]["probe"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a uuid");
    assert!(probe > Uuid::from_u128(u128::MAX >> 4), "{probe}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_for_a_restart_is_told_once() {
    let odoo = FakeOdoo::start().await;
    let known = json!({"status": "success", "last_probe": Uuid::from_u128(1), "failure_threshold": 1});
    odoo.monitor(&[changed(&broken(7), &known)]);
    odoo.set(Mood::NoResults);
    let home = crate::service::Home::new(odoo.url());
    let service = home.start().await;
    eventually("it is known to have failed", || {
        !events(&odoo.refused()).is_empty()
    })
    .await;
    service.stop().await;
    odoo.set(Mood::Well);
    // Odoo lists what it knew before.
    let service = home.start().await;
    odoo.wait_for(3).await;
    assert_eq!(events(&odoo.outcomes()), [(7, json!("success"), json!("failed"))]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_edited_is_read_again_and_what_is_gone_is_left_alone() {
    let server = FaultServer::silent().await;
    let (service, odoo, _home) = Service::with_odoo().await;
    let first = changed(
        &monitored(&endpoint(7, server.port())),
        &json!({"timeout_ms": 200}),
    );
    odoo.monitor(std::slice::from_ref(&first));
    hint(&service, &[7]).await;
    eventually("it is tested", || server.seen().accepted >= 1).await;
    odoo.monitor(&[changed(&broken(7), &json!({"revision": 4, "version": "2"}))]);
    hint(&service, &[7]).await;
    eventually("the new revision is told of", || {
        odoo.outcomes().iter().any(|outcome| outcome["revision"] == 4)
    })
    .await;
    odoo.monitor(&[]);
    hint(&service, &[7]).await;
    // A test that had begun may still be told of.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let (accepted, told) = (server.seen().accepted, odoo.outcomes().len());
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert_eq!((server.seen().accepted, odoo.outcomes().len()), (accepted, told));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_edited_and_tested_before_it_was_read_is_told_once() {
    let server = cluster();
    let (service, odoo, _home) = Service::with_odoo().await;
    let guest = changed(
        &monitored(&endpoint(7, server.port())),
        &json!({"username": "guest"}),
    );
    odoo.monitor(&[guest]);
    hint(&service, &[7]).await;
    odoo.wait_for(1).await;
    let edited = changed(&broken(7), &json!({"revision": 4, "version": "2"}));
    service
        .probes(
            "r",
            3_000,
            &[changed(
                &endpoint(7, 5432),
                &json!({"base_url": null, "revision": 4}),
            )],
        )
        .await;
    odoo.monitor(&[edited]);
    hint(&service, &[7]).await;
    let tests_of_it = || {
        let outcomes = odoo.outcomes();
        outcomes.iter().filter(|outcome| outcome["revision"] == 4).count()
    };
    eventually("it is tested again, by schedule", || tests_of_it() >= 2).await;
    let (up, down) = (json!("success"), json!("failed"));
    assert_eq!(
        events(&odoo.outcomes()),
        [(7, Value::Null, up), (7, Value::Null, down)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_failures_in_a_row_are_told_once_and_so_is_the_recovery() {
    let server = cluster();
    let (service, odoo, _home) = Service::with_odoo().await;
    let guest = changed(
        &monitored(&endpoint(7, server.port())),
        &json!({"username": "guest", "status": "success", "success_threshold": 2}),
    );
    odoo.monitor(&[guest]);
    hint(&service, &[7]).await;
    odoo.wait_for(1).await;
    assert_eq!(events(&odoo.outcomes()), []);
    server.sql("alter role guest nologin");
    let (up, down) = (json!("success"), json!("failed"));
    eventually("it is told that it failed", || {
        events(&odoo.outcomes()).len() == 1
    })
    .await;
    let pending: Vec<_> = odoo
        .outcomes()
        .iter()
        .filter(|outcome| outcome["unconfirmed"]["count"] == 1)
        .map(|outcome| outcome["status"].clone())
        .collect();
    assert_eq!(
        pending,
        std::slice::from_ref(&up),
        "one failure alone is shown as what it is"
    );
    server.sql("alter role guest login");
    eventually("it is told that it works again", || {
        events(&odoo.outcomes()).len() == 2
    })
    .await;
    assert_eq!(
        events(&odoo.outcomes()),
        [(7, up.clone(), down.clone()), (7, down, up)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_is_tested_by_hand_and_nobody_is_told() {
    let (service, odoo, _home) = Service::with_odoo().await;
    // It is there once its neighbour is tested.
    odoo.monitor(&[changed(&broken(7), &json!({"is_paused": true})), broken(8)]);
    hint(&service, &[7, 8]).await;
    odoo.wait_for(1).await;
    service.probes("r", 0, &[broken(7)]).await;
    eventually("it is told of", || {
        odoo.outcomes().iter().any(|outcome| outcome["id"] == 7)
    })
    .await;
    let outcomes = odoo.outcomes();
    let quiet = outcomes.iter().find(|outcome| outcome["id"] == 7).expect("there");
    assert_eq!(quiet["events"][0]["is_quiet"], true);
    let loud = outcomes.iter().find(|outcome| outcome["id"] == 8).expect("there");
    assert_eq!(loud["events"][0]["is_quiet"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_odoo_is_away_arrives_once_and_in_its_order() {
    let (service, odoo, _home) = Service::with_odoo().await;
    odoo.monitor(&[broken(7)]);
    hint(&service, &[7]).await;
    odoo.wait_for(1).await;
    odoo.set(Mood::BadGateway);
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    odoo.set(Mood::Well);
    eventually("what was kept arrives", || odoo.outcomes().len() >= 2).await;
    assert_eq!(events(&odoo.outcomes()).len(), 1);
    let probes: Vec<_> = odoo
        .outcomes()
        .iter()
        .map(|outcome| outcome["probe"].to_string())
        .collect();
    assert!(probes.is_sorted(), "{probes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_of_the_same_name_gets_nothing() {
    let (service, odoo, _home) = Service::with_odoo().await;
    odoo.become_another(Uuid::from_u128(0xbad));
    odoo.monitor(&[broken(7)]);
    hint(&service, &[7]).await;
    service
        .probes("r", 0, &[changed(&endpoint(9, 5432), &json!({"base_url": null}))])
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(odoo.outcomes(), Vec::<Value>::new());
    odoo.become_another(DATABASE_UUID);
    odoo.wait_for(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_renamed_is_asked_by_its_new_name() {
    let (service, _odoo, home) = Service::with_odoo().await;
    let body = json!({"database": DATABASE_UUID, "database_name": "renamed"});
    assert_eq!(service.post("/v1/endpoints", &body).await.status, 202);
    let reason = service
        .odoo_once(|reason| reason.is_some_and(|reason| !reason.contains("not been asked")))
        .await;
    assert!(
        reason.as_str().is_some_and(|reason| reason.contains("login")),
        "{reason}"
    );
    assert!(home.insightpulse(&["pair", "list"]).contains("renamed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_an_endpoint_is_for_its_database() {
    let (service, odoo, _home) = Service::with_odoo().await;
    odoo.monitor(&[broken(7)]);
    hint(&service, &[7]).await;
    odoo.wait_for(1).await;
    let ask = async |range: &str| {
        let path = format!(
            "/v1/history?database={DATABASE_UUID}&record={}&range={range}",
            Uuid::from_u128(7)
        );
        crate::service::Answer::of(service.request(reqwest::Method::GET, &path)).await
    };
    let answer = ask("24h").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let history = answer.json();
    assert_eq!(history["points"][0]["failures"], 1);
    assert_eq!(history["uptime"][3]["range"], "90d");
    assert_eq!(ask("1y").await.json()["code"], "malformed_body");
}
