//! The addresses of a Supabase project: its database, its poolers, its API.
//!
//! <https://supabase.com/docs/guides/database/connecting-to-postgres>

use crate::endpoint::{DatabaseTarget, Host, HttpTarget, Port, Scheme};
use crate::failure::{Failure, Reason, server_text};

/// A way to a project's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the server itself, which of a hosted project has IPv6 addresses only.
    Direct,
    /// A server connection for as long as the client's lasts.
    SessionPooler,
    /// A server connection for each transaction; no prepared statements.
    TransactionPooler,
}

/// Where a way leads to, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    /// `None` where it is a pooler's whose region nobody has told.
    pub host: Option<Host>,
    pub port: Port,
    pub user: String,
}

const DIRECT_PORT: u16 = 5432;
const TRANSACTION_PORT: u16 = 6543;
const PROJECTS: &str = ".supabase.co";
const POOLERS: &str = ".pooler.supabase.com";

/// Whether a database is a hosted project's, by its own host or a pooler's.
pub fn is_supabase_host(host: &str) -> bool {
    host.ends_with(PROJECTS) || host.ends_with(POOLERS)
}

impl Way {
    fn port(self) -> Port {
        Port::known(match self {
            Way::Direct | Way::SessionPooler => DIRECT_PORT,
            Way::TransactionPooler => TRANSACTION_PORT,
        })
    }

    /// From what a record says of any one of the ways. `pooler` is what it says of the pooler beside that.
    ///
    /// Who runs Supabase on a server of their own has the pooler there.
    pub fn entrance(self, database: &DatabaseTarget, pooler: Option<&Host>) -> Entrance {
        let entrance = |host: Option<&Host>, user: String| Entrance {
            host: host.cloned(),
            port: self.port(),
            user,
        };
        let user = &database.user;
        match (Project::of(database), self) {
            (Some(Project::Direct(_)), Way::Direct) => entrance(Some(&database.host), user.clone()),
            (Some(Project::Direct(project)), _) => entrance(pooler, format!("{user}.{project}")),
            (Some(Project::Pooler { project, user }), Way::Direct) => {
                let host = Host::parse(&format!("db.{project}{PROJECTS}")).ok();
                entrance(host.as_ref(), user)
            }
            (Some(Project::Pooler { .. }), _) => entrance(Some(&database.host), user.clone()),
            (None, Way::Direct) => Entrance {
                port: database.port,
                ..entrance(Some(&database.host), user.clone())
            },
            (None, _) => entrance(Some(&database.host), user.clone()),
        }
    }
}

/// The name of a hosted project: where it stands says what the record's address is.
enum Project {
    Direct(String),
    Pooler { project: String, user: String },
}

impl Project {
    fn of(database: &DatabaseTarget) -> Option<Self> {
        let host = database.host.to_string();
        if let Some(project) = host
            .strip_prefix("db.")
            .and_then(|rest| rest.strip_suffix(PROJECTS))
        {
            return is_reference(project).then(|| Project::Direct(project.to_owned()));
        }
        let (user, project) = database.user.rsplit_once('.')?;
        (host.ends_with(POOLERS) && is_reference(project)).then(|| Project::Pooler {
            project: project.to_owned(),
            user: user.to_owned(),
        })
    }

    fn reference(&self) -> &str {
        match self {
            Project::Direct(project) | Project::Pooler { project, .. } => project,
        }
    }
}

fn is_reference(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A hosted project's name, by the host `db.<name>.supabase.co` or, at a pooler, the user `postgres.<name>`.
pub fn project(database: &DatabaseTarget) -> Option<String> {
    Project::of(database).map(|project| project.reference().to_owned())
}

/// A hosted project's API.
pub fn web(database: &DatabaseTarget) -> Option<HttpTarget> {
    let project = project(database)?;
    Some(HttpTarget {
        scheme: Scheme::Https,
        host: Host::parse(&format!("{project}{PROJECTS}")).ok()?,
        port: Scheme::Https.port(),
        authority: None,
        is_other_half: true,
        path: "/".into(),
        user: None,
    })
}

/// The host of a hosted project's database, by that of its API.
pub fn database_of_api(host: &str) -> Option<String> {
    let project = host.strip_suffix(PROJECTS)?;
    Some(format!("db.{project}{PROJECTS}"))
}

/// Reads a pooler's host. It is one of Supabase's own: what a record's password is written beside
/// must not become anybody's server by an edit that leaves the password sealed.
pub(crate) fn pooler(text: &str) -> Result<Host, Failure> {
    let host = Host::parse(text)?;
    if host.to_string().ends_with(POOLERS) {
        Ok(host)
    } else {
        Err(Reason::PoolerInvalid {
            text: server_text(text),
        }
        .into())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{Endpoint, Kind, RawEndpoint, Service};

    fn check(host: &str, user: &str, pooler_host: Option<&str>, expected: Expect) {
        let raw = RawEndpoint {
            base_url: Some(host.into()),
            username: Some(user.into()),
            pooler_host: pooler_host.map(str::to_owned),
            ..RawEndpoint::new(Kind::Supabase)
        };
        let said = match Endpoint::parse(&raw).map(|endpoint| endpoint.service) {
            Ok(Service::Supabase { database, pooler, .. }) => {
                [Way::Direct, Way::SessionPooler, Way::TransactionPooler]
                    .map(|way| {
                        let Entrance { host, port, user } = way.entrance(&database, pooler.as_ref());
                        let host = host.map_or("?".into(), |host| host.to_string());
                        format!("{user}@{host}:{port}")
                    })
                    .join("\n")
            }
            Ok(_) => unreachable!("it is Supabase's"),
            Err(failure) => failure.message(),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn from_any_way_the_others_are_known() {
        check(
            "db.abcdefghij.supabase.co",
            "postgres",
            Some("aws-1-eu-west-1.pooler.supabase.com"),
            expect![[r#"
                postgres@db.abcdefghij.supabase.co:5432
                postgres.abcdefghij@aws-1-eu-west-1.pooler.supabase.com:5432
                postgres.abcdefghij@aws-1-eu-west-1.pooler.supabase.com:6543"#]],
        );
        check(
            "aws-1-eu-west-1.pooler.supabase.com",
            "reader.abcdefghij",
            None,
            expect![[r#"
                reader@db.abcdefghij.supabase.co:5432
                reader.abcdefghij@aws-1-eu-west-1.pooler.supabase.com:5432
                reader.abcdefghij@aws-1-eu-west-1.pooler.supabase.com:6543"#]],
        );
        check(
            "db.abcdefghij.supabase.co",
            "postgres",
            None,
            expect![[r#"
                postgres@db.abcdefghij.supabase.co:5432
                postgres.abcdefghij@?:5432
                postgres.abcdefghij@?:6543"#]],
        );
        check(
            "supabase.internal",
            "postgres.tenant",
            None,
            expect![[r#"
                postgres.tenant@supabase.internal:5432
                postgres.tenant@supabase.internal:5432
                postgres.tenant@supabase.internal:6543"#]],
        );
    }

    #[test]
    fn a_pooler_is_one_of_supabases() {
        check(
            "db.abcdefghij.supabase.co",
            "postgres",
            Some("pooler.supabase.com.evil.example"),
            expect![
                "“pooler.supabase.com.evil.example” is not the host of one of Supabase's poolers, such as aws-0-eu-west-1.pooler.supabase.com."
            ],
        );
    }
}
