//! A program of the company's own is told what happens, signed, until it has it.

use insightpulse_test_support::eventually;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::fake_odoo::FakeOdoo;
use crate::service::{DATABASE_UUID, Service, changed, endpoint, monitored, now};

/// A receiver, whose first answers are as bad as the test wants.
pub async fn receiver(failures: u64) -> MockServer {
    let server = MockServer::start().await;
    if failures > 0 {
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(503))
            .up_to_n_times(failures)
            .mount(&server)
            .await;
    }
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    server
}

/// As Odoo tells of it, with a key that is sealed for it.
pub async fn hook(service: &Service, url: &str) -> Value {
    let hook = json!({"record": Uuid::from_u128(99), "kind": "api", "base_url": url});
    let item = json!({"field": "api_key", "secret": "a secret of some length", "endpoint": hook});
    let answer = service
        .post("/v1/seal", &json!({"database": DATABASE_UUID, "items": [item]}))
        .await;
    changed(&hook, &json!({"api_key": answer.json()["tokens"][0]}))
}

pub async fn look_at_all(service: &Service) {
    let body = json!({"database": DATABASE_UUID, "database_name": "production", "all": true});
    assert_eq!(service.post("/v1/endpoints", &body).await.status, 202);
}

fn broken() -> Value {
    monitored(&changed(&endpoint(7, 5432), &json!({"base_url": null})))
}

/// What Odoo lists once it knows.
fn known_to_be_broken() -> Value {
    changed(&broken(), &json!({"status": "failed"}))
}

async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.expect("recorded");
    requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
        .collect()
}

/// The id of each message that came, whatever it was answered.
pub async fn ids(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.expect("recorded");
    let id = |request: &wiremock::Request| request.headers["webhook-id"].to_str().expect("text").to_owned();
    requests.iter().map(id).collect()
}

/// Waits until so many have come.
pub async fn arrived(server: &MockServer, messages: usize) -> Vec<String> {
    let now = || now(async { ids(server).await });
    eventually("messages have come", || now().len() >= messages).await;
    now()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_told_signed_and_again_until_it_has_arrived() {
    let receiver = receiver(1).await;
    let (service, odoo, _home): (_, FakeOdoo, _) = Service::with_odoo().await;
    odoo.set_webhook(Some(
        hook(&service, &format!("{}/hook?a=b", receiver.uri())).await,
    ));
    odoo.monitor(&[broken()]);
    look_at_all(&service).await;
    arrived(&receiver, 2).await;
    let requests = receiver.received_requests().await.expect("recorded");
    let header = |index: usize, name: &str| requests[index].headers[name].to_str().expect("text").to_owned();
    assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"));
    assert!(header(1, "webhook-signature").starts_with("v1,"));
    assert_eq!(requests[1].url.query(), Some("a=b"));
    let body = &bodies(&receiver).await[1];
    assert_eq!(body["type"], "connection.failed");
    assert_eq!(body["data"]["endpoint"]["name"], "Test 7");
    assert_eq!(
        body["data"]["id"].as_str().expect("an id"),
        header(1, "webhook-id")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_has_not_taken_is_told_after_a_restart() {
    let (deaf, hearing) = (receiver(u64::MAX).await, receiver(0).await);
    let (service, odoo, home) = Service::with_odoo().await;
    odoo.set_webhook(Some(hook(&service, &deaf.uri()).await));
    odoo.monitor(&[broken()]);
    look_at_all(&service).await;
    let tried = arrived(&deaf, 1).await;
    odoo.set_webhook(Some(hook(&service, &hearing.uri()).await));
    odoo.wait_for(1).await;
    odoo.monitor(&[known_to_be_broken()]);
    service.stop().await;
    let service = home.start().await;
    assert_eq!(arrived(&hearing, 1).await, tried[..1]);
    service.stop().await;
    // It has arrived: there is nothing to tell.
    let service = home.start().await;
    look_at_all(&service).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(ids(&hearing).await.len(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_once_the_webhook_is_taken_away() {
    let deaf = receiver(u64::MAX).await;
    let (service, odoo, home) = Service::with_odoo().await;
    odoo.set_webhook(Some(hook(&service, &deaf.uri()).await));
    odoo.monitor(&[broken()]);
    look_at_all(&service).await;
    arrived(&deaf, 1).await;
    odoo.wait_for(1).await;
    odoo.monitor(&[known_to_be_broken()]);
    odoo.set_webhook(None);
    look_at_all(&service).await;
    let body = json!({"database": DATABASE_UUID, "endpoint": endpoint(7, 5432)});
    eventually("it is known", || {
        now(async { service.post("/v1/alerts", &body).await.json()["sent"].is_null() })
    })
    .await;
    odoo.set_webhook(Some(hook(&service, &deaf.uri()).await));
    let before = ids(&deaf).await.len();
    service.stop().await;
    let service = home.start().await;
    look_at_all(&service).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(ids(&deaf).await.len(), before);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_says_what_became_of_it() {
    let receiver = receiver(1).await;
    let (service, odoo, _home) = Service::with_odoo().await;
    odoo.set_webhook(Some(hook(&service, &receiver.uri()).await));
    look_at_all(&service).await;
    let body = json!({"database": DATABASE_UUID, "endpoint": endpoint(7, 5432)});
    let mut answers = Vec::new();
    eventually("both were answered", || {
        let answer = now(async { service.post("/v1/alerts", &body).await.json() });
        if !answer["sent"].is_null() {
            answers.push(answer);
        }
        answers.len() == 2
    })
    .await;
    assert_eq!(
        answers[0],
        json!({"sent": false, "error": "it answers with HTTP 503"})
    );
    assert_eq!(answers[1], json!({"sent": true, "error": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_egress_policy_holds_for_a_webhook_too() {
    let (service, odoo, _home) = Service::with_odoo().await;
    odoo.set_webhook(Some(hook(&service, "http://169.254.169.254/latest").await));
    look_at_all(&service).await;
    let body = json!({"database": DATABASE_UUID, "endpoint": endpoint(7, 5432)});
    let mut answer = Value::Null;
    eventually("it was answered", || {
        answer = now(async { service.post("/v1/alerts", &body).await.json() });
        answer["sent"] == false
    })
    .await;
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.contains("egress")),
        "{answer}"
    );
}
