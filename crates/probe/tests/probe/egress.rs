//! Where probes may not go, whatever is there.

use expect_test::expect;
use insightpulse_domain::Kind;
use insightpulse_probe::{Egress, EgressPolicy};
use insightpulse_test_support::FaultServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::check::{Asked, describe, net};

#[tokio::test]
async fn loopback_is_not_dialled_where_the_policy_forbids_it() {
    let server = FaultServer::silent().await;
    let port = server.port();
    let net = Egress::new(EgressPolicy::default()).expect("TLS");
    let mapped = format!("http://[::ffff:127.0.0.1]:{port}");
    for asked in [
        Asked::postgres(port),
        Asked::postgres(port).host("localhost"),
        Asked::postgres(port).host("0x7f.1"),
        Asked::http(Kind::Api, format!("http://127.0.0.1:{port}")),
        Asked::http(Kind::Api, mapped),
    ] {
        let said = describe(&asked.probe(&net).await);
        assert!(
            said.starts_with("egress_denied: The sidecar's egress policy forbids ")
                && said.ends_with("(rule: loopback)."),
            "{said}"
        );
    }
    assert_eq!(server.seen().accepted, 0);
}

#[tokio::test]
async fn a_metadata_service_is_never_dialled() {
    let asked = Asked::http(Kind::Api, "http://169.254.169.254/latest/meta-data");
    expect!["egress_denied: The sidecar's egress policy forbids 169.254.169.254 (rule: link-local)."]
        .assert_eq(&describe(&asked.probe(net()).await));
}

#[tokio::test]
async fn a_name_that_is_denied_is_neither_looked_up_nor_dialled() {
    let server = FaultServer::silent().await;
    let net = Egress::new(EgressPolicy {
        allow_loopback: true,
        deny: vec![
            "localhost".parse().expect("a rule"),
            "*.invalid".parse().expect("a rule"),
        ],
        ..EgressPolicy::default()
    })
    .expect("TLS");
    let asked = |host: &str| Asked::postgres(server.port()).host(host);
    expect!["egress_denied: The sidecar's egress policy forbids localhost (rule: egress.deny localhost)."]
        .assert_eq(&describe(&asked("LOCALHOST").probe(&net).await));
    // It would be `dns` if it had been looked up.
    expect!["egress_denied: The sidecar's egress policy forbids db.invalid (rule: egress.deny *.invalid)."]
        .assert_eq(&describe(&asked("db.invalid").probe(&net).await));
    assert_eq!(server.seen().accepted, 0);
}

#[tokio::test]
async fn where_a_network_is_allowed_another_is_not_dialled() {
    let server = FaultServer::silent().await;
    let net = Egress::new(EgressPolicy {
        allow_loopback: true,
        allow: vec!["10.0.0.0/8".parse().expect("a rule")],
        ..EgressPolicy::default()
    })
    .expect("TLS");
    expect!["egress_denied: The sidecar's egress policy forbids 127.0.0.1 (rule: not in egress.allow)."]
        .assert_eq(&describe(&Asked::postgres(server.port()).probe(&net).await));
    assert_eq!(server.seen().accepted, 0);
}

#[tokio::test]
async fn an_ipv6_address_is_dialled_as_any_other() {
    let listener = TcpListener::bind("[::1]:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let serving = tokio::spawn(async move {
        let (mut stream, from) = listener.accept().await.expect("accepted");
        let read = stream.read(&mut [0; 1024]).await.expect("a request");
        assert!(read > 0);
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .expect("sent");
        from.is_ipv6()
    });
    let asked = Asked::http(Kind::Api, format!("http://[::1]:{port}/"));
    expect!["healthy: resolve, connect, query"].assert_eq(&describe(&asked.probe(net()).await));
    assert!(serving.await.expect("no panic"));
}
