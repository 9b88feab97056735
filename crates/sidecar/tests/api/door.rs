//! Nobody is answered under /v1 without the token, and nobody holds the door open.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fake_odoo::FakeOdoo;
use crate::service::{Answer, DATABASE_UUID, Home, Service};

const ROUTES: [(Method, &str); 15] = [
    (Method::POST, "/v1/status"),
    (Method::POST, "/v1/unpair"),
    (Method::POST, "/v1/rebind"),
    (Method::POST, "/v1/open"),
    (Method::POST, "/v1/probes"),
    (Method::POST, "/v1/seal"),
    (Method::POST, "/v1/endpoints"),
    (Method::POST, "/v1/alerts"),
    (Method::GET, "/v1/history"),
    (Method::POST, "/v1/parse"),
    (Method::POST, "/v1/render"),
    (Method::POST, "/v1/connect"),
    (Method::GET, "/v1/probes"),
    (Method::GET, "/v1"),
    (Method::DELETE, "/v1/no/such/route"),
];

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_token_every_route_says_only_that() {
    // A service each, for who guesses long is held up.
    for (method, path) in ROUTES {
        let (service, odoo, _home) = Service::with_odoo().await;
        let token = service.token.as_str();
        let almost = &token[..token.len() - 1];
        let bare = || service.anonymous(method.clone(), path).json(&"{}");
        for request in [
            bare(),
            bare().bearer_auth("canary-wrong-token"),
            bare().bearer_auth(almost),
            bare().bearer_auth(""),
            bare().basic_auth(token, Some(token)),
            service.anonymous(method.clone(), &format!("{path}?token={token}")),
        ] {
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
            assert_eq!(answer.content_type, "application/problem+json");
            assert_eq!(answer.json()["code"], "unauthorized");
            assert!(
                !answer.text.contains("canary") && !answer.text.contains(token),
                "{answer:?}"
            );
        }
        assert!(odoo.outcomes().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_of_a_stranger_is_not_read() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let answer = Answer::of(
        service
            .anonymous(Method::POST, "/v1/seal")
            .header("content-type", "application/json")
            .body(vec![b' '; 1024 * 1024]),
    )
    .await;
    assert_eq!(answer.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_tokens_is_held_up_and_odoo_at_the_same_address_is_not() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let mut statuses = Vec::new();
    for _ in 0..80 {
        let request = service.anonymous(Method::POST, "/v1/status").bearer_auth("wrong");
        statuses.push(Answer::of(request).await.status);
    }
    assert_eq!(statuses[..60], [401; 60]);
    assert!(statuses.ends_with(&[429]), "{statuses:?}");
    let body = json!({"database": DATABASE_UUID});
    assert_eq!(service.post("/v1/status", &body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_asks_too_often_is_told_so() {
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.requests_per_second = 1;
    let service = home.start().await;
    let body = json!({"database": DATABASE_UUID});
    let mut last = service.post("/v1/status", &body).await;
    for _ in 0..10 {
        last = service.post("/v1/status", &body).await;
    }
    assert_eq!(
        (last.status, &last.json()["code"]),
        (429, &json!("too_many_requests"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_headers_than_a_client_needs_are_refused() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let mut request = service.request(Method::POST, "/v1/status");
    for number in 0..150 {
        request = request.header(format!("x-{number}"), "1");
    }
    let answer = Answer::of(request.json(&json!({"database": DATABASE_UUID}))).await;
    assert_eq!(answer.status, 431);
    let long = service
        .request(Method::POST, "/v1/status")
        .header("x-long", "y".repeat(300_000));
    let refused = match long.send().await {
        Ok(answer) => answer.status().is_client_error(),
        // Cut off while it still sends.
        Err(_) => true,
    };
    assert!(refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_body_to_pair_is_small_or_refused() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start_unpaired();
    let pairing = home.pairing(&"x".repeat(20_000), "r");
    let answer = Answer::of(service.anonymous(Method::POST, "/v1/pair").json(&pairing)).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (413, &json!("body_too_large"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_sends_slowly_is_cut_off() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start_unpaired();
    let address = service.url.strip_prefix("http://").expect("an address");
    let mut connection = TcpStream::connect(address).await.expect("connected");
    let head =
        "POST /v1/pair HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    connection.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 4096];
    let read = timeout(Duration::from_secs(60), connection.read(&mut answer)).await;
    let length = read.expect("an answer without the rest").expect("read");
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("too_slow"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_who_has_their_token() {
    const METRICS: &str = "the-token-of-prometheus-0123456789ab";
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.metrics_token = Some(METRICS);
    let service = home.start().await;
    service
        .post("/v1/status", &json!({"database": DATABASE_UUID}))
        .await;
    let ask = |token: &str| Answer::of(service.anonymous(Method::GET, "/metrics").bearer_auth(token));
    assert_eq!(ask("wrong").await.status, 401);
    assert_eq!(ask(&service.token).await.status, 401);
    let answer = ask(METRICS).await;
    assert_eq!(answer.status, 200);
    for line in [
        "insightpulse_requests_total{route=\"/v1/status\",status=\"200\"} 1",
        "insightpulse_refusals_total{reason=\"token\"} 2",
        "insightpulse_results_waiting{database=\"00000000-0000-0000-0000-00000000da7a\"} 0",
    ] {
        assert!(answer.text.contains(line), "{line}: {}", answer.text);
    }
    assert!(!answer.text.contains(&service.token) && !answer.text.contains("canary"));
    // And the token of the metrics opens nothing else.
    let request = service.anonymous(Method::POST, "/v1/status").bearer_auth(METRICS);
    assert_eq!(
        Answer::of(request.json(&json!({"database": DATABASE_UUID})))
            .await
            .status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_of_their_own_nobody_reads_the_metrics() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    for token in ["", &service.token] {
        let answer = Answer::of(service.anonymous(Method::GET, "/metrics").bearer_auth(token)).await;
        assert_eq!(answer.status, 401);
    }
}
