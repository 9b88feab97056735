//! A stop loses nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use insightpulse_test_support::{FaultServer, eventually};
use serde_json::json;

use crate::fake_odoo::{FakeOdoo, Mood};
use crate::service::{DATABASE_UUID, Home, Service, WAIT, changed, endpoint};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_the_probe_under_way_and_writes_it_back() {
    let server = FaultServer::silent().await;
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url()).with_timeout(Duration::from_secs(1));
    let service = home.start().await;
    let results = service.probes("r", 0, &[endpoint(7, server.port())]).await;
    assert_eq!(results[0]["state"], "testing");
    eventually("the probe is under way", || server.seen().open == 1).await;
    service.stop().await;
    let outcomes = odoo.outcomes();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(
        (&outcomes[0]["probe"], &outcomes[0]["failure_kind"]),
        (&results[0]["probe"], &json!("timeout"))
    );
    assert!(
        !home
            .state_dir
            .join(format!("outbox-{DATABASE_UUID}.json"))
            .exists()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_is_answered_before_the_stop() {
    let server = FaultServer::silent().await;
    let odoo = FakeOdoo::start().await;
    let home = Home::new(odoo.url()).with_timeout(Duration::from_millis(600));
    let mut service = home.start().await;
    let (results, ()) = {
        let body = json!({
            "database": DATABASE_UUID, "request": "r", "wait_ms": WAIT,
            "endpoints": [endpoint(7, server.port())],
        });
        let asking = service
            .request(reqwest::Method::POST, "/v1/probes")
            .json(&body)
            .send();
        tokio::join!(asking, async {
            eventually("the probe is under way", || server.seen().open == 1).await;
            service.begin_to_stop();
        })
    };
    assert_eq!(results.expect("an answer").status(), 200);
    service.stopped().await;
    assert_eq!(odoo.outcomes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_odoo_has_not_taken_at_a_stop_is_delivered_by_the_next_start() {
    let odoo = FakeOdoo::start().await;
    odoo.set(Mood::BadGateway);
    let home = Home::new(odoo.url());
    let service = home.start().await;
    let broken = |id| changed(&endpoint(id, 5432), &json!({"base_url": null}));
    let owed = service.probes("r", WAIT, &[broken(1), broken(2)]).await;
    service.stop().await;
    let spool = home.state_dir.join(format!("outbox-{DATABASE_UUID}.json"));
    let mode = fs::metadata(&spool).expect("it is kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(odoo.outcomes().is_empty());

    odoo.set(Mood::Well);
    let service = home.start().await;
    let arrived = odoo.wait_for(2).await;
    assert_eq!(
        (&arrived[0]["probe"], &arrived[1]["probe"]),
        (&owed[0]["probe"], &owed[1]["probe"])
    );
    service.stop().await;
    assert!(!spool.exists());
    assert_eq!(odoo.outcomes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_service_answers_nobody() {
    let (mut service, _odoo, _home) = Service::with_odoo().await;
    let asking = service.anonymous(reqwest::Method::GET, "/healthz");
    service.begin_to_stop();
    service.stopped().await;
    assert!(asking.send().await.is_err());
}
