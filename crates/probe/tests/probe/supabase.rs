//! Supabase: a real PostgreSQL, and a stand-in for its REST API and its Auth that answers as their
//! documentation says. There is no Supabase to be had here.

use expect_test::{Expect, expect};
use insightpulse_domain::{Kind, Part, TlsMode};
use insightpulse_test_support::{Authority, Certificate, Cluster, FaultServer};
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::check::{Asked, SHORT, assert_harmless, cluster, describe, net};

const KEY: &str = "sb_publishable_x";

/// PostgREST's answer for a table that is not there, and GoTrue's about its health.
async fn api() -> MockServer {
    let server = MockServer::start().await;
    let missing =
        json!({"code": "PGRST205", "details": null, "hint": null, "message": "Could not find the table"});
    answer(
        &server,
        "/rest/v1/insightpulse_probe",
        ResponseTemplate::new(404).set_body_json(missing),
    )
    .await;
    let health =
        json!({"version": "v2.180.0", "name": "GoTrue", "description": "GoTrue is a user registration API"});
    answer(
        &server,
        "/auth/v1/health",
        ResponseTemplate::new(200).set_body_json(health),
    )
    .await;
    let refused = json!({"message": "Invalid API key", "hint": "Double check your Supabase API key."});
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(401).set_body_json(refused))
        .with_priority(9)
        .mount(&server)
        .await;
    server
}

async fn answer(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(method("GET"))
        .and(path(at))
        .and(header("apikey", KEY))
        .respond_with(answer)
        .mount(server)
        .await;
}

fn asked(cluster: &Cluster, web: &str) -> Asked {
    Asked::database(Kind::Supabase, cluster.port())
        .tls(TlsMode::Disable)
        .with(|raw| raw.web_url = Some(web.into()))
        .key(KEY)
}

async fn check(asked: Asked, expected: Expect) {
    let said = describe(&asked.probe(net()).await);
    assert_harmless(&said);
    // Ports differ from run to run.
    let said = said
        .split(':')
        .map(|part| part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    expected.assert_eq(&said.collect::<Vec<_>>().join(":"));
}

#[tokio::test]
async fn all_three_parts_answer() {
    let (cluster, api) = (cluster(), api().await);
    let probed = asked(&cluster, &api.uri()).probe(net()).await;
    let evidence = probed.found.expect("healthy");
    assert_eq!(evidence.facts.parts, [Part::Database, Part::Rest, Part::Auth]);
    assert_eq!(evidence.concerns, []);
    // The latency is the database's: its phases add up without the others'.
    assert!(probed.phases.login_ms.is_some() && probed.phases.query_ms.is_some());
}

#[tokio::test]
async fn without_a_key_only_the_database_is_asked() {
    let (cluster, api) = (cluster(), api().await);
    let mut asked = asked(&cluster, &api.uri());
    asked.api_key = None;
    check(asked, expect!["healthy: resolve, connect, login, query"]).await;
    assert_eq!(api.received_requests().await.expect("recorded").len(), 0);
}

#[tokio::test]
async fn a_dead_database_behind_a_healthy_api_is_a_failure() {
    let api = api().await;
    let cluster = cluster();
    let asked = asked(&cluster, &api.uri());
    drop(cluster);
    check(
        asked,
        expect!["refused: Database: 127.0.0.1: refused the connection."],
    )
    .await;
}

#[tokio::test]
async fn a_part_that_is_down_is_a_concern_and_each_is_told_apart() {
    let (cluster, api) = (cluster(), api().await);
    check(
        asked(&cluster, "http://127.0.0.1:1"),
        expect![
            "degraded: REST: 127.0.0.1: refused the connection. Auth: 127.0.0.1: refused the connection."
        ],
    )
    .await;
    let down = MockServer::start().await;
    let health = json!({"version": "v2.180.0", "name": "GoTrue"});
    answer(
        &down,
        "/auth/v1/health",
        ResponseTemplate::new(200).set_body_json(health),
    )
    .await;
    answer(&down, "/rest/v1/insightpulse_probe", ResponseTemplate::new(503)).await;
    check(
        asked(&cluster, &down.uri()),
        expect!["degraded: REST: 127.0.0.1: answered with HTTP 503."],
    )
    .await;
    // It answers, and has lost its database.
    let lost = MockServer::start().await;
    let body = json!({"code": "PGRST001", "message": "Database client error"});
    answer(
        &lost,
        "/rest/v1/insightpulse_probe",
        ResponseTemplate::new(404).set_body_json(body),
    )
    .await;
    answer(&lost, "/auth/v1/health", ResponseTemplate::new(500)).await;
    check(asked(&cluster, &lost.uri()), expect!["degraded: REST: 127.0.0.1: answered with an error. The server said: “PGRST001”. Auth: 127.0.0.1: answered with HTTP 500."]).await;
    drop(api);
}

#[tokio::test]
async fn an_api_that_hangs_does_not_take_the_databases_verdict_along() {
    let (cluster, silent) = (cluster(), FaultServer::silent().await);
    let asked = asked(&cluster, &format!("http://127.0.0.1:{}", silent.port())).within(4 * SHORT);
    let probed = asked.probe(net()).await;
    let evidence = probed.found.expect("the database answers");
    assert_eq!(evidence.facts.parts, [Part::Database]);
    let kinds: Vec<_> = evidence
        .concerns
        .iter()
        .map(|concern| concern.kind().as_str())
        .collect();
    assert_eq!(kinds, ["timeout", "timeout"]);
}

#[tokio::test]
async fn a_key_that_is_refused_is_a_failure() {
    let (cluster, api) = (cluster(), api().await);
    check(
        asked(&cluster, &api.uri()).key("sb_publishable_wrong"),
        expect!["auth: REST: 127.0.0.1: answered HTTP 401: it does not accept the user or the key."],
    )
    .await;
    // One of the older sort goes as a token as well.
    check(
        asked(&cluster, &api.uri()).key("eyJhbGciOi.J9.x"),
        expect!["auth: REST: 127.0.0.1: answered HTTP 401: it does not accept the user or the key."],
    )
    .await;
    let requests = api.received_requests().await.expect("recorded");
    let with_token = requests
        .iter()
        .filter(|request| request.headers.contains_key("authorization"))
        .count();
    assert_eq!((requests.len(), with_token), (4, 2));
}

#[tokio::test]
async fn a_key_without_an_address_is_told() {
    let cluster = cluster();
    let asked = asked(&cluster, "");
    check(asked, expect!["invalid_endpoint: There is an API key, but no web address that it could be tested at: it is not known, and not given."]).await;
}

#[tokio::test]
async fn the_api_may_show_a_certificate_of_the_databases_authority() {
    let (cluster, authority) = (cluster(), Authority::new());
    let pem = authority.pem();
    let said = async |shown: &Certificate| {
        let server =
            FaultServer::answering_over_tls(shown, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").await;
        let asked = asked(&cluster, &format!("https://127.0.0.1:{}", server.port()));
        let probed = asked
            .with(|raw| raw.tls_authority = Some(pem.clone()))
            .probe(net())
            .await;
        let concerns = probed.found.expect("the database answers").concerns;
        concerns
            .iter()
            .map(|concern| concern.kind().as_str())
            .collect::<Vec<_>>()
    };
    // It was let in, and said that it is not well.
    assert_eq!(
        said(&authority.issue(&["127.0.0.1"])).await,
        ["unhealthy", "unhealthy"]
    );
    assert_eq!(
        said(&authority.issue_expired(&["127.0.0.1"])).await,
        ["certificate_expired", "certificate_expired"]
    );
    let stranger = Authority::new().issue(&["127.0.0.1"]);
    assert_eq!(said(&stranger).await, ["certificate", "certificate"]);
}
