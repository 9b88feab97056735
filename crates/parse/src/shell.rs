//! Commands: `psql` with its options or a connection string, `curl` with its headers.

use insightpulse_domain::{Connection, Kind, SignIn};
use serde_json::Value;

use crate::words::words;
use crate::{Fields, Unreadable, address, fields, libpq};

pub(crate) fn is_command(text: &str) -> bool {
    let first = text
        .trim_start_matches("$ ")
        .split_whitespace()
        .find(|word| !is_assignment(word));
    matches!(first, Some("psql" | "curl" | "pg_dump" | "mysql")) || text.starts_with("PGPASSWORD=")
}

fn is_assignment(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    word.contains('=') && !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

pub(crate) fn read(text: &str) -> Result<Vec<Fields>, Unreadable> {
    let words = words(text.trim_start_matches("$ ")).ok_or(Unreadable::Broken("a command"))?;
    let (variables, command): (Vec<_>, Vec<_>) = {
        let at = words
            .iter()
            .position(|word| !is_assignment(word))
            .unwrap_or(words.len());
        (words[..at].to_vec(), words[at..].to_vec())
    };
    let fields = match command.first().map(String::as_str) {
        Some("curl") => curl(&command[1..]),
        Some("mysql") => options(Kind::Mysql, &variables, &command[1..]),
        Some(_) => options(Kind::Postgresql, &variables, &command[1..]),
        None => None,
    };
    Ok(fields.into_iter().collect())
}

/// <https://www.postgresql.org/docs/current/app-psql.html>
fn options(kind: Kind, variables: &[String], arguments: &[String]) -> Option<Fields> {
    let mut fields = Fields::of(kind);
    let mut names: Vec<&str> = vec![];
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (name, value) = match argument.strip_prefix("--") {
            Some(long) => match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            },
            None if argument.starts_with('-') && argument.len() > 1 && argument.is_char_boundary(2) => (
                &argument[1..2],
                Some(&argument[2..]).filter(|value| !value.is_empty()),
            ),
            None => {
                names.push(argument);
                continue;
            }
        };
        let name = match (name, kind) {
            ("h" | "host", _) => "host",
            ("p" | "port", Kind::Postgresql) | ("P" | "port", _) => "port",
            ("U" | "username", Kind::Postgresql) | ("u" | "user", _) => "user",
            ("d" | "dbname", Kind::Postgresql) | ("D" | "database", _) => "dbname",
            ("p" | "password", Kind::Mysql) => {
                // Without a value it asks.
                fields.password = value.map(str::to_owned);
                continue;
            }
            ("ssl-mode", _) => "ssl-mode",
            _ => continue,
        };
        let Some(value) = value.or_else(|| rest.next().map(String::as_str)) else {
            break;
        };
        match name {
            "dbname" => names.insert(0, value),
            name => {
                fields.set(name, value);
            }
        }
    }
    let mut names = names.into_iter();
    if let Some(first) = names.next() {
        if first.contains("://") {
            return Some(of_connection(address(first).ok()?, &fields, variables));
        }
        match libpq::read(first) {
            Some(read) => fields = read,
            None => fields.database = Some(first.to_owned()),
        }
    }
    fields.user = fields.user.or(names
        .next()
        .map(str::to_owned)
        .filter(|_| kind == Kind::Postgresql));
    environment(&mut fields, variables);
    Some(fields)
}

fn environment(fields: &mut Fields, variables: &[String]) {
    for (name, value) in variables.iter().filter_map(|word| word.split_once('=')) {
        let (place, is_password) = match name {
            "PGPASSWORD" | "MYSQL_PWD" => (&mut fields.password, true),
            "PGHOST" => (&mut fields.server, false),
            "PGPORT" => (&mut fields.port, false),
            "PGUSER" => (&mut fields.user, false),
            "PGDATABASE" => (&mut fields.database, false),
            "PGSSLMODE" => {
                fields.tls_mode = fields.tls_mode.or(fields::tls_mode(value));
                continue;
            }
            _ => continue,
        };
        if place.is_none() || is_password {
            *place = Some(value.to_owned());
        }
    }
}

/// What a URL in a command says, with what stands beside it.
fn of_connection(connection: Connection, beside: &Fields, variables: &[String]) -> Fields {
    let mut fields = Fields::from(connection);
    fields.password = fields.password.or_else(|| beside.password.clone());
    environment(&mut fields, variables);
    fields
}

/// <https://curl.se/docs/manpage.html>
fn curl(arguments: &[String]) -> Option<Fields> {
    let mut fields = Fields::of(Kind::Api);
    let mut body = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (argument.as_str(), None),
        };
        let mut value = || value.or_else(|| rest.next().map(String::as_str));
        match name {
            "-H" | "--header" => header(&mut fields, value()?),
            "-u" | "--user" => {
                let (user, password) = value()?.split_once(':').unwrap_or_default();
                (fields.user, fields.password) = (Some(user.to_owned()), Some(password.to_owned()));
                fields.sign_in = Some(SignIn::Basic);
            }
            "--json" | "-d" | "--data" | "--data-raw" => body = value(),
            "--url" => fields.server = value().map(str::to_owned),
            "-X" | "--request" | "-o" | "--output" | "-m" | "--max-time" | "-A" | "--user-agent"
            | "--cacert" => {
                value();
            }
            name if name.starts_with('-') => {}
            url => fields.server = Some(url.to_owned()),
        }
    }
    let body: Option<Value> = body.and_then(|text| serde_json::from_str(text).ok());
    of_request(fields, body.as_ref())
}

pub(crate) fn header(fields: &mut Fields, line: &str) {
    let Some((name, value)) = line.split_once(':') else {
        return;
    };
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    match name.as_str() {
        "authorization" => match value.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => {
                fields.api_key = Some(key.trim().to_owned());
                fields.sign_in = fields.sign_in.or(Some(SignIn::Bearer));
            }
            _ => {}
        },
        "accept" | "content-type" | "user-agent" | "cookie" | "host" | "content-length" => {}
        _ if fields.api_key.is_none() => {
            fields.api_key = Some(value.to_owned());
            fields.sign_in = Some(SignIn::Header);
            fields.key_header = Some(name);
        }
        _ => {}
    }
}

/// The kind of what is asked, by how it is asked.
fn of_request(mut fields: Fields, body: Option<&Value>) -> Option<Fields> {
    let server = fields.server.clone()?;
    let host = server.split("://").last()?.split(['/', ':', '?']).next()?;
    let text = |name: &str| body.and_then(|body| body[name].as_str()).map(str::to_owned);
    if fields.key_header.as_deref() == Some("apikey")
        && let Some(project) = Fields::of_project(host)
    {
        return Some(Fields {
            api_key: fields.api_key,
            ..project
        });
    }
    if let Some(address) = server.strip_suffix("/api/v1/security/login") {
        return Some(Fields {
            server: Some(address.to_owned()),
            user: text("username"),
            password: text("password"),
            ..Fields::of(Kind::Superset)
        });
    }
    if body.is_some_and(|body| !body["jsonrpc"].is_null()) {
        fields.kind = Some(Kind::Mcp);
        fields.sign_in = None;
    }
    Some(fields)
}
