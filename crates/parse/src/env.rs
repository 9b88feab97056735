//! `.env` files: lines of `NAME=value`, and which of them belong together.

use std::collections::{BTreeMap, HashSet};

use insightpulse_domain::{Connection, Kind, env_prefixes};

use crate::fields::tls_mode;
use crate::{Fields, Pasted, address};

/// A variable, and the comment right above the first of its block.
struct Line {
    name: String,
    value: String,
    heading: Option<String>,
}

pub(crate) fn is_one(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.next().is_some_and(|line| assignment(line).is_some())
}

/// Every variable, and the connections that they make.
pub(crate) fn read(text: &str) -> Pasted {
    let lines = lines(text);
    let headings: Vec<_> = lines.iter().filter_map(|line| line.heading.clone()).collect();
    let variables: Vec<_> = lines.into_iter().map(|line| (line.name, line.value)).collect();
    Pasted {
        variables: variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect(),
        ..of_variables(variables, &headings)
    }
}

/// A table of two columns, separated by commas, semicolons or tabs: `RIM,secret`.
pub(crate) fn table(text: &str) -> Vec<(String, secrecy::SecretString)> {
    let Some(separator) = [',', ';', '\t']
        .into_iter()
        .find(|separator| text.contains(*separator))
    else {
        return vec![];
    };
    let mut rows = vec![];
    let mut rest = text;
    while !rest.trim().is_empty() {
        let (name, after) = cell(rest.trim_start_matches(['\n', '\r']), separator);
        let Some(after) = after.strip_prefix(separator) else {
            rest = after;
            continue;
        };
        let (value, after) = cell(after, separator);
        // A third column is of no concern.
        rest = after.split_once('\n').map_or("", |(_, rest)| rest);
        rows.push((name.trim().to_owned(), value));
    }
    let is_heading = |(_, value): &(String, String)| {
        ["password", "passwort", "secret", "value", "pass", "pwd"]
            .contains(&value.trim().to_ascii_lowercase().as_str())
    };
    if rows.first().is_some_and(is_heading) {
        rows.remove(0);
    }
    rows.retain(|(name, _)| !name.is_empty());
    rows.into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

/// RFC 4180: quotes are doubled in quotes.
fn cell(text: &str, separator: char) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([separator, '\n']).unwrap_or(text.len());
        return (text[..end].trim_end_matches('\r').to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != '"' {
            value.push(character);
        } else if characters.next_if(|(_, next)| *next == '"').is_some() {
            value.push('"');
        } else {
            return (value, quoted[at + 1..].trim_start_matches(' '));
        }
    }
    (value, "")
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    let is_name = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, value))
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = vec![];
    let mut heading = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        if let Some(comment) = line.trim().strip_prefix('#') {
            heading = Some(comment.trim().to_owned());
        }
        let Some((name, value)) = assignment(line.trim_start()) else {
            rest = after;
            continue;
        };
        // Where in the text the value begins: it may go over several lines.
        let from = value.as_ptr() as usize - rest.as_ptr() as usize;
        let (value, length) = self::value(&rest[from..], &lines);
        lines.push(Line {
            name: name.to_owned(),
            value,
            heading: heading.take(),
        });
        rest = &rest[from + length..];
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    lines
}

/// A value, and how long its spelling is. Bare up to the end of the line; in quotes, as `sh` and the readers of
/// `.env` files have them, and further quotes right behind.
fn value(text: &str, before: &[Line]) -> (String, usize) {
    let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
    let line_end = text.find('\n').unwrap_or(text.len());
    if !text[indent..].starts_with(['\'', '"']) {
        let line = &text[..line_end];
        let end = line.find(" #").unwrap_or(line.len());
        return (expanded(line[..end].trim(), before), line_end);
    }
    let mut value = String::new();
    let mut at = indent;
    while let Some(quote) = text[at..].chars().next() {
        let inner = &text[at + quote.len_utf8()..];
        match quote {
            '\'' => {
                let Some(end) = inner.find('\'') else { break };
                value.push_str(&inner[..end]);
                at += end + 2;
            }
            '"' => {
                let Some((inside, length)) = double_quoted(inner) else {
                    break;
                };
                value.push_str(&expanded(&inside, before));
                at += length + 2;
            }
            '\\' => {
                let Some(escaped) = inner.chars().next() else {
                    break;
                };
                value.push(escaped);
                at += 1 + escaped.len_utf8();
            }
            _ => return (value, at),
        }
    }
    if at >= text.len() {
        return (value, text.len());
    }
    // A quote that is never closed is a character.
    (text[..line_end].trim().to_owned(), line_end)
}

fn double_quoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, at)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\' | '`' | '\'') => value.push(escaped),
                // Kept for `expanded`, which takes the backslash away.
                '$' => value.push_str("\\$"),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

/// `${NAME}` is what an earlier line says, where one does.
fn expanded(text: &str, before: &[Line]) -> String {
    let mut expanded = text.to_owned();
    if text.contains("${") {
        for line in before {
            expanded = expanded.replace(&format!("${{{}}}", line.name), &line.value);
        }
    }
    expanded.replace("\\$", "$")
}

/// What follows the prefix of a variable that has an address.
const ADDRESSES: &[&str] = &[
    "URL",
    "URI",
    "DSN",
    "CONNECTION_STRING",
    "JDBC_URL",
    "DATABASE_URL",
];

/// The connections that variables make, by the prefixes that they share. Headings are names that records may have.
pub(crate) fn of_variables(variables: Vec<(String, String)>, headings: &[String]) -> Pasted {
    let known: BTreeMap<&str, &str> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut connections = vec![];
    let mut used = HashSet::new();
    connections.extend(supabase(&known, &mut used));
    for (name, value) in &variables {
        if used.contains(name.as_str()) {
            continue;
        }
        let prefix = match ADDRESSES.iter().find(|end| name.ends_with(*end)) {
            Some(end) => name.strip_suffix(end).unwrap_or_default().trim_end_matches('_'),
            None => continue,
        };
        let Ok(connection) = address(value) else { continue };
        let fields = Fields::from(connection);
        connections.extend(beside(fields, prefix, &known, headings).connection());
        used.extend([name.as_str()]);
        used.extend(
            known
                .keys()
                .filter(|other| !prefix.is_empty() && other.starts_with(&format!("{prefix}_"))),
        );
        if name == "DATABASE_URL" {
            used.insert("DIRECT_URL");
        }
    }
    let prefixes: Vec<&str> = variables
        .iter()
        .filter_map(|(name, _)| host_prefix(name))
        .collect();
    for prefix in prefixes {
        let of = |what: &[&str]| {
            what.iter()
                .find_map(|what| known.get(format!("{prefix}{what}").as_str()).copied())
        };
        if used.contains(format!("{prefix}HOST").as_str()) {
            continue;
        }
        connections.extend(of_parts(prefix, &of, headings).connection());
    }
    Pasted {
        connections: connections.into_iter().collect(),
        variables: vec![],
    }
}

/// `PGHOST` and `DB_HOST`: what stands before `HOST`.
fn host_prefix(name: &str) -> Option<&str> {
    name.strip_suffix("HOST")
        .filter(|prefix| prefix.ends_with('_') || *prefix == "PG" || prefix.is_empty())
}

fn of_parts<'v>(prefix: &str, of: &dyn Fn(&[&str]) -> Option<&'v str>, headings: &[String]) -> Fields {
    let text = |what: &[&str]| of(what).map(str::to_owned);
    let port = text(&["PORT"]);
    let is_mysql = prefix.contains("MYSQL")
        || prefix.contains("MARIADB")
        || port.as_deref() == Some("3306")
        || of(&["CONNECTION", "ENGINE", "TYPE"])
            .is_some_and(|value| value.contains("mysql") || value == "mariadb");
    Fields {
        name: name_of(prefix.trim_end_matches('_'), headings),
        server: text(&["HOST"]),
        port,
        database: text(&["DATABASE", "NAME", "DB", "DBNAME"]),
        user: text(&["USER", "USERNAME"]),
        password: text(&["PASSWORD", "PASS"]),
        tls_mode: of(&["SSLMODE", "SSL_MODE"]).and_then(tls_mode),
        ..Fields::of(if is_mysql { Kind::Mysql } else { Kind::Postgresql })
    }
}

/// What variables of the same prefix say beside an address.
fn beside(mut fields: Fields, prefix: &str, known: &BTreeMap<&str, &str>, headings: &[String]) -> Fields {
    let of = |names: &[&str]| {
        let found = names
            .iter()
            .find_map(|name| known.get(format!("{prefix}_{name}").as_str()));
        found.map(|value| (*value).to_owned())
    };
    if prefix.is_empty() {
        return fields;
    }
    let is_web = fields.kind == Some(Kind::Api);
    fields.user = of(&["USER", "USERNAME"]).or(fields.user);
    fields.password = of(&["PASSWORD", "PASS"]).or(fields.password);
    fields.api_key = of(&["API_KEY", "KEY", "TOKEN"]).or(fields.api_key);
    fields.name = name_of(prefix, headings).or(fields.name);
    if is_web && prefix.contains("SUPERSET") {
        fields.kind = Some(Kind::Superset);
    } else if is_web && (prefix.starts_with("MCP") || prefix.contains("_MCP")) {
        fields.kind = Some(Kind::Mcp);
    }
    fields
}

/// Supabase's own names for its address and its keys; `DATABASE_URL` beside them is its database's.
fn supabase<'v>(known: &BTreeMap<&'v str, &'v str>, used: &mut HashSet<&'v str>) -> Option<Connection> {
    let of = |name: &str| {
        let public = format!("NEXT_PUBLIC_{name}");
        known
            .get_key_value(name)
            .or_else(|| known.get_key_value(public.as_str()))
            .map(|(name, value)| (*name, *value))
    };
    let (url_name, url) = of("SUPABASE_URL")?;
    let host = url.split("://").nth(1)?.split('/').next()?;
    let key = [
        "SECRET_KEY",
        "SERVICE_ROLE_KEY",
        "PUBLISHABLE_KEY",
        "ANON_KEY",
        "KEY",
    ]
    .iter()
    .find_map(|name| of(&format!("SUPABASE_{name}")));
    // Otherwise it is a record of that name, see `render`'s format env.
    if key.is_none() && !host.ends_with(".supabase.co") {
        return None;
    }
    let database = ["DATABASE_URL", "DIRECT_URL", "SUPABASE_DB_URL"]
        .iter()
        .find_map(|name| Some((*known.get_key_value(name)?.0, address(known[name]).ok()?)))
        .filter(|(_, connection)| connection.raw.kind == Kind::Supabase);
    used.extend([url_name, "DATABASE_URL", "DIRECT_URL", "SUPABASE_DB_URL"]);
    let mut fields = match database {
        Some((_, connection)) => Fields::from(connection),
        None => {
            let project = host.strip_suffix(".supabase.co");
            Fields {
                server: Some(
                    project.map_or_else(|| host.to_owned(), |project| format!("db.{project}.supabase.co")),
                ),
                web_url: project.is_none().then(|| url.to_owned()),
                user: Some("postgres".into()),
                database: Some("postgres".into()),
                ..Fields::of(Kind::Supabase)
            }
        }
    };
    fields.api_key = key.map(|(_, value)| value.to_owned());
    fields.connection()
}

/// The heading that makes this prefix, or the prefix as words.
fn name_of(prefix: &str, headings: &[String]) -> Option<String> {
    if prefix.is_empty() || ["PG", "DB", "DATABASE", "POSTGRES", "MYSQL", "DIRECT"].contains(&prefix) {
        return None;
    }
    let of_heading = headings.iter().find(|heading| {
        let base = env_prefixes([heading.as_str()]).remove(0);
        prefix == base || prefix.strip_prefix(&base).is_some_and(is_number)
    });
    if let Some(heading) = of_heading {
        return Some(heading.clone());
    }
    let words: Vec<_> = prefix
        .split('_')
        .filter(|word| !word.is_empty())
        .map(capitalized)
        .collect();
    Some(words.join(" "))
}

/// `_2`, behind the prefix of a second record of a name.
fn is_number(text: &str) -> bool {
    text.strip_prefix('_')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Short words are kept: they are what agencies are called.
fn capitalized(word: &str) -> String {
    if word.len() <= 4 {
        return word.to_owned();
    }
    word[..1].to_owned() + &word[1..].to_ascii_lowercase()
}
