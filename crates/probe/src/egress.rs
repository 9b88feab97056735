//! The one place that opens connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use insightpulse_domain::{Failure, Host, Phase, Port, Reason};
use tokio::net::TcpStream;

use crate::memory::Memory;
use crate::policy::{Denied, EgressPolicy};
use crate::resolve::{Resolve, SystemResolver};
use crate::stopwatch::Stopwatch;
use crate::tls::Tls;

/// The network, as far as probes may use it, and what they remember of it.
pub struct Egress {
    policy: EgressPolicy,
    resolver: Box<dyn Resolve>,
    pub(crate) tls: Tls,
    pub(crate) memory: Memory,
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
            memory: Memory::new()?,
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
        let is_ipv6_only = !addresses.is_empty() && addresses.iter().all(IpAddr::is_ipv6);
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
                Err(error) if is_ipv6_only && has_no_ipv6(&error) => {
                    let host = host.to_string();
                    refused = Some(Reason::Ipv6Only { host }.into());
                }
                Err(error) => refused = Some(connect_failure(host, port, &error)),
            }
        }
        Err(refused.or(denied).unwrap_or_else(|| name_unknown(host)))
    }

    async fn resolve(&self, host: &Host) -> Result<Vec<IpAddr>, Failure> {
        let name = host.to_lookup();
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        match self.resolver.resolve(&name).await {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            _ => Err(name_unknown(host)),
        }
    }
}

fn denied_failure(place: &str, rule: &Denied) -> Failure {
    Reason::EgressDenied {
        place: place.to_owned(),
        rule: rule.to_string(),
    }
    .into()
}

fn name_unknown(host: &Host) -> Failure {
    Reason::NameUnknown {
        host: host.to_string(),
    }
    .into()
}

/// What a machine without IPv6 says to an IPv6 address: no network, no
/// address of its own to come from, or no such family.
fn has_no_ipv6(error: &io::Error) -> bool {
    /// EAFNOSUPPORT, which has no kind: IPv6 is switched off in the kernel.
    const FAMILY_NOT_SUPPORTED: i32 = 97;
    matches!(
        error.kind(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(FAMILY_NOT_SUPPORTED)
}

fn connect_failure(host: &Host, port: Port, error: &io::Error) -> Failure {
    use io::ErrorKind;
    let place = format!("{host}:{port}");
    let reason = match error.kind() {
        ErrorKind::ConnectionRefused => Reason::ConnectionRefused { place },
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Reason::NoRoute { place },
        ErrorKind::TimedOut => Reason::ConnectTimedOut { place },
        ErrorKind::ConnectionReset => Reason::CutAtOnce { place },
        _ => Reason::ConnectFailed {
            place,
            error: error.to_string(),
        },
    };
    reason.into()
}
