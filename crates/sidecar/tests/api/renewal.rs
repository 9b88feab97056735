//! The API key is renewed before it expires, without anyone's doing.

use insightpulse_test_support::eventually;
use serde_json::json;

use crate::fake_odoo::{API_KEY, FakeOdoo};
use crate::service::{Home, changed};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_near_its_end_is_renewed_and_the_old_one_is_retired() {
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url());
    let service = home.start_unpaired();
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(1);
    let pairing = changed(
        &home.pairing(&home.code(), "r"),
        &json!({"api_key_expires_at": soon}),
    );
    service.pair(&pairing).await;
    eventually("the old key is retired", || {
        odoo.keys() == ["canary-renewed-key-1"]
    })
    .await;
    service.stop().await;
    let listed = home.insightpulse(&["pair", "list"]);
    assert!(!listed.contains(&soon.to_string()), "{listed}");

    // It is the new one that outlives a restart.
    let before = odoo.calls();
    let service = home.start_unpaired();
    eventually("Odoo is asked", || odoo.calls() > before + 1).await;
    service.stop().await;
    assert_eq!(odoo.keys(), ["canary-renewed-key-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_long_life_is_left_alone() {
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url());
    let service = home.start().await;
    eventually("Odoo has been asked", || odoo.calls() >= 2).await;
    service.stop().await;
    assert_eq!(odoo.keys(), [API_KEY]);
}
