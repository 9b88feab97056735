//! Many hostile servers at once, and a healthy one among them.

use std::time::Duration;

use insightpulse_domain::{FailureKind, Kind, TlsMode};
use insightpulse_test_support::{BlackHole, Cluster, FaultServer, Options, eventually};
use tokio::task::JoinSet;

use crate::check::{Asked, SHORT, describe, net};
use crate::postgres_faults::{accepted, parameter};

const CROWD: usize = 50;
#[tokio::test(flavor = "multi_thread")]
async fn fifty_of_each_hostile_server_end_by_the_deadline_and_harm_no_healthy_one() {
    let cluster = Cluster::start_with(&Options {
        hba: "host all app 127.0.0.1/32 trust",
        sql: "create role app login",
        ..Options::default()
    });
    let hostile = [
        FaultServer::silent().await,
        FaultServer::closing().await,
        FaultServer::resetting().await,
        FaultServer::closing_when_asked().await,
        FaultServer::greeting("SSH-2.0-OpenSSH_9.2p1\r\n").await,
        FaultServer::answering(["S"]).await,
        FaultServer::answering(["N"]).await,
        FaultServer::endless(accepted(), parameter("more")).await,
        FaultServer::endless(&b"R\x7f\xff\xff\xff"[..], "x").await,
        FaultServer::endless("HTTP/1.1 200 OK\r\n", "X-More: x\r\n").await,
        FaultServer::trickling(
            [accepted(), parameter(&"x".repeat(1000))].concat(),
            Duration::from_millis(5),
        )
        .await,
    ];
    for server in &hostile {
        crowd(server.port(), cluster.port()).await;
        eventually("every connection is closed", || server.seen().open == 0).await;
        assert!(server.seen().accepted >= CROWD, "{:?}", server.seen());
    }
    crowd(BlackHole::start().await.port(), cluster.port()).await;
    assert_eq!(
        cluster.sql("select count(*) from pg_stat_activity where usename = 'app'"),
        "0"
    );
}

/// Probes a hostile server in every way at once, and a healthy one in between.
async fn crowd(hostile: u16, healthy: u16) {
    let mut probes = JoinSet::new();
    for number in 0..CROWD {
        let asked = match number % 3 {
            0 => Asked::postgres(hostile).tls(TlsMode::Disable),
            1 => Asked::postgres(hostile).tls(TlsMode::Prefer),
            _ => Asked::http(Kind::Api, format!("http://127.0.0.1:{hostile}")),
        };
        probes.spawn(async move { (false, asked.within(SHORT).probe(net()).await) });
        if number % 10 == 5 {
            probes.spawn(async move { (true, Asked::postgres(healthy).probe(net()).await) });
        }
    }
    while let Some(probed) = probes.join_next().await {
        let (is_healthy, probed) = probed.expect("no probe panics");
        let said = describe(&probed);
        match probed.found {
            Ok(_) => assert!(is_healthy || said == "healthy: resolve, connect, query", "{said}"),
            Err(failure) => assert!(!is_healthy && failure.kind() != FailureKind::Internal, "{said}"),
        }
    }
}
