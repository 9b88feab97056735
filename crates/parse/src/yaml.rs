//! YAML: Compose files, Kubernetes' Secrets and ConfigMaps, Superset's databases, our own list of endpoints.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use insightpulse_domain::Kind;
use serde_json::{Map, Value};

use crate::{Fields, Pasted, Unreadable, address, properties, variables};

pub(crate) fn is_one(text: &str) -> bool {
    let begins = [
        "services:",
        "endpoint:",
        "apiVersion:",
        "kind:",
        "sqlalchemy_uri:",
        "environment:",
        "database_name:",
    ];
    text.lines()
        .any(|line| begins.iter().any(|word| line.starts_with(word)))
}

pub(crate) fn read(text: &str) -> Result<Pasted, Unreadable> {
    let trees: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|_| Unreadable::Broken("YAML"))?;
    let mut found = Pasted::default();
    let mut of_kubernetes = vec![];
    for tree in &trees {
        if let Some(fields) = properties::read(tree) {
            found
                .connections
                .extend(fields.into_iter().filter_map(Fields::connection));
        } else if let Some(fields) = superset(tree) {
            found.connections.extend(fields.connection());
        } else if tree["kind"] == "Secret" || tree["kind"] == "ConfigMap" {
            of_kubernetes.extend(manifest(tree));
        } else if let Some(services) = tree["services"].as_object() {
            found.connections.extend(compose(services));
        } else if !tree["environment"].is_null() {
            let variables = environment(&tree["environment"]);
            found.connections.extend(variables::connections(&variables, &[]));
        }
    }
    // A Secret has the password, and a ConfigMap beside it where the server is.
    found
        .connections
        .extend(variables::connections(&of_kubernetes, &[]));
    Ok(found)
}

/// <https://superset.apache.org/docs/configuration/importing-exporting-datasources>
fn superset(tree: &Value) -> Option<Fields> {
    let uri = tree["sqlalchemy_uri"].as_str()?;
    let mut fields = Fields::from(address(uri).ok()?);
    fields.name = tree["database_name"].as_str().map(str::to_owned).or(fields.name);
    fields.password = tree["password"].as_str().map(str::to_owned).or(fields.password);
    Some(fields)
}

fn manifest(tree: &Value) -> Vec<(String, String)> {
    let is_secret = tree["kind"] == "Secret";
    let entries = |name: &str| tree[name].as_object().cloned().unwrap_or_else(Map::new);
    let plain = entries("stringData")
        .into_iter()
        .chain(if is_secret { Map::new() } else { entries("data") })
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
    let encoded = if is_secret { entries("data") } else { Map::new() };
    let decoded = encoded.into_iter().filter_map(|(name, value)| {
        let bytes = STANDARD.decode(value.as_str()?.trim()).ok()?;
        Some((name, String::from_utf8(bytes).ok()?))
    });
    plain.chain(decoded).collect()
}

fn compose(services: &Map<String, Value>) -> Vec<insightpulse_domain::Connection> {
    let mut connections = vec![];
    for (name, service) in services {
        let variables = environment(&service["environment"]);
        if let Some(fields) = started(name, service, &variables) {
            connections.extend(fields.connection());
        } else {
            connections.extend(variables::connections(&variables, &[]));
        }
    }
    connections
}

/// A list of `NAME=value`, or a mapping.
fn environment(tree: &Value) -> Vec<(String, String)> {
    let undoubled = |text: &str| text.replace("$$", "$");
    match tree {
        Value::Array(entries) => entries
            .iter()
            .filter_map(|entry| entry.as_str()?.split_once('='))
            .map(|(name, value)| (name.to_owned(), undoubled(value)))
            .collect(),
        Value::Object(entries) => entries
            .iter()
            .filter_map(|(name, value)| {
                let value = match value {
                    Value::String(text) => undoubled(text),
                    Value::Number(number) => number.to_string(),
                    _ => return None,
                };
                Some((name.clone(), value))
            })
            .collect(),
        _ => vec![],
    }
}

/// A database that the file starts: what its image is told, and where it can be reached from outside.
fn started(name: &str, service: &Value, variables: &[(String, String)]) -> Option<Fields> {
    let image = service["image"].as_str()?;
    let image = image.rsplit('/').next()?.split(':').next()?;
    let (kind, prefixes): (_, &[&str]) = match image {
        "postgres" | "postgis" | "timescaledb" | "supabase-postgres" => (Kind::Postgresql, &["POSTGRES"]),
        "mysql" | "mariadb" => (Kind::Mysql, &["MARIADB", "MYSQL"]),
        "mongo" => (Kind::Mongodb, &["MONGO_INITDB"]),
        _ => return None,
    };
    let variable = |what: &str| {
        let mut found = prefixes.iter().filter_map(|prefix| {
            let wanted = format!("{prefix}_{what}");
            variables
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value.clone())
        });
        found.next()
    };
    let published = service["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .find_map(|port| {
            let text = port.as_str()?;
            let mut parts = text.rsplit(':');
            parts.next()?;
            parts.next().map(str::to_owned)
        });
    let root = (kind == Kind::Mysql).then(|| "root".to_owned());
    Some(Fields {
        name: Some(name.to_owned()),
        server: Some(if published.is_some() {
            "localhost".into()
        } else {
            name.to_owned()
        }),
        port: published,
        database: variable("DB").or_else(|| variable("DATABASE")),
        password: variable("PASSWORD").or_else(|| variable("ROOT_PASSWORD")),
        user: variable("USER")
            .or_else(|| variable("ROOT_USERNAME"))
            .or(root)
            .or(Some("postgres".into())),
        ..Fields::of(kind)
    })
}
