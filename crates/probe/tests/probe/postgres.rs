//! PostgreSQL servers that work as they should, and refuse as they should.

use expect_test::{Expect, expect};
use insightpulse_domain::{Evidence, Facts, TlsMode};
use insightpulse_test_support::{Cluster, Options, eventually_blocking};

use crate::check::{Asked, check, cluster, describe, net, phases};

#[tokio::test]
async fn every_way_to_log_in_is_spoken() {
    let cluster = Cluster::start_with(&Options {
        hba: "host all by_trust 127.0.0.1/32 trust\n\
              host all by_md5 127.0.0.1/32 md5\n\
              host all by_text 127.0.0.1/32 password",
        sql: "create role by_scram login password 'secret';
              create role by_text login password 'secret';
              create role by_trust login;
              set password_encryption = 'md5'; create role by_md5 login password 'secret'",
        ..Options::default()
    });
    for (user, password) in [
        ("by_scram", Some("secret")),
        ("by_md5", Some("secret")),
        ("by_trust", None),
        ("by_trust", Some("asked for by nobody")),
    ] {
        let asked = Asked::postgres(cluster.port()).login(user, password);
        check(
            asked.clone(),
            expect!["healthy: resolve, connect, tls, login, query"],
        )
        .await;
        check(
            asked.tls(TlsMode::Disable),
            expect!["healthy: resolve, connect, login, query"],
        )
        .await;
    }
    // Unencrypted, only for who has switched TLS off.
    let asked = Asked::postgres(cluster.port()).login("by_text", Some("secret"));
    check(
        asked.clone().tls(TlsMode::Disable),
        expect!["healthy: resolve, connect, login, query"],
    )
    .await;
    check(
        asked,
        expect!["auth_method: 127.0.0.1:PORT wants the password unencrypted over a connection without TLS; it was not sent."],
    )
    .await;
}

#[tokio::test]
async fn a_plain_user_learns_the_version_and_how_many_are_connected() {
    let cluster = cluster();
    let held: Vec<_> = (0..3).map(|_| cluster.hold_session()).collect();
    let probed = Asked::postgres(cluster.port()).probe(net()).await;
    let Evidence {
        server_version,
        active_connections,
        max_connections,
        facts,
        concerns,
    } = probed.found.expect("healthy");
    // Debian writes its package's version behind it.
    let version = cluster.sql("select split_part(current_setting('server_version'), ' ', 1)");
    assert_eq!(server_version, Some(version));
    assert_eq!(max_connections, Some(100));
    // The sessions of the test, which a plain user may not see one by one, and the probe's own.
    assert_eq!(active_connections, Some(held.len() as i64 + 1));
    let size = cluster
        .sql("select pg_database_size('postgres')")
        .parse()
        .expect("a number");
    let expected = Facts {
        reserved_connections: Some(3),
        in_recovery: Some(false),
        database_bytes: Some(size),
        ..Facts::default()
    };
    assert_eq!((facts, concerns), (expected, vec![]));
}

#[tokio::test]
async fn a_second_login_needs_no_keys_derived_and_a_changed_password_derives_its_own() {
    let cluster = cluster();
    let (net, asked) = (crate::check::own_net(), Asked::postgres(cluster.port()));
    let healthy = "healthy: resolve, connect, tls, login, query";
    for _ in 0..2 {
        assert_eq!(describe(&asked.probe(&net).await), healthy);
    }
    let wrong = asked.clone().login("app", Some("wrong"));
    assert!(describe(&wrong.probe(&net).await).starts_with("auth: "));
    assert_eq!(describe(&asked.probe(&net).await), healthy);
    // The same password again has another salt.
    cluster.sql("alter role app password 'of the app'");
    assert_eq!(describe(&asked.probe(&net).await), healthy);
    cluster.sql("alter role app password 'another'");
    assert!(describe(&asked.probe(&net).await).starts_with("auth: "));
    let another = asked.login("app", Some("another"));
    assert_eq!(describe(&another.probe(&net).await), healthy);
}

#[tokio::test]
async fn a_password_with_characters_of_every_sort_is_the_one_that_the_server_has() {
    // Prepared by SASLprep: a no-break space is a space, an ideograph stays, a soft hyphen goes.
    let cluster = cluster();
    for password in [
        "pä ß 中 \u{1f511}",
        "a\u{a0}b",
        "soft\u{ad}hyphen",
        "\u{378}unassigned",
    ] {
        cluster.sql(&format!("alter role app password '{password}'"));
        let asked = Asked::postgres(cluster.port()).login("app", Some(password));
        check(asked, expect!["healthy: resolve, connect, tls, login, query"]).await;
    }
}

#[tokio::test]
async fn the_phases_add_up_to_the_latency() {
    let cluster = cluster();
    let probed = Asked::postgres(cluster.port())
        .tls(TlsMode::Disable)
        .probe(net())
        .await;
    assert_eq!(phases(&probed), ["resolve", "connect", "login", "query"]);
    let parts = [
        probed.phases.resolve_ms,
        probed.phases.connect_ms,
        probed.phases.login_ms,
        probed.phases.query_ms,
    ];
    let sum: f64 = parts.into_iter().flatten().sum();
    assert!(
        (probed.phases.total_ms() - sum).abs() < 0.001,
        "{:?}",
        probed.phases
    );
    assert!(
        probed.phases.login_ms.expect("measured") > 0.0,
        "{:?}",
        probed.phases
    );
}

#[tokio::test]
async fn an_empty_database_field_means_the_database_of_the_users_name() {
    let cluster = cluster();
    let asked = Asked::postgres(cluster.port()).with(|raw| raw.database_name = None);
    check(
        asked.clone(),
        expect![[r#"database_missing: 127.0.0.1:PORT has no database “app”. The server said: “3D000: database "app" does not exist”."#]],
    )
    .await;
    cluster.sql("create database app");
    check(asked, expect!["healthy: resolve, connect, tls, login, query"]).await;
}

#[tokio::test]
async fn a_refused_login_says_why_in_its_kind() {
    let cluster = Cluster::start_with(&Options {
        hba: "host all banned 127.0.0.1/32 reject\nhost all sleeper,stranger 127.0.0.1/32 trust",
        sql: "create role app login password 'of the app';
              create role banned login; create role sleeper nologin;
              create role crowded login password 'x' connection limit 0;
              create database closed;
              revoke connect on database closed from public",
        ..Options::default()
    });
    let asked = Asked::postgres(cluster.port());
    let refused = async |asked: Asked, expected: Expect| check(asked, expected).await;
    refused(
        asked.clone().login("app", Some("wrong")),
        expect![[r#"auth: 127.0.0.1:PORT refused the password of the user “app”. The server said: “28P01: password authentication failed for user "app"”."#]],
    )
    .await;
    refused(
        asked.clone().login("nobody", Some("any")),
        expect![[r#"auth: 127.0.0.1:PORT refused the password of the user “nobody”. The server said: “28P01: password authentication failed for user "nobody"”."#]],
    )
    .await;
    refused(
        asked.clone().login("app", None),
        expect!["auth: 127.0.0.1:PORT wants a password for the user “app”, and none is stored."],
    )
    .await;
    refused(
        asked.clone().login("banned", Some("any")),
        expect![[r#"forbidden: 127.0.0.1:PORT does not let the user “banned” in. The server said: “28000: pg_hba.conf rejects connection for host "127.0.0.1", user "banned", database "postgres", no encryption”."#]],
    )
    .await;
    refused(asked.clone().login("sleeper", None), expect![[r#"forbidden: 127.0.0.1:PORT does not let the user “sleeper” in. The server said: “28000: role "sleeper" is not permitted to log in”."#]]).await;
    refused(asked.clone().login("stranger", None), expect![[r#"forbidden: 127.0.0.1:PORT does not let the user “stranger” in. The server said: “28000: role "stranger" does not exist”."#]]).await;
    refused(
        asked.clone().login("crowded", Some("x")),
        expect![[r#"too_many_connections: 127.0.0.1:PORT has no connection free. The server said: “53300: too many connections for role "crowded"”."#]],
    )
    .await;
    let closed = asked
        .clone()
        .with(|raw| raw.database_name = Some("closed".into()));
    refused(
        closed,
        expect![[r#"forbidden: 127.0.0.1:PORT forbids the user “app” to use the database “closed”. The server said: “42501: permission denied for database "closed"”."#]],
    )
    .await;
    let missing = asked.with(|raw| raw.database_name = Some("no such".into()));
    refused(
        missing,
        expect![[r#"database_missing: 127.0.0.1:PORT has no database “no such”. The server said: “3D000: database "no such" does not exist”."#]],
    )
    .await;
}

#[tokio::test]
async fn a_full_server_is_told_from_a_dead_one() {
    let cluster = Cluster::start_with(&Options {
        settings: &[("max_connections", "4"), ("superuser_reserved_connections", "3")],
        sql: "create role app login password 'of the app'",
        ..Options::default()
    });
    let asked = Asked::postgres(cluster.port());
    let _held: Vec<_> = (0..4).map(|_| cluster.hold_session()).collect();
    check(
        asked.clone(),
        expect!["too_many_connections: 127.0.0.1:PORT has no connection free. The server said: “53300: sorry, too many clients already”."],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let cluster = cluster();
    let held = cluster.hold_session();
    cluster.begin_to_stop();
    eventually_blocking("the server begins to stop", || {
        cluster.log().contains("received smart shutdown request")
    });
    check(
        Asked::postgres(cluster.port()),
        expect!["unhealthy: 127.0.0.1:PORT takes nobody in now: it is starting up, shutting down, or in recovery. The server said: “57P03: the database system is shutting down”."],
    )
    .await;
    drop(held);
}

#[tokio::test]
async fn a_probe_leaves_nothing_behind_and_says_goodbye() {
    let cluster = Cluster::start_with(&Options {
        // At this level the server tells of every client that vanished.
        settings: &[("log_min_messages", "debug1"), ("log_disconnections", "on")],
        sql: "create role app login password 'of the app'",
        ..Options::default()
    });
    for asked in [
        Asked::postgres(cluster.port()),
        Asked::postgres(cluster.port()).tls(TlsMode::Disable),
    ] {
        asked.probe(net()).await.found.expect("healthy");
    }
    eventually_blocking("both sessions have ended", || {
        cluster.log().matches("user=app database=postgres").count() == 2
    });
    assert_eq!(
        cluster.sql("select count(*) from pg_stat_activity where usename = 'app'"),
        "0"
    );
    let log = cluster.log();
    assert!(
        !log.contains("unexpected EOF") && !log.contains("could not receive"),
        "{log}"
    );
}

#[tokio::test]
async fn a_user_who_may_not_ask_for_everything_is_healthy_and_tells_less() {
    let cluster = cluster();
    cluster.sql("revoke execute on function pg_catalog.pg_database_size(name) from public");
    let evidence = Asked::postgres(cluster.port())
        .probe(net())
        .await
        .found
        .expect("healthy");
    assert!(evidence.server_version.is_some());
    assert_eq!(
        (evidence.max_connections, evidence.facts),
        (None, Facts::default())
    );
}
