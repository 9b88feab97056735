//! The named values that every form comes to, and what they mean together.

use insightpulse_domain::{
    Connection, Kind, RawEndpoint, RawThresholds, SignIn, TlsMode, database_of_api, is_supabase_host,
    libpq_mode, mysql_mode,
};
use secrecy::{ExposeSecret, SecretString};

/// What a text says of one endpoint; what it does not say is `None`.
#[derive(Default)]
pub(crate) struct Fields {
    pub name: Option<String>,
    pub kind: Option<Kind>,
    pub server: Option<String>,
    pub port: Option<String>,
    pub database: Option<String>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub api_key: Option<String>,
    pub tls_mode: Option<TlsMode>,
    pub web_url: Option<String>,
    pub pooler_host: Option<String>,
    pub tls_authority: Option<String>,
    pub client_certificate: Option<String>,
    pub is_replica: bool,
    pub sign_in: Option<SignIn>,
    pub key_header: Option<String>,
    pub expected_status: Option<String>,
    pub expected_path: Option<String>,
    pub expected_text: Option<String>,
    pub thresholds: RawThresholds,
}

impl Fields {
    pub fn of(kind: Kind) -> Self {
        Self {
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// A hosted Supabase project, by its API's host.
    pub fn of_project(host: &str) -> Option<Self> {
        Some(Self {
            server: Some(database_of_api(host)?),
            ..Self::of_supabase()
        })
    }

    /// With the names that each of Supabase's databases has at first.
    pub fn of_supabase() -> Self {
        Self {
            user: Some("postgres".into()),
            database: Some("postgres".into()),
            ..Self::of(Kind::Supabase)
        }
    }

    /// Sets a value by one of the names that clients have for it; says whether it is one.
    ///
    /// Names of libpq, psycopg, PDO, Npgsql, MySqlConnector and JDBC, in lower case.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let value = value.to_owned();
        match name {
            "host" | "server" | "hostname" | "data source" | "datasource" | "address" | "addr" => {
                self.server = Some(value);
            }
            "hostaddr" => self.server = self.server.take().or(Some(value)),
            "port" => self.port = Some(value),
            "dbname" | "database" | "db" | "initial catalog" | "databasename" => self.database = Some(value),
            "user" | "username" | "user id" | "userid" | "uid" | "user name" => self.user = Some(value),
            "password" | "passwd" | "pass" | "pwd" => self.password = Some(value),
            "sslmode" | "ssl mode" | "ssl-mode" => self.tls_mode = tls_mode(&value),
            "target_session_attrs" => self.is_replica |= value.contains("standby") || value == "read-only",
            // What a connection's form has no place for.
            "application_name"
            | "connect_timeout"
            | "client_encoding"
            | "options"
            | "service"
            | "passfile"
            | "sslrootcert"
            | "sslcert"
            | "sslkey"
            | "gssencmode"
            | "channel_binding"
            | "keepalives"
            | "root certificate"
            | "ssl ca"
            | "pooling"
            | "timeout"
            | "command timeout"
            | "krbsrvname"
            | "sslfactory"
            | "fallback_application_name"
            | "trust server certificate" => {}
            _ => return false,
        }
        true
    }

    /// The endpoint; `None` where no server is named.
    pub fn connection(self) -> Option<Connection> {
        let server = self.server.filter(|server| !server.trim().is_empty())?;
        let host = server.trim_matches(['[', ']']).to_owned();
        let kind = self.kind.unwrap_or(Kind::Postgresql);
        let is_database = kind.is_database();
        let kind = match kind {
            Kind::Postgresql if is_supabase_host(&host) => Kind::Supabase,
            kind => kind,
        };
        let base_url = if is_database { host } else { server };
        let port = self.port.as_deref().and_then(|port| port.trim().parse().ok());
        let name = self.name.filter(|name| !name.trim().is_empty());
        let mut connection = Connection {
            raw: RawEndpoint {
                name: name.unwrap_or_else(|| match &self.database {
                    Some(database) => format!("{base_url}/{database}"),
                    None => base_url.split("://").last().unwrap_or_default().to_owned(),
                }),
                base_url: Some(base_url),
                port,
                tls_mode: self.tls_mode,
                username: given(self.user),
                database_name: given(self.database),
                web_url: given(self.web_url),
                pooler_host: given(self.pooler_host),
                tls_authority: given(self.tls_authority),
                client_certificate: given(self.client_certificate),
                is_replica: self.is_replica,
                sign_in: self.sign_in,
                key_header: given(self.key_header),
                expected_status: given(self.expected_status),
                expected_path: given(self.expected_path),
                expected_text: given(self.expected_text),
                thresholds: self.thresholds,
                ..RawEndpoint::new(kind)
            },
            password: self.password.map(Into::into),
            api_key: self.api_key.map(Into::into),
        };
        forget_placeholders(&mut connection);
        Some(connection)
    }
}

impl From<Connection> for Fields {
    fn from(connection: Connection) -> Self {
        let Connection {
            raw,
            password,
            api_key,
        } = connection;
        let text = |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
        Self {
            name: Some(raw.name),
            kind: Some(raw.kind),
            server: raw.base_url,
            port: raw.port.map(|port| port.to_string()),
            database: raw.database_name,
            user: raw.username,
            password: text(password),
            api_key: text(api_key),
            tls_mode: raw.tls_mode,
            web_url: raw.web_url,
            pooler_host: raw.pooler_host,
            is_replica: raw.is_replica,
            sign_in: raw.sign_in,
            thresholds: raw.thresholds,
            ..Self::default()
        }
    }
}

fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

/// libpq's names, MySQL's, Npgsql's and MySqlConnector's.
pub(crate) fn tls_mode(value: &str) -> Option<TlsMode> {
    let value = value.trim();
    let libpq = libpq_mode(&value.to_ascii_lowercase()).ok();
    libpq.or_else(|| mysql_mode(value).ok()).or_else(|| {
        Some(match value.to_ascii_lowercase().as_str() {
            "none" => TlsMode::Disable,
            "preferred" => TlsMode::Prefer,
            "required" => TlsMode::Require,
            "verifyca" => TlsMode::VerifyCa,
            "verifyfull" => TlsMode::VerifyFull,
            _ => return None,
        })
    })
}

pub(crate) fn forget_placeholders(connection: &mut Connection) {
    for secret in [&mut connection.password, &mut connection.api_key] {
        if secret.as_ref().is_some_and(is_placeholder) {
            *secret = None;
        }
    }
}

/// What stands where a secret belongs: nothing, a variable, or a word that says what to put there.
fn is_placeholder(secret: &SecretString) -> bool {
    let text = secret.expose_secret().trim();
    let is_word = |from: &str, to: &str| text.starts_with(from) && text.ends_with(to) && !text.contains(' ');
    let lower = text.to_ascii_lowercase().replace('_', "-");
    text.is_empty()
        || is_word("[YOUR-", "]")
        || (is_word("<", ">") && text.len() > 2)
        || is_word("${", "}")
        || is_word("{{", "}}")
        || ["your-password", "your-api-key", "your-key"].contains(&lower.as_str())
        // Superset's mask
        || text == "XXXXXXXXXX"
        || text.chars().all(|character| character == '*' || character == '•')
}
