//! The formats, and which of them a kind of endpoint has a use for.

use std::fmt::Write;
use std::str::FromStr;

use insightpulse_domain::{
    Endpoint, HttpTarget, Invalid, PostgresTarget, Service, TlsMode, env_prefixes, slug,
};

use crate::encode::{comment, compose_entry, dotenv, uri_part};

/// What stands in a secret's place. The brackets are illegal there in a URI,
/// so no tool takes it for a password.
const PASSWORD: &str = "[YOUR-PASSWORD]";
const API_KEY: &str = "[YOUR-API-KEY]";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A connection string, or the address.
    Uri,
    /// Lines of a `.env` file, named after the record.
    Env,
    /// The environment of a service in a Compose file.
    Compose,
}

/// An endpoint as far as it could be read, with the name that its record has anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub endpoint: Result<Endpoint, Invalid>,
}

/// A text with what a browser needs to save it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub filename: String,
    pub mimetype: &'static str,
    pub content: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no format here; there are: {known}", known = Format::ALL.map(Format::as_str).join(", "))]
pub struct UnknownFormat(String);

impl Format {
    pub const ALL: [Format; 3] = [Format::Uri, Format::Env, Format::Compose];

    pub fn as_str(self) -> &'static str {
        match self {
            Format::Uri => "uri",
            Format::Env => "env",
            Format::Compose => "compose",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| UnknownFormat(text.chars().take(40).collect()))
    }
}

/// One endpoint's document.
pub fn single(format: Format, endpoint: &Endpoint) -> Document {
    let name = slug(&endpoint.name);
    match format {
        Format::Uri => Document {
            filename: format!("{name}.txt"),
            mimetype: "text/plain",
            content: uri(endpoint),
        },
        Format::Env => Document {
            filename: format!("{name}.env"),
            mimetype: "text/plain",
            content: env_lines(&prefix(endpoint), endpoint),
        },
        Format::Compose => Document {
            filename: format!("{name}.compose.yaml"),
            mimetype: "application/yaml",
            content: COMPOSE_HEAD.to_owned() + &compose_line(&single_variable(endpoint), endpoint),
        },
    }
}

/// One document for all. An endpoint that cannot be read is a comment in it,
/// so that one unfinished record does not cost the others their file.
pub fn combined(format: Format, endpoints: &[Named]) -> Document {
    let prefixes = env_prefixes(endpoints.iter().map(|named| named.name.as_str()));
    let entries: Vec<_> = prefixes.iter().map(String::as_str).zip(endpoints).collect();
    match format {
        Format::Uri => Document {
            filename: "connections.txt".into(),
            mimetype: "text/plain",
            content: each(&entries, |_, endpoint| uri(endpoint) + "\n").concat(),
        },
        Format::Env => Document {
            filename: "connections.env".into(),
            mimetype: "text/plain",
            content: each(&entries, |prefix, endpoint| {
                format!("# {}\n{}", comment(&endpoint.name), env_lines(prefix, endpoint))
            })
            .join("\n"),
        },
        Format::Compose => Document {
            filename: "connections.compose.yaml".into(),
            mimetype: "application/yaml",
            content: COMPOSE_HEAD.to_owned()
                + &each(&entries, |prefix, endpoint| {
                    compose_line(&format!("{prefix}_URL"), endpoint)
                })
                .concat(),
        },
    }
}

fn each(entries: &[(&str, &Named)], write: impl Fn(&str, &Endpoint) -> String) -> Vec<String> {
    entries
        .iter()
        .map(|(prefix, named)| match &named.endpoint {
            Ok(endpoint) => write(prefix, endpoint),
            Err(invalid) => format!("# {}: left out. {invalid}\n", comment(&named.name)),
        })
        .collect()
}

fn uri(endpoint: &Endpoint) -> String {
    match &endpoint.service {
        Service::Postgres(target) => postgres_uri(target),
        Service::Http(target) => target.url(),
    }
}

/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>
fn postgres_uri(target: &PostgresTarget) -> String {
    let mut uri = format!(
        "postgresql://{}:{PASSWORD}@{}:{}/{}",
        uri_part(&target.user),
        target.host,
        target.port,
        uri_part(target.database.as_deref().unwrap_or_default()),
    );
    // `prefer` is what a client does when it is told nothing.
    if target.tls != TlsMode::Prefer {
        uri.push_str("?sslmode=");
        uri.push_str(target.tls.as_str());
    }
    uri
}

fn env_lines(prefix: &str, endpoint: &Endpoint) -> String {
    let mut lines = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(lines, "{prefix}_{name}={}", dotenv(value)).expect("a String takes everything");
    };
    line("URL", &uri(endpoint));
    match &endpoint.service {
        Service::Postgres(target) => {
            line("USER", &target.user);
            line("PASSWORD", PASSWORD);
        }
        Service::Http(HttpTarget { user: Some(user), .. }) => {
            line("USER", user);
            line("PASSWORD", PASSWORD);
        }
        Service::Http(HttpTarget { user: None, .. }) => line("API_KEY", API_KEY),
    }
    lines
}

const COMPOSE_HEAD: &str = "services:\n  app:\n    environment:\n";

fn compose_line(variable: &str, endpoint: &Endpoint) -> String {
    format!("      - {}\n", compose_entry(variable, &uri(endpoint)))
}

/// As the seed: a database is the application's `DATABASE_URL`.
fn single_variable(endpoint: &Endpoint) -> String {
    match endpoint.service {
        Service::Postgres(_) => "DATABASE_URL".into(),
        Service::Http(_) => format!("{}_URL", prefix(endpoint)),
    }
}

fn prefix(endpoint: &Endpoint) -> String {
    env_prefixes([endpoint.name.as_str()]).remove(0)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use insightpulse_domain::{Kind, RawEndpoint};
    use uuid::Uuid;

    use super::*;

    fn endpoint(name: &str, kind: Kind, base_url: &str, username: Option<&str>) -> Endpoint {
        let raw = RawEndpoint {
            id: 1,
            record: Uuid::nil(),
            revision: 1,
            name: name.into(),
            kind,
            base_url: Some(base_url.into()),
            port: None,
            tls_mode: Some(TlsMode::Prefer),
            username: username.map(str::to_owned),
            database_name: Some("postgres".into()),
            password: None,
            api_key: None,
        };
        Endpoint::parse(&raw).expect("a valid endpoint")
    }

    fn supabase() -> Endpoint {
        endpoint(
            "Supabase Production",
            Kind::Supabase,
            "db.spdtwktxdalcfigzeqrz.supabase.co",
            Some("postgres"),
        )
    }

    fn check(format: Format, endpoint: &Endpoint, expected: Expect) {
        expected.assert_eq(&single(format, endpoint).content);
    }

    #[test]
    fn the_seeds_three_outputs_come_out_as_it_shows_them() {
        check(
            Format::Uri,
            &supabase(),
            expect![
                "postgresql://postgres:[YOUR-PASSWORD]@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres"
            ],
        );
        check(
            Format::Env,
            &supabase(),
            expect![[r#"
                SUPABASE_PRODUCTION_URL=postgresql://postgres:[YOUR-PASSWORD]@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres
                SUPABASE_PRODUCTION_USER=postgres
                SUPABASE_PRODUCTION_PASSWORD=[YOUR-PASSWORD]
            "#]],
        );
        check(
            Format::Compose,
            &supabase(),
            expect![[r#"
                services:
                  app:
                    environment:
                      - "DATABASE_URL=postgresql://postgres:[YOUR-PASSWORD]@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres"
            "#]],
        );
    }

    #[test]
    fn an_address_is_its_own_connection_string() {
        let portal = endpoint("BIR eFPS Portal API", Kind::Api, "https://efps.bir.gov.ph", None);
        check(Format::Uri, &portal, expect!["https://efps.bir.gov.ph"]);
        check(
            Format::Env,
            &portal,
            expect![[r#"
                BIR_EFPS_PORTAL_API_URL=https://efps.bir.gov.ph
                BIR_EFPS_PORTAL_API_API_KEY=[YOUR-API-KEY]
            "#]],
        );
    }

    #[test]
    fn hostile_names_stay_in_their_place() {
        let hostile = endpoint("a\nEVIL=1", Kind::Postgresql, "::1", Some("o'ne $two:@/"));
        check(
            Format::Uri,
            &hostile,
            expect!["postgresql://o%27ne%20%24two%3A%40%2F:[YOUR-PASSWORD]@[::1]:5432/postgres"],
        );
        let named = Named {
            name: hostile.name.clone(),
            endpoint: Ok(hostile),
        };
        let all = combined(Format::Env, &[named.clone(), named]);
        expect![[r#"
            # a EVIL=1
            A_EVIL_1_URL=postgresql://o%27ne%20%24two%3A%40%2F:[YOUR-PASSWORD]@[::1]:5432/postgres
            A_EVIL_1_USER="o'ne \$two:@/"
            A_EVIL_1_PASSWORD=[YOUR-PASSWORD]

            # a EVIL=1
            A_EVIL_1_2_URL=postgresql://o%27ne%20%24two%3A%40%2F:[YOUR-PASSWORD]@[::1]:5432/postgres
            A_EVIL_1_2_USER="o'ne \$two:@/"
            A_EVIL_1_2_PASSWORD=[YOUR-PASSWORD]
        "#]]
        .assert_eq(&all.content);
    }

    #[test]
    fn an_unfinished_endpoint_is_a_comment_among_the_others() {
        let endpoints = [
            Named {
                name: "New\nX=1".into(),
                endpoint: Err(Invalid::MissingHost),
            },
            Named {
                name: "Portal".into(),
                endpoint: Ok(endpoint("Portal", Kind::Api, "https://portal.example", None)),
            },
        ];
        let check = |format, expected: Expect| expected.assert_eq(&combined(format, &endpoints).content);
        check(
            Format::Uri,
            expect![[r#"
                # New X=1: left out. The server is missing.
                https://portal.example
            "#]],
        );
        check(
            Format::Env,
            expect![[r#"
                # New X=1: left out. The server is missing.

                # Portal
                PORTAL_URL=https://portal.example
                PORTAL_API_KEY=[YOUR-API-KEY]
            "#]],
        );
        check(
            Format::Compose,
            expect![[r#"
                services:
                  app:
                    environment:
                # New X=1: left out. The server is missing.
                      - PORTAL_URL=https://portal.example
            "#]],
        );
    }

    #[test]
    fn an_unknown_format_lists_the_known() {
        let error = "docx".parse::<Format>().expect_err("no such format");
        assert_eq!(
            error.to_string(),
            "“docx” is no format here; there are: uri, env, compose"
        );
    }
}
