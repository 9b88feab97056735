//! What is probed, and what came of it in one line.

use std::sync::LazyLock;
use std::time::Duration;

use expect_test::Expect;
use insightpulse_domain::{Endpoint, Kind, RawEndpoint, TlsMode};
use insightpulse_probe::{Egress, EgressPolicy, Probed, Target, probe};
use insightpulse_test_support::Cluster;
use tokio::time::Instant;
use uuid::Uuid;

/// More than any server needs that answers, however busy the machine is.
pub const PLENTY: Duration = Duration::from_secs(45);

/// Enough to get to where a server stops answering.
pub const SHORT: Duration = Duration::from_millis(500);

/// An endpoint as somebody typed it, and its secrets.
#[derive(Clone)]
pub struct Asked {
    pub kind: Kind,
    pub host: String,
    pub port: u16,
    pub tls: TlsMode,
    pub user: String,
    pub database: String,
    pub password: Option<&'static str>,
    pub api_key: Option<&'static str>,
    pub within: Duration,
}

impl Asked {
    /// A login that every [`cluster`] accepts.
    pub fn postgres(port: u16) -> Self {
        Self {
            kind: Kind::Postgresql,
            host: "127.0.0.1".into(),
            port,
            tls: TlsMode::Prefer,
            user: "app".into(),
            database: "postgres".into(),
            password: Some("of the app"),
            api_key: None,
            within: PLENTY,
        }
    }

    /// `address` as in the field “Server”.
    pub fn http(kind: Kind, address: impl Into<String>) -> Self {
        Self {
            kind,
            host: address.into(),
            port: 0,
            user: String::new(),
            ..Self::postgres(0)
        }
    }

    pub fn tls(self, tls: TlsMode) -> Self {
        Self { tls, ..self }
    }

    pub fn host(self, host: &str) -> Self {
        Self {
            host: host.into(),
            ..self
        }
    }

    pub fn login(self, user: &str, password: Option<&'static str>) -> Self {
        Self {
            user: user.into(),
            password,
            ..self
        }
    }

    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    pub fn target(&self) -> Target {
        let raw = RawEndpoint {
            id: 7,
            record: Uuid::nil(),
            revision: 1,
            name: "Test".into(),
            kind: self.kind,
            base_url: Some(self.host.clone()),
            port: Some(self.port.into()),
            tls_mode: Some(self.tls),
            username: Some(self.user.clone()),
            database_name: Some(self.database.clone()),
            password: None,
            api_key: None,
        };
        Target {
            endpoint: Endpoint::parse(&raw).expect("what a test types can be dialled"),
            password: self.password.map(Into::into),
            api_key: self.api_key.map(Into::into),
        }
    }

    /// Probes; fails if that does not end by itself, by whatever deadline.
    pub async fn probe(&self, net: &Egress) -> Probed {
        let target = self.target();
        let probing = probe(&target, net, Instant::now() + self.within);
        tokio::time::timeout(3 * PLENTY, probing)
            .await
            .expect("a probe ends by its deadline")
    }
}

/// A server with the role `app`.
pub fn cluster() -> Cluster {
    Cluster::start_with(&insightpulse_test_support::Options {
        sql: "create role app login password 'of the app'",
        ..Default::default()
    })
}

/// Made once: it reads the system's authorities.
pub fn net() -> &'static Egress {
    static NET: LazyLock<Egress> = LazyLock::new(|| {
        Egress::new(EgressPolicy {
            allow_loopback: true,
            ..EgressPolicy::default()
        })
        .expect("TLS")
    });
    &NET
}

/// Probes and compares what came of it; the port is shown as `PORT`.
pub async fn check(asked: Asked, expected: Expect) {
    let (port, probed) = (asked.port, asked.probe(net()).await);
    let port = match port {
        0 => asked.target().endpoint.service.host_and_port().1.get(),
        port => port,
    };
    let said = describe(&probed).replace(&format!(":{port}"), ":PORT");
    assert_harmless(&said);
    expected.assert_eq(&said);
}

/// `healthy: resolve, connect, login, query` or `auth: what happened`.
pub fn describe(probed: &Probed) -> String {
    match &probed.found {
        Ok(_) => format!("healthy: {}", phases(probed).join(", ")),
        Err(failure) => format!("{}: {}", failure.kind().as_str(), failure.message()),
    }
}

/// The phases that took place, in order.
pub fn phases(probed: &Probed) -> Vec<&'static str> {
    let phases = &probed.phases;
    [
        ("resolve", phases.resolve_ms),
        ("connect", phases.connect_ms),
        ("tls", phases.tls_ms),
        ("login", phases.login_ms),
        ("query", phases.query_ms),
    ]
    .into_iter()
    .filter_map(|(name, took)| took.map(|_| name))
    .collect()
}

/// Nothing that a terminal or a browser would obey, and no essay.
fn assert_harmless(said: &str) {
    assert!(!said.chars().any(char::is_control), "{said:?}");
    assert!(said.chars().count() < 500, "{said}");
}
