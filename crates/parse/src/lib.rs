#![doc = include_str!("../README.md")]

mod dotnet;
mod env;
mod fields;
mod ini;
mod jdbc;
mod json;
mod libpq;
mod pgpass;
mod properties;
mod shell;
mod table;
mod toml_file;
mod variables;
mod words;
mod yaml;

use insightpulse_domain::Connection;
use secrecy::SecretString;

pub(crate) use fields::Fields;

/// What a text says.
#[derive(Debug, Clone, Default)]
pub struct Pasted {
    pub connections: Vec<Connection>,
    /// Of a `.env` file, or of a table of two columns: names and values, in their order.
    pub variables: Vec<(String, SecretString)>,
}

/// Why nothing can be made of a text; never with a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("There is nothing in the text.")]
    Empty,
    #[error("The text is longer than {} KiB.", TEXT_MAX / 1024)]
    TooLong,
    #[error(
        "No connection was found in the text. Paste a URL such as postgresql://user@db.example.com:5432/name, a \
         JDBC, .NET or libpq connection string, a psql or curl command, or a .env, Compose, Kubernetes, \
         pg_service.conf, odoo.conf or MCP configuration file."
    )]
    NoConnection,
    #[error("{0}")]
    Url(#[from] insightpulse_domain::UrlError),
    #[error(
        "The text looks like {0}, and is not whole: it ends too early, or a quote or bracket is missing."
    )]
    Broken(&'static str),
}

/// More than any configuration is long.
pub const TEXT_MAX: usize = 256 * 1024;

const CONNECTIONS_MAX: usize = 1000;

/// Reads a text of any form that the README of this crate names.
pub fn parse(text: &str) -> Result<Pasted, Unreadable> {
    if text.len() > TEXT_MAX {
        return Err(Unreadable::TooLong);
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut pasted = read(text)?;
    pasted.connections.truncate(CONNECTIONS_MAX);
    if pasted.connections.is_empty() && pasted.variables.is_empty() {
        return Err(Unreadable::NoConnection);
    }
    Ok(pasted)
}

/// The first form that a text can have; the more a form says of itself, the earlier it is asked.
fn read(text: &str) -> Result<Pasted, Unreadable> {
    let of = |fields: Vec<Fields>| {
        Ok(Pasted {
            connections: fields.into_iter().filter_map(Fields::connection).collect(),
            variables: vec![],
        })
    };
    if text.starts_with('{') {
        return json::read(text);
    }
    if shell::is_command(text) {
        return of(shell::read(text)?);
    }
    if text.contains("://") && text.lines().all(is_address) {
        return addresses(text);
    }
    if toml_file::is_one(text) {
        return of(toml_file::read(text)?);
    }
    if ini::is_one(text) {
        return of(ini::read(text));
    }
    if yaml::is_one(text) {
        return yaml::read(text);
    }
    if let Some(fields) = libpq::read(text) {
        return of(vec![fields]);
    }
    if let Some(fields) = dotnet::read(text) {
        return of(vec![fields]);
    }
    if env::is_one(text) {
        return Ok(env::read(text));
    }
    if let Some(fields) = pgpass::read(text) {
        return of(fields);
    }
    Ok(Pasted {
        connections: vec![],
        variables: table::read(text),
    })
}

fn is_address(line: &str) -> bool {
    let line = line.trim();
    let scheme = line.split("://").next().unwrap_or_default();
    line.is_empty()
        || line.starts_with('#')
        || (line.contains("://")
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.:".contains(&b)))
}

/// URLs, one on each line. With one alone, what is wrong with it is told.
fn addresses(text: &str) -> Result<Pasted, Unreadable> {
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let connections = match lines.as_slice() {
        [line] => vec![address(line)?],
        lines => lines.iter().filter_map(|line| address(line).ok()).collect(),
    };
    Ok(Pasted {
        connections,
        variables: vec![],
    })
}

/// One URL, JDBC's included.
pub(crate) fn address(text: &str) -> Result<Connection, Unreadable> {
    if let Some(fields) = jdbc::read(text) {
        return fields.connection().ok_or(Unreadable::NoConnection);
    }
    let mut connection = Connection::parse_pasted(text)?;
    fields::forget_placeholders(&mut connection);
    Ok(connection)
}
