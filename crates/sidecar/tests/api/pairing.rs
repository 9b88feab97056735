//! A code pairs one database once, within minutes, and pairing ends at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use insightpulse_test_support::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fake_odoo::{API_KEY, FakeOdoo};
use crate::service::{Answer, DATABASE_UUID, Home, Service, changed};

async fn pair(service: &Service, pairing: &Value) -> Answer {
    Answer::of(service.anonymous(Method::POST, "/v1/pair").json(pairing)).await
}

async fn status(service: &Service, token: &str) -> u16 {
    let body = json!({"database": DATABASE_UUID});
    let request = service
        .anonymous(Method::POST, "/v1/status")
        .bearer_auth(token)
        .json(&body);
    Answer::of(request).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_gives_a_token_and_odoo_is_asked_with_the_key() {
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url());
    let service = home.start().await;
    assert!(service.token.len() >= 43, "{}", service.token);
    assert_eq!(status(&service, &service.token).await, 200);
    eventually("Odoo is asked", || odoo.calls() > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_used_and_expired_codes_are_refused_alike() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start_unpaired();
    let used = home.code();
    assert_eq!(pair(&service, &home.pairing(&used, "r1")).await.status, 200);
    let again = pair(&service, &home.pairing(&used, "r2")).await;
    let wrong = pair(&service, &home.pairing("ZZZZZ-ZZZZZ", "r3")).await;
    let expired = home.code();
    home.rewrite("pairing-code.json", |code| {
        code["expires_at"] = json!("2020-01-01T00:00:00Z")
    });
    let expired = pair(&service, &home.pairing(&expired, "r4")).await;
    for answer in [&again, &wrong, &expired] {
        assert_eq!((answer.status, &answer.text), (403, &wrong.text));
    }
    assert_eq!(wrong.json()["code"], "code_refused");
    // The one that was made by the right code goes on.
    assert_eq!(home.insightpulse(&["pair", "list"]).lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_five_attempts_in_a_minute_even_the_right_code_waits() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start_unpaired();
    let code = home.code();
    for attempt in 0..5 {
        let answer = pair(&service, &home.pairing(&format!("00000-0000{attempt}"), "r")).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let answer = pair(&service, &home.pairing(&code, "r")).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (429, &json!("too_many_attempts"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_odoo_runs_again_gets_a_token_that_works() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start_unpaired();
    let pairing = home.pairing(&home.code(), "the same");
    let (first, second) = (service.pair(&pairing).await, service.pair(&pairing).await);
    assert_eq!(status(&service, &first).await, 401);
    assert_eq!(status(&service, &second).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pairing_again_voids_the_token_of_before() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start().await;
    let newer = service.pair(&home.pairing(&home.code(), "again")).await;
    assert_eq!(status(&service, &service.token).await, 401);
    assert_eq!(status(&service, &newer).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paired_does_not_use_the_code_up() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start_unpaired();
    let pairing = home.pairing(&home.code(), "r");
    let bad = pair(&service, &changed(&pairing, &json!({"odoo_url": "ftp://odoo"}))).await;
    assert_eq!(
        (bad.status, &bad.json()["code"]),
        (422, &json!("invalid_pairing"))
    );
    assert!(!bad.text.contains(API_KEY), "{bad:?}");
    let nameless = pair(&service, &changed(&pairing, &json!({"database_name": ""}))).await;
    assert_eq!(nameless.status, 400);
    assert_eq!(pair(&service, &pairing).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn unpairing_from_odoo_counts_at_once() {
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url());
    let service = home.start().await;
    let answer = service
        .post("/v1/unpair", &json!({"database": DATABASE_UUID}))
        .await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    assert_eq!(status(&service, &service.token).await, 401);
    assert!(
        home.insightpulse(&["pair", "list"])
            .contains("No database is paired")
    );
    check_left_alone(&odoo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unpairing_on_the_sidecars_machine_counts_at_once() {
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url());
    let service = home.start().await;
    assert_eq!(status(&service, &service.token).await, 200);
    home.insightpulse(&["pair", "remove", "production"]);
    assert_eq!(status(&service, &service.token).await, 401);
    check_left_alone(&odoo).await;
}

/// The next question would come after two or thirty seconds; without the
/// pairing's task there is nobody to ask it.
async fn check_left_alone(odoo: &FakeOdoo) {
    let before = odoo.calls();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert!(odoo.calls() <= before + 1, "one call may have been on its way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pairing_outlives_a_restart() {
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url());
    home.start().await.stop().await;
    let service = home.start().await;
    assert_eq!(status(&service, &service.token).await, 200);
    eventually("Odoo is asked again", || odoo.calls() > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_pairing_lies_in_the_state_directory() {
    let home = Home::new("http://127.0.0.1:9");
    let service = home.start().await;
    let code = home.code();
    for entry in fs::read_dir(&home.state_dir).expect("there") {
        let path = entry.expect("an entry").path();
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path:?}");
        let text = fs::read_to_string(&path).expect("text");
        for secret in [API_KEY, &service.token, &code, &code.replace('-', "")] {
            assert!(!text.contains(secret), "{path:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_that_was_moved_to_another_address_does_not_open() {
    let (hostile, odoo) = (FakeOdoo::start().await, FakeOdoo::start().await);
    let home = Home::new(odoo.url());
    let service = home.start().await;
    home.rewrite("pairings.json", |pairings| {
        pairings[0]["odoo_url"] = json!(hostile.url())
    });
    service
        .odoo_once(|reason| reason.is_some_and(|reason| reason.contains("open the API key")))
        .await;
    assert_eq!(hostile.calls(), 0);
}
