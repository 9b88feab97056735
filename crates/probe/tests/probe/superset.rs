//! Superset's token: used for as long as it lives, and no longer. Superset itself is tested as a whole.

use expect_test::{Expect, expect};
use insightpulse_domain::Kind;
use insightpulse_probe::Egress;
use serde_json::json;
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::check::{Asked, assert_harmless, describe, own_net};

async fn superset(token: &str, databases: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let ok = ResponseTemplate::new(200).set_body_string("OK");
    Mock::given(method("GET"))
        .and(path("/health"))
        .respond_with(ok)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/api/v1/security/login"))
        .and(body_partial_json(
            json!({"username": "admin", "password": "right", "provider": "db"}),
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"access_token": token})))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/api/v1/security/login"))
        .respond_with(ResponseTemplate::new(401).set_body_json(json!({"message": "Not authorized"})))
        .with_priority(9)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/api/v1/database/"))
        .and(header("authorization", format!("Bearer {token}").as_str()))
        .respond_with(databases)
        .mount(&server)
        .await;
    let version = json!({"build_number": null, "version_sha": "", "version_string": "6.1.0"});
    Mock::given(method("GET"))
        .and(path("/version"))
        .respond_with(ResponseTemplate::new(200).set_body_json(version))
        .mount(&server)
        .await;
    server
}

fn two() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"count": 2, "result": []}))
}

fn asked(server: &MockServer) -> Asked {
    Asked::http(Kind::Superset, server.uri()).login("admin", Some("right"))
}

async fn check(asked: &Asked, net: &Egress, expected: Expect) {
    let said = describe(&asked.probe(net).await);
    assert_harmless(&said);
    let port = asked.target().endpoint.service.address().host_and_port().1;
    expected.assert_eq(&said.replace(&format!(":{port}"), ":PORT"));
}

async fn logins(server: &MockServer) -> usize {
    let requests = server.received_requests().await.expect("recorded");
    requests
        .iter()
        .filter(|request| request.url.path() == "/api/v1/security/login")
        .count()
}

#[tokio::test]
async fn a_token_is_used_again_and_the_version_and_the_databases_are_told() {
    let (server, net) = (superset("t-1", two()).await, own_net());
    for _ in 0..3 {
        let evidence = asked(&server).probe(&net).await.found.expect("healthy");
        assert_eq!(evidence.facts.databases, Some(2));
        assert_eq!(evidence.server_version.as_deref(), Some("6.1.0"));
    }
    assert_eq!(logins(&server).await, 1);
}

#[tokio::test]
async fn a_token_that_has_died_is_fetched_anew() {
    for dead in [401, 422] {
        let (server, net) = (superset("t-1", two()).await, own_net());
        check(
            &asked(&server),
            &net,
            expect!["healthy: resolve, connect, login, query"],
        )
        .await;
        server.reset().await;
        let renewed = superset("t-2", two()).await;
        // The same address would have to answer otherwise: told by the token that it is shown.
        drop(renewed);
        let ok = ResponseTemplate::new(200).set_body_string("OK");
        Mock::given(path("/health")).respond_with(ok).mount(&server).await;
        Mock::given(path("/api/v1/security/login"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"access_token": "t-2"})))
            .mount(&server)
            .await;
        Mock::given(path("/api/v1/database/"))
            .and(header("authorization", "Bearer t-2"))
            .respond_with(two())
            .mount(&server)
            .await;
        Mock::given(path("/api/v1/database/"))
            .respond_with(ResponseTemplate::new(dead))
            .with_priority(9)
            .mount(&server)
            .await;
        check(
            &asked(&server),
            &net,
            expect!["healthy: resolve, connect, login, query"],
        )
        .await;
        assert_eq!(logins(&server).await, 1, "{dead}");
    }
}

#[tokio::test]
async fn another_password_does_not_find_the_token_of_the_right_one() {
    let (server, net) = (superset("t-1", two()).await, own_net());
    check(
        &asked(&server),
        &net,
        expect!["healthy: resolve, connect, login, query"],
    )
    .await;
    let wrong = asked(&server).login("admin", Some("wrong"));
    check(
        &wrong,
        &net,
        expect!["auth: 127.0.0.1:PORT refused the password of the user “admin”."],
    )
    .await;
    let none = asked(&server).login("admin", None);
    check(
        &none,
        &net,
        expect!["auth: 127.0.0.1:PORT wants a password for the user “admin”, and none is stored."],
    )
    .await;
}

#[tokio::test]
async fn who_may_not_see_databases_is_forbidden_and_who_has_no_user_is_not_asked() {
    let (server, net) = (superset("t-1", ResponseTemplate::new(403)).await, own_net());
    check(
        &asked(&server),
        &net,
        expect!["forbidden: 127.0.0.1:PORT knows who is asking, and does not allow it (HTTP 403)."],
    )
    .await;
    let mut nobody = Asked::http(Kind::Superset, server.uri());
    nobody.password = None;
    let before = logins(&server).await;
    check(&nobody, &net, expect!["healthy: resolve, connect, query"]).await;
    assert_eq!(logins(&server).await, before);
}

#[tokio::test]
async fn what_says_ok_to_everything_is_no_superset() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_string("<html>Welcome to nginx</html>");
    Mock::given(method("GET")).respond_with(page).mount(&server).await;
    check(
        &asked(&server),
        &own_net(),
        expect!["unhealthy: 127.0.0.1:PORT answered that it is not well."],
    )
    .await;
}
