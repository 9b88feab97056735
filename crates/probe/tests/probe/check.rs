//! What is probed, and what came of it in one line.

use std::sync::LazyLock;
use std::time::Duration;

use expect_test::Expect;
use insightpulse_domain::{Endpoint, Kind, RawEndpoint, TlsMode};
use insightpulse_probe::{Egress, EgressPolicy, Probed, Target, probe};
use insightpulse_test_support::Cluster;
use tokio::time::Instant;

/// More than any server needs that answers, however busy the machine is.
pub const PLENTY: Duration = Duration::from_secs(45);

/// Enough to get to where a server stops answering.
pub const SHORT: Duration = Duration::from_millis(500);

/// An endpoint as somebody typed it, and its secrets.
#[derive(Clone)]
pub struct Asked {
    pub raw: RawEndpoint,
    pub password: Option<String>,
    pub api_key: Option<String>,
    pub client_key: Option<String>,
    pub within: Duration,
}

impl Asked {
    pub fn new(kind: Kind, address: impl Into<String>) -> Self {
        Self {
            raw: RawEndpoint {
                id: 7,
                revision: 1,
                name: "Test".into(),
                base_url: Some(address.into()),
                ..RawEndpoint::new(kind)
            },
            password: None,
            api_key: None,
            client_key: None,
            within: PLENTY,
        }
    }

    /// A login that every [`cluster`] accepts.
    pub fn postgres(port: u16) -> Self {
        Self::database(Kind::Postgresql, port)
    }

    /// A login as [`Asked::postgres`] has, for any kind that is a database.
    pub fn database(kind: Kind, port: u16) -> Self {
        Self::new(kind, "127.0.0.1")
            .with(|raw| {
                raw.port = Some(port.into());
                raw.tls_mode = Some(TlsMode::Prefer);
                raw.database_name = Some("postgres".into());
            })
            .login("app", Some("of the app"))
    }

    /// `address` as in the field “Server”.
    pub fn http(kind: Kind, address: impl Into<String>) -> Self {
        Self::new(kind, address)
    }

    pub fn with(mut self, change: impl FnOnce(&mut RawEndpoint)) -> Self {
        change(&mut self.raw);
        self
    }

    pub fn tls(self, tls: TlsMode) -> Self {
        self.with(|raw| raw.tls_mode = Some(tls))
    }

    pub fn host(self, host: &str) -> Self {
        self.with(|raw| raw.base_url = Some(host.into()))
    }

    pub fn login(self, user: &str, password: Option<&str>) -> Self {
        Self {
            password: password.map(str::to_owned),
            ..self.with(|raw| raw.username = Some(user.into()))
        }
    }

    pub fn key(self, key: &str) -> Self {
        Self {
            api_key: Some(key.into()),
            ..self
        }
    }

    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    pub fn target(&self) -> Target {
        Target {
            endpoint: Endpoint::parse(&self.raw).expect("what a test types can be dialled"),
            password: self.password.clone().map(Into::into),
            api_key: self.api_key.clone().map(Into::into),
            client_key: self.client_key.clone().map(Into::into),
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
    static NET: LazyLock<Egress> = LazyLock::new(own_net);
    &NET
}

/// One that nothing was probed over yet.
pub fn own_net() -> Egress {
    Egress::new(EgressPolicy {
        allow_loopback: true,
        ..EgressPolicy::default()
    })
    .expect("TLS")
}

/// Probes and compares what came of it; the port is shown as `PORT`.
pub async fn check(asked: Asked, expected: Expect) {
    let probed = asked.probe(net()).await;
    let port = asked.target().endpoint.service.address().host_and_port().1.get();
    let said = describe(&probed).replace(&format!(":{port}"), ":PORT");
    assert_harmless(&said);
    expected.assert_eq(&said);
}

/// `healthy: resolve, connect, login, query`, `degraded: why`, or `auth: what happened`.
pub fn describe(probed: &Probed) -> String {
    match &probed.found {
        Ok(evidence) if !evidence.concerns.is_empty() => {
            let messages: Vec<_> = evidence
                .concerns
                .iter()
                .map(|concern| concern.message())
                .collect();
            format!("degraded: {}", messages.join(" "))
        }
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
pub fn assert_harmless(said: &str) {
    assert!(!said.chars().any(char::is_control), "{said:?}");
    assert!(said.chars().count() < 500, "{said}");
}

/// The most memory that this process has had, in MiB.
pub fn most_memory_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has this");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024
}
