//! Whether it lives, and whether it is ready.

use reqwest::Method;
use serde_json::{Value, json};

use crate::fake_odoo::{FakeOdoo, Mood};
use crate::service::{Answer, Home, Service};

#[tokio::test(flavor = "multi_thread")]
async fn it_lives_whatever_odoo_does_and_asks_for_no_token() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start().await;
    let answer = Answer::of(service.anonymous(Method::GET, "/healthz")).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_odoo_would_take_a_result() {
    let odoo = FakeOdoo::start().await;
    odoo.set(Mood::Forbidden);
    let home = Home::new(odoo.url());
    let service = home.start().await;
    assert_eq!(reason(&service).await, "Odoo forbids the call: No.");
    let answer = ready(&service).await;
    // Whoever asks without a token learns no reason.
    assert_eq!(
        (answer.status, answer.json()),
        (503, json!({"status": "not_ready"}))
    );
    odoo.set(Mood::Well);
    assert_eq!(service.odoo_once(|reason| reason.is_none()).await, Value::Null);
    let answer = ready(&service).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ready"})));
    assert!(odoo.outcomes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pairing_it_is_not_ready() {
    let service = Home::new("http://127.0.0.1:9").start_unpaired();
    let answer = ready(&service).await;
    assert_eq!(
        (answer.status, answer.json()),
        (503, json!({"status": "not_paired"}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_that_odoo_can_be_away_is_told_apart() {
    let odoo = FakeOdoo::start().await;
    for (mood, expected) in [
        (
            Mood::BadGateway,
            "what answers is not Odoo, or a proxy before it: HTTP 502",
        ),
        (
            Mood::Html,
            "what answers is not Odoo, or a proxy before it: HTTP 200",
        ),
        (
            Mood::AccessDenied,
            "Odoo does not accept the login or the API key",
        ),
    ] {
        odoo.set(mood);
        let home = Home::new(odoo.url());
        let service = home.start().await;
        assert_eq!(reason(&service).await, expected);
    }
}

async fn ready(service: &Service) -> Answer {
    Answer::of(service.anonymous(Method::GET, "/readyz")).await
}

/// Waits for Odoo to have been asked at all.
async fn reason(service: &Service) -> String {
    let reason = service
        .odoo_once(|reason| reason != Some("Odoo has not been asked yet"))
        .await;
    reason.as_str().unwrap_or_default().to_owned()
}
