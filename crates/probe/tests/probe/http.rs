//! Web addresses: what answers, what answers badly, and what is no web server.

use std::time::Duration;

use expect_test::{Expect, expect};
use insightpulse_domain::Kind;
use insightpulse_test_support::{Authority, BlackHole, FaultServer, eventually, with_known_authority};

use crate::check::{Asked, SHORT, check, cluster};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

async fn check_answer(head: &str, expected: Expect) {
    let server = FaultServer::answering([head]).await;
    check(api(server.port()), expected).await;
}

fn api(port: u16) -> Asked {
    Asked::http(Kind::Api, format!("http://127.0.0.1:{port}/v1"))
}

#[tokio::test]
async fn whatever_answers_without_an_error_of_its_own_is_healthy() {
    for head in [
        OK,
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
    ] {
        check_answer(head, expect!["healthy: resolve, connect, query"]).await;
    }
}

#[tokio::test]
async fn an_error_of_the_servers_own_is_unhealthy() {
    check_answer(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        expect!["unhealthy: 127.0.0.1:PORT answered with HTTP 503."],
    )
    .await;
    check_answer(
        "HTTP/1.1 500 \x1b[31mHostile\r\nContent-Length: 0\r\n\r\n",
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as HTTP does."],
    )
    .await;
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = FaultServer::answering([OK]).await;
    check_answer(
        &format!(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\nContent-Length: 0\r\n\r\n",
            elsewhere.port()
        ),
        expect!["healthy: resolve, connect, query"],
    )
    .await;
    assert_eq!(elsewhere.seen().accepted, 0);
}

#[tokio::test]
async fn a_kind_with_a_health_path_is_asked_there_and_no_secret_is_sent() {
    let asked_for = async |kind, path: &str| {
        let server = FaultServer::answering([OK]).await;
        let asked = Asked {
            password: Some("canary-password"),
            api_key: Some("canary-key"),
            user: "canary-user".into(),
            ..Asked::http(kind, format!("http://127.0.0.1:{}{path}", server.port()))
        };
        check(asked, expect!["healthy: resolve, connect, query"]).await;
        let received = String::from_utf8(server.seen().received.concat()).expect("text");
        let lower = received.to_lowercase();
        assert!(
            !lower.contains("canary") && !lower.contains("authorization") && !lower.contains("cookie"),
            "{received}"
        );
        assert!(
            received.contains(&format!("\r\nhost: 127.0.0.1:{}\r\n", server.port())),
            "{received}"
        );
        received.lines().next().map(str::to_owned)
    };
    assert_eq!(
        asked_for(Kind::Superset, "/superset/welcome").await.as_deref(),
        Some("GET /health HTTP/1.1")
    );
    assert_eq!(
        asked_for(Kind::Mcp, "/mcp").await.as_deref(),
        Some("GET /mcp HTTP/1.1")
    );
    assert_eq!(
        asked_for(Kind::Api, "/v1?page=2#part").await.as_deref(),
        Some("GET /v1?page=2 HTTP/1.1")
    );
    assert_eq!(asked_for(Kind::Api, "").await.as_deref(), Some("GET / HTTP/1.1"));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let certificate = Authority::new().issue(&["127.0.0.1"]);
    let server = FaultServer::answering_over_tls(&certificate, OK).await;
    check(
        Asked::http(Kind::Api, format!("https://127.0.0.1:{}", server.port())),
        expect!["certificate: The certificate of 127.0.0.1:PORT was issued by an authority that this machine does not know."],
    )
    .await;
    assert_eq!(
        server.seen().received.concat(),
        b"",
        "nothing is asked of a stranger"
    );
}

#[test]
fn a_certificate_of_a_known_authority_is_accepted_for_its_name_alone() {
    with_known_authority(
        "http::a_certificate_of_a_known_authority_is_accepted_for_its_name_alone",
        |authority| {
            let test = async {
                let server = FaultServer::answering_over_tls(&authority.issue(&["127.0.0.1"]), OK).await;
                let port = server.port();
                check(
                    Asked::http(Kind::Api, format!("https://127.0.0.1:{port}")),
                    expect!["healthy: resolve, connect, tls, query"],
                )
                .await;
                check(
                    Asked::http(Kind::Api, format!("https://localhost:{port}")),
                    expect!["certificate: The certificate of localhost:PORT is for another host name."],
                )
                .await;
            };
            tokio::runtime::Runtime::new().expect("a runtime").block_on(test);
        },
    );
}

#[tokio::test]
async fn plain_http_where_https_should_be_is_another_protocol() {
    let server = FaultServer::answering(["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"]).await;
    check(
        Asked::http(Kind::Api, format!("https://127.0.0.1:{}", server.port())),
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not in TLS."],
    )
    .await;
}

#[tokio::test]
async fn a_postgresql_server_is_no_web_server() {
    // It reads the request as a message of an impossible length, and hangs up.
    let cluster = cluster();
    check(
        api(cluster.port()),
        expect!["reset: 127.0.0.1:PORT closed the connection before it answered."],
    )
    .await;
}

#[tokio::test]
async fn another_protocol_is_told_from_http() {
    for words in ["SSH-2.0-OpenSSH_9.2p1\r\n", "220 mail.example ESMTP\r\n"] {
        let server = FaultServer::greeting(words).await;
        check(
            api(server.port()),
            expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as HTTP does."],
        )
        .await;
    }
    check_answer(
        "HTTP/9.9 200 OK\r\n\r\n",
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as HTTP does."],
    )
    .await;
}

#[tokio::test]
async fn headers_without_an_end_are_cut_off() {
    for (begin, again) in [
        ("HTTP/1.1 200 OK\r\n", "X-More: and more\r\n"),
        ("HTTP/1.1 200 OK\r\nX-Long: ", "x"),
        ("HTTP/1.1 200 ", "very "),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let server = FaultServer::endless(begin, again).await;
        check(
            api(server.port()),
            expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as HTTP does."],
        )
        .await;
        eventually("the probe has closed its connection", || server.seen().open == 0).await;
        let sent = server.seen().sent;
        assert!(sent < 16 * 1024 * 1024, "{sent} bytes were taken");
    }
}

#[tokio::test]
async fn an_endless_body_is_not_read() {
    let server = FaultServer::endless("HTTP/1.1 200 OK\r\n\r\n", "more").await;
    check(api(server.port()), expect!["healthy: resolve, connect, query"]).await;
    eventually("the probe has closed its connection", || server.seen().open == 0).await;
}

#[tokio::test]
async fn who_does_not_answer_is_a_timeout() {
    let silent = FaultServer::silent().await;
    check(
        api(silent.port()).within(SHORT),
        expect!["timeout: 127.0.0.1:PORT accepted the connection, but did not answer within 0.5 s."],
    )
    .await;
    let tls = Asked::http(Kind::Api, format!("https://127.0.0.1:{}", silent.port()));
    check(
        tls.within(SHORT),
        expect!["timeout: 127.0.0.1:PORT accepted the connection, but TLS did not finish within 0.5 s."],
    )
    .await;
    let slow = FaultServer::trickling("HTTP/1.1 200 OK\r\n", Duration::from_millis(20)).await;
    check(
        api(slow.port()).within(SHORT),
        expect!["timeout: 127.0.0.1:PORT accepted the connection, but did not answer within 0.5 s."],
    )
    .await;
    let hole = BlackHole::start().await;
    check(
        api(hole.port()).within(SHORT),
        expect!["timeout: 127.0.0.1:PORT did not accept a connection within 0.5 s."],
    )
    .await;
}

#[tokio::test]
async fn who_hangs_up_is_a_reset() {
    for server in [
        FaultServer::closing().await,
        FaultServer::resetting().await,
        FaultServer::closing_when_asked().await,
    ] {
        check(
            api(server.port()),
            expect!["reset: 127.0.0.1:PORT closed the connection before it answered."],
        )
        .await;
    }
}
