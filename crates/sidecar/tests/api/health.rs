//! Whether it lives, and whether it is ready.

use reqwest::Method;
use serde_json::json;

use crate::fake_odoo::{FakeOdoo, Mood};
use crate::service::{Answer, Home, Service};

#[tokio::test(flavor = "multi_thread")]
async fn it_lives_whatever_odoo_does_and_asks_for_no_token() {
    let service = Home::new("http://127.0.0.1:9").start();
    let answer = Answer::of(service.anonymous(Method::GET, "/healthz")).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_odoo_would_take_a_result() {
    let odoo = FakeOdoo::start().await;
    odoo.set(Mood::Forbidden);
    let service = Home::new(odoo.url()).start();
    let mut answer = not_ready_for_a_reason(&service).await;
    assert_eq!(
        (answer.status, answer.json()),
        (
            503,
            json!({"status": "not_ready", "odoo": "Odoo forbids the call: No."})
        )
    );
    odoo.set(Mood::Well);
    while answer.status != 200 {
        answer = ready(&service).await;
    }
    assert_eq!(answer.json(), json!({"status": "ready", "odoo": "ok"}));
    assert!(odoo.outcomes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_that_odoo_can_be_away_is_told_apart() {
    let odoo = FakeOdoo::start().await;
    for (mood, reason) in [
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
        let service = Home::new(odoo.url()).start();
        let answer = not_ready_for_a_reason(&service).await;
        assert_eq!((answer.status, &answer.json()["odoo"]), (503, &json!(reason)));
    }
}

async fn ready(service: &Service) -> Answer {
    Answer::of(service.anonymous(Method::GET, "/readyz")).await
}

/// Waits for Odoo to have been asked at all.
async fn not_ready_for_a_reason(service: &Service) -> Answer {
    loop {
        let answer = ready(service).await;
        if !answer.text.contains("Odoo has not been asked yet") {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}
