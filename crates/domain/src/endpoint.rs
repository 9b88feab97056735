//! An endpoint: as Odoo stores it, and as it can be dialled.

use std::fmt;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::cadence::{Cadence, RawCadence};
use crate::expectation::{JsonPath, StatusSet};
use crate::failure::{Failure, Reason, server_text};
use crate::kind::{Family, Kind};
use crate::supabase;
use crate::thresholds::{RawThresholds, Thresholds};

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
    /// The address of a database's other half: Supabase's API, Odoo's web server.
    #[serde(default)]
    pub web_url: Option<String>,
    /// Where a hosted Supabase project's pooler is: `aws-0-eu-west-1.pooler.supabase.com`.
    #[serde(default)]
    pub pooler_host: Option<String>,
    /// PEM: the only authorities that may have issued the server's certificate.
    #[serde(default)]
    pub tls_authority: Option<String>,
    /// PEM: who we are, for servers that ask for a certificate.
    #[serde(default)]
    pub client_certificate: Option<String>,
    /// It is meant to be a replica, which takes no writes.
    #[serde(default)]
    pub is_replica: bool,
    /// How an API wants its key.
    #[serde(default)]
    pub sign_in: Option<SignIn>,
    #[serde(default)]
    pub key_header: Option<String>,
    /// `200`, `200-299`, `200,204`.
    #[serde(default)]
    pub expected_status: Option<String>,
    #[serde(default)]
    pub expected_path: Option<String>,
    #[serde(default)]
    pub expected_text: Option<String>,
    #[serde(flatten)]
    pub thresholds: RawThresholds,
    #[serde(flatten)]
    pub cadence: RawCadence,
    /// A sealed token.
    #[serde(default)]
    pub password: Option<String>,
    /// A sealed token.
    #[serde(default)]
    pub api_key: Option<String>,
    /// A sealed token: the private key of `client_certificate`, in PEM.
    #[serde(default)]
    pub client_key: Option<String>,
}

/// An endpoint that can be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    pub service: Service,
    pub thresholds: Thresholds,
    pub cadence: Cadence,
}

/// Where an endpoint is, and how it is spoken to: one variant for each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    Supabase {
        database: DatabaseTarget,
        /// Given, or known from the project's name in the host or the user.
        web: Option<HttpTarget>,
        /// Given; a record of the pooler itself has it as its host.
        pooler: Option<Host>,
    },
    Postgresql(DatabaseTarget),
    Odoo {
        database: DatabaseTarget,
        web: Option<HttpTarget>,
    },
    Mysql(DatabaseTarget),
    Mongodb(DatabaseTarget),
    Superset(HttpTarget),
    Mcp(HttpTarget),
    Api(ApiTarget),
}

/// What an endpoint's own address is: a database's, or a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<'a> {
    Database(&'a DatabaseTarget),
    Http(&'a HttpTarget),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseTarget {
    pub host: Host,
    pub port: Port,
    pub tls: TlsMode,
    /// PEM; `None` is what the machine knows.
    pub authority: Option<String>,
    /// PEM.
    pub client_certificate: Option<String>,
    /// Empty is allowed by nothing that we speak to: libpq would take the
    /// operating system's user, which a service must not.
    pub user: String,
    /// `None` is the database of the user's name, as in libpq; for MySQL, no database.
    pub database: Option<String>,
    pub is_replica: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    pub scheme: Scheme,
    pub host: Host,
    pub port: Port,
    /// PEM; `None` is what the machine knows.
    pub authority: Option<String>,
    /// The authority is a database's, and this its other half: that may have a
    /// certificate of it, or one of those that the machine knows.
    pub is_other_half: bool,
    /// Begins with `/`; has the query, if there is one.
    pub path: String,
    pub user: Option<String>,
}

/// A web address, how to sign in there, and what it should answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTarget {
    pub http: HttpTarget,
    /// `None`: a bearer key if one is stored, else the user and the password if they are.
    pub sign_in: Option<SignIn>,
    /// Lower case; what [`SignIn::Header`] sends the key in.
    pub key_header: String,
    pub status: StatusSet,
    pub path: Option<JsonPath>,
    pub text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignIn {
    None,
    Bearer,
    Basic,
    Header,
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

/// The header that a key is sent in where none is named.
const KEY_HEADER: &str = "x-api-key";

/// Headers that a request has for other ends: a key in one of them would change what is asked for.
const OTHER_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

impl RawEndpoint {
    /// An endpoint of which nothing is known yet but its kind.
    pub fn new(kind: Kind) -> Self {
        Self {
            id: 0,
            record: Uuid::nil(),
            revision: 0,
            name: String::new(),
            kind,
            base_url: None,
            port: None,
            tls_mode: None,
            username: None,
            database_name: None,
            web_url: None,
            pooler_host: None,
            tls_authority: None,
            client_certificate: None,
            is_replica: false,
            sign_in: None,
            key_header: None,
            expected_status: None,
            expected_path: None,
            expected_text: None,
            thresholds: RawThresholds::default(),
            cadence: RawCadence::default(),
            password: None,
            api_key: None,
            client_key: None,
        }
    }

    /// Its rhythm, whether or not the rest of it can be read.
    pub fn cadence(&self) -> Cadence {
        self.cadence.over(self.kind.cadence())
    }
}

impl Endpoint {
    /// Reads what a person typed; the first thing that is wrong is the error,
    /// of the kind `invalid_endpoint`, in words for who typed it.
    pub fn parse(raw: &RawEndpoint) -> Result<Self, Failure> {
        let family = raw.kind.family();
        let database = || DatabaseTarget::parse(raw, family);
        let http = || HttpTarget::parse(raw, family);
        let service = match raw.kind {
            Kind::Supabase => {
                let database = database()?;
                let web = match HttpTarget::of_web(raw)? {
                    Some(web) => Some(web),
                    None => supabase::web(&database),
                };
                let pooler = given(&raw.pooler_host).map(supabase::pooler).transpose()?;
                Service::Supabase {
                    database,
                    web,
                    pooler,
                }
            }
            Kind::Postgresql => Service::Postgresql(database()?),
            Kind::Odoo => Service::Odoo {
                database: database()?,
                web: HttpTarget::of_web(raw)?,
            },
            Kind::Mysql => Service::Mysql(database()?),
            Kind::Mongodb => Service::Mongodb(database()?),
            Kind::Superset => Service::Superset(http()?),
            Kind::Mcp => Service::Mcp(http()?),
            Kind::Api => Service::Api(ApiTarget::parse(raw, http()?)?),
        };
        Ok(Self {
            name: raw.name.clone(),
            service,
            thresholds: raw.thresholds.over(raw.kind.thresholds()),
            cadence: raw.cadence(),
        })
    }

    /// `db.example.com:5432`, `[::1]:5432`: for messages.
    pub fn authority(&self) -> String {
        self.service.address().place()
    }

    pub fn kind(&self) -> Kind {
        match self.service {
            Service::Supabase { .. } => Kind::Supabase,
            Service::Postgresql(_) => Kind::Postgresql,
            Service::Odoo { .. } => Kind::Odoo,
            Service::Mysql(_) => Kind::Mysql,
            Service::Mongodb(_) => Kind::Mongodb,
            Service::Superset(_) => Kind::Superset,
            Service::Mcp(_) => Kind::Mcp,
            Service::Api(_) => Kind::Api,
        }
    }
}

impl Service {
    pub fn address(&self) -> Address<'_> {
        match self {
            Service::Supabase { database, .. } | Service::Odoo { database, .. } => {
                Address::Database(database)
            }
            Service::Postgresql(database) | Service::Mysql(database) | Service::Mongodb(database) => {
                Address::Database(database)
            }
            Service::Superset(http) | Service::Mcp(http) | Service::Api(ApiTarget { http, .. }) => {
                Address::Http(http)
            }
        }
    }

    /// The address of the other half.
    pub fn web(&self) -> Option<&HttpTarget> {
        match self {
            Service::Supabase { web, .. } | Service::Odoo { web, .. } => web.as_ref(),
            _ => None,
        }
    }
}

impl<'a> Address<'a> {
    fn place(self) -> String {
        match self {
            Address::Database(target) => target.place(),
            Address::Http(target) => target.place(),
        }
    }

    pub fn host_and_port(self) -> (&'a Host, Port) {
        match self {
            Address::Database(target) => (&target.host, target.port),
            Address::Http(target) => (&target.host, target.port),
        }
    }
}

impl DatabaseTarget {
    /// `db.example.com:5432`, `[::1]:5432`: for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn parse(raw: &RawEndpoint, family: &Family) -> Result<Self, Failure> {
        let (Family::Postgresql { port, tls_mode }
        | Family::Mysql { port, tls_mode }
        | Family::Mongodb { port, tls_mode }) = family
        else {
            unreachable!("a test parses an endpoint of every kind")
        };
        Ok(Self {
            host: Host::parse(given(&raw.base_url).ok_or(Reason::HostMissing {})?)?,
            port: Port::of_field(raw.port)?.unwrap_or(Port::known(*port)),
            tls: raw.tls_mode.unwrap_or(*tls_mode),
            authority: given(&raw.tls_authority).map(str::to_owned),
            client_certificate: given(&raw.client_certificate).map(str::to_owned),
            user: without_control(
                Reason::ControlInUser {},
                given(&raw.username).ok_or(Reason::UserMissing {})?,
            )?,
            database: given(&raw.database_name)
                .map(|name| without_control(Reason::ControlInDatabase {}, name))
                .transpose()?,
            is_replica: raw.is_replica,
        })
    }
}

impl ApiTarget {
    fn parse(raw: &RawEndpoint, http: HttpTarget) -> Result<Self, Failure> {
        let key_header = given(&raw.key_header).unwrap_or(KEY_HEADER).to_ascii_lowercase();
        // RFC 9110, section 5.6.2.
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !key_header.bytes().all(is_token)
            || key_header.len() > 100
            || OTHER_HEADERS.contains(&key_header.as_str())
        {
            return Err(Reason::HeaderInvalid {
                header: server_text(&key_header),
            }
            .into());
        }
        Ok(Self {
            http,
            sign_in: raw.sign_in,
            key_header,
            status: given(&raw.expected_status).map_or(Ok(StatusSet::default()), StatusSet::parse)?,
            path: given(&raw.expected_path).map(JsonPath::parse).transpose()?,
            text: given(&raw.expected_text).map(str::to_owned),
        })
    }
}

impl HttpTarget {
    /// A port in the address wins over the port's own field, which wins over
    /// the scheme's, which wins over the kind's.
    fn parse(raw: &RawEndpoint, family: &Family) -> Result<Self, Failure> {
        let Family::Http { port, scheme } = family else {
            unreachable!("a test parses an endpoint of every kind")
        };
        let text = given(&raw.base_url).ok_or(Reason::HostMissing {})?;
        let user = given(&raw.username)
            .map(|user| without_control(Reason::ControlInUser {}, user))
            .transpose()?;
        let target = Self::read(text, Port::of_field(raw.port)?, *port, *scheme)?;
        Ok(Self {
            authority: given(&raw.tls_authority).map(str::to_owned),
            user,
            ..target
        })
    }

    /// The address of a database's other half.
    fn of_web(raw: &RawEndpoint) -> Result<Option<Self>, Failure> {
        let Some(text) = given(&raw.web_url) else {
            return Ok(None);
        };
        let target = Self::read(text, None, Scheme::Https.port().get(), Scheme::Https)?;
        Ok(Some(Self {
            authority: given(&raw.tls_authority).map(str::to_owned),
            is_other_half: true,
            ..target
        }))
    }

    fn read(
        text: &str,
        field_port: Option<Port>,
        kind_port: u16,
        kind_scheme: Scheme,
    ) -> Result<Self, Failure> {
        let (url, default_port) = if text.contains("://") {
            let url = Url::parse(text).map_err(|_| Reason::UrlInvalid {
                text: server_text(text),
            })?;
            let default_port = url.port_or_known_default();
            (url, default_port)
        } else {
            let text = match text.parse::<std::net::Ipv6Addr>() {
                Ok(_) => format!("{}://[{text}]", kind_scheme.as_str()),
                Err(_) => format!("{}://{text}", kind_scheme.as_str()),
            };
            (
                Url::parse(&text).map_err(|_| Reason::UrlInvalid {
                    text: server_text(&text),
                })?,
                Some(kind_port),
            )
        };
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                return Err(Reason::SchemeForbidden {
                    scheme: server_text(other),
                }
                .into());
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Reason::CredentialsInAddress {}.into());
        }
        let host = url.host().ok_or(Reason::HostMissing {})?.to_owned();
        let port = match url.port() {
            // In a field, nothing is written as 0; in an address it is a port that is none.
            Some(0) => return Err(Reason::PortInvalid { port: "0".into() }.into()),
            Some(port) => Port::of_field(Some(i64::from(port)))?,
            None => field_port,
        };
        Ok(Self {
            scheme,
            host: Host(host),
            port: port.unwrap_or(Port::known(default_port.unwrap_or(kind_port))),
            authority: None,
            is_other_half: false,
            path: url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            user: None,
        })
    }

    /// `api.example.com:443`, `[::1]:443`: for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
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
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if text.contains("://") {
            return Err(Reason::HostIsUrl {}.into());
        }
        if text.contains('@') {
            return Err(Reason::CredentialsInAddress {}.into());
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self(url::Host::Ipv6(address)));
        }
        if let Some(port) = port_after_host(text) {
            return Err(Reason::PortInHost {
                port: port.to_string(),
            }
            .into());
        }
        match url::Host::parse(text) {
            // A DNS name may end in one dot; a trailing-dot name and the plain one are the same host.
            Ok(url::Host::Domain(name)) => match name.strip_suffix('.').unwrap_or(&name) {
                "" => Err(not_a_host(text)),
                name if name.len() > 253
                    || name.split('.').any(|label| label.is_empty() || label.len() > 63) =>
                {
                    Err(not_a_host(text))
                }
                name => Ok(Self(url::Host::Domain(name.to_owned()))),
            },
            Ok(host) => Ok(Self(host)),
            Err(_) => Err(not_a_host(text)),
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

fn not_a_host(text: &str) -> Failure {
    Reason::HostInvalid {
        text: server_text(text),
    }
    .into()
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
    fn of_field(number: Option<i64>) -> Result<Option<Self>, Failure> {
        match number {
            None | Some(0) => Ok(None),
            Some(number) => u16::try_from(number)
                .ok()
                .and_then(NonZeroU16::new)
                .map(|port| Some(Self(port)))
                .ok_or(
                    Reason::PortInvalid {
                        port: number.to_string(),
                    }
                    .into(),
                ),
        }
    }

    /// A port of a table or a scheme.
    pub(crate) fn known(number: u16) -> Self {
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

impl SignIn {
    pub const ALL: [SignIn; 4] = [SignIn::None, SignIn::Bearer, SignIn::Basic, SignIn::Header];

    /// By the name that [`as_str`](Self::as_str) gives.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sign_in| sign_in.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            SignIn::None => "none",
            SignIn::Bearer => "bearer",
            SignIn::Basic => "basic",
            SignIn::Header => "header",
        }
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
fn without_control(otherwise: Reason, text: &str) -> Result<String, Failure> {
    let breaks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) {
        return Err(otherwise.into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn raw(kind: Kind, base_url: &str, port: i64) -> RawEndpoint {
        RawEndpoint {
            base_url: Some(base_url.into()),
            port: Some(port),
            username: Some("u".into()),
            ..RawEndpoint::new(kind)
        }
    }

    fn refusal(raw: &RawEndpoint) -> Reason {
        Endpoint::parse(raw).expect_err("not valid").reason().clone()
    }

    fn check(kind: Kind, base_url: &str, port: i64, expected: Expect) {
        let said = match Endpoint::parse(&raw(kind, base_url, port)) {
            Ok(endpoint) => match endpoint.service.address() {
                Address::Http(target) => target.url(),
                Address::Database(_) => endpoint.authority(),
            },
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
            "http://a:0/",
            0,
            expect!["0 is not a port; ports are 1 to 65535."],
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
        assert_eq!(refusal(&endpoint), Reason::UserMissing {});
        for username in ["a\0b", "a\r\nFLUSHALL\r\nb", "a\u{2028}b"] {
            endpoint.username = Some(username.into());
            assert_eq!(refusal(&endpoint), Reason::ControlInUser {});
        }
        endpoint.username = Some("u".into());
        endpoint.database_name = Some("a\nb".into());
        assert_eq!(refusal(&endpoint), Reason::ControlInDatabase {});
        endpoint.username = Some("a\0b".into());
        assert_eq!(refusal(&endpoint), Reason::ControlInUser {});
    }

    #[test]
    fn an_endpoint_of_every_kind_is_of_that_kind() {
        for kind in Kind::ALL {
            let endpoint = Endpoint::parse(&raw(kind, "host.example", 0)).expect("valid");
            assert_eq!(endpoint.kind(), kind);
        }
    }

    #[test]
    fn a_hosted_supabase_has_its_api_where_its_project_says() {
        let web = |host: &str, user: &str| {
            let raw = RawEndpoint {
                username: Some(user.into()),
                ..raw(Kind::Supabase, host, 0)
            };
            let endpoint = Endpoint::parse(&raw).expect("valid");
            endpoint.service.web().map(HttpTarget::url)
        };
        let project = Some("https://abcdefghij.supabase.co".to_owned());
        assert_eq!(web("db.abcdefghij.supabase.co", "postgres"), project);
        assert_eq!(
            web("aws-0-eu-west-1.pooler.supabase.com", "postgres.abcdefghij"),
            project
        );
        assert_eq!(web("aws-0-eu-west-1.pooler.supabase.com", "postgres"), None);
        assert_eq!(web("db.evil.example", "postgres.abcdefghij"), None);
        assert_eq!(web("db.a.b.supabase.co", "postgres"), None);
    }

    #[test]
    fn a_key_goes_into_a_header_that_has_no_other_meaning() {
        let header = |name: &str| {
            let raw = RawEndpoint {
                key_header: Some(name.into()),
                ..raw(Kind::Api, "https://api.example", 0)
            };
            Endpoint::parse(&raw).is_ok()
        };
        assert!(header("X-Api-Key") && header("apikey"));
        for name in ["Host", "a b", "x:y", "a\r\nb", "Transfer-Encoding"] {
            assert!(!header(name), "{name}");
        }
    }
}
