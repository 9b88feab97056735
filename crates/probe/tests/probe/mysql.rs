//! MySQL's own way to log in, which MariaDB does not have: a stand-in that answers as its documentation
//! says. MariaDB itself is tested as a whole.

use std::time::Duration;

use expect_test::{Expect, expect};
use insightpulse_domain::{Kind, TlsMode};
use insightpulse_test_support::{Authority, FaultServer, Step};

use crate::check::{Asked, check};

const OK: &[u8] = b"\0\0\0\x02\0\0\0";

fn packet(sequence: u8, body: &[u8]) -> Step {
    let length = u32::try_from(body.len()).expect("short").to_le_bytes();
    Step::Send([&length[..3], &[sequence], body].concat())
}

fn greeting(plugin: &str) -> Step {
    let body = [
        &b"\x0a8.4.6\0\x01\0\0\x0012345678\0\xff\xff\x2d\x02\0\xff\xdf\x15"[..],
        &[0; 10],
        b"abcdefghijkl\0",
        plugin.as_bytes(),
        b"\0",
    ]
    .concat();
    packet(0, &body)
}

/// One row of text; then where an answer has its columns.
fn rows(columns: &[&str]) -> Step {
    let mut bytes = Vec::new();
    let mut number = 0;
    let mut add = |body: &[u8]| {
        number += 1;
        let length = u32::try_from(body.len()).expect("short").to_le_bytes();
        bytes.extend([&length[..3], &[number], body].concat());
    };
    add(&[columns.len() as u8]);
    columns.iter().for_each(|_| add(b"\x03def"));
    add(b"\xfe\0\0\x02\0");
    let row: Vec<u8> = columns
        .iter()
        .flat_map(|text| [&[text.len() as u8][..], text.as_bytes()].concat())
        .collect();
    add(&row);
    add(b"\xfe\0\0\x02\0");
    Step::Send(bytes)
}

fn questions() -> [Step; 4] {
    [
        Step::Receive,
        rows(&["8.4.6", "151"]),
        Step::Receive,
        rows(&["Threads_connected", "7"]),
    ]
}

fn asked(port: u16) -> Asked {
    Asked::database(Kind::Mysql, port).tls(TlsMode::Disable)
}

async fn check_login(steps: Vec<Step>, expected: Expect) {
    let server = FaultServer::scripted(steps.into_iter().chain(questions())).await;
    check(asked(server.port()), expected).await;
}

#[tokio::test]
async fn a_password_that_the_server_remembers_is_proven_and_not_sent() {
    let steps = vec![
        greeting("caching_sha2_password"),
        Step::Receive,
        packet(2, b"\x01\x03"),
        packet(3, OK),
    ];
    let server = FaultServer::scripted(steps.into_iter().chain(questions())).await;
    let evidence = asked(server.port())
        .probe(crate::check::net())
        .await
        .found
        .expect("healthy");
    assert_eq!(evidence.server_version.as_deref(), Some("8.4.6"));
    assert_eq!(
        (evidence.active_connections, evidence.max_connections),
        (Some(7), Some(151))
    );
    let received = String::from_utf8_lossy(&server.seen().received.concat()).into_owned();
    assert!(
        received.contains("caching_sha2_password") && !received.contains("of the app"),
        "{received}"
    );
}

#[tokio::test]
async fn a_password_that_the_server_has_forgotten_is_not_sent_without_tls() {
    let steps = vec![
        greeting("caching_sha2_password"),
        Step::Receive,
        packet(2, b"\x01\x04"),
    ];
    check_login(steps, expect!["auth_method: 127.0.0.1:PORT wants the password unencrypted over a connection without TLS; it was not sent."]).await;
}

#[tokio::test]
async fn a_password_that_the_server_has_forgotten_is_sent_over_tls() {
    let certificate = Authority::new().issue(&["127.0.0.1"]);
    let steps = [
        greeting("caching_sha2_password"),
        Step::ReceiveExactly(36),
        Step::Tls(certificate.server_config()),
        Step::Receive,
        packet(3, b"\x01\x04"),
        Step::Receive,
        packet(5, OK),
    ];
    let server = FaultServer::scripted(steps.into_iter().chain(questions())).await;
    check(
        asked(server.port()).tls(TlsMode::Require),
        expect!["healthy: resolve, connect, tls, login, query"],
    )
    .await;
    let received = server.seen().received.concat();
    assert!(received.windows(11).any(|part| part == b"of the app\0"));
}

#[tokio::test]
async fn the_server_may_ask_for_another_method_that_is_spoken() {
    let switch = b"\xfemysql_native_password\0ABCDEFGHabcdefghijkl\0";
    let steps = vec![
        greeting("client_ed25519"),
        Step::Receive,
        packet(2, switch),
        Step::Receive,
        packet(4, OK),
    ];
    check_login(steps, expect!["healthy: resolve, connect, login, query"]).await;
}

#[tokio::test]
async fn a_method_that_is_not_spoken_is_named() {
    let steps = vec![
        greeting("x"),
        Step::Receive,
        packet(2, b"\xfeauth_gssapi_client\0data"),
    ];
    check_login(steps, expect!["auth_method: 127.0.0.1:PORT wants the login method “auth_gssapi_client”, which is not spoken here."]).await;
}

#[tokio::test]
async fn what_a_server_refuses_says_why() {
    let refusing = async |number: u16, state: &str, words: &str, expected: Expect| {
        let body = [
            &b"\xff"[..],
            &number.to_le_bytes(),
            b"#",
            state.as_bytes(),
            words.as_bytes(),
        ]
        .concat();
        check_login(
            vec![greeting("mysql_native_password"), Step::Receive, packet(2, &body)],
            expected,
        )
        .await;
    };
    refusing(1045, "28000", "Access denied for user", expect!["auth: 127.0.0.1:PORT refused the password of the user “app”. The server said: “1045: Access denied for user”."]).await;
    refusing(1044, "42000", "Access denied to database", expect!["forbidden: 127.0.0.1:PORT forbids the user “app” to use the database “postgres”. The server said: “1044: Access denied to database”."]).await;
    refusing(1049, "42000", "Unknown database", expect!["database_missing: 127.0.0.1:PORT has no database “postgres”. The server said: “1049: Unknown database”."]).await;
    refusing(1862, "HY000", "Your password has expired", expect!["auth: 127.0.0.1:PORT lets the user “app” do nothing before the password is changed. The server said: “1862: Your password has expired”."]).await;
    refusing(
        3159,
        "HY000",
        "Connections using insecure transport are prohibited",
        expect!["tls: 127.0.0.1:PORT lets nobody in without TLS. The server said: “3159: Connections using insecure transport are prohibited”."],
    )
    .await;
    refusing(1226, "42000", "User has exceeded max_user_connections", expect!["too_many_connections: 127.0.0.1:PORT has no connection free. The server said: “1226: User has exceeded max_user_connections”."]).await;
    refusing(
        9999,
        "HY000",
        "Something new",
        expect!["unhealthy: 127.0.0.1:PORT answered with an error. The server said: “9999: Something new”."],
    )
    .await;
    // Before a login, there is no state.
    let blocked = packet(0, b"\xff\x6a\x04Host is not allowed to connect");
    check_login(vec![blocked, Step::Wait(Duration::from_millis(1))], expect!["forbidden: 127.0.0.1:PORT does not let the user “app” in. The server said: “1130: Host is not allowed to connect”."]).await;
}
