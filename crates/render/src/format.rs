//! The formats, and which of them a kind of endpoint has a use for.

use std::fmt::Write;
use std::str::FromStr;

use insightpulse_domain::{Address, DatabaseTarget, Endpoint, Kind, TlsMode, env_prefixes, slug};

use crate::encode::{comment, compose_entry, dotenv, uri_part};
use crate::secrets::{Secrets, Unwritable};

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
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    /// Or, for who reads the document, why there is nothing to write.
    pub endpoint: Result<(Endpoint, Secrets), String>,
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
pub fn single(format: Format, endpoint: &Endpoint, secrets: &Secrets) -> Result<Document, Unwritable> {
    let name = slug(&endpoint.name);
    Ok(match format {
        Format::Uri => Document {
            filename: format!("{name}.txt"),
            mimetype: "text/plain",
            content: uri(endpoint, secrets)?,
        },
        Format::Env => Document {
            filename: format!("{name}.env"),
            mimetype: "text/plain",
            content: env_lines(&prefix(endpoint), endpoint, secrets)?,
        },
        Format::Compose => Document {
            filename: format!("{name}.compose.yaml"),
            mimetype: "application/yaml",
            content: COMPOSE_HEAD.to_owned() + &compose_line(&single_variable(endpoint), endpoint, secrets)?,
        },
    })
}

/// One document for all. An endpoint that cannot be written is a comment in it,
/// so that one unfinished record does not cost the others their file.
pub fn combined(format: Format, endpoints: &[Named]) -> Document {
    let prefixes = env_prefixes(endpoints.iter().map(|named| named.name.as_str()));
    let entries: Vec<_> = prefixes.iter().map(String::as_str).zip(endpoints).collect();
    match format {
        Format::Uri => Document {
            filename: "connections.txt".into(),
            mimetype: "text/plain",
            content: each(
                &entries,
                |_, endpoint, secrets| Ok(uri(endpoint, secrets)? + "\n"),
            )
            .concat(),
        },
        Format::Env => Document {
            filename: "connections.env".into(),
            mimetype: "text/plain",
            content: each(&entries, |prefix, endpoint, secrets| {
                let lines = env_lines(prefix, endpoint, secrets)?;
                Ok(format!("# {}\n{lines}", comment(&endpoint.name)))
            })
            .join("\n"),
        },
        Format::Compose => Document {
            filename: "connections.compose.yaml".into(),
            mimetype: "application/yaml",
            content: COMPOSE_HEAD.to_owned()
                + &each(&entries, |prefix, endpoint, secrets| {
                    compose_line(&format!("{prefix}_URL"), endpoint, secrets)
                })
                .concat(),
        },
    }
}

fn each(
    entries: &[(&str, &Named)],
    write: impl Fn(&str, &Endpoint, &Secrets) -> Result<String, Unwritable>,
) -> Vec<String> {
    entries
        .iter()
        .map(|(prefix, named)| {
            let written = match &named.endpoint {
                Ok((endpoint, secrets)) => {
                    write(prefix, endpoint, secrets).map_err(|error| error.to_string())
                }
                Err(reason) => Err(reason.clone()),
            };
            written.unwrap_or_else(|reason| {
                format!("# {}: left out. {}\n", comment(&named.name), comment(&reason))
            })
        })
        .collect()
}

/// An address of HTTP never has credentials in it: they would end in logs and histories.
fn uri(endpoint: &Endpoint, secrets: &Secrets) -> Result<String, Unwritable> {
    match endpoint.service.address() {
        Address::Database(target) if endpoint.kind() == Kind::Mysql => {
            let mode = mysql_mode(target.tls).map(|mode| format!("ssl-mode={mode}"));
            database_uri("mysql", target, mode, secrets)
        }
        Address::Database(target) => {
            // `prefer` is what a client does when it is told nothing.
            let mode = Some(target.tls).filter(|mode| *mode != TlsMode::Prefer);
            let mode = mode.map(|mode| format!("sslmode={}", mode.as_str()));
            database_uri("postgresql", target, mode, secrets)
        }
        Address::Http(target) => Ok(target.url()),
    }
}

/// As MySQL names its `ssl-mode`; `None` for what it does when it is told nothing.
///
/// <https://dev.mysql.com/doc/refman/8.4/en/connecting-using-uri-or-key-value-pairs.html>
fn mysql_mode(mode: TlsMode) -> Option<&'static str> {
    match mode {
        TlsMode::Disable => Some("DISABLED"),
        TlsMode::Prefer => None,
        TlsMode::Require => Some("REQUIRED"),
        TlsMode::VerifyCa => Some("VERIFY_CA"),
        TlsMode::VerifyFull => Some("VERIFY_IDENTITY"),
    }
}

/// RFC 3986, as libpq reads it too:
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>
fn database_uri(
    scheme: &str,
    target: &DatabaseTarget,
    parameter: Option<String>,
    secrets: &Secrets,
) -> Result<String, Unwritable> {
    let password = match secrets.password()? {
        // Its brackets are what tells it from a password.
        Some(placeholder) if secrets.are_placeholders() => format!(":{placeholder}"),
        Some(password) => format!(":{}", uri_part(password)),
        None => String::new(),
    };
    let mut uri = format!(
        "{scheme}://{}{password}@{}:{}/{}",
        uri_part(&target.user),
        target.host,
        target.port,
        uri_part(target.database.as_deref().unwrap_or_default()),
    );
    if let Some(parameter) = parameter {
        uri.push('?');
        uri.push_str(&parameter);
    }
    Ok(uri)
}

fn env_lines(prefix: &str, endpoint: &Endpoint, secrets: &Secrets) -> Result<String, Unwritable> {
    let (user, is_database) = match endpoint.service.address() {
        Address::Database(target) => (Some(target.user.as_str()), true),
        Address::Http(target) => (target.user.as_deref(), false),
    };
    // What can be set and is not has no line; which of the two an address without a user takes, nobody knows.
    let has_password = is_database || user.is_some() || !secrets.are_placeholders();
    let has_api_key = !is_database && (user.is_none() || !secrets.are_placeholders());
    let mut lines = String::new();
    let mut line = |name: &str, what: &'static str, value: Option<&str>| {
        if let Some(value) = value {
            let value = dotenv(value).ok_or(Unwritable::Ambiguous(what))?;
            writeln!(lines, "{prefix}_{name}={value}").expect("a String takes everything");
        }
        Ok(())
    };
    line("URL", "address", Some(&uri(endpoint, secrets)?))?;
    line("USER", "user name", user)?;
    if has_password {
        line("PASSWORD", "password", secrets.password()?)?;
    }
    if has_api_key {
        line("API_KEY", "API key", secrets.api_key()?)?;
    }
    Ok(lines)
}

const COMPOSE_HEAD: &str = "services:\n  app:\n    environment:\n";

fn compose_line(variable: &str, endpoint: &Endpoint, secrets: &Secrets) -> Result<String, Unwritable> {
    Ok(format!(
        "      - {}\n",
        compose_entry(variable, &uri(endpoint, secrets)?)
    ))
}

/// As the seed: a database is the application's `DATABASE_URL`.
fn single_variable(endpoint: &Endpoint) -> String {
    match endpoint.service.address() {
        Address::Database(_) => "DATABASE_URL".into(),
        Address::Http(_) => format!("{}_URL", prefix(endpoint)),
    }
}

fn prefix(endpoint: &Endpoint) -> String {
    env_prefixes([endpoint.name.as_str()]).remove(0)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use insightpulse_domain::{RawEndpoint, Reason};

    use super::*;

    fn endpoint(name: &str, kind: Kind, base_url: &str, username: Option<&str>) -> Endpoint {
        let raw = RawEndpoint {
            name: name.into(),
            base_url: Some(base_url.into()),
            tls_mode: Some(TlsMode::Prefer),
            username: username.map(str::to_owned),
            database_name: Some("postgres".into()),
            ..RawEndpoint::new(kind)
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
        let document = single(format, endpoint, &Secrets::Placeholders).expect("a document");
        expected.assert_eq(&document.content);
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
        let hostile = endpoint("a\nEVIL=1", Kind::Postgresql, "::1", Some("o'ne two:@/"));
        check(
            Format::Uri,
            &hostile,
            expect!["postgresql://o%27ne%20two%3A%40%2F:[YOUR-PASSWORD]@[::1]:5432/postgres"],
        );
        let named = Named {
            name: hostile.name.clone(),
            endpoint: Ok((hostile, Secrets::Placeholders)),
        };
        let all = combined(Format::Env, &[named.clone(), named]);
        expect![[r#"
            # a EVIL=1
            A_EVIL_1_URL=postgresql://o%27ne%20two%3A%40%2F:[YOUR-PASSWORD]@[::1]:5432/postgres
            A_EVIL_1_USER="o'ne two:@/"
            A_EVIL_1_PASSWORD=[YOUR-PASSWORD]

            # a EVIL=1
            A_EVIL_1_2_URL=postgresql://o%27ne%20two%3A%40%2F:[YOUR-PASSWORD]@[::1]:5432/postgres
            A_EVIL_1_2_USER="o'ne two:@/"
            A_EVIL_1_2_PASSWORD=[YOUR-PASSWORD]
        "#]]
        .assert_eq(&all.content);
    }

    #[test]
    fn an_unfinished_endpoint_is_a_comment_among_the_others() {
        let endpoints = [
            Named {
                name: "New\nX=1".into(),
                endpoint: Err(Reason::HostMissing {}.sentence()),
            },
            Named {
                name: "Portal".into(),
                endpoint: Ok((
                    endpoint("Portal", Kind::Api, "https://portal.example", None),
                    Secrets::Placeholders,
                )),
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
    fn what_is_revealed_stands_in_the_placeholders_places_and_what_is_not_set_nowhere() {
        let secrets = |password: Option<&str>, api_key: Option<&str>| Secrets::Revealed {
            password: password.map(Into::into),
            api_key: api_key.map(Into::into),
        };
        let check = |format, endpoint: &Endpoint, secrets: Secrets, expected: Expect| {
            let text = match single(format, endpoint, &secrets) {
                Ok(document) => document.content,
                Err(unwritable) => unwritable.to_string(),
            };
            expected.assert_eq(&text);
        };
        let books = endpoint("Books", Kind::Postgresql, "db.example", Some("reader"));
        check(
            Format::Env,
            &books,
            secrets(Some("p@ss/w:rd #1"), None),
            expect![[r#"
                BOOKS_URL=postgresql://reader:p%40ss%2Fw%3Ard%20%231@db.example:5432/postgres
                BOOKS_USER=reader
                BOOKS_PASSWORD='p@ss/w:rd #1'
            "#]],
        );
        check(
            Format::Env,
            &books,
            secrets(None, None),
            expect![[r#"
                BOOKS_URL=postgresql://reader@db.example:5432/postgres
                BOOKS_USER=reader
            "#]],
        );
        check(
            Format::Env,
            &endpoint("Portal", Kind::Api, "https://portal.example", None),
            secrets(None, Some("k-1")),
            expect![[r#"
                PORTAL_URL=https://portal.example
                PORTAL_API_KEY=k-1
            "#]],
        );
        check(
            Format::Uri,
            &endpoint("Portal", Kind::Api, "https://portal.example", Some("me")),
            secrets(Some("x"), Some("y")),
            expect!["https://portal.example"],
        );
        check(
            Format::Env,
            &books,
            secrets(Some("it's $5"), None),
            expect![
                "The password has such quotes, backslashes or dollar signs in it that the readers of .env files differ on what it is. Take it from the connection string, or change it."
            ],
        );
        check(
            Format::Compose,
            &books,
            secrets(Some("a\0b"), None),
            expect![
                "The password has a NUL character in it, which neither a connection string nor an environment variable can have."
            ],
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
