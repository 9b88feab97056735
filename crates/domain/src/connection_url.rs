//! Reads an endpoint from one URL, as people write them and programs print them.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use crate::endpoint::{RawEndpoint, SignIn, TlsMode};
use crate::failure::server_text;
use crate::kind::Kind;
use crate::supabase::is_supabase_host;

/// What a URL says: an endpoint, and the secrets that stood in it.
#[derive(Debug, Clone)]
pub struct Connection {
    pub raw: RawEndpoint,
    pub password: Option<SecretString>,
    pub api_key: Option<SecretString>,
}

/// Why a URL is none that can be read. It never has a part of the URL in it
/// that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("It is not a URL; one looks like postgresql://user@db.example.com:5432/name.")]
    NotAUrl,
    #[error(
        "It has a part that is no URL's. Characters such as @ / # ? % in a password are written as %40 %2F %23 %3F %25."
    )]
    Malformed,
    #[error("The scheme “{}” is not known; there are: {}.", .0, SCHEMES.join(", "))]
    Scheme(String),
    #[error("The port is none; ports are 1 to 65535.")]
    Port,
    #[error("It names no server.")]
    NoHost,
    #[error("It names several servers; one URL is one endpoint.")]
    SeveralHosts,
    #[error("The {0} is not text once it is percent-decoded.")]
    NotText(&'static str),
    #[error("The parameter “{0}” names a file, which a URL from somewhere may not.")]
    FileParameter(String),
    #[error("The parameter “{0}” is not known here.")]
    Parameter(String),
    #[error("“{value}” is no value of the parameter “{name}”.")]
    Value { name: &'static str, value: String },
}

/// Every scheme that is read.
pub const SCHEMES: &[&str] = &[
    "postgresql",
    "postgres",
    "supabase",
    "odoo",
    "mysql",
    "mongodb",
    "mariadb",
    "http",
    "https",
    "mcp+http",
    "mcp+https",
    "superset+http",
    "superset+https",
];

/// What says how a client behaves and not where the server is, so that a probe need not know it.
const OF_CLIENTS: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "connection_limit",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "charset",
];

const OF_FILES: &[&str] = &[
    "host",
    "passfile",
    "service",
    "servicefile",
    "sslcert",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslrootcert",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "socket",
    "tlsCAFile",
    "tlsCertificateKeyFile",
];

impl Connection {
    /// Reads a URL of one of the [`SCHEMES`].
    ///
    /// A database's parameters are libpq's or MySQL Shell's, less those that
    /// name files. The userinfo of an `mcp+…` URL is the key, with or without a
    /// user before it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::read(text, Others::Refused)
    }

    /// Reads a URL that somebody pasted, which is looked at before it is saved:
    /// what a connection's form has no place for is passed over, files included,
    /// and a password may be written as it is.
    pub fn parse_pasted(text: &str) -> Result<Self, UrlError> {
        Self::read(&with_encoded_password(text.trim()), Others::PassedOver)
    }

    fn read(text: &str, others: Others) -> Result<Self, UrlError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NotAUrl)?;
        // SQLAlchemy names a driver too: postgresql+psycopg2.
        let scheme = scheme.to_ascii_lowercase();
        let scheme = match scheme.split_once('+') {
            Some((database @ ("postgresql" | "postgres" | "mysql" | "mariadb"), _)) => database.to_owned(),
            _ => scheme,
        };
        let kind = match scheme.as_str() {
            "postgresql" | "postgres" => Kind::Postgresql,
            "supabase" => Kind::Supabase,
            "odoo" => Kind::Odoo,
            "mysql" | "mariadb" => Kind::Mysql,
            "mongodb" => Kind::Mongodb,
            "http" | "https" => Kind::Api,
            "mcp+http" | "mcp+https" => Kind::Mcp,
            "superset+http" | "superset+https" => Kind::Superset,
            other => return Err(UrlError::Scheme(server_text(other))),
        };
        match kind {
            Kind::Api | Kind::Mcp | Kind::Superset => {
                let scheme = scheme.rsplit('+').next().unwrap_or_default();
                web(kind, &read(&format!("{scheme}://{rest}"))?)
            }
            // No database's URL has a fragment: it is the rest of a password.
            _ if text.contains('#') => Err(UrlError::Malformed),
            _ => database(kind, &read(&format!("{scheme}://{rest}"))?, others),
        }
    }
}

/// What becomes of parameters that are of no endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Refused,
    PassedOver,
}

/// Encodes the characters of a password that would end it, such as `#` and `/`, and percent signs that encode nothing.
fn with_encoded_password(text: &str) -> String {
    let parts = text.split_once("://").and_then(|(scheme, rest)| {
        let (user_info, place) = rest.rsplit_once('@')?;
        let (user, password) = user_info.split_once(':')?;
        Some((scheme, user, password, place))
    });
    let Some((scheme, user, password, place)) = parts else {
        return text.to_owned();
    };
    let mut encoded = String::new();
    for (at, character) in password.char_indices() {
        let is_escape = || {
            let digits = password.as_bytes().get(at + 1..at + 3);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        match character {
            '%' if is_escape() => encoded.push('%'),
            '%' | '#' | '/' | '?' | '@' | '\\' => encoded.push_str(&format!("%{:02X}", u32::from(character))),
            other => encoded.push(other),
        }
    }
    format!("{scheme}://{user}:{encoded}@{place}")
}

fn read(text: &str) -> Result<Url, UrlError> {
    Url::parse(text).map_err(|error| match error {
        url::ParseError::InvalidPort => UrlError::Port,
        url::ParseError::EmptyHost => UrlError::NoHost,
        _ => UrlError::Malformed,
    })
}

fn web(kind: Kind, url: &Url) -> Result<Connection, UrlError> {
    let user = decoded("user name", url.username())?;
    let password = url.password().map(|text| decoded("password", text)).transpose()?;
    let mut bare = url.clone();
    // Never sent to a server.
    bare.set_fragment(None);
    // Neither can fail: the scheme is http or https.
    bare.set_username("").ok();
    bare.set_password(None).ok();
    let mut raw = RawEndpoint {
        name: name_of(&bare),
        base_url: Some(bare.into()),
        ..RawEndpoint::new(kind)
    };
    let (mut password, mut api_key) = (password, None);
    match kind {
        Kind::Mcp => api_key = password.take().or(Some(user)).filter(|key| !key.is_empty()),
        _ if !user.is_empty() => {
            raw.username = Some(user);
            if kind == Kind::Api {
                raw.sign_in = Some(SignIn::Basic);
            }
        }
        _ => {}
    }
    Ok(Connection {
        raw,
        password: password.map(Into::into),
        api_key: api_key.map(Into::into),
    })
}

fn database(kind: Kind, url: &Url, others: Others) -> Result<Connection, UrlError> {
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or(UrlError::NoHost)?;
    let host = decoded("host", host)?;
    if host.contains(',') {
        return Err(UrlError::SeveralHosts);
    }
    let kind = match kind {
        Kind::Postgresql if is_supabase_host(&host) => Kind::Supabase,
        kind => kind,
    };
    let database = decoded("database", url.path().strip_prefix('/').unwrap_or_default())?;
    let mut raw = RawEndpoint {
        name: name_of(url),
        base_url: Some(host),
        port: url.port().map(i64::from),
        username: Some(decoded("user name", url.username())?).filter(|user| !user.is_empty()),
        database_name: Some(database).filter(|name| !name.is_empty()),
        ..RawEndpoint::new(kind)
    };
    if url.port() == Some(0) {
        return Err(UrlError::Port);
    }
    let mut password = url.password().map(|text| decoded("password", text)).transpose()?;
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "sslmode" if others == Others::PassedOver => {
                raw.tls_mode = libpq_mode(&value).ok().or(raw.tls_mode)
            }
            "sslmode" => raw.tls_mode = Some(libpq_mode(&value)?),
            "ssl-mode" | "sslMode" => raw.tls_mode = Some(mysql_mode(&value)?),
            "target_session_attrs" => raw.is_replica = wants_replica(&value)?,
            "sslaccept" if others == Others::PassedOver => {
                raw.tls_mode = Some(if value == "strict" {
                    TlsMode::VerifyFull
                } else {
                    TlsMode::Require
                });
            }
            "ssl_disabled" => raw.tls_mode = Some(TlsMode::Disable),
            "ssl_check_hostname" => raw.tls_mode = raw.tls_mode.or(Some(TlsMode::Require)),
            "ssl_verify_cert" => raw.tls_mode = raw.tls_mode.or(Some(TlsMode::VerifyCa)),
            // MongoDB's, whose clients speak TLS or do not: https://www.mongodb.com/docs/manual/reference/connection-string-options/
            "tls" | "ssl" if kind == Kind::Mongodb => {
                let usual = if value == "true" {
                    TlsMode::VerifyFull
                } else {
                    TlsMode::Disable
                };
                raw.tls_mode = raw.tls_mode.or(Some(usual));
            }
            "tlsAllowInvalidCertificates" | "tlsInsecure" if value == "true" => {
                raw.tls_mode = Some(TlsMode::Require)
            }
            "tlsAllowInvalidHostnames" if value == "true" => raw.tls_mode = Some(TlsMode::VerifyCa),
            // Where the user lives, which is taken to be `admin`, and how a client behaves.
            "authSource" | "authMechanism" | "replicaSet" | "retryWrites" | "w" | "appName"
            | "directConnection"
                if kind == Kind::Mongodb => {}
            "web" => raw.web_url = Some(value.into_owned()),
            "user" => raw.username = Some(value.into_owned()),
            "password" => password = Some(value.into_owned()),
            name if OF_CLIENTS.contains(&name) => {}
            _ if others == Others::PassedOver => {}
            name if OF_FILES.contains(&name) => return Err(UrlError::FileParameter(server_text(name))),
            name => return Err(UrlError::Parameter(server_text(name))),
        }
    }
    Ok(Connection {
        raw,
        password: password.map(Into::into),
        api_key: None,
    })
}

/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLMODE>
pub fn libpq_mode(value: &str) -> Result<TlsMode, UrlError> {
    Ok(match value {
        "disable" => TlsMode::Disable,
        "allow" | "prefer" => TlsMode::Prefer,
        "require" | "no-verify" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        _ => return Err(no_value("sslmode", value)),
    })
}

/// <https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#option_general_ssl-mode>
pub fn mysql_mode(value: &str) -> Result<TlsMode, UrlError> {
    Ok(match value.to_ascii_uppercase().as_str() {
        "DISABLED" => TlsMode::Disable,
        "PREFERRED" => TlsMode::Prefer,
        "REQUIRED" => TlsMode::Require,
        "VERIFY_CA" => TlsMode::VerifyCa,
        "VERIFY_IDENTITY" => TlsMode::VerifyFull,
        _ => return Err(no_value("ssl-mode", value)),
    })
}

fn wants_replica(value: &str) -> Result<bool, UrlError> {
    match value {
        "any" | "read-only" | "standby" | "prefer-standby" => Ok(true),
        "read-write" | "primary" => Ok(false),
        _ => Err(no_value("target_session_attrs", value)),
    }
}

fn no_value(name: &'static str, value: &str) -> UrlError {
    UrlError::Value {
        name,
        value: server_text(value),
    }
}

/// What an endpoint without a name is called: its server, and its database or path.
fn name_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = percent_decode_str(url.path().trim_end_matches('/')).decode_utf8_lossy();
    server_text(&format!("{host}{port}{path}"))
}

fn decoded(part: &'static str, text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| UrlError::NotText(part))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use secrecy::ExposeSecret;

    use super::*;
    use crate::Endpoint;

    fn check(text: &str, expected: Expect) {
        let said = match Connection::parse(text) {
            Err(error) => format!("error: {error}"),
            Ok(Connection {
                raw,
                password,
                api_key,
            }) => {
                let endpoint = Endpoint::parse(&raw);
                let authority =
                    endpoint.map_or_else(|failure| failure.message(), |endpoint| endpoint.authority());
                let secret =
                    |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
                let parts = [
                    Some(raw.kind.as_str().to_owned()),
                    Some(authority),
                    raw.base_url.filter(|url| url.contains("://")),
                    raw.username.map(|user| format!("user={user}")),
                    raw.database_name.map(|name| format!("db={name}")),
                    raw.tls_mode.map(|mode| format!("tls={}", mode.as_str())),
                    raw.web_url.map(|url| format!("web={url}")),
                    raw.is_replica.then(|| "replica".to_owned()),
                    secret(password).map(|password| format!("password={password}")),
                    secret(api_key).map(|key| format!("key={key}")),
                    Some(format!("“{}”", raw.name)),
                ];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn databases_are_read() {
        check(
            "postgresql://reader@db.example/books",
            expect!["postgresql db.example:5432 user=reader db=books “db.example/books”"],
        );
        check(
            "postgres://u:p%40ss%2Fw%23@[::1]:6432/a%20b?sslmode=verify-full&application_name=x",
            expect!["postgresql [::1]:6432 user=u db=a b tls=verify-full password=p@ss/w# “[::1]:6432/a b”"],
        );
        check(
            "postgresql://postgres:x@db.abcdefghij.supabase.co:5432/postgres",
            expect![
                "supabase db.abcdefghij.supabase.co:5432 user=postgres db=postgres password=x “db.abcdefghij.supabase.co:5432/postgres”"
            ],
        );
        check(
            "postgresql://postgres.abcdefghij:x@aws-0-eu-west-1.pooler.supabase.com:6543/postgres?pgbouncer=true",
            expect![
                "supabase aws-0-eu-west-1.pooler.supabase.com:6543 user=postgres.abcdefghij db=postgres password=x “aws-0-eu-west-1.pooler.supabase.com:6543/postgres”"
            ],
        );
        check(
            "supabase://postgres@db.internal/postgres?web=https://api.internal",
            expect![
                "supabase db.internal:5432 user=postgres db=postgres web=https://api.internal “db.internal/postgres”"
            ],
        );
        check(
            "odoo://odoo@db/books?web=https%3A%2F%2Fodoo.example",
            expect!["odoo db:5432 user=odoo db=books web=https://odoo.example “db/books”"],
        );
        check(
            "postgresql://u@replica/books?target_session_attrs=standby",
            expect!["postgresql replica:5432 user=u db=books replica “replica/books”"],
        );
        check(
            "mysql://root:@db:3307/shop?ssl-mode=REQUIRED",
            expect!["mysql db:3307 user=root db=shop tls=require “db:3307/shop”"],
        );
        check("mariadb://root@db", expect!["mysql db:3306 user=root “db”"]);
        check(
            "postgresql://db/books?user=u&password=p",
            expect!["postgresql db:5432 user=u db=books password=p “db/books”"],
        );
    }

    #[test]
    fn web_addresses_are_read() {
        check(
            "https://api.example/v1?x=1",
            expect!["api api.example:443 https://api.example/v1?x=1 “api.example/v1”"],
        );
        check(
            "https://me:pw@api.example",
            expect!["api api.example:443 https://api.example/ user=me password=pw “api.example”"],
        );
        check(
            "mcp+https://k-1@mcp.example/mcp",
            expect!["mcp mcp.example:443 https://mcp.example/mcp key=k-1 “mcp.example/mcp”"],
        );
        check(
            "mcp+http://any:k-1@127.0.0.1:3000",
            expect!["mcp 127.0.0.1:3000 http://127.0.0.1:3000/ key=k-1 “127.0.0.1:3000”"],
        );
        check(
            "superset+https://admin:pw@bi.example/",
            expect!["superset bi.example:443 https://bi.example/ user=admin password=pw “bi.example”"],
        );
    }

    #[test]
    fn what_cannot_be_read_says_why_without_a_secret() {
        check(
            "db.example:5432",
            expect!["error: It is not a URL; one looks like postgresql://user@db.example.com:5432/name."],
        );
        check(
            "postgresql://u:canary#1@db/books",
            expect![
                "error: It has a part that is no URL's. Characters such as @ / # ? % in a password are written as %40 %2F %23 %3F %25."
            ],
        );
        check(
            "postgresql://u:canary@db:99999/books",
            expect!["error: The port is none; ports are 1 to 65535."],
        );
        check(
            "postgresql://u:canary@db:0/books",
            expect!["error: The port is none; ports are 1 to 65535."],
        );
        check("postgresql:///books", expect!["error: It names no server."]);
        check(
            "postgresql://u:canary@a,b/books",
            expect!["error: It names several servers; one URL is one endpoint."],
        );
        check(
            "postgresql://u:canary@db/books?sslrootcert=/etc/passwd",
            expect!["error: The parameter “sslrootcert” names a file, which a URL from somewhere may not."],
        );
        check(
            "postgresql://u:canary@db/books?options=-c%20x",
            expect!["error: The parameter “options” is not known here."],
        );
        check(
            "postgresql://u:canary@db/books?sslmode=maybe",
            expect!["error: “maybe” is no value of the parameter “sslmode”."],
        );
        check(
            "postgresql://u:%ff@db/books",
            expect!["error: The password is not text once it is percent-decoded."],
        );
        check(
            "redis://u:canary@db",
            expect![
                "error: The scheme “redis” is not known; there are: postgresql, postgres, supabase, odoo, mysql, mongodb, mariadb, http, https, mcp+http, mcp+https, superset+http, superset+https."
            ],
        );
        check("https://", expect!["error: It names no server."]);
    }
}
