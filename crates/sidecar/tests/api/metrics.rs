//! What a Prometheus reads: every series of the dashboard, and nothing that is a name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use insightpulse_test_support::{FaultServer, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fake_odoo::FakeOdoo;
use crate::service::{Answer, DATABASE_UUID, Home, Service, changed, cluster, endpoint, monitored, now};

const TOKEN: &str = "a-token-for-metrics-that-is-long-enough";

async fn metrics(service: &Service) -> String {
    let request = service.anonymous(Method::GET, "/metrics").bearer_auth(TOKEN);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text
}

async fn look_at_all(service: &Service) {
    let body = json!({"database": DATABASE_UUID, "database_name": "production", "all": true});
    assert_eq!(service.post("/v1/endpoints", &body).await.status, 202);
}

fn line<'a>(text: &'a str, begins: &str) -> &'a str {
    text.lines()
        .find(|line| line.starts_with(begins))
        .unwrap_or_else(|| panic!("no {begins} in {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_has_its_series_until_it_is_gone_and_no_name_is_in_them() {
    let server = cluster();
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.metrics_token = Some(TOKEN);
    let service = home.start().await;
    let named = json!({"name": "canary-name", "username": "guest", "agency": 3});
    odoo.monitor(&[
        changed(&monitored(&endpoint(7, server.port())), &named),
        monitored(&changed(&endpoint(8, 5432), &json!({"base_url": null}))),
    ]);
    look_at_all(&service).await;
    odoo.wait_for(2).await;
    let text = metrics(&service).await;
    let labels = format!("{{database=\"{DATABASE_UUID}\",endpoint=\"7\",kind=\"postgresql\",agency=\"3\"");
    assert!(
        line(&text, &format!("probe_success{labels}}}")).ends_with(" 1.0"),
        "{text}"
    );
    line(
        &text,
        &format!("insightpulse_probe_phase_seconds{labels},phase=\"login\"}}"),
    );
    let failed = format!(
        "probe_success{{database=\"{DATABASE_UUID}\",endpoint=\"8\",kind=\"postgresql\",agency=\"\"}}"
    );
    assert!(line(&text, &failed).ends_with(" 0.0"));
    line(
        &text,
        "insightpulse_probes_total{kind=\"postgresql\",status=\"success\"} 1",
    );
    line(&text, "insightpulse_probe_lateness_seconds_count 2");
    for idle in ["running", "waiting"] {
        line(
            &text,
            &format!("insightpulse_probes_{idle}{{database=\"{DATABASE_UUID}\"}} 0"),
        );
    }
    line(
        &text,
        "insightpulse_odoo_call_duration_seconds_count{method=\"monitored_versions\",ok=\"true\"}",
    );
    line(
        &text,
        &format!("insightpulse_endpoints{{database=\"{DATABASE_UUID}\"}} 2"),
    );
    for secret in ["canary", "127.0.0.1", "guest"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
    odoo.monitor(&[]);
    look_at_all(&service).await;
    let mut text = String::new();
    eventually("its series are gone", || {
        text = now(metrics(&service));
        !text.contains("endpoint=")
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_limit_is_counted_and_series_end_with_the_pairing() {
    let server = FaultServer::silent().await;
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.metrics_token = Some(TOKEN);
    let service = home.start().await;
    let slow = json!({"timeout_ms": 2000});
    // More than one host may have at once.
    let endpoints: Vec<_> = (1..=600)
        .map(|id| {
            let record = json!({"record": Uuid::from_u128(id)});
            changed(&changed(&monitored(&endpoint(id, server.port())), &slow), &record)
        })
        .collect();
    odoo.monitor(&endpoints);
    look_at_all(&service).await;
    let read = || now(metrics(&service));
    let gauge = |text: &str, name: &str| -> u64 {
        let begins = format!("insightpulse_probes_{name}{{database=\"{DATABASE_UUID}\"}} ");
        line(text, &begins)[begins.len()..].parse().expect("a number")
    };
    eventually("some run and some wait", || {
        let text = read();
        let (running, waiting) = (gauge(&text, "running"), gauge(&text, "waiting"));
        assert!(running + waiting <= 600, "{running}, {waiting}");
        running > 0 && waiting > 0
    })
    .await;
    odoo.wait_for(1).await;
    line(&read(), "probe_success{");
    let gone = json!({"database": DATABASE_UUID});
    assert_eq!(service.post("/v1/unpair", &gone).await.status, 200);
    // What is under way ends after that, and counts for nothing.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let text = read();
    assert!(!text.contains("endpoint="), "{text}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_dashboard_is_there() {
    let odoo = FakeOdoo::start().await;
    let mut home = Home::new(odoo.url());
    home.metrics_token = Some(TOKEN);
    let service = home.start().await;
    // What has no value yet is not told of.
    odoo.monitor(&[monitored(&changed(
        &endpoint(8, 5432),
        &json!({"base_url": null}),
    ))]);
    look_at_all(&service).await;
    odoo.wait_for(1).await;
    let text = metrics(&service).await;
    let known: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_whitespace().next())
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/grafana/insightpulse.json");
    let dashboard: Value = serde_json::from_slice(&fs::read(path).expect("there")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let expressions = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"))
        .map(|target| target["expr"].as_str().expect("an expression"));
    let mut used = 0;
    for expression in expressions {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("probe_") || word.starts_with("insightpulse_")) {
            let bare = ["_total", "_bucket", "_count", "_sum"]
                .iter()
                .find_map(|suffix| word.strip_suffix(suffix))
                .unwrap_or(word);
            assert!(
                known.contains(word) || known.contains(bare),
                "{word} is not among {known:?}"
            );
            used += 1;
        }
    }
    assert!(used > 15, "{used}");
    service.stop().await;
}
