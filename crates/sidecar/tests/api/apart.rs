//! One sidecar serves several databases, and none of them has anything of another's.

use insightpulse_test_support::FaultServer;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fake_odoo::FakeOdoo;
use crate::service::{Answer, DATABASE_UUID, Home, PASSWORD, Service, WAIT, changed, cluster, endpoint};

const OTHER: Uuid = Uuid::from_u128(0x07e4);

/// The service, paired with two databases; the token of the second.
async fn two(first: &FakeOdoo, second: &FakeOdoo, carry_over: bool) -> (Home, Service, String) {
    second.become_another(OTHER);
    let home = Home::new(first.url());
    let service = home.start().await;
    let from = DATABASE_UUID.to_string();
    let mut arguments = vec!["pair", "--quiet"];
    if carry_over {
        arguments.extend(["--carry-over-from", &from]);
    }
    let code = home.insightpulse(&arguments);
    let pairing = changed(
        &home.pairing(&code, "second"),
        &json!({"database": OTHER, "odoo_url": second.url()}),
    );
    let token = service.pair(&pairing).await;
    (home, service, token)
}

async fn post(service: &Service, token: &str, path: &str, body: &Value) -> Answer {
    Answer::of(
        service
            .anonymous(Method::POST, path)
            .bearer_auth(token)
            .json(body),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_asks_for_its_own_database_alone() {
    let (first, second) = (FakeOdoo::start().await, FakeOdoo::start().await);
    let (_home, service, token) = two(&first, &second, false).await;
    for (token, database, status) in [
        (&service.token, DATABASE_UUID, 200),
        (&token, OTHER, 200),
        (&service.token, OTHER, 409),
        (&token, DATABASE_UUID, 409),
    ] {
        let body = json!({"database": database, "items": []});
        assert_eq!(post(&service, token, "/v1/seal", &body).await.status, status);
        assert_eq!(post(&service, token, "/v1/open", &body).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_database_sealed_does_not_open_in_another() {
    let listener = FaultServer::silent().await;
    let (first, second) = (FakeOdoo::start().await, FakeOdoo::start().await);
    let (_home, service, token) = two(&first, &second, false).await;
    let bare = endpoint(7, listener.port());
    let sealed = service.seal("canary", &bare).await;
    let copied = changed(&bare, &json!({"password": sealed}));
    let probes = json!({"database": OTHER, "request": "r", "wait_ms": WAIT, "endpoints": [copied]});
    let answer = post(&service, &token, "/v1/probes", &probes).await;
    assert_eq!(answer.json()["results"][0]["failure_kind"], "secret_unreadable");
    let open = json!({"database": OTHER, "items": [{"field": "password", "endpoint": copied}]});
    let answer = post(&service, &token, "/v1/open", &open).await;
    assert_eq!(answer.json()["results"][0]["secret"], Value::Null);
    let item = json!({"field": "password", "token": sealed, "from": bare, "to": bare});
    let stolen = json!({"database": OTHER, "from_database": DATABASE_UUID, "items": [item]});
    let answer = post(&service, &token, "/v1/rebind", &stolen).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (403, &json!("carry_over_not_permitted"))
    );
    assert_eq!(listener.seen().accepted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_go_to_the_database_that_asked() {
    let (first, second) = (FakeOdoo::start().await, FakeOdoo::start().await);
    let (_home, service, token) = two(&first, &second, false).await;
    // The same record, as in a copy of the database, at the same time.
    let broken = changed(&endpoint(7, 5432), &json!({"base_url": null}));
    let body = |database: Uuid| json!({"database": database, "request": "r", "wait_ms": WAIT, "endpoints": [broken]});
    let (bodies, tokens) = ([body(DATABASE_UUID), body(OTHER)], [&service.token, &token]);
    let (one, two) = tokio::join!(
        post(&service, tokens[0], "/v1/probes", &bodies[0]),
        post(&service, tokens[1], "/v1/probes", &bodies[1])
    );
    let probe = |answer: &Answer| answer.json()["results"][0]["probe"].clone();
    assert_ne!(probe(&one), probe(&two));
    assert_eq!(first.wait_for(1).await[0]["probe"], probe(&one));
    assert_eq!(second.wait_for(1).await[0]["probe"], probe(&two));
    service.stop().await;
    assert_eq!((first.outcomes().len(), second.outcomes().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_the_sidecar_may_let_a_copy_take_the_secrets_over() {
    let cluster = cluster();
    let (first, second) = (FakeOdoo::start().await, FakeOdoo::start().await);
    let (home, service, token) = two(&first, &second, true).await;
    let bare = endpoint(7, cluster.port());
    let sealed = service.seal(PASSWORD, &bare).await;
    let item = json!({"field": "password", "token": sealed, "from": bare, "to": bare});
    let carry = json!({"database": OTHER, "from_database": DATABASE_UUID, "items": [item]});
    let answer = post(&service, &token, "/v1/rebind", &carry).await;
    let carried = answer.json()["results"][0]["token"].clone();
    assert!(carried.is_string(), "{answer:?}");
    let probes = json!({
        "database": OTHER, "request": "r", "wait_ms": WAIT,
        "endpoints": [changed(&bare, &json!({"password": carried}))],
    });
    let answer = post(&service, &token, "/v1/probes", &probes).await;
    assert_eq!(answer.json()["results"][0]["status"], "success", "{answer:?}");
    // What was carried over already is no error the second time, and a day later nothing is.
    let again = json!({
        "database": OTHER, "from_database": DATABASE_UUID,
        "items": [changed(&carry["items"][0], &json!({"token": carried}))],
    });
    let answer = post(&service, &token, "/v1/rebind", &again).await;
    assert!(answer.json()["results"][0]["token"].is_string(), "{answer:?}");
    home.rewrite("pairings.json", |pairings| {
        pairings[1]["paired_at"] = json!("2020-01-01T00:00:00Z")
    });
    assert_eq!(post(&service, &token, "/v1/rebind", &carry).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn unpairing_one_leaves_the_other_alone() {
    let (first, second) = (FakeOdoo::start().await, FakeOdoo::start().await);
    let (home, service, token) = two(&first, &second, false).await;
    home.insightpulse(&["pair", "remove", &OTHER.to_string()]);
    let body = |database: Uuid| json!({"database": database});
    assert_eq!(
        post(&service, &token, "/v1/status", &body(OTHER)).await.status,
        401
    );
    assert_eq!(
        post(&service, &service.token, "/v1/status", &body(DATABASE_UUID))
            .await
            .status,
        200
    );
}
