//! TLS, as each client of a database names its modes.

use insightpulse_domain::{Kind, TlsMode};

use super::Database;
use crate::text::Text;

impl Database<'_> {
    fn mode(&self) -> TlsMode {
        self.target.tls
    }

    /// As libpq writes it.
    pub fn sslmode(&self) -> &'static str {
        self.mode().as_str()
    }

    fn verifies(&self) -> bool {
        matches!(self.mode(), TlsMode::VerifyCa | TlsMode::VerifyFull)
    }

    /// More than "if the server has it".
    pub fn is_encrypted(&self) -> bool {
        !matches!(self.mode(), TlsMode::Disable | TlsMode::Prefer)
    }

    /// The record has an authority of its own, which the client reads from a file.
    pub fn reads_authority(&self) -> bool {
        self.verifies() && self.target.authority.is_some()
    }

    /// Where the record's certificate authority is to be saved.
    pub fn authority_file(&self) -> String {
        format!("{}-ca.pem", self.slug())
    }

    /// libpq knows the machine's own authorities for `verify-full` alone:
    /// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLROOTCERT>
    pub fn sslrootcert(&self) -> Option<String> {
        match self.mode() {
            _ if self.reads_authority() => Some(self.authority_file()),
            TlsMode::VerifyFull => Some("system".into()),
            _ => None,
        }
    }

    /// `None` for what a client does when it is told nothing.
    pub fn uri_mode(&self) -> Option<String> {
        match (self.kind(), self.mode()) {
            (_, TlsMode::Prefer) => None,
            (Kind::Mysql, mode) => Some(format!("ssl-mode={}", mysql_mode(mode))),
            (_, mode) => Some(format!("sslmode={}", mode.as_str())),
        }
    }

    pub fn prisma_mode(&self) -> Option<String> {
        let accept = match (self.kind(), self.mode()) {
            (_, TlsMode::Prefer) => return None,
            // Without its parameter, its MySQL client speaks no TLS.
            (Kind::Mysql, TlsMode::Disable) => return None,
            (_, TlsMode::Disable) => return Some("sslmode=disable".into()),
            (_, TlsMode::Require) => "sslaccept=accept_invalid_certs",
            (_, TlsMode::VerifyCa | TlsMode::VerifyFull) => "sslaccept=strict",
        };
        let mode = match self.kind() {
            Kind::Mysql => accept.to_owned(),
            _ => format!("sslmode=require&{accept}"),
        };
        Some(self.with_file(&mode, "&sslcert="))
    }

    /// <https://jdbc.postgresql.org/documentation/ssl/>,
    /// <https://dev.mysql.com/doc/connector-j/en/connector-j-connp-props-security.html>
    pub fn jdbc_mode(&self) -> Option<String> {
        let mode = match (self.kind(), self.mode()) {
            (_, TlsMode::Prefer) => return None,
            (Kind::Mysql, mode) => return Some(format!("sslMode={}", mysql_mode(mode))),
            (_, mode) => format!("sslmode={}", mode.as_str()),
        };
        Some(match self.verifies() {
            true if self.reads_authority() => format!("{mode}&sslrootcert={}", self.authority_file()),
            // Java's own authorities, in place of a file that is seldom there.
            true => format!("{mode}&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory"),
            false => mode,
        })
    }

    /// What is opened where none is named: PostgreSQL alone has one for each user.
    pub fn opened_database(&self) -> Option<Text<'_>> {
        match self.kind() {
            Kind::Mysql | Kind::Mongodb => self.database.clone(),
            _ => Some(self.dbname()),
        }
    }

    /// Its clients speak TLS or do not, so `prefer` is what they do when they are told nothing:
    /// <https://www.mongodb.com/docs/manual/reference/connection-string-options/>
    pub fn mongodb_mode(&self) -> Option<String> {
        let mode = match self.mode() {
            TlsMode::Prefer => return None,
            TlsMode::Disable => "tls=false",
            TlsMode::Require => "tls=true&tlsAllowInvalidCertificates=true",
            TlsMode::VerifyCa => "tls=true&tlsAllowInvalidHostnames=true",
            TlsMode::VerifyFull => "tls=true",
        };
        Some(self.with_file(mode, "&tlsCAFile="))
    }

    /// <https://www.npgsql.org/doc/security.html>
    pub fn npgsql_mode(&self) -> String {
        let mode = match self.mode() {
            TlsMode::Disable => "Disable",
            TlsMode::Prefer => "Prefer",
            TlsMode::Require => "Require",
            TlsMode::VerifyCa => "VerifyCA",
            TlsMode::VerifyFull => "VerifyFull",
        };
        self.with_file(mode, ";Root Certificate=")
    }

    /// <https://mysqlconnector.net/connection-options/>
    pub fn mysql_connector_mode(&self) -> String {
        let mode = match self.mode() {
            TlsMode::Disable => "None",
            TlsMode::Prefer => "Preferred",
            TlsMode::Require => "Required",
            TlsMode::VerifyCa => "VerifyCA",
            TlsMode::VerifyFull => "VerifyFull",
        };
        self.with_file(mode, ";SSL CA=")
    }

    fn with_file(&self, mode: &str, option: &str) -> String {
        if self.reads_authority() {
            format!("{mode}{option}{}", self.authority_file())
        } else {
            mode.to_owned()
        }
    }

    pub fn sqlalchemy_driver(&self) -> &'static str {
        match self.kind() {
            Kind::Mysql => "mysql+pymysql",
            _ => "postgresql+psycopg2",
        }
    }

    /// For psycopg2 what libpq names it; for PyMySQL the dialect's own:
    /// <https://docs.sqlalchemy.org/en/20/dialects/mysql.html#ssl-connections>
    pub fn sqlalchemy_mode(&self) -> Option<String> {
        if self.kind() != Kind::Mysql {
            let mode = self.uri_mode()?;
            return Some(match self.sslrootcert() {
                Some(root) => format!("{mode}&sslrootcert={root}"),
                None => mode,
            });
        }
        // With `ssl_verify_…` beside it, PyMySQL would forget the dialect's `ssl_ca`.
        let options: Vec<_> = match self.mode() {
            TlsMode::Disable => vec!["ssl_disabled=true".to_owned()],
            TlsMode::Prefer => vec![],
            TlsMode::Require => vec!["ssl_check_hostname=false".into()],
            TlsMode::VerifyCa if self.reads_authority() => vec!["ssl_check_hostname=false".into()],
            TlsMode::VerifyCa => vec!["ssl_verify_cert=true".into()],
            TlsMode::VerifyFull => vec![],
        };
        let file = self
            .reads_authority()
            .then(|| format!("ssl_ca={}", self.authority_file()));
        let options: Vec<_> = options.into_iter().chain(file).collect();
        (!options.is_empty()).then(|| options.join("&"))
    }

    /// <https://pymysql.readthedocs.io/en/latest/modules/connections.html>
    pub fn pymysql_tls(&self) -> Vec<(&'static str, String)> {
        let yes = || "True".to_owned();
        let mut options = match self.mode() {
            TlsMode::Disable => vec![("ssl_disabled", yes())],
            TlsMode::Prefer => vec![],
            TlsMode::Require => vec![("ssl", "{\"check_hostname\": False}".into())],
            TlsMode::VerifyCa => vec![("ssl_verify_cert", yes())],
            // Without an authority of its own, only a context checks the server's name.
            TlsMode::VerifyFull if self.makes_context() => {
                vec![("ssl", "ssl.create_default_context()".into())]
            }
            TlsMode::VerifyFull => vec![("ssl_verify_cert", yes()), ("ssl_verify_identity", yes())],
        };
        if self.reads_authority() {
            options.push(("ssl_ca", format!("\"{}\"", self.authority_file())));
        }
        options
    }

    pub fn makes_context(&self) -> bool {
        self.mode() == TlsMode::VerifyFull && !self.reads_authority()
    }

    /// <https://pkg.go.dev/github.com/go-sql-driver/mysql#readme-tls>
    pub fn go_mysql_mode(&self) -> &'static str {
        match self.mode() {
            TlsMode::Disable => "false",
            TlsMode::Prefer => "preferred",
            TlsMode::Require => "skip-verify",
            TlsMode::VerifyCa | TlsMode::VerifyFull => "true",
        }
    }

    /// An object of Node's `tls.connect`; node-postgres has no "if the server has it".
    pub fn node_tls(&self) -> String {
        let is_mysql = self.kind() == Kind::Mysql;
        let ca = self
            .reads_authority()
            .then(|| format!("ca: readFileSync(\"{}\", \"utf8\")", self.authority_file()));
        let options: Vec<_> = match self.mode() {
            TlsMode::Disable | TlsMode::Prefer => return "false".into(),
            TlsMode::Require => vec!["rejectUnauthorized: false".to_owned()],
            TlsMode::VerifyCa if is_mysql => ca.into_iter().collect(),
            TlsMode::VerifyCa => ca
                .into_iter()
                .chain(["checkServerIdentity: () => undefined".into()])
                .collect(),
            TlsMode::VerifyFull if is_mysql => {
                ca.into_iter().chain(["verifyIdentity: true".into()]).collect()
            }
            TlsMode::VerifyFull => ca.into_iter().collect(),
        };
        match options.as_slice() {
            [] if is_mysql => "{}".into(),
            [] => "true".into(),
            options => format!("{{ {} }}", options.join(", ")),
        }
    }

    /// <https://github.com/porsager/postgres#ssl>
    pub fn postgres_js_tls(&self) -> String {
        match self.mode() {
            TlsMode::Disable => "false".into(),
            TlsMode::Prefer => "\"prefer\"".into(),
            TlsMode::Require => "\"require\"".into(),
            TlsMode::VerifyFull if !self.reads_authority() => "\"verify-full\"".into(),
            TlsMode::VerifyCa | TlsMode::VerifyFull => self.node_tls(),
        }
    }

    /// <https://www.php.net/manual/en/mysqli.real-connect.php>
    pub fn mysqli_flags(&self) -> &'static str {
        match self.mode() {
            TlsMode::Disable | TlsMode::Prefer => "0",
            TlsMode::Require => "MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT",
            TlsMode::VerifyCa | TlsMode::VerifyFull => "MYSQLI_CLIENT_SSL",
        }
    }

    pub fn sqlx_feature(&self) -> &'static str {
        if self.kind() == Kind::Mysql {
            "mysql"
        } else {
            "postgres"
        }
    }

    pub fn sqlx_type(&self) -> &'static str {
        if self.kind() == Kind::Mysql { "MySql" } else { "Pg" }
    }

    pub fn sqlx_authority(&self) -> &'static str {
        if self.kind() == Kind::Mysql {
            "ssl_ca"
        } else {
            "ssl_root_cert"
        }
    }

    pub fn sqlx_mode(&self) -> &'static str {
        match (self.kind(), self.mode()) {
            (Kind::Mysql, TlsMode::Disable) => "Disabled",
            (Kind::Mysql, TlsMode::Prefer) => "Preferred",
            (Kind::Mysql, TlsMode::Require) => "Required",
            (Kind::Mysql, TlsMode::VerifyFull) => "VerifyIdentity",
            (_, TlsMode::Disable) => "Disable",
            (_, TlsMode::Prefer) => "Prefer",
            (_, TlsMode::Require) => "Require",
            (_, TlsMode::VerifyCa) => "VerifyCa",
            (_, TlsMode::VerifyFull) => "VerifyFull",
        }
    }
}

/// As MySQL names its `ssl-mode`:
/// <https://dev.mysql.com/doc/refman/8.4/en/connecting-using-uri-or-key-value-pairs.html>
fn mysql_mode(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Disable => "DISABLED",
        TlsMode::Prefer => "PREFERRED",
        TlsMode::Require => "REQUIRED",
        TlsMode::VerifyCa => "VERIFY_CA",
        TlsMode::VerifyFull => "VERIFY_IDENTITY",
    }
}
