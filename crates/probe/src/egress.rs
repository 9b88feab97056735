//! The one place that opens connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use insightpulse_domain::{Failure, FailureKind, Host, Phase, Port};
use tokio::net::TcpStream;

use crate::policy::{Denied, EgressPolicy};
use crate::resolve::{Resolve, SystemResolver};
use crate::stopwatch::Stopwatch;
use crate::tls::Tls;

/// The network, as far as probes may use it.
pub struct Egress {
    policy: EgressPolicy,
    resolver: Box<dyn Resolve>,
    pub(crate) tls: Tls,
}

/// How long one address of several may take to accept, so that a dead first
/// one leaves time for the second.
const PER_ADDRESS: Duration = Duration::from_millis(1500);

impl Egress {
    pub fn new(policy: EgressPolicy) -> Result<Self, Failure> {
        Self::with_resolver(policy, SystemResolver)
    }

    /// Asks somebody else than the system for names.
    pub fn with_resolver(policy: EgressPolicy, resolver: impl Resolve + 'static) -> Result<Self, Failure> {
        Ok(Self {
            policy,
            resolver: Box::new(resolver),
            tls: Tls::new()?,
        })
    }

    /// Resolves, checks each address, and connects to the first that accepts.
    ///
    /// What is checked is what is dialled: the name is not looked up again.
    pub(crate) async fn dial(
        &self,
        host: &Host,
        port: Port,
        watch: &Stopwatch,
    ) -> Result<TcpStream, Failure> {
        watch.enter(Phase::Resolve);
        // A name that is denied is not looked up either.
        self.policy
            .check_host(host)
            .map_err(|rule| denied_failure(&host.to_string(), &rule))?;
        let addresses = self.resolve(host).await?;
        watch.enter(Phase::Connect);
        let mut denied = None;
        let mut refused = None;
        let mut left = addresses.len();
        for address in addresses {
            left -= 1;
            if let Err(rule) = self.policy.check(host, address) {
                denied = Some(denied_failure(&address.to_string(), &rule));
                continue;
            }
            let connecting = TcpStream::connect(SocketAddr::new(address, port.get()));
            let connected = if left == 0 {
                connecting.await
            } else {
                match tokio::time::timeout(PER_ADDRESS, connecting).await {
                    Ok(connected) => connected,
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                }
            };
            match connected {
                Ok(stream) => {
                    // Probes send small messages and wait for each answer.
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Err(error) => refused = Some(connect_failure(host, port, &error)),
            }
        }
        Err(refused.or(denied).unwrap_or_else(|| no_address(host)))
    }

    async fn resolve(&self, host: &Host) -> Result<Vec<IpAddr>, Failure> {
        let name = host.to_lookup();
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        match self.resolver.resolve(&name).await {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            _ => Err(no_address(host)),
        }
    }
}

fn denied_failure(place: &str, rule: &Denied) -> Failure {
    Failure::new(
        FailureKind::EgressDenied,
        format!("The sidecar's egress policy forbids {place} (rule: {rule})."),
    )
}

fn no_address(host: &Host) -> Failure {
    Failure::new(FailureKind::Dns, format!("DNS knows no address for {host}."))
}

fn connect_failure(host: &Host, port: Port, error: &io::Error) -> Failure {
    use io::ErrorKind;
    let (kind, said) = match error.kind() {
        ErrorKind::ConnectionRefused => (FailureKind::Refused, "refused the connection"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => (
            FailureKind::Unreachable,
            "cannot be reached: there is no route to it",
        ),
        ErrorKind::TimedOut => (FailureKind::Timeout, "did not accept a connection in time"),
        ErrorKind::ConnectionReset => (FailureKind::Reset, "cut the connection at once"),
        _ => {
            let message = format!("Connecting to {host}:{port} failed: {error}.");
            return Failure::new(FailureKind::Internal, message);
        }
    };
    Failure::new(kind, format!("{host}:{port} {said}."))
}
