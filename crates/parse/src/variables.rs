//! Variables of an environment, from wherever they are: which of them belong together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use insightpulse_domain::{Connection, Kind, env_prefixes};

use crate::fields::tls_mode;
use crate::{CONNECTIONS_MAX, Fields, address};

/// What follows the prefix of a variable that has an address.
const ADDRESSES: &[&str] = &["JDBC_URL", "URL", "URI", "DSN", "CONNECTION_STRING"];

/// Names that records may have, by the prefixes that they make.
type Headings<'h> = HashMap<String, &'h str>;

/// The connections that variables make, by the prefixes that they share. Headings are names that records may have.
pub(crate) fn connections(variables: &[(String, String)], headings: &[String]) -> Vec<Connection> {
    let mut by_prefix = Headings::new();
    for heading in headings {
        let prefix = env_prefixes([heading.as_str()]).remove(0);
        by_prefix.entry(prefix).or_insert(heading);
    }
    let headings = &by_prefix;
    let known: BTreeMap<&str, &str> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut connections = vec![];
    let mut used = HashSet::new();
    connections.extend(supabase(&known, &mut used));
    for (name, value) in variables {
        if connections.len() >= CONNECTIONS_MAX {
            break;
        }
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
        if !prefix.is_empty() {
            let beginning = format!("{prefix}_");
            let others = known.range::<str, _>((Bound::Included(beginning.as_str()), Bound::Unbounded));
            used.extend(
                others
                    .map(|(other, _)| *other)
                    .take_while(|other| other.starts_with(&beginning)),
            );
        }
        if name == "DATABASE_URL" {
            used.insert("DIRECT_URL");
        }
    }
    let prefixes: Vec<&str> = variables
        .iter()
        .filter_map(|(name, _)| host_prefix(name))
        .collect();
    for prefix in prefixes {
        if connections.len() >= CONNECTIONS_MAX {
            break;
        }
        let of = |what: &[&str]| {
            what.iter()
                .find_map(|what| known.get(format!("{prefix}{what}").as_str()).copied())
        };
        if used.contains(format!("{prefix}HOST").as_str()) {
            continue;
        }
        connections.extend(of_parts(prefix, &of, headings).connection());
    }
    connections
}

/// `PGHOST` and `DB_HOST`: what stands before `HOST`.
fn host_prefix(name: &str) -> Option<&str> {
    name.strip_suffix("HOST")
        .filter(|prefix| prefix.ends_with('_') || *prefix == "PG" || prefix.is_empty())
}

fn of_parts<'v>(prefix: &str, of: &dyn Fn(&[&str]) -> Option<&'v str>, headings: &Headings<'_>) -> Fields {
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
fn beside(mut fields: Fields, prefix: &str, known: &BTreeMap<&str, &str>, headings: &Headings<'_>) -> Fields {
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
    let project = Fields::of_project(host);
    if key.is_none() && project.is_none() {
        return None;
    }
    let database = ["DATABASE_URL", "DIRECT_URL", "SUPABASE_DB_URL"]
        .iter()
        .find_map(|name| address(known.get(name)?).ok())
        .filter(|connection| connection.raw.kind == Kind::Supabase);
    used.extend([url_name, "DATABASE_URL", "DIRECT_URL", "SUPABASE_DB_URL"]);
    let mut fields = database.map(Fields::from).or(project).unwrap_or_else(|| Fields {
        server: Some(host.to_owned()),
        web_url: Some(url.to_owned()),
        ..Fields::of_supabase()
    });
    fields.api_key = key.map(|(_, value)| value.to_owned());
    fields.connection()
}

/// The heading that makes this prefix, or the prefix as words.
fn name_of(prefix: &str, headings: &Headings<'_>) -> Option<String> {
    if prefix.is_empty() || ["PG", "DB", "DATABASE", "POSTGRES", "MYSQL", "DIRECT"].contains(&prefix) {
        return None;
    }
    // A second record of a name has `_2` behind the prefix.
    let unnumbered = prefix.trim_end_matches(|c: char| c.is_ascii_digit());
    let unnumbered = unnumbered
        .strip_suffix('_')
        .filter(|_| unnumbered.len() < prefix.len());
    let of_heading = headings
        .get(prefix)
        .or_else(|| headings.get(unnumbered.unwrap_or(prefix)));
    if let Some(heading) = of_heading {
        return Some((*heading).to_owned());
    }
    let words: Vec<_> = prefix
        .split('_')
        .filter(|word| !word.is_empty())
        .map(capitalized)
        .collect();
    Some(words.join(" "))
}

/// Short words are kept: they are what agencies are called.
fn capitalized(word: &str) -> String {
    match word.split_at_checked(1) {
        Some((first, rest)) if word.len() > 4 => first.to_owned() + &rest.to_ascii_lowercase(),
        // Of a Compose file or a manifest it may begin with any letter.
        _ => word.to_owned(),
    }
}
