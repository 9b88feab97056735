//! Several sidecars on one PostgreSQL: they share the work, and what one knew another goes on from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use insightpulse_monitor::{Retention, StoreSettings};
use insightpulse_test_support::{Cluster, FaultServer, Options, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use crate::fake_odoo::{FakeOdoo, Mood};
use crate::service::{Answer, DATABASE_UUID, Home, Service, changed, endpoint, monitored};
use crate::way::{Fault, way_to};
use crate::webhook::{arrived, hook, ids, look_at_all, receiver};

/// A store of the test's own, empty.
pub fn store() -> (Cluster, StoreSettings) {
    let cluster = Cluster::start_with(&Options {
        sql: "create role sidecar login superuser password 'canary-of-the-store'",
        ..Options::default()
    });
    let settings = StoreSettings {
        url: format!(
            "postgresql://sidecar:canary-of-the-store@127.0.0.1:{}/postgres?sslmode=disable",
            cluster.port()
        )
        .into(),
        authority: None,
        retention: Retention {
            sample_days: 7,
            rollup_days: 400,
        },
    };
    (cluster, settings)
}

/// The store refuses everybody from now on, and those who are there.
pub fn take_away(cluster: &Cluster) {
    cluster.sql("alter role sidecar nologin");
    cluster.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'sidecar'");
}

pub fn give_back(cluster: &Cluster) {
    cluster.sql("alter role sidecar login");
}

/// How many rows a table of the store has.
fn count(cluster: &Cluster, table: &str) -> u64 {
    let count = cluster.sql(&format!("select count(*) from insightpulse.{table}"));
    count.parse().expect("a number")
}

/// What Odoo was told of its connections, in its order.
fn told(odoo: &FakeOdoo) -> Vec<Value> {
    let outcomes = odoo.outcomes();
    let lists = outcomes.iter().filter_map(|outcome| outcome["events"].as_array());
    lists.flatten().map(|event| event["to"].clone()).collect()
}

pub fn broken(id: u128) -> Value {
    monitored(&changed(&endpoint(id, 5432), &json!({"base_url": null})))
}

pub fn shares(cluster: &Cluster) -> Vec<i64> {
    let counts =
        cluster.sql("select count(*) from insightpulse.shard where until > now() group by owner order by 1");
    counts
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect()
}

const METRICS_TOKEN: &str = "a-token-for-metrics-that-is-long-enough";

/// The endpoints that a sidecar tells a Prometheus of.
async fn series(service: &Service) -> Vec<String> {
    let request = service
        .anonymous(Method::GET, "/metrics")
        .bearer_auth(METRICS_TOKEN);
    let text = Answer::of(request).await.text;
    let lines = text.lines().filter(|line| line.starts_with("probe_success{"));
    lines
        .map(|line| line.split('}').next().expect("labels").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_start_together_on_an_empty_database_share_the_work() {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let server = FaultServer::silent().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    home.metrics_token = Some(METRICS_TOKEN);
    // One answers, so that what is counted is what arrived there.
    let endpoints: Vec<_> = (1..=40)
        .map(|id| {
            let short = json!({"timeout_ms": 100, "record": Uuid::from_u128(id << 100 | 7), "failure_threshold": 100});
            changed(&monitored(&endpoint(id, server.port())), &short)
        })
        .collect();
    odoo.monitor(&endpoints);
    let (first, second) = tokio::join!(home.start(), async { home.start_unpaired() });
    eventually("both have a part", || shares(&cluster) == [32, 32]).await;
    eventually("all were tested", || odoo.outcomes().len() >= 40).await;
    let before = odoo.outcomes().len();
    let accepted = server.seen().accepted;
    sleep(Duration::from_secs(10)).await;
    // Two intervals; each endpoint once in each, whoever has it, and retries as long as it is not shown.
    let tested = server.seen().accepted - accepted;
    assert!(
        (70..=95).contains(&tested),
        "{tested} tests of 40 endpoints in two intervals"
    );
    let mut events: BTreeMap<i64, usize> = BTreeMap::new();
    for outcome in odoo.outcomes() {
        *events.entry(outcome["id"].as_i64().expect("an id")).or_default() +=
            outcome["events"].as_array().map_or(0, Vec::len);
    }
    assert!(events.values().all(|count| *count == 1), "{before}: {events:?}");
    // What moved away is no series any more: none is told twice.
    let (mut here, there) = (series(&first).await, series(&second).await);
    here.extend(there);
    let distinct: BTreeSet<_> = here.iter().collect();
    assert_eq!((here.len(), distinct.len()), (40, 40), "{here:?}");
    first.stop().await;
    eventually("the other has all of it", || shares(&cluster) == [64]).await;
    second.stop().await;
    eventually("nobody has any of it", || shares(&cluster).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_one_had_not_delivered_the_next_one_does() {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    odoo.monitor(&[broken(7)]);
    let first = home.start().await;
    odoo.wait_for(1).await;
    odoo.set(Mood::BadGateway);
    odoo.monitor(&[changed(&broken(7), &json!({"revision": 4, "version": "2"}))]);
    // A verdict of its own, which Odoo does not learn of.
    first
        .probes(
            "r",
            3_000,
            &[changed(
                &broken(8),
                &json!({"record": Uuid::from_u128(7), "id": 7}),
            )],
        )
        .await;
    eventually("it is written down", || {
        cluster.sql("select count(*) from insightpulse.report") == "1"
    })
    .await;
    first.stop().await;
    odoo.set(Mood::Well);
    let told = odoo.outcomes().len();
    let second = home.start().await;
    eventually("it arrives", || odoo.outcomes().len() > told).await;
    eventually("it is not kept any longer", || {
        cluster.sql("select count(*) from insightpulse.report") == "0"
            && cluster.sql("select count(*) from insightpulse.event") == "0"
    })
    .await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_webhook_has_not_taken_the_next_one_tells() {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let (deaf, hearing) = (receiver(u64::MAX).await, receiver(0).await);
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let first = home.start().await;
    odoo.set_webhook(Some(hook(&first, &deaf.uri()).await));
    odoo.monitor(&[broken(7)]);
    look_at_all(&first).await;
    let tried = arrived(&deaf, 1).await;
    let notices = || cluster.sql("select count(*) from insightpulse.notice");
    assert_eq!(notices(), "1");
    odoo.set_webhook(Some(hook(&first, &hearing.uri()).await));
    first.stop().await;
    let second = home.start().await;
    assert_eq!(arrived(&hearing, 1).await, tried[..1]);
    eventually("it is not kept any longer", || notices() == "0").await;
    second.stop().await;
    let third = home.start().await;
    eventually("it has all of it", || shares(&cluster) == [64]).await;
    look_at_all(&third).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ids(&hearing).await.len(), 1);
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_store_it_tells_the_webhook_once() {
    let (cluster, settings) = store();
    let server = crate::service::cluster();
    let odoo = FakeOdoo::start().await;
    let receiver = receiver(0).await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let first = home.start().await;
    odoo.set_webhook(Some(hook(&first, &receiver.uri()).await));
    odoo.monitor(&[changed(
        &monitored(&endpoint(7, server.port())),
        &json!({"username": "guest"}),
    )]);
    look_at_all(&first).await;
    odoo.wait_for(1).await;
    take_away(&cluster);
    server.sql("alter role guest nologin");
    arrived(&receiver, 1).await;
    give_back(&cluster);
    eventually("what was kept is written down", || {
        cluster.sql("select count(*) from insightpulse.endpoint where judge->>'told' = 'failed'") == "1"
    })
    .await;
    eventually("nothing is left to tell", || {
        cluster.sql("select count(*) from insightpulse.notice") == "0"
    })
    .await;
    first.stop().await;
    let second = home.start().await;
    eventually("it has all of it", || shares(&cluster) == [64]).await;
    look_at_all(&second).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ids(&receiver).await.len(), 1);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_store_it_goes_on_and_catches_up() {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    odoo.monitor(&[broken(7)]);
    let service = home.start().await;
    odoo.wait_for(1).await;
    let samples = || count(&cluster, "sample");
    eventually("it is written down", || samples() == 1).await;
    take_away(&cluster);
    let told = odoo.outcomes().len();
    eventually("it is tested and told on", || odoo.outcomes().len() >= told + 2).await;
    assert_eq!(samples(), 1);
    give_back(&cluster);
    eventually("what was kept is written down", || samples() >= 3).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_somebody_has_emptied_is_filled_again() {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let (deaf, hearing) = (receiver(u64::MAX).await, receiver(0).await);
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let service = home.start().await;
    odoo.set_webhook(Some(hook(&service, &deaf.uri()).await));
    odoo.monitor(&[broken(7)]);
    look_at_all(&service).await;
    let tried = arrived(&deaf, 1).await;
    let samples = || count(&cluster, "sample");
    eventually("it is written down", || samples() >= 1).await;
    cluster.sql("drop schema insightpulse cascade");
    eventually("its tables are there again", || {
        cluster.sql("select to_regclass('insightpulse.notice') is not null") == "t"
    })
    .await;
    eventually("it has all of it", || shares(&cluster) == [64]).await;
    eventually("it is written down again", || samples() >= 1).await;
    // Of a copy that is old, the partitions end before today.
    cluster.sql(
        "do $$ declare name text; begin for name in select inhrelid::regclass from pg_inherits \
         where inhparent = 'insightpulse.sample'::regclass loop execute 'drop table ' || name; end loop; end $$",
    );
    eventually("there is a place for today", || samples() >= 1).await;
    odoo.wait_for(odoo.outcomes().len() + 1).await;
    assert_eq!(told(&odoo).len(), 1);
    // What waited has not gone with the store.
    odoo.set_webhook(Some(hook(&service, &hearing.uri()).await));
    look_at_all(&service).await;
    assert_eq!(arrived(&hearing, 1).await, tried[..1]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_without_the_store_is_not_told_again_with_it() {
    let (cluster, settings) = store();
    let server = crate::service::cluster();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let guest = changed(
        &monitored(&endpoint(7, server.port())),
        &json!({"username": "guest"}),
    );
    odoo.monitor(std::slice::from_ref(&guest));
    home.start().await.stop_after(&odoo, 1).await;
    let known = json!({"status": "success", "last_probe": odoo.outcomes().last().expect("some")["probe"]});
    odoo.monitor(&[changed(&guest, &known)]);
    take_away(&cluster);
    server.sql("alter role guest nologin");
    let events = || told(&odoo);
    // It goes on alone after some seconds.
    let service = home.start().await;
    eventually("it is told that it failed", || events().len() == 2).await;
    give_back(&cluster);
    eventually("it has all of it", || shares(&cluster) == [64]).await;
    odoo.wait_for(odoo.outcomes().len() + 4).await;
    assert_eq!(events(), ["success", "failed"]);
    // And once more, with a restart before the store is back.
    take_away(&cluster);
    server.sql("alter role guest login");
    eventually("it is told that it works again", || events().len() == 3).await;
    let known = json!({"status": "success", "last_probe": odoo.outcomes().last().expect("some")["probe"]});
    odoo.monitor(&[changed(&guest, &known)]);
    service.stop().await;
    let calls = odoo.calls();
    let service = home.start().await;
    eventually("Odoo was asked", || odoo.calls() > calls + 3).await;
    give_back(&cluster);
    eventually("it has all of it", || shares(&cluster) == [64]).await;
    odoo.wait_for(odoo.outcomes().len() + 3).await;
    assert_eq!(events(), ["success", "failed", "success"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_into_the_store_has_nothing_signed() {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let (deaf, hearing) = (receiver(u64::MAX).await, receiver(0).await);
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let first = home.start().await;
    odoo.set_webhook(Some(hook(&first, &deaf.uri()).await));
    odoo.monitor(&[broken(7), broken(8)]);
    look_at_all(&first).await;
    eventually("both wait", || {
        cluster.sql("select to_regclass('insightpulse.notice') is not null") == "t"
            && cluster.sql("select count(*) from insightpulse.notice") == "2"
    })
    .await;
    odoo.wait_for(2).await;
    odoo.monitor(&[
        changed(&broken(7), &json!({"status": "failed"})),
        changed(&broken(8), &json!({"status": "failed"})),
    ]);
    odoo.set_webhook(Some(hook(&first, &hearing.uri()).await));
    first.stop().await;
    let right = cluster.sql("select id from insightpulse.notice order by id limit 1");
    // One says what the other does, and a third what somebody likes.
    cluster.sql(
        "update insightpulse.notice set body = (select body from insightpulse.notice order by id limit 1); \
         insert into insightpulse.notice select gen_random_uuid(), database, record, shard, now(), '{\"type\": \"x\"}' \
           from insightpulse.notice limit 1",
    );
    let second = home.start().await;
    eventually("none is kept", || {
        cluster.sql("select count(*) from insightpulse.notice") == "0"
    })
    .await;
    assert_eq!(ids(&hearing).await, [right]);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_counts_once() {
    let (cluster, settings) = store();
    let (settings, loses) = way_to(cluster.port(), settings, Fault::LosesCommits).await;
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    odoo.monitor(&[broken(7)]);
    let service = home.start().await;
    odoo.wait_for(1).await;
    let count = |what: &str| -> u64 {
        let count = cluster.sql(&format!("select {what}"));
        count.parse().expect("a number")
    };
    let samples = || count("count(*) from insightpulse.sample");
    eventually("it is written down", || samples() >= 1).await;
    loses.store(true, Ordering::SeqCst);
    let before = samples();
    eventually("it is written down, and nobody is told", || samples() > before).await;
    loses.store(false, Ordering::SeqCst);
    let before = samples();
    eventually("it goes on", || samples() >= before + 2).await;
    assert_eq!(count("count(*) - count(distinct at) from insightpulse.sample"), 0);
    assert_eq!(count("sum(probes) from insightpulse.rollup"), samples());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_by_one_whose_clock_is_ahead_does_not_outlive_its_time() {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    odoo.monitor(&[broken(7)]);
    let service = home.start().await;
    let mut outcome = odoo.wait_for(1).await.remove(0);
    eventually("it is written down", || {
        cluster.sql("select count(*) from insightpulse.endpoint") == "1"
    })
    .await;
    let ahead = Uuid::from_u128(u128::MAX >> 4);
    outcome["probe"] = json!(ahead);
    cluster.sql(&format!(
        "insert into insightpulse.handover select '{ahead}', database, shard, true, $json${outcome}$json$ from insightpulse.endpoint"
    ));
    let probes = || -> Vec<Uuid> {
        let outcomes = odoo.outcomes();
        outcomes
            .iter()
            .filter_map(|outcome| outcome["probe"].as_str()?.parse().ok())
            .collect()
    };
    eventually("it has come", || probes().contains(&ahead)).await;
    eventually("what comes after it is newer", || {
        probes().iter().any(|probe| *probe > ahead)
    })
    .await;
    assert!(probes().is_sorted(), "{:?}", probes());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_is_longer_than_a_lease_loses_nothing() {
    let (cluster, settings) = store();
    let server = crate::service::cluster();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    odoo.monitor(&[changed(
        &monitored(&endpoint(7, server.port())),
        &json!({"username": "guest"}),
    )]);
    let first = home.start().await;
    odoo.wait_for(1).await;
    let count = |table: &str| count(&cluster, table);
    eventually("it is written down", || count("sample") >= 1).await;
    // Both are away, as where they are databases of one server.
    odoo.set(Mood::BadGateway);
    take_away(&cluster);
    let before = count("sample");
    server.sql("alter role guest nologin");
    sleep(Duration::from_secs(17)).await;
    assert_eq!(count("sample"), before);
    give_back(&cluster);
    eventually("what was found out meanwhile is written down", || {
        count("sample") >= before + 4 && count("event") == 1
    })
    .await;
    first.stop().await;
    odoo.set(Mood::Well);
    let second = home.start().await;
    let events = || told(&odoo);
    eventually("it arrives", || events().len() >= 2).await;
    assert_eq!(events(), ["success", "failed"]);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_another_one_made_is_judged_by_whose_endpoint_it_is() {
    let (cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let endpoints: Vec<_> = (1..=8)
        .map(|id| {
            let seldom = json!({"interval_s": 3_600, "record": Uuid::from_u128(id << 90)});
            changed(&broken(id), &seldom)
        })
        .collect();
    odoo.monitor(&endpoints);
    let first = home.start().await;
    let second = home.start().await;
    eventually("both have a part", || shares(&cluster) == [32, 32]).await;
    odoo.wait_for(8).await;
    // Whichever has them, the first is asked about all.
    first.probes("r", 0, &endpoints).await;
    eventually("all are told of", || odoo.outcomes().len() >= 16).await;
    // Whose endpoint it is adds the result to the day; whoever only made it could not.
    let outcomes = odoo.outcomes();
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome["tallies"][0]["probes"] == 1),
        "{outcomes:?}"
    );
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_alone_renews_the_api_key() {
    let (_cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    let (first, second) = (home.start_unpaired(), home.start_unpaired());
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(1);
    let pairing = changed(
        &home.pairing(&home.code(), "r"),
        &json!({"api_key_expires_at": soon}),
    );
    first.pair(&pairing).await;
    // Who has the first shard is known a moment after the first look, so it is the second look that does it.
    eventually("the old key is retired", || {
        odoo.keys() == ["canary-renewed-key-1"]
    })
    .await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(odoo.keys(), ["canary-renewed-key-1"]);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_outlives_the_process() {
    let (_cluster, settings) = store();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.store = Some(settings);
    odoo.monitor(&[broken(7)]);
    home.start().await.stop_after(&odoo, 2).await;
    let service = home.start().await;
    for (range, step) in [("24h", 300), ("7d", 3_600), ("30d", 14_400), ("90d", 43_200)] {
        let path = format!(
            "/v1/history?database={DATABASE_UUID}&record={}&range={range}",
            Uuid::from_u128(7)
        );
        let answer = Answer::of(service.request(reqwest::Method::GET, &path)).await;
        let history = answer.json();
        assert_eq!(
            (answer.status, &history["step_s"]),
            (200, &json!(step)),
            "{history}"
        );
        let points = history["points"].as_array().expect("points");
        let failures: i64 = points.iter().filter_map(|point| point["failures"].as_i64()).sum();
        assert!(failures >= 2, "{history}");
        assert_eq!(history["uptime"][0], json!({"range": "24h", "share": 0.0}));
    }
    service.stop().await;
}

impl Service {
    /// Stops once so many outcomes have arrived.
    async fn stop_after(self, odoo: &FakeOdoo, outcomes: usize) {
        odoo.wait_for(outcomes).await;
        self.stop().await;
    }
}
