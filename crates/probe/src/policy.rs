//! Where probes may connect to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use insightpulse_domain::Host;
use ipnet::IpNet;

/// Where probes may connect to.
///
/// Private ranges are allowed: a private database is the normal case. What
/// is never allowed are addresses that only name things on the local link or
/// a cloud's metadata service. Then `deny` counts, then `allow_loopback`, then
/// `allow`: where it is not empty, what it does not name is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    pub allow_loopback: bool,
    pub allow: Vec<EgressRule>,
    pub deny: Vec<EgressRule>,
}

/// `10.0.0.0/8`, `192.0.2.7`, `db.example.com`, or `*.example.com` for every
/// name below it.
///
/// A network is compared with the address that is connected to, a name with
/// the host as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EgressRule {
    Network(IpNet),
    Name(Host),
    /// The name that a host has to end in.
    Below(Host),
}

/// The rule that forbids a connection, as its message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    Never(&'static str),
    Loopback,
    Listed(EgressRule),
    NotAllowed,
}

/// A rule that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is neither a network such as 10.0.0.0/8 nor a host such as db.example.com or *.example.com")]
pub struct NoRule(String);

impl EgressPolicy {
    /// Whether a host may be looked up at all.
    pub(crate) fn check_host(&self, host: &Host) -> Result<(), Denied> {
        match self.deny.iter().find(|rule| rule.matches_host(host)) {
            Some(rule) => Err(Denied::Listed(rule.clone())),
            None => Ok(()),
        }
    }

    /// Whether a host may be connected to at an address that its name has.
    pub(crate) fn check(&self, host: &Host, address: IpAddr) -> Result<(), Denied> {
        self.check_host(host)?;
        let meanings = meanings(address);
        if let Some(what) = meanings.iter().find_map(never) {
            return Err(Denied::Never(what));
        }
        let lists = |rule: &&EgressRule| meanings.iter().any(|address| rule.matches_address(*address));
        if let Some(rule) = self.deny.iter().find(lists) {
            return Err(Denied::Listed(rule.clone()));
        }
        if !self.allow_loopback && meanings.iter().any(IpAddr::is_loopback) {
            return Err(Denied::Loopback);
        }
        // Every meaning of the address has to be allowed: which one a router takes is not known here.
        let is_allowed = |address: &IpAddr| self.allow.iter().any(|rule| rule.matches_address(*address));
        let by_name = self.allow.iter().any(|rule| rule.matches_host(host));
        if self.allow.is_empty() || by_name || meanings.iter().all(is_allowed) {
            Ok(())
        } else {
            Err(Denied::NotAllowed)
        }
    }
}

impl EgressRule {
    fn matches_host(&self, host: &Host) -> bool {
        match self {
            EgressRule::Network(_) => false,
            EgressRule::Name(name) => name == host,
            EgressRule::Below(domain) => host
                .to_lookup()
                .strip_suffix(&domain.to_lookup())
                .is_some_and(|below| below.ends_with('.')),
        }
    }

    fn matches_address(&self, address: IpAddr) -> bool {
        matches!(self, EgressRule::Network(network) if network.contains(&address))
    }
}

impl FromStr for EgressRule {
    type Err = NoRule;

    fn from_str(text: &str) -> Result<Self, NoRule> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(EgressRule::Network(network));
        }
        let none = |_| NoRule(text.chars().take(80).collect());
        if let Some(domain) = text.strip_prefix("*.") {
            return Host::parse(domain).map(EgressRule::Below).map_err(none);
        }
        // A literal address, in whatever spelling, is a network of one.
        let host = Host::parse(text).map_err(none)?;
        Ok(match host.to_lookup().parse::<IpAddr>() {
            Ok(address) => EgressRule::Network(address.to_canonical().into()),
            Err(_) => EgressRule::Name(host),
        })
    }
}

impl fmt::Display for EgressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EgressRule::Network(network) => network.fmt(f),
            EgressRule::Name(host) => host.fmt(f),
            EgressRule::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::Never(what) => f.write_str(what),
            Denied::Loopback => f.write_str("loopback"),
            Denied::Listed(rule) => write!(f, "egress.deny {rule}"),
            Denied::NotAllowed => f.write_str("not in egress.allow"),
        }
    }
}

/// What an address may turn out to be: itself, and the IPv4 address inside it.
fn meanings(address: IpAddr) -> Vec<IpAddr> {
    match address.to_canonical() {
        IpAddr::V4(address) => vec![address.into()],
        IpAddr::V6(address) => {
            let inner = embedded_v4(address).map(IpAddr::V4);
            std::iter::once(address.into()).chain(inner).collect()
        }
    }
}

/// What no setting allows.
fn never(address: &IpAddr) -> Option<&'static str> {
    let (is_metadata, is_link_local, is_nowhere) = match address {
        IpAddr::V4(address) => (
            METADATA_V4.contains(address),
            address.is_link_local(),
            address.octets()[0] == 0,
        ),
        IpAddr::V6(address) => (
            METADATA_V6.contains(address),
            // fec0::/10 was site-local, by RFC 3879 no more.
            address.is_unicast_link_local() || address.segments()[0] & 0xffc0 == 0xfec0,
            address.is_unspecified(),
        ),
    };
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if is_metadata {
        Some("cloud metadata")
    } else if is_link_local {
        Some("link-local")
    } else if is_nowhere {
        Some("unspecified address")
    } else if address.is_multicast() || is_broadcast {
        Some("multicast")
    } else {
        None
    }
}

/// The IPv4 address that a router may turn an IPv6 address into: NAT64 (RFC
/// 6052), 6to4 (RFC 3056), and the IPv4-compatible form (RFC 4291).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = address.octets();
    let four = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    match address.segments() {
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> Vec<EgressRule> {
        texts.iter().map(|text| text.parse().expect("a rule")).collect()
    }

    fn policy(allow: &[&str], deny: &[&str]) -> EgressPolicy {
        EgressPolicy {
            allow_loopback: false,
            allow: rules(allow),
            deny: rules(deny),
        }
    }

    fn check(policy: &EgressPolicy, host: &str, address: &str, expected: Option<&str>) {
        let host = Host::parse(host).expect("a host");
        let denied = policy.check(&host, address.parse().expect("an address")).err();
        assert_eq!(
            denied.map(|rule| rule.to_string()).as_deref(),
            expected,
            "{host} {address}"
        );
    }

    fn check_default(address: &str, expected: Option<&str>) {
        check(&EgressPolicy::default(), "db.example.com", address, expected);
        // Nor does a list allow it.
        if expected.is_some() && expected != Some("loopback") {
            let open = EgressPolicy {
                allow_loopback: true,
                ..policy(&["0.0.0.0/0", "::/0", "db.example.com"], &[])
            };
            check(&open, "db.example.com", address, expected);
        }
    }

    #[test]
    fn what_only_names_the_local_link_is_never_reached() {
        check_default("169.254.169.254", Some("link-local"));
        check_default("::ffff:169.254.169.254", Some("link-local"));
        check_default("fe80::1", Some("link-local"));
        check_default("fec0::1", Some("link-local"));
        check_default("fd00:ec2::254", Some("cloud metadata"));
        check_default("fd20:ce::254", Some("cloud metadata"));
        check_default("100.100.100.200", Some("cloud metadata"));
        check_default("0.0.0.0", Some("unspecified address"));
        check_default("::", Some("unspecified address"));
        check_default("224.0.0.1", Some("multicast"));
        check_default("255.255.255.255", Some("multicast"));
        check_default("ff02::1", Some("multicast"));
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_address_is_seen() {
        check_default("64:ff9b::a9fe:a9fe", Some("link-local"));
        check_default("2002:a9fe:a9fe::1", Some("link-local"));
        check_default("::169.254.169.254", Some("link-local"));
        check_default("64:ff9b::7f00:1", Some("loopback"));
        check_default("64:ff9b::5db8:d822", None);
        check(
            &policy(&[], &["10.0.0.0/8"]),
            "db",
            "64:ff9b::a00:1",
            Some("egress.deny 10.0.0.0/8"),
        );
        check(
            &policy(&["64:ff9b::/96"], &[]),
            "db",
            "64:ff9b::a00:1",
            Some("not in egress.allow"),
        );
    }

    #[test]
    fn private_ranges_are_the_normal_case() {
        check_default("10.0.0.5", None);
        check_default("192.168.1.1", None);
        check_default("fd12::1", None);
        check_default("93.184.216.34", None);
    }

    #[test]
    fn loopback_is_a_setting() {
        check_default("127.0.0.1", Some("loopback"));
        check_default("::1", Some("loopback"));
        check_default("::ffff:127.0.0.1", Some("loopback"));
        let open = EgressPolicy {
            allow_loopback: true,
            ..EgressPolicy::default()
        };
        check(&open, "localhost", "127.0.0.1", None);
        check(&open, "localhost", "::1", None);
    }

    #[test]
    fn what_is_denied_is_denied_by_address_and_by_name() {
        let policy = policy(
            &["10.0.0.0/8", "*.example.com"],
            &["10.1.0.0/16", "old.example.com", "*.corp"],
        );
        check(&policy, "db", "10.0.0.1", None);
        check(&policy, "db", "10.1.2.3", Some("egress.deny 10.1.0.0/16"));
        check(
            &policy,
            "db.example.com",
            "10.1.2.3",
            Some("egress.deny 10.1.0.0/16"),
        );
        check(
            &policy,
            "OLD.example.com.",
            "192.0.2.1",
            Some("egress.deny old.example.com"),
        );
        check(&policy, "a.b.corp", "10.0.0.1", Some("egress.deny *.corp"));
        check(&policy, "corp", "10.0.0.1", None);
        check(&policy, "notcorp", "10.0.0.1", None);
    }

    #[test]
    fn where_something_is_allowed_nothing_else_is() {
        let policy = policy(&["10.0.0.0/8", "*.supabase.co", "0x5db8d822"], &[]);
        check(&policy, "db", "10.2.3.4", None);
        check(&policy, "db.abc.supabase.co", "192.0.2.1", None);
        check(&policy, "db", "93.184.216.34", None);
        check(&policy, "db", "192.0.2.1", Some("not in egress.allow"));
        check(
            &policy,
            "evil-supabase.co",
            "192.0.2.1",
            Some("not in egress.allow"),
        );
        check(&policy, "db", "::ffff:10.2.3.4", None);
    }

    #[test]
    fn a_rule_that_is_none_is_refused_in_words() {
        for text in ["", "10.0.0.0/33", "a b", "*.", "https://x"] {
            assert!(text.parse::<EgressRule>().is_err(), "{text}");
        }
        assert_eq!(
            "10.0.0.0/33".parse::<EgressRule>().expect_err("none").to_string(),
            "“10.0.0.0/33” is neither a network such as 10.0.0.0/8 nor a host such as db.example.com or *.example.com"
        );
    }
}
