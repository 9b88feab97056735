//! What stands where a PostgreSQL server should, and is none or is broken.

use std::net::TcpListener;
use std::time::Duration;

use expect_test::{Expect, expect};
use insightpulse_domain::TlsMode;
use insightpulse_test_support::{BlackHole, FaultServer, eventually};

use crate::check::{Asked, SHORT, check, most_memory_mib};

/// Probes in each mode that begins another way: without TLS, with TLS if there is any, with TLS.
async fn check_each(port: u16, disable: Expect, prefer: Expect, require: Expect) {
    let asked = Asked::postgres(port);
    check(asked.clone().tls(TlsMode::Disable), disable).await;
    check(asked.clone().tls(TlsMode::Prefer), prefer).await;
    check(asked.tls(TlsMode::Require), require).await;
}

async fn check_each_in_vain(port: u16, disable: Expect, prefer: Expect, require: Expect) {
    let asked = Asked::postgres(port).within(SHORT);
    check(asked.clone().tls(TlsMode::Disable), disable).await;
    check(asked.clone().tls(TlsMode::Prefer), prefer).await;
    check(asked.tls(TlsMode::Require), require).await;
}

/// The login is accepted, without a password.
pub fn accepted() -> Vec<u8> {
    message(b'R', &0_u32.to_be_bytes())
}

/// One of the parameters that a server tells after a login.
pub fn parameter(value: &str) -> Vec<u8> {
    message(b'S', format!("name\0{value}\0").as_bytes())
}

/// A message from a server: its kind, its length, its body.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("small");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

#[tokio::test]
async fn an_unknown_host_is_dns() {
    check(
        Asked::postgres(5432).host("no-such-host.invalid"),
        expect!["dns: DNS knows no address for no-such-host.invalid."],
    )
    .await;
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    check(
        Asked::postgres(port),
        expect!["refused: 127.0.0.1:PORT refused the connection."],
    )
    .await;
}

#[tokio::test]
async fn a_black_hole_is_a_timeout() {
    let hole = BlackHole::start().await;
    check(
        Asked::postgres(hole.port()).within(SHORT),
        expect!["timeout: 127.0.0.1:PORT did not accept a connection within 0.5 s."],
    )
    .await;
}

#[tokio::test]
async fn a_silent_server_is_a_timeout_and_is_left() {
    let server = FaultServer::silent().await;
    check_each_in_vain(
        server.port(),
        expect![
            "timeout: 127.0.0.1:PORT accepted the connection, but the login did not finish within 0.5 s."
        ],
        expect!["timeout: 127.0.0.1:PORT accepted the connection, but TLS did not finish within 0.5 s."],
        expect!["timeout: 127.0.0.1:PORT accepted the connection, but TLS did not finish within 0.5 s."],
    )
    .await;
    eventually("the probes have closed their connections", || {
        server.seen().open == 0
    })
    .await;
}

#[tokio::test]
async fn a_byte_now_and_then_buys_no_time() {
    // Far longer than the probe has time for, and right in every byte.
    let words = [accepted(), parameter(&"x".repeat(1000))].concat();
    let server = FaultServer::trickling(words, Duration::from_millis(20)).await;
    check(
        Asked::postgres(server.port()).tls(TlsMode::Disable).within(SHORT),
        expect![
            "timeout: 127.0.0.1:PORT accepted the connection, but the login did not finish within 0.5 s."
        ],
    )
    .await;
    eventually("the probe has closed its connection", || server.seen().open == 0).await;
}

#[tokio::test]
async fn a_tls_handshake_that_stalls_is_a_timeout() {
    let server = FaultServer::answering(["S"]).await;
    check(
        Asked::postgres(server.port()).tls(TlsMode::Require).within(SHORT),
        expect!["timeout: 127.0.0.1:PORT accepted the connection, but TLS did not finish within 0.5 s."],
    )
    .await;
}

#[tokio::test]
async fn a_tls_alert_is_tls() {
    // Alert, TLS 1.2, two bytes: fatal, handshake failure.
    let alert: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];
    let server = FaultServer::answering([&b"S"[..], alert]).await;
    check(
        Asked::postgres(server.port()).tls(TlsMode::Require),
        expect!["tls: TLS with 127.0.0.1:PORT failed: received fatal alert: HandshakeFailure."],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_reset() {
    let server = FaultServer::closing().await;
    check_each(
        server.port(),
        expect!["reset: 127.0.0.1:PORT closed the connection during the login."],
        expect!["reset: 127.0.0.1:PORT closed the connection while agreeing on TLS."],
        expect!["reset: 127.0.0.1:PORT closed the connection while agreeing on TLS."],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_resets_is_reset() {
    let server = FaultServer::resetting().await;
    check_each(
        server.port(),
        expect!["reset: 127.0.0.1:PORT closed the connection during the login."],
        expect!["reset: 127.0.0.1:PORT closed the connection while agreeing on TLS."],
        expect!["reset: 127.0.0.1:PORT closed the connection while agreeing on TLS."],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_closes_when_asked_for_tls_or_a_login_is_reset() {
    let server = FaultServer::closing_when_asked().await;
    check_each(
        server.port(),
        expect!["reset: 127.0.0.1:PORT closed the connection during the login."],
        expect!["reset: 127.0.0.1:PORT closed the connection while agreeing on TLS."],
        expect!["reset: 127.0.0.1:PORT closed the connection while agreeing on TLS."],
    )
    .await;
}

#[tokio::test]
async fn an_http_server_is_another_protocol() {
    let server = FaultServer::answering([
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ])
    .await;
    check_each(
        server.port(),
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_speaks_first_is_another_protocol() {
    // The S of SSH means “yes” to who asked for TLS.
    let server = FaultServer::greeting("SSH-2.0-OpenSSH_9.2p1\r\n").await;
    check_each(
        server.port(),
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as TLS does."],
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as TLS does."],
    )
    .await;
    let mysql = FaultServer::greeting(&b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0"[..]).await;
    check_each(
        mysql.port(),
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
    )
    .await;
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    // A server may tell of any number of parameters; nobody has to listen to all of them.
    let server = FaultServer::endless(accepted(), parameter("more")).await;
    check(
        Asked::postgres(server.port()).tls(TlsMode::Disable),
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
    )
    .await;
    eventually("the probe has closed its connection", || server.seen().open == 0).await;
    // What the probe reads, and what the kernel's buffers hold besides.
    let sent = server.seen().sent;
    assert!(sent < 16 * 1024 * 1024, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_message_that_claims_to_be_huge_is_cut_off() {
    for claimed in [u32::MAX, i32::MAX as u32, 3, 0] {
        let begin = [&b"R"[..], &claimed.to_be_bytes()].concat();
        let server = FaultServer::endless(begin, "all work and no play ").await;
        check(
            Asked::postgres(server.port()).tls(TlsMode::Disable),
            expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
        )
        .await;
        eventually("the probe has closed its connection", || server.seen().open == 0).await;
    }
    assert!(most_memory_mib() < 256, "{} MiB", most_memory_mib());
}

#[tokio::test]
async fn a_hostile_servers_words_are_made_harmless() {
    let mut fields = b"SFATAL\0VFATAL\0C28P01\0M\x1b]0;owned\x07\x1b[31m<b>no\r\n\xff\xfe ".to_vec();
    fields.extend("\u{202e}drow".bytes());
    fields.extend([b'x'; 100_000]);
    fields.extend([0, 0]);
    let server = FaultServer::answering([message(b'E', &fields)]).await;
    check(Asked::postgres(server.port()).tls(TlsMode::Disable), expect!["auth: 127.0.0.1:PORT refused the password of the user “app”. The server said: “28P01: ]0;owned[31m<b>no  �� drowxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…”."]).await;
}

#[tokio::test]
async fn a_code_that_is_none_is_left_out() {
    let mut fields = b"SFATAL\0VFATAL\0Mno\0C".to_vec();
    fields.extend("\u{1b}[31m\u{202e}".bytes());
    fields.extend([b'x'; 200_000]);
    fields.extend([0, 0]);
    let server = FaultServer::answering([message(b'E', &fields)]).await;
    check(
        Asked::postgres(server.port()).tls(TlsMode::Disable),
        expect!["unhealthy: 127.0.0.1:PORT answered with an error. The server said: “no”."],
    )
    .await;
}

#[tokio::test]
async fn an_error_in_place_of_an_answer_about_tls_is_unhealthy() {
    // libpq does not show such a text either: it is not authenticated.
    let server = FaultServer::answering([message(b'E', b"SFATAL\0C53300\0Mtoo many\0\0")]).await;
    check(
        Asked::postgres(server.port()).tls(TlsMode::Prefer),
        expect!["unhealthy: 127.0.0.1:PORT refused to begin a session."],
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_asked_for_is_another_protocol() {
    let ready = message(b'Z', b"I");
    let logged_in = [accepted(), ready.clone()].concat();
    for answer in [
        // No row, a row of too few columns, a row of no text, a message that nobody knows.
        [message(b'C', b"SELECT 0\0"), ready.clone()].concat(),
        [
            message(b'T', b"\0\0"),
            message(b'D', b"\0\0"),
            message(b'C', b"SELECT 1\0"),
            ready,
        ]
        .concat(),
        message(b'D', b"\0\x01\xff\xff"),
        message(b'?', b"what"),
    ] {
        let server = FaultServer::answering([logged_in.clone(), answer]).await;
        check(
            Asked::postgres(server.port()).tls(TlsMode::Disable),
            expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as PostgreSQL does."],
        )
        .await;
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_after_the_login_is_a_timeout() {
    let logged_in = [accepted(), message(b'Z', b"I")].concat();
    let server = FaultServer::answering([logged_in]).await;
    check(
        Asked::postgres(server.port()).tls(TlsMode::Disable).within(SHORT),
        expect!["timeout: 127.0.0.1:PORT accepted the connection, but did not answer within 0.5 s."],
    )
    .await;
}

#[tokio::test]
async fn a_password_is_never_sent_in_the_clear_to_who_did_not_ask_for_it() {
    let server = FaultServer::silent().await;
    check(
        Asked::postgres(server.port()).tls(TlsMode::Disable).within(SHORT),
        expect![
            "timeout: 127.0.0.1:PORT accepted the connection, but the login did not finish within 0.5 s."
        ],
    )
    .await;
    let received = server.seen().received.concat();
    assert!(!String::from_utf8_lossy(&received).contains("of the app"));
}
