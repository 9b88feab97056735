//! Sidecars with nothing but a store and a keyring together: who is paired with one is paired with all.

use std::sync::atomic::Ordering;
use std::time::Duration;

use insightpulse_test_support::{Cluster, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::fake_odoo::FakeOdoo;
use crate::replicas::{broken, give_back, shares, store, take_away};
use crate::service::{Answer, DATABASE_UUID, Home, Service, changed, now};
use crate::way::{Fault, way_to};

/// Two machines, one store, nobody paired.
async fn two() -> (Cluster, FakeOdoo, Home, Home) {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let elsewhere = home.elsewhere();
    (cluster, odoo, home, elsewhere)
}

async fn status(service: &Service, token: &str) -> u16 {
    let request = service.anonymous(Method::POST, "/v1/status").bearer_auth(token);
    Answer::of(request.json(&json!({"database": DATABASE_UUID})))
        .await
        .status
}

fn status_now(service: &Service, token: &str) -> u16 {
    now(status(service, token))
}

async fn pair(service: &Service, pairing: &Value) -> Answer {
    Answer::of(service.anonymous(Method::POST, "/v1/pair").json(pairing)).await
}

/// Waits until so many sidecars know the store: before that it says nothing to them.
async fn there(cluster: &Cluster, sidecars: &str) {
    eventually("the sidecars are there", || {
        cluster.sql("select to_regclass('insightpulse.replica') is not null") == "t"
            && cluster.sql("select count(*) from insightpulse.replica") == sidecars
    })
    .await;
}

/// What is there of a code, sealed; nothing, before the tables are made.
fn code(cluster: &Cluster) -> String {
    match cluster
        .sql("select to_regclass('insightpulse.pairing_code') is not null")
        .as_str()
    {
        "t" => cluster.sql("select sealed from insightpulse.pairing_code"),
        _ => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_paired_with_one_is_served_by_all_at_once() {
    let (cluster, odoo, home, elsewhere) = two().await;
    odoo.monitor(
        &(1..=8)
            .map(|id| changed(&broken(id), &json!({"record": Uuid::from_u128(id << 90)})))
            .collect::<Vec<_>>(),
    );
    let (mut first, second) = (home.start_unpaired(), elsewhere.start_unpaired());
    there(&cluster, "2").await;
    first.token = first.pair(&home.pairing(&home.code(), "r")).await;
    assert_eq!(status(&second, &first.token).await, 200);
    assert_eq!(status(&second, "somebody's").await, 401);
    eventually("both have a part", || shares(&cluster) == [32, 32]).await;
    odoo.wait_for(8).await;
    // Neither a token nor a key is there for who reads the store.
    let stored = cluster.sql("select sealed from insightpulse.pairing");
    for secret in [
        first.token.as_str(),
        crate::fake_odoo::API_KEY,
        crate::fake_odoo::LOGIN,
    ] {
        assert!(!stored.contains(secret), "{stored}");
    }
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_one_pairs_with_another_and_once() {
    let (cluster, _odoo, home, elsewhere) = two().await;
    let (first, second) = (home.start_unpaired(), elsewhere.start_unpaired());
    there(&cluster, "2").await;
    let void = home.code();
    eventually("a code is there for both", || !code(&cluster).is_empty()).await;
    let before = code(&cluster);
    let newer = home.code();
    eventually("it is the newer one", || code(&cluster) != before).await;
    assert_eq!(pair(&second, &elsewhere.pairing(&void, "r")).await.status, 403);
    assert_eq!(pair(&second, &elsewhere.pairing(&newer, "r")).await.status, 200);
    // Odoo runs its request again, and the balancer chooses another.
    let again = pair(&first, &home.pairing(&newer, "r")).await;
    assert_eq!(again.status, 200);
    assert_eq!(pair(&first, &home.pairing(&newer, "s")).await.status, 403);
    let token = again.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(status(&first, &token).await, 200);
    eventually("the newest token counts everywhere", || {
        status_now(&second, &token) == 200
    })
    .await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_used_stays_used_whoever_still_has_it() {
    let (cluster, _odoo, home, elsewhere) = two().await;
    let newer = home.code();
    let file = home.state_dir.join("pairing-code.json");
    let kept = std::fs::read(&file).expect("there");
    let (first, second) = (home.start_unpaired(), elsewhere.start_unpaired());
    there(&cluster, "2").await;
    eventually("the code is there for both", || !code(&cluster).is_empty()).await;
    assert_eq!(pair(&second, &elsewhere.pairing(&newer, "r")).await.status, 200);
    // The answer to the move was lost, or another of the same directory had read it before.
    std::fs::write(&file, kept).expect("written");
    eventually("it is moved again", || !file.exists()).await;
    assert_eq!(pair(&first, &home.pairing(&newer, "s")).await.status, 403);
    // And if somebody with the store makes it new, who has seen it used remembers.
    cluster.sql("update insightpulse.pairing_code set request = null, used_at = null");
    assert_eq!(pair(&second, &elsewhere.pairing(&newer, "s")).await.status, 403);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_holds_up_neither_a_pairing_nor_a_stranger() {
    let (cluster, settings) = store();
    let (settings, hangs) = way_to(cluster.port(), settings, Fault::Hangs).await;
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let service = home.start_unpaired();
    there(&cluster, "1").await;
    hangs.store(true, Ordering::SeqCst);
    // As long as Odoo waits.
    let patience = Duration::from_secs(2);
    let pairing = home.pairing(&home.code(), "r");
    let answer = timeout(patience, pair(&service, &pairing))
        .await
        .expect("in time");
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(status(&service, &token).await, 200);
    let mut strangers = JoinSet::new();
    for number in 0..40 {
        let request = service
            .anonymous(Method::POST, "/v1/status")
            .bearer_auth(format!("wrong {number}"));
        strangers.spawn(Answer::of(request));
    }
    let refused = timeout(patience, strangers.join_all()).await.expect("in time");
    assert!(refused.iter().all(|answer| answer.status == 401), "{refused:?}");
    hangs.store(false, Ordering::SeqCst);
    eventually("it is known there as well", || {
        cluster.sql("select count(*) from insightpulse.pairing") == "1"
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_unpaired_is_unpaired_everywhere_also_where_nobody_was() {
    let (cluster, _odoo, home, elsewhere) = two().await;
    let first = home.start().await;
    let token = first.token.clone();
    let second = elsewhere.start_unpaired();
    there(&cluster, "2").await;
    assert_eq!(status(&second, &token).await, 200);
    first.stop().await;
    let goodbye = second.anonymous(Method::POST, "/v1/unpair").bearer_auth(&token);
    assert_eq!(
        Answer::of(goodbye.json(&json!({"database": DATABASE_UUID})))
            .await
            .status,
        200
    );
    assert_eq!(status(&second, &token).await, 401);
    let first = home.start_unpaired();
    eventually("it has heard", || status_now(&first, &token) == 401).await;
    assert!(
        home.insightpulse(&["pair", "list"])
            .contains("No database is paired")
    );
    // By hand, at the other's console.
    let mut anew = home.pairing(&home.code(), "r");
    anew["database_name"] = json!("anew");
    let answer = pair(&first, &anew).await;
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    eventually("it is paired again", || status_now(&second, &token) == 200).await;
    home.insightpulse(&["pair", "remove", "anew"]);
    eventually("the other has heard", || status_now(&second, &token) == 401).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_api_key_is_everybodys() {
    let (_cluster, odoo, home, elsewhere) = two().await;
    let (first, mut second) = (home.start_unpaired(), elsewhere.start_unpaired());
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(1);
    let pairing = changed(
        &home.pairing(&home.code(), "r"),
        &json!({"api_key_expires_at": soon}),
    );
    second.token = first.pair(&pairing).await;
    eventually("the old key is retired", || {
        odoo.keys() == ["canary-renewed-key-1"]
    })
    .await;
    let key = |home: &Home| {
        let text = std::fs::read(home.state_dir.join("pairings.json")).expect("there");
        let pairings: Value = serde_json::from_slice(&text).expect("JSON");
        pairings[0]["api_key_since"].clone()
    };
    eventually("both have the new one", || key(&home) == key(&elsewhere)).await;
    second.odoo_once(|reason| reason.is_none()).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_into_the_store_lets_nobody_in() {
    let (cluster, odoo, home, _) = two().await;
    let first = home.start().await;
    let row = || {
        cluster.sql(&format!(
            "select sealed from insightpulse.pairing where database = '{DATABASE_UUID}'"
        ))
    };
    let ours = row();
    // The store of somebody else's making, with the same database and other keys.
    let forger = Home::new(odoo.url());
    let forged = {
        let (other, settings) = store();
        let mut forger = forger;
        forger.store = Some(settings);
        let service = forger.start().await;
        let sealed = other.sql("select sealed from insightpulse.pairing");
        let token = service.token.clone();
        service.stop().await;
        (sealed, token)
    };
    let garbage = "ip1.garbage";
    for text in [garbage, forged.0.as_str()] {
        cluster.sql(&format!("update insightpulse.pairing set sealed = '{text}'"));
        cluster.sql(&format!(
            "insert into insightpulse.pairing values (gen_random_uuid(), '{text}')"
        ));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(status(&first, &forged.1).await, 401);
        assert_eq!(status(&first, &first.token).await, 200);
        // The rest goes on.
        home.code();
        let file = home.state_dir.join("pairing-code.json");
        eventually("the code is in the store", || !file.exists()).await;
    }
    assert_eq!(home.insightpulse(&["pair", "list"]).lines().count(), 1);
    // What does not open is put right; what another key has sealed is left to whoever has it.
    cluster.sql(&format!("update insightpulse.pairing set sealed = '{garbage}'"));
    eventually("it is put right", || row() != garbage).await;
    assert_ne!(row(), ours);
    // A row of one database says nothing of another.
    let row_of_ours = row();
    let another = Uuid::from_u128(0xbad);
    cluster.sql(&format!(
        "insert into insightpulse.pairing values ('{another}', '{row_of_ours}')"
    ));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(home.insightpulse(&["pair", "list"]).lines().count(), 1);
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_it_is_paired_and_the_others_hear_later() {
    let (cluster, _odoo, home, elsewhere) = two().await;
    let (first, second) = (home.start_unpaired(), elsewhere.start_unpaired());
    there(&cluster, "2").await;
    take_away(&cluster);
    let answer = pair(&first, &home.pairing(&home.code(), "r")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(status(&first, &token).await, 200);
    assert_eq!(status(&second, &token).await, 401);
    give_back(&cluster);
    eventually("the other has heard", || status_now(&second, &token) == 200).await;
    first.stop().await;
    second.stop().await;
}
