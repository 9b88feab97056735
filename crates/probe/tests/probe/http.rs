//! Web addresses: what answers, what answers badly, and what is no web server.

use std::time::Duration;

use expect_test::{Expect, expect};
use insightpulse_domain::{Kind, RawEndpoint, SignIn};
use insightpulse_test_support::{Authority, BlackHole, FaultServer, eventually, with_known_authority};

use crate::check::{Asked, SHORT, check, cluster, describe, net};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

async fn check_answer(head: &str, expected: Expect) {
    let server = FaultServer::answering([head]).await;
    check(api(server.port()), expected).await;
}

fn api(port: u16) -> Asked {
    Asked::http(Kind::Api, format!("http://127.0.0.1:{port}/v1"))
}

#[tokio::test]
async fn a_success_is_healthy_whatever_else_it_says() {
    for head in [OK, "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"] {
        let server = FaultServer::answering_and_closing(head).await;
        check(api(server.port()), expect!["healthy: resolve, connect, query"]).await;
    }
}

#[tokio::test]
async fn every_other_status_says_what_it_means() {
    let answer = async |status: &str, expected: Expect| {
        check_answer(
            &format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"),
            expected,
        )
        .await;
    };
    answer(
        "401 Unauthorized",
        expect!["auth: 127.0.0.1:PORT answered HTTP 401: it wants a user or a key, and none is stored."],
    )
    .await;
    answer(
        "403 Forbidden",
        expect!["forbidden: 127.0.0.1:PORT knows who is asking, and does not allow it (HTTP 403)."],
    )
    .await;
    answer(
        "404 Not Found",
        expect!["unexpected_answer: 127.0.0.1:PORT answered HTTP 404, and 200-299 was expected."],
    )
    .await;
    answer(
        "429 Too Many Requests",
        expect!["too_many_requests: 127.0.0.1:PORT answered that it was asked too often (HTTP 429)."],
    )
    .await;
    answer(
        "302 Found",
        expect!["redirected: 127.0.0.1:PORT answered with a redirect (HTTP 302), which is not followed."],
    )
    .await;
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
async fn a_redirect_is_told_and_not_followed() {
    let elsewhere = FaultServer::answering([OK]).await;
    let to = |place: &str| format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
    let address = format!("http://127.0.0.1:{}/", elsewhere.port());
    let server = FaultServer::answering([to(&address)]).await;
    let said = describe(&api(server.port()).probe(net()).await);
    assert!(
        said.starts_with("redirected: ") && said.contains(&format!(" to {address}, ")),
        "{said}"
    );
    assert_eq!(elsewhere.seen().accepted, 0);
    // A loop has nothing to turn in, and a token in an address is not told.
    check_answer(
        &to("/v1?token=canary"),
        expect![
            "redirected: 127.0.0.1:PORT answered with a redirect (HTTP 302) to /v1, which is not followed."
        ],
    )
    .await;
    check_answer(&to("https://me:canary@login.example/sso?state=canary"), expect!["redirected: 127.0.0.1:PORT answered with a redirect (HTTP 302) to https://login.example/sso, which is not followed."]).await;
    // Who expects one may say so.
    let server = FaultServer::answering([to("/login")]).await;
    let asked = api(server.port()).with(|raw| raw.expected_status = Some("302".into()));
    check(asked, expect!["healthy: resolve, connect, query"]).await;
}

#[tokio::test]
async fn a_key_is_sent_as_the_connection_says() {
    let sent = async |change: fn(Asked) -> Asked| {
        let server = FaultServer::answering([OK]).await;
        let asked = change(
            api(server.port()).with(|raw| raw.base_url.as_mut().expect("set").push_str("?page=2#part")),
        );
        check(asked, expect!["healthy: resolve, connect, query"]).await;
        let received = String::from_utf8(server.seen().received.concat()).expect("text");
        assert!(received.starts_with("GET /v1?page=2 HTTP/1.1\r\n"), "{received}");
        assert!(
            received.contains(&format!("\r\nhost: 127.0.0.1:{}\r\n", server.port())),
            "{received}"
        );
        let lines = received
            .lines()
            .filter(|line| line.contains("secret") || line.contains("authorization"));
        lines.collect::<Vec<_>>().join(" | ")
    };
    let basic = "authorization: Basic bWU6c2VjcmV0LXB3";
    assert_eq!(sent(|asked| asked).await, "");
    assert_eq!(
        sent(|asked| asked.key("secret-key")).await,
        "authorization: Bearer secret-key"
    );
    assert_eq!(sent(|asked| asked.login("me", Some("secret-pw"))).await, basic);
    assert_eq!(
        sent(|asked| asked
            .key("secret-key")
            .with(|raw| raw.sign_in = Some(SignIn::Header)))
        .await,
        "x-api-key: secret-key"
    );
    let named = |raw: &mut RawEndpoint| {
        raw.sign_in = Some(SignIn::Header);
        raw.key_header = Some("X-Tax-Key".into());
    };
    assert_eq!(
        sent(|asked| asked.key("secret-key").with(|raw| {
            raw.sign_in = Some(SignIn::Header);
            raw.key_header = Some("X-Tax-Key".into());
        }))
        .await,
        "x-tax-key: secret-key"
    );
    assert_eq!(
        sent(|asked| asked
            .key("secret-key")
            .login("me", Some("secret-pw"))
            .with(|raw| raw.sign_in = Some(SignIn::Basic)))
        .await,
        basic
    );
    assert_eq!(
        sent(|asked| asked
            .key("secret-key")
            .with(|raw| raw.sign_in = Some(SignIn::None)))
        .await,
        ""
    );
    // What cannot be in a header is told before anything is dialled.
    let server = FaultServer::answering([OK]).await;
    check(api(server.port()).key("a\r\nX-Evil: 1"), expect!["invalid_endpoint: The stored password or key has a character in it that an HTTP header cannot have, such as a line break."]).await;
    check(
        api(server.port()).with(named),
        expect!["auth: 127.0.0.1:PORT wants a key, and none is stored."],
    )
    .await;
    assert_eq!(server.seen().accepted, 0);
}

#[tokio::test]
async fn a_key_that_is_refused_is_told_from_one_that_is_missing() {
    let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n";
    let server = FaultServer::answering([head]).await;
    check(
        api(server.port()),
        expect!["auth: 127.0.0.1:PORT answered HTTP 401: it wants a user or a key, and none is stored."],
    )
    .await;
    check(
        api(server.port()).key("wrong"),
        expect!["auth: 127.0.0.1:PORT answered HTTP 401: it does not accept the user or the key."],
    )
    .await;
}

#[tokio::test]
async fn an_answer_is_held_against_what_is_expected() {
    let body = r#"{"status": "degraded", "checks": [{"ok": true}], "when": null}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let expecting = async |path: Option<&str>, text: Option<&str>, expected: Expect| {
        let server = FaultServer::answering([answer.as_str()]).await;
        let asked = api(server.port()).with(|raw| {
            raw.expected_path = path.map(str::to_owned);
            raw.expected_text = text.map(str::to_owned);
        });
        check(asked, expected).await;
    };
    let healthy = || expect!["healthy: resolve, connect, query"];
    expecting(None, Some("degraded"), healthy()).await;
    expecting(Some("$.checks[-1].ok"), Some("true"), healthy()).await;
    expecting(Some("$.when"), None, healthy()).await;
    expecting(
        None,
        Some("all is well"),
        expect!["unexpected_answer: 127.0.0.1:PORT answered, and “all is well” is not in the answer."],
    )
    .await;
    expecting(
        Some("$.status"),
        Some("ok"),
        expect!["unexpected_answer: 127.0.0.1:PORT answered, and “ok” is not what its JSON has at $.status."],
    )
    .await;
    expecting(
        Some("$.checks[1].ok"),
        None,
        expect!["unexpected_answer: 127.0.0.1:PORT answered, and its JSON has nothing at $.checks[1].ok."],
    )
    .await;
    let server = FaultServer::answering([OK]).await;
    check(
        api(server.port()).with(|raw| raw.expected_path = Some("$.a".into())),
        expect!["unexpected_answer: 127.0.0.1:PORT answered, but not in JSON."],
    )
    .await;
}

#[tokio::test]
async fn a_bomb_is_not_unpacked() {
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\u{8}00";
    let server = FaultServer::answering([head]).await;
    check(api(server.port()), expect!["healthy: resolve, connect, query"]).await;
    let server = FaultServer::answering([head]).await;
    check(
        api(server.port()).with(|raw| raw.expected_text = Some("a".into())),
        expect!["unexpected_answer: 127.0.0.1:PORT compressed its answer, though it was not asked to."],
    )
    .await;
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_a_reset() {
    let server = FaultServer::answering_and_closing("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    check(
        api(server.port()),
        expect!["reset: 127.0.0.1:PORT closed the connection before it answered."],
    )
    .await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let certificate = Authority::new().issue(&["127.0.0.1"]);
    let server = FaultServer::answering_over_tls(&certificate, OK).await;
    check(
        Asked::http(Kind::Api, format!("https://127.0.0.1:{}", server.port())),
        expect!["certificate: The certificate of 127.0.0.1:PORT was issued by an authority that is not known here."],
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
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as TLS does."],
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
async fn an_endless_body_is_cut_off() {
    let server = FaultServer::endless("HTTP/1.1 200 OK\r\n\r\n", "more").await;
    check(
        api(server.port()),
        expect!["unexpected_answer: 127.0.0.1:PORT answered with more than 1024 KiB."],
    )
    .await;
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
