//! PostgreSQL servers with TLS, without it, and with certificates that nobody should accept.

use expect_test::{Expect, expect};
use insightpulse_domain::TlsMode;
use insightpulse_test_support::{Authority, Cluster, Options, with_known_authority};

use crate::check::{Asked, check, cluster, describe, net};

#[tokio::test]
async fn a_server_without_tls_is_right_for_those_modes_that_do_not_demand_it() {
    let cluster = cluster();
    let asked = Asked::postgres(cluster.port());
    check(
        asked.clone().tls(TlsMode::Disable),
        expect!["healthy: resolve, connect, login, query"],
    )
    .await;
    check(
        asked.clone().tls(TlsMode::Prefer),
        expect!["healthy: resolve, connect, tls, login, query"],
    )
    .await;
    check(
        asked.clone().tls(TlsMode::Require),
        expect!["tls: 127.0.0.1:PORT does not offer TLS, and the TLS mode “require” demands it."],
    )
    .await;
    check(
        asked.tls(TlsMode::VerifyFull),
        expect!["tls: 127.0.0.1:PORT does not offer TLS, and the TLS mode “verify-full” demands it."],
    )
    .await;
}

#[tokio::test]
async fn an_authority_that_nobody_knows_is_refused_by_the_modes_that_verify() {
    let certificate = Authority::new().issue(&["127.0.0.1"]);
    let cluster = with_tls(&certificate);
    let asked = Asked::postgres(cluster.port());
    for mode in [TlsMode::Disable, TlsMode::Prefer, TlsMode::Require] {
        let probed = asked
            .clone()
            .tls(mode)
            .login("encrypted", Some("x"))
            .probe(crate::check::net())
            .await;
        let is_let_in = probed.found.is_ok();
        assert_eq!(is_let_in, mode != TlsMode::Disable, "{mode:?}: {probed:?}");
    }
    for mode in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
        check(
            asked.clone().tls(mode),
            expect!["certificate: The certificate of 127.0.0.1:PORT was issued by an authority that is not known here."],
        )
        .await;
    }
}

#[test]
fn a_known_authority_is_believed_for_the_names_that_it_certifies() {
    with_known_authority(
        "postgres_tls::a_known_authority_is_believed_for_the_names_that_it_certifies",
        |authority| {
            run(async {
                let cluster = with_tls(&authority.issue(&["127.0.0.1"]));
                let asked = Asked::postgres(cluster.port());
                check(
                    asked.clone().tls(TlsMode::VerifyFull),
                    expect!["healthy: resolve, connect, tls, login, query"],
                )
                .await;
                check(
                    asked.clone().tls(TlsMode::VerifyFull).host("localhost"),
                    expect!["certificate: The certificate of localhost:PORT is for another host name."],
                )
                .await;
                check(
                    asked.tls(TlsMode::VerifyCa).host("localhost"),
                    expect!["healthy: resolve, connect, tls, login, query"],
                )
                .await;
            });
        },
    );
}

#[test]
fn an_expired_certificate_is_refused_though_its_authority_is_known() {
    with_known_authority(
        "postgres_tls::an_expired_certificate_is_refused_though_its_authority_is_known",
        |authority| {
            run(async {
                let cluster = with_tls(&authority.issue_expired(&["127.0.0.1"]));
                check(
                    Asked::postgres(cluster.port()).tls(TlsMode::VerifyFull),
                    expect!["certificate_expired: The certificate of 127.0.0.1:PORT has expired."],
                )
                .await;
                check(
                    Asked::postgres(cluster.port()).tls(TlsMode::VerifyCa),
                    expect!["certificate_expired: The certificate of 127.0.0.1:PORT has expired."],
                )
                .await;
            });
        },
    );
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_believed_by_who_was_given_it() {
    let names = &["127.0.0.1"];
    let check = async |from, until, host: &str, expected: Expect| {
        let shown = Authority::self_signed_authority(names, from, until);
        let cluster = with_tls(&shown);
        let asked = Asked::postgres(cluster.port())
            .tls(TlsMode::VerifyFull)
            .host(host);
        let given = asked
            .clone()
            .with(|raw| raw.tls_authority = Some(shown.chain_pem()));
        check(given, expected).await;
        let stranger = Authority::self_signed_authority(names, from, until).chain_pem();
        let said = describe(
            &asked
                .with(|raw| raw.tls_authority = Some(stranger))
                .probe(net())
                .await,
        );
        assert!(said.starts_with("certificate"), "{said}");
    };
    check(
        2019,
        2100,
        "127.0.0.1",
        expect!["healthy: resolve, connect, tls, login, query"],
    )
    .await;
    check(
        2019,
        2100,
        "localhost",
        expect!["certificate: The certificate of localhost:PORT is for another host name."],
    )
    .await;
    check(
        2019,
        2020,
        "127.0.0.1",
        expect!["certificate_expired: The certificate of 127.0.0.1:PORT has expired."],
    )
    .await;
    check(
        2099,
        2100,
        "127.0.0.1",
        expect!["certificate: The certificate of 127.0.0.1:PORT is not valid yet."],
    )
    .await;
}

/// A server with TLS that lets `encrypted` in with TLS only.
fn with_tls(certificate: &insightpulse_test_support::Certificate) -> Cluster {
    Cluster::start_with(&Options {
        certificate: Some(certificate),
        hba: "hostnossl all encrypted 127.0.0.1/32 reject",
        sql: "create role app login password 'of the app'; create role encrypted login password 'x'",
        ..Options::default()
    })
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test);
}
