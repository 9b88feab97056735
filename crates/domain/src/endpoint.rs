//! An endpoint: as Odoo stores it, and as it can be dialled.

use std::fmt;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::failure::server_text;
use crate::kind::{Family, Kind};

/// An endpoint as Odoo stores it: what a person typed, and sealed secrets.
#[derive(Debug, Clone, Deserialize)]
pub struct RawEndpoint {
    /// Odoo's id of the record; 0 before it exists.
    #[serde(default)]
    pub id: i64,
    /// The record's own uuid, which its secrets are bound to.
    pub record: Uuid,
    /// Counts the changes that make an older verdict worthless.
    #[serde(default)]
    pub revision: i64,
    #[serde(default)]
    pub name: String,
    pub kind: Kind,
    pub base_url: Option<String>,
    pub port: Option<i64>,
    #[serde(default)]
    pub tls_mode: Option<TlsMode>,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub database_name: Option<String>,
    /// A sealed token.
    #[serde(default)]
    pub password: Option<String>,
    /// A sealed token.
    #[serde(default)]
    pub api_key: Option<String>,
}

/// An endpoint that can be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    pub kind: Kind,
    pub service: Service,
}

/// Where an endpoint is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    Postgres(PostgresTarget),
    Http(HttpTarget),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresTarget {
    pub host: Host,
    pub port: Port,
    pub tls: TlsMode,
    /// Empty is allowed by nothing that we speak to: libpq would take the
    /// operating system's user, which a service must not.
    pub user: String,
    /// `None` is the database of the user's name, as in libpq.
    pub database: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    pub scheme: Scheme,
    pub host: Host,
    pub port: Port,
    /// Begins with `/`; has the query, if there is one.
    pub path: String,
    pub user: Option<String>,
}

/// A host name or an address, in one normal form: lower case, punycode, and
/// every spelling of an IPv4 address as four decimal numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(url::Host<String>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(NonZeroU16);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Http,
    Https,
}

/// libpq's `sslmode`, less `allow`, which sends a password in the clear first.
///
/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Why an endpoint cannot be dialled, in words for who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("The server is missing.")]
    MissingHost,
    #[error("“{0}” is not a host name or an IP address.")]
    Host(String),
    #[error("The server is written as a URL; this kind wants a host name alone, such as db.example.com.")]
    UrlForHost,
    #[error("The server is written with a port; {0} belongs in the port's own field.")]
    PortInHost(u16),
    #[error("“{0}” is not an address such as https://api.example.com/v1.")]
    Url(String),
    #[error("The scheme “{0}” is not allowed; http and https are.")]
    Scheme(String),
    #[error("The address has a user name or a password in it; they belong into their own fields.")]
    Credentials,
    #[error("{0} is not a port; ports are 1 to 65535.")]
    Port(i64),
    #[error("The user name is missing.")]
    MissingUser,
    #[error("The {0} has a control character in it, such as a line break.")]
    Control(&'static str),
}

impl Endpoint {
    /// Reads what a person typed; the first thing that is wrong is the error.
    pub fn parse(raw: &RawEndpoint) -> Result<Self, Invalid> {
        let service = match raw.kind.family() {
            Family::Postgresql { port, tls_mode } => Service::Postgres(PostgresTarget {
                host: Host::parse(given(&raw.base_url).ok_or(Invalid::MissingHost)?)?,
                port: Port::of_field(raw.port)?.unwrap_or(Port::known(*port)),
                tls: raw.tls_mode.unwrap_or(*tls_mode),
                user: without_control("user name", given(&raw.username).ok_or(Invalid::MissingUser)?)?,
                database: given(&raw.database_name)
                    .map(|name| without_control("database name", name))
                    .transpose()?,
            }),
            Family::Http { port, scheme, .. } => Service::Http(HttpTarget::parse(raw, *port, *scheme)?),
        };
        Ok(Self {
            name: raw.name.clone(),
            kind: raw.kind,
            service,
        })
    }

    /// `db.example.com:5432`, `[::1]:5432`: for messages.
    pub fn authority(&self) -> String {
        let (host, port) = self.service.host_and_port();
        format!("{host}:{port}")
    }
}

impl Service {
    pub fn host_and_port(&self) -> (&Host, Port) {
        match self {
            Service::Postgres(target) => (&target.host, target.port),
            Service::Http(target) => (&target.host, target.port),
        }
    }
}

impl HttpTarget {
    /// A port in the address wins over the port's own field, which wins over
    /// the scheme's, which wins over the kind's.
    fn parse(raw: &RawEndpoint, kind_port: u16, kind_scheme: Scheme) -> Result<Self, Invalid> {
        let text = given(&raw.base_url).ok_or(Invalid::MissingHost)?;
        let field_port = Port::of_field(raw.port)?;
        let (url, default_port) = if text.contains("://") {
            let url = Url::parse(text).map_err(|_| Invalid::Url(server_text(text)))?;
            let default_port = url.port_or_known_default();
            (url, default_port)
        } else {
            let text = match text.parse::<std::net::Ipv6Addr>() {
                Ok(_) => format!("{}://[{text}]", kind_scheme.as_str()),
                Err(_) => format!("{}://{text}", kind_scheme.as_str()),
            };
            (
                Url::parse(&text).map_err(|_| Invalid::Url(server_text(&text)))?,
                Some(kind_port),
            )
        };
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(Invalid::Scheme(server_text(other))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid::Credentials);
        }
        let host = url.host().ok_or(Invalid::MissingHost)?.to_owned();
        let port = match url.port() {
            Some(port) => Port::of_field(Some(i64::from(port)))?,
            None => field_port,
        };
        Ok(Self {
            scheme,
            host: Host(host),
            port: port.unwrap_or(Port::known(default_port.unwrap_or(kind_port))),
            path: url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            user: given(&raw.username)
                .map(|user| without_control("user name", user))
                .transpose()?,
        })
    }

    /// `https://api.example.com/v1`, without a port that the scheme implies.
    pub fn url(&self) -> String {
        let scheme = self.scheme.as_str();
        let path = if self.path == "/" { "" } else { &self.path };
        if self.port == self.scheme.port() {
            format!("{scheme}://{}{path}", self.host)
        } else {
            format!("{scheme}://{}:{}{path}", self.host, self.port)
        }
    }
}

impl Host {
    /// Reads a host name, an IPv4 address in any spelling, or an IPv6 address
    /// with or without brackets.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.contains("://") {
            return Err(Invalid::UrlForHost);
        }
        if text.contains('@') {
            return Err(Invalid::Credentials);
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self(url::Host::Ipv6(address)));
        }
        if let Some(port) = port_after_host(text) {
            return Err(Invalid::PortInHost(port));
        }
        match url::Host::parse(text) {
            // A DNS name may end in one dot; a trailing-dot name and the plain one are the same host.
            Ok(url::Host::Domain(name)) => match name.strip_suffix('.').unwrap_or(&name) {
                "" => Err(Invalid::Host(server_text(text))),
                name if name.len() > 253
                    || name.split('.').any(|label| label.is_empty() || label.len() > 63) =>
                {
                    Err(Invalid::Host(server_text(text)))
                }
                name => Ok(Self(url::Host::Domain(name.to_owned()))),
            },
            Ok(host) => Ok(Self(host)),
            Err(_) => Err(Invalid::Host(server_text(text))),
        }
    }

    /// What name resolution takes: no brackets.
    pub fn to_lookup(&self) -> String {
        match &self.0 {
            url::Host::Domain(name) => name.clone(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        }
    }
}

/// The port of `db.example.com:5432` or `[::1]:5432`, which many a manual writes as one.
fn port_after_host(text: &str) -> Option<u16> {
    let (host, port) = text.rsplit_once(':')?;
    let is_whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    port.parse().ok().filter(|_| is_whole && !host.is_empty())
}

/// As in a URL: an IPv6 address has brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Port {
    /// Odoo writes a missing number as 0 or null: both are `None`.
    fn of_field(number: Option<i64>) -> Result<Option<Self>, Invalid> {
        match number {
            None | Some(0) => Ok(None),
            Some(number) => u16::try_from(number)
                .ok()
                .and_then(NonZeroU16::new)
                .map(|port| Some(Self(port)))
                .ok_or(Invalid::Port(number)),
        }
    }

    /// A port of a table or a scheme.
    fn known(number: u16) -> Self {
        Self(NonZeroU16::new(number).expect("a test reads data/kinds.toml, and no scheme has port 0"))
    }

    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    pub fn port(self) -> Port {
        match self {
            Scheme::Http => Port::known(80),
            Scheme::Https => Port::known(443),
        }
    }
}

impl TlsMode {
    /// As libpq writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            TlsMode::Disable => "disable",
            TlsMode::Prefer => "prefer",
            TlsMode::Require => "require",
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyFull => "verify-full",
        }
    }
}

/// A field's text, trimmed; `None` where nothing was typed.
fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A NUL would begin another parameter of PostgreSQL's, a line break another
/// line of a `.env` file or of a protocol that reads lines, and is in no name
/// that somebody means.
fn without_control(field: &'static str, text: &str) -> Result<String, Invalid> {
    let breaks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) {
        return Err(Invalid::Control(field));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn raw(kind: Kind, base_url: &str, port: i64) -> RawEndpoint {
        RawEndpoint {
            id: 1,
            record: Uuid::nil(),
            revision: 1,
            name: "Test".into(),
            kind,
            base_url: Some(base_url.into()),
            port: Some(port),
            tls_mode: None,
            username: Some("u".into()),
            database_name: None,
            password: None,
            api_key: None,
        }
    }

    fn check(kind: Kind, base_url: &str, port: i64, expected: Expect) {
        let said = match Endpoint::parse(&raw(kind, base_url, port)) {
            Ok(Endpoint {
                service: Service::Http(target),
                ..
            }) => target.url(),
            Ok(endpoint) => endpoint.authority(),
            Err(invalid) => invalid.to_string(),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn a_host_is_read_in_every_spelling() {
        check(
            Kind::Postgresql,
            "DB.Example.com.",
            5432,
            expect!["db.example.com:5432"],
        );
        check(
            Kind::Postgresql,
            "bücher.example",
            0,
            expect!["xn--bcher-kva.example:5432"],
        );
        check(Kind::Postgresql, "::1", 5433, expect!["[::1]:5433"]);
        check(Kind::Postgresql, "[::1]", 5433, expect!["[::1]:5433"]);
        check(Kind::Postgresql, "0x7f.1", 1, expect!["127.0.0.1:1"]);
        check(
            Kind::Postgresql,
            " my_service ",
            65535,
            expect!["my_service:65535"],
        );
    }

    #[test]
    fn a_host_that_is_none_is_refused_in_words() {
        check(Kind::Postgresql, "", 5432, expect!["The server is missing."]);
        check(
            Kind::Postgresql,
            "a b",
            5432,
            expect!["“a b” is not a host name or an IP address."],
        );
        check(
            Kind::Postgresql,
            "a..b",
            5432,
            expect!["“a..b” is not a host name or an IP address."],
        );
        check(
            Kind::Postgresql,
            "/run/postgresql",
            5432,
            expect!["“/run/postgresql” is not a host name or an IP address."],
        );
        check(
            Kind::Postgresql,
            "https://db.example.com",
            5432,
            expect![
                "The server is written as a URL; this kind wants a host name alone, such as db.example.com."
            ],
        );
        for text in ["db.example.com:6432", "10.0.0.1:6432", "[::1]:6432"] {
            check(
                Kind::Postgresql,
                text,
                5432,
                expect!["The server is written with a port; 6432 belongs in the port's own field."],
            );
        }
        check(
            Kind::Postgresql,
            "me:secret@db",
            5432,
            expect!["The address has a user name or a password in it; they belong into their own fields."],
        );
        check(
            Kind::Postgresql,
            "db",
            65536,
            expect!["65536 is not a port; ports are 1 to 65535."],
        );
        check(
            Kind::Postgresql,
            "db",
            -1,
            expect!["-1 is not a port; ports are 1 to 65535."],
        );
    }

    #[test]
    fn a_port_comes_from_the_address_the_field_the_scheme_or_the_kind() {
        check(Kind::Superset, "localhost", 0, expect!["http://localhost:8088"]);
        check(
            Kind::Superset,
            "localhost",
            9000,
            expect!["http://localhost:9000"],
        );
        check(
            Kind::Superset,
            "https://bi.example",
            0,
            expect!["https://bi.example"],
        );
        check(
            Kind::Mcp,
            "http://localhost:3000",
            5432,
            expect!["http://localhost:3000"],
        );
        check(
            Kind::Api,
            "https://efps.bir.gov.ph",
            0,
            expect!["https://efps.bir.gov.ph"],
        );
        check(
            Kind::Api,
            "api.example/v1?x=1",
            0,
            expect!["https://api.example/v1?x=1"],
        );
        check(Kind::Mcp, "::1", 0, expect!["http://[::1]:3000"]);
    }

    #[test]
    fn an_address_that_is_none_is_refused_in_words() {
        check(
            Kind::Api,
            "file:///etc/passwd",
            0,
            expect!["The scheme “file” is not allowed; http and https are."],
        );
        check(
            Kind::Api,
            "https://",
            0,
            expect!["“https://” is not an address such as https://api.example.com/v1."],
        );
        check(
            Kind::Api,
            "https://me:pw@api.example",
            0,
            expect!["The address has a user name or a password in it; they belong into their own fields."],
        );
        check(
            Kind::Api,
            "http://a:99999",
            0,
            expect!["“http://a:99999” is not an address such as https://api.example.com/v1."],
        );
    }

    #[test]
    fn a_database_needs_a_user() {
        let mut endpoint = raw(Kind::Postgresql, "db", 0);
        endpoint.username = Some("  ".into());
        assert_eq!(Endpoint::parse(&endpoint), Err(Invalid::MissingUser));
        for username in ["a\0b", "a\r\nFLUSHALL\r\nb", "a\u{2028}b"] {
            endpoint.username = Some(username.into());
            assert_eq!(Endpoint::parse(&endpoint), Err(Invalid::Control("user name")));
        }
        endpoint.username = Some("u".into());
        endpoint.database_name = Some("a\nb".into());
        assert_eq!(Endpoint::parse(&endpoint), Err(Invalid::Control("database name")));
        endpoint.username = Some("a\0b".into());
        assert_eq!(Endpoint::parse(&endpoint), Err(Invalid::Control("user name")));
    }
}
