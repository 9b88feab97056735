//! A database, as its clients name things.

use std::fmt;
use std::ops::Deref;

use insightpulse_domain::{DatabaseTarget, Entrance, Host, Kind, Service, Way, web_of_supabase};

use super::Base;
use crate::templates;
use crate::text::Text;
use crate::unwritable::Unwritable;

/// What stands for a region that nobody has told: its brackets are no host's.
const UNKNOWN_POOLER: &str = "aws-0-[YOUR-REGION].pooler.supabase.com";

const SUPERSET_MASK: &str = "XXXXXXXXXX";

#[derive(Clone)]
pub(crate) struct Database<'a> {
    base: Base<'a>,
    pub(super) target: &'a DatabaseTarget,
    pub scheme: &'static str,
    /// As in a URI: an IPv6 address has brackets.
    pub host: HostName<'a>,
    pub port: u16,
    user: Text<'a>,
    pub database: Option<Text<'a>>,
}

#[derive(Clone)]
pub(crate) enum HostName<'a> {
    Given(&'a Host),
    Known(Host),
    UnknownPooler,
}

impl fmt::Display for HostName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostName::Given(host) => host.fmt(f),
            HostName::Known(host) => host.fmt(f),
            HostName::UnknownPooler => f.write_str(UNKNOWN_POOLER),
        }
    }
}

impl<'a> Deref for Database<'a> {
    type Target = Base<'a>;

    fn deref(&self) -> &Base<'a> {
        &self.base
    }
}

impl<'a> Database<'a> {
    pub(super) fn new(base: Base<'a>, target: &'a DatabaseTarget) -> Self {
        Self {
            scheme: match base.kind() {
                Kind::Mysql => "mysql",
                Kind::Mongodb => "mongodb",
                _ => "postgresql",
            },
            base,
            target,
            host: HostName::Given(&target.host),
            port: target.port.get(),
            user: Text::new("user name", &target.user),
            database: target
                .database
                .as_deref()
                .map(|name| Text::new("database's name", name)),
        }
    }

    /// The same database by another entrance, if it is Supabase's.
    pub fn by(&self, way: Way) -> Option<Database<'a>> {
        let Service::Supabase { database, pooler, .. } = &self.endpoint.service else {
            return None;
        };
        let Entrance { host, port, user } = way.entrance(database, pooler.as_ref());
        Some(Database {
            host: host.map_or(HostName::UnknownPooler, HostName::Known),
            port: port.get(),
            user: Text::new("user name", user),
            ..self.clone()
        })
    }

    fn without_password(&self) -> Database<'a> {
        Database {
            base: Base {
                password: None,
                ..self.base.clone()
            },
            ..self.clone()
        }
    }

    pub fn user(&self) -> &Text<'a> {
        &self.user
    }

    /// Without the brackets of an IPv6 address.
    pub fn lookup(&self) -> Text<'static> {
        let host = match &self.host {
            HostName::Given(host) => host.to_lookup(),
            HostName::Known(host) => host.to_lookup(),
            HostName::UnknownPooler => UNKNOWN_POOLER.to_owned(),
        };
        Text::new("host", host)
    }

    /// The database that is opened: where none is named, that of the user's name.
    pub fn dbname(&self) -> Text<'a> {
        self.database
            .clone()
            .unwrap_or(Text::new("database's name", &self.target.user))
    }

    /// `db.example.com:3306`
    pub fn place(&self) -> Text<'static> {
        Text::new("server", format!("{}:{}", self.host, self.port))
    }

    pub fn uri(&self) -> Text<'static> {
        Text::new("connection string", templates::uri(self))
    }

    /// libpq's connection string.
    pub fn dsn(&self) -> Text<'static> {
        Text::new("connection string", templates::libpq(self))
    }

    pub fn dsn_without_password(&self) -> Text<'static> {
        self.without_password().dsn()
    }

    /// Superset takes a password beside its URI only where this mask stands in that:
    /// <https://github.com/apache/superset/blob/6.1.0/superset/models/core.py>, `set_sqlalchemy_uri`
    pub fn sqlalchemy_masked(&self) -> Text<'static> {
        let mask = self
            .password
            .is_some()
            .then(|| Text::new("password", SUPERSET_MASK));
        let masked = Database {
            base: Base {
                password: mask,
                ..self.base.clone()
            },
            ..self.clone()
        };
        Text::new("connection string", templates::sqlalchemy(&masked))
    }

    /// PyMySQL encodes the password of a URL as Latin-1, and MySQL stores UTF-8's.
    pub fn sqlalchemy_password(&self) -> Result<Option<&Text<'a>>, Unwritable> {
        if self.kind() == Kind::Mysql && self.makes_context() {
            return Err(Unwritable::Missing(
                "PyMySQL checks a server's name only if it is told which certificate authority to trust. Type that into \
                 the connection, or choose another TLS mode.",
            ));
        }
        match &self.password {
            Some(password) if self.kind() == Kind::Mysql && !password.raw().is_ascii() => {
                Err(Unwritable::Unfit {
                    what: password.what(),
                    why: "characters beyond ASCII in it, which PyMySQL sends in another encoding than MySQL expects",
                })
            }
            password => Ok(password.as_ref()),
        }
    }

    pub fn needed_password(&self) -> Result<Text<'a>, Unwritable> {
        self.password.clone().ok_or(Unwritable::Missing(
            "No password is stored, and this file is for nothing but one.",
        ))
    }

    /// A single database is the application's own, as in the seed.
    pub fn compose_variable(&self) -> String {
        if self.is_one {
            "DATABASE_URL".into()
        } else {
            format!("{}_URL", self.prefix)
        }
    }

    pub fn is_root(&self) -> bool {
        self.user.raw() == "root"
    }

    pub fn is_replica(&self) -> bool {
        self.target.is_replica
    }

    pub fn is_supabase(&self) -> bool {
        self.kind() == Kind::Supabase
    }

    pub fn is_transaction_pooler(&self) -> bool {
        self.is_supabase() && self.port == 6543
    }

    /// The pooled connection for the application, and the session's for migrations.
    pub fn prisma_poolers(&self) -> Option<(Text<'static>, Text<'static>)> {
        let pooled = self.by(Way::TransactionPooler)?.prisma_uri();
        let joint = if pooled.raw().contains('?') { '&' } else { '?' };
        let pooled = format!("{}{joint}pgbouncer=true", pooled.raw());
        Some((
            Text::new("connection string", pooled),
            self.by(Way::SessionPooler)?.prisma_uri(),
        ))
    }

    /// Prisma has parameters of its own for TLS:
    /// <https://www.prisma.io/docs/orm/overview/databases/postgresql>
    pub fn prisma_uri(&self) -> Text<'static> {
        Text::new("connection string", templates::prisma_uri(self))
    }

    /// The address of the other half.
    pub fn web_url(&self) -> Option<Text<'static>> {
        self.web().map(|web| Text::new("web address", web.url()))
    }

    /// The same, unless it is known without being told.
    pub fn given_web_url(&self) -> Option<Text<'static>> {
        let known = self
            .is_supabase()
            .then(|| web_of_supabase(self.target))
            .flatten()
            .map(|web| web.url());
        self.web_url().filter(|url| Some(url.raw()) != known.as_deref())
    }

    pub fn pooler_host(&self) -> Option<Text<'static>> {
        match &self.endpoint.service {
            Service::Supabase { pooler, .. } => {
                pooler.as_ref().map(|host| Text::new("pooler", host.to_lookup()))
            }
            _ => None,
        }
    }
}
