//! The one place that opens connections, and the policy on where they may go.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use insightpulse_domain::{Failure, FailureKind, Host, Phase, Port};
use tokio::net::TcpStream;

use crate::stopwatch::Stopwatch;
use crate::tls::Tls;

/// Where probes may connect to.
///
/// Private ranges are allowed: a private database is the normal case. What
/// is never allowed are addresses that only name things on the local link or
/// a cloud's metadata service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    pub allow_loopback: bool,
}

/// The network, as far as probes may use it.
pub struct Egress {
    policy: EgressPolicy,
    pub(crate) tls: Tls,
}

/// How long one address of several may take to accept, so that a dead first
/// one leaves time for the second.
const PER_ADDRESS: Duration = Duration::from_millis(1500);

impl EgressPolicy {
    /// The name of the rule that forbids an address.
    pub fn denies(&self, address: IpAddr) -> Option<&'static str> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.denies_v4(address),
            IpAddr::V6(address) => self.denies_v6(address),
        }
    }

    fn denies_v4(&self, address: Ipv4Addr) -> Option<&'static str> {
        if METADATA_V4.contains(&address) {
            Some("cloud metadata")
        } else if address.is_link_local() {
            Some("link-local")
        } else if address.octets()[0] == 0 {
            Some("unspecified address")
        } else if address.is_multicast() || address.is_broadcast() {
            Some("multicast")
        } else if address.is_loopback() && !self.allow_loopback {
            Some("loopback")
        } else {
            None
        }
    }

    fn denies_v6(&self, address: Ipv6Addr) -> Option<&'static str> {
        if METADATA_V6.contains(&address) {
            Some("cloud metadata")
        } else if address.is_unicast_link_local() || address.segments()[0] & 0xffc0 == 0xfec0 {
            Some("link-local")
        } else if address.is_unspecified() {
            Some("unspecified address")
        } else if address.is_multicast() {
            Some("multicast")
        } else if address.is_loopback() {
            (!self.allow_loopback).then_some("loopback")
        } else {
            embedded_v4(address).and_then(|address| self.denies_v4(address))
        }
    }
}

/// The IPv4 address that a router may turn an IPv6 address into: NAT64 (RFC
/// 6052), 6to4 (RFC 3056), and the IPv4-compatible form (RFC 4291).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = address.octets();
    let four = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] | [0, 0, 0, 0, 0, 0, _, _] => Some(four(12)),
        [0x2002, ..] => Some(four(2)),
        _ => None,
    }
}

/// Metadata services outside 169.254.0.0/16: Alibaba Cloud's, Azure's wire
/// server, Oracle Cloud's, by their documentation.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Metadata services in IPv6: Amazon EC2's and EKS Pod Identity's, Google
/// Cloud's, Oracle Cloud's, by their documentation.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
];

impl Egress {
    pub fn new(policy: EgressPolicy) -> Result<Self, Failure> {
        Ok(Self {
            policy,
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
        let addresses = resolve(host, port).await?;
        watch.enter(Phase::Connect);
        let mut denied = None;
        let mut refused = None;
        let mut left = addresses.len();
        for address in addresses {
            left -= 1;
            if let Some(rule) = self.policy.denies(address.ip()) {
                denied = Some(Failure::new(
                    FailureKind::EgressDenied,
                    format!(
                        "The sidecar's egress policy forbids {} (rule: {rule}).",
                        address.ip()
                    ),
                ));
                continue;
            }
            let connecting = TcpStream::connect(address);
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
}

async fn resolve(host: &Host, port: Port) -> Result<Vec<SocketAddr>, Failure> {
    match tokio::net::lookup_host((host.to_lookup(), port.get())).await {
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.collect();
            if addresses.is_empty() {
                Err(no_address(host))
            } else {
                Ok(addresses)
            }
        }
        Err(_) => Err(no_address(host)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: Option<&str>) {
        let policy = EgressPolicy {
            allow_loopback: false,
        };
        assert_eq!(
            policy.denies(address.parse().expect("an address")),
            expected,
            "{address}"
        );
    }

    #[test]
    fn what_only_names_the_local_link_is_never_reached() {
        check("169.254.169.254", Some("link-local"));
        check("::ffff:169.254.169.254", Some("link-local"));
        check("fe80::1", Some("link-local"));
        check("fd00:ec2::254", Some("cloud metadata"));
        check("fd20:ce::254", Some("cloud metadata"));
        check("fec0::1", Some("link-local"));
        check("100.100.100.200", Some("cloud metadata"));
        check("0.0.0.0", Some("unspecified address"));
        check("::", Some("unspecified address"));
        check("224.0.0.1", Some("multicast"));
        check("ff02::1", Some("multicast"));
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_address_is_seen() {
        check("64:ff9b::a9fe:a9fe", Some("link-local"));
        check("2002:a9fe:a9fe::1", Some("link-local"));
        check("::169.254.169.254", Some("link-local"));
        check("64:ff9b::7f00:1", Some("loopback"));
        check("64:ff9b::5db8:d822", None);
    }

    #[test]
    fn private_ranges_are_the_normal_case() {
        check("10.0.0.5", None);
        check("192.168.1.1", None);
        check("fd12::1", None);
        check("93.184.216.34", None);
    }

    #[test]
    fn loopback_is_a_setting() {
        check("127.0.0.1", Some("loopback"));
        check("::1", Some("loopback"));
        check("::ffff:127.0.0.1", Some("loopback"));
        let open = EgressPolicy { allow_loopback: true };
        assert_eq!(open.denies(IpAddr::V4(Ipv4Addr::LOCALHOST)), None);
        assert_eq!(
            open.denies("169.254.1.1".parse().expect("an address")),
            Some("link-local")
        );
    }
}
