//! Results wait while Odoo is away, and arrive once when it is back.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::fake_odoo::{FakeOdoo, Mood};
use crate::service::{Home, Service, WAIT, changed, endpoint};

/// Tests two endpoints that need no server, and returns what Odoo is owed.
async fn test(service: &Service) -> Vec<Value> {
    let broken = |id| changed(&endpoint(id, 5432), &json!({"base_url": null}));
    service.probes("r", WAIT, &[broken(1), broken(2)]).await
}

async fn check_arrived_once(odoo: &FakeOdoo, owed: &[Value]) {
    let arrived = odoo.wait_for(owed.len()).await;
    let probes = |outcomes: &[Value]| {
        let mut probes: Vec<_> = outcomes
            .iter()
            .map(|outcome| outcome["probe"].to_string())
            .collect();
        probes.sort();
        probes
    };
    assert_eq!(probes(&arrived), probes(owed));
    assert_eq!(odoo.batches().len(), 1);
}

async fn check_back_from(mood: Mood) {
    let odoo = FakeOdoo::start().await;
    odoo.set(mood);
    let home = Home::new(odoo.url());
    let service = home.start().await;
    let owed = test(&service).await;
    wait_until_refused(&service).await;
    odoo.set(Mood::Well);
    check_arrived_once(&odoo, &owed).await;
    service.stop().await;
    assert_eq!(odoo.outcomes().len(), owed.len(), "a stop brings nothing twice");
}

/// Odoo has been asked, and was not well.
async fn wait_until_refused(service: &Service) {
    service
        .odoo_once(|reason| reason.is_some_and(|reason| !reason.contains("not been asked")))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_without_odoo() {
    check_back_from(Mood::BadGateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_login_page() {
    check_back_from(Mood::Html).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_odoo_does_not_know_the_key() {
    check_back_from(Mood::AccessDenied).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_user_lacks_the_right() {
    check_back_from(Mood::Forbidden).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let home = Home::new(format!("http://{address}"));
    let service = home.start().await;
    let owed = test(&service).await;
    wait_until_refused(&service).await;
    let listener = TcpListener::bind(address).expect("the port is still free");
    let odoo = FakeOdoo::start_at(listener).await;
    check_arrived_once(&odoo, &owed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_that_went_away_after_it_was_well() {
    let (service, odoo, _home) = Service::with_odoo().await;
    service.odoo_once(|reason| reason.is_none()).await;
    odoo.set(Mood::BadGateway);
    let owed = test(&service).await;
    wait_until_refused(&service).await;
    odoo.set(Mood::Well);
    check_arrived_once(&odoo, &owed).await;
}
