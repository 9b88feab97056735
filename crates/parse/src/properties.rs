//! The shape that `json`, `yaml` and `toml` have: a list `endpoint` of named properties.

use insightpulse_domain::{Kind, RawThresholds, SignIn};
use serde_json::Value;

use crate::fields::tls_mode;
use crate::{Fields, address};

/// `None` where a tree has no such list.
pub(crate) fn read(tree: &Value) -> Option<Vec<Fields>> {
    let endpoints = tree.get("endpoint")?.as_array()?;
    Some(endpoints.iter().filter_map(endpoint).collect())
}

fn endpoint(tree: &Value) -> Option<Fields> {
    let text = |name: &str| match &tree[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut fields = match text("url") {
        Some(url) => Fields::from(address(&url).ok()?),
        None => Fields::default(),
    };
    let kind = text("kind").and_then(|name| Kind::of(&name));
    // What both say, the part wins over the URL.
    fields.kind = kind.or(fields.kind);
    let more = [
        (&mut fields.name, "name"),
        (&mut fields.server, "server"),
        (&mut fields.port, "port"),
        (&mut fields.database, "database"),
        (&mut fields.user, "user"),
        (&mut fields.password, "password"),
        (&mut fields.api_key, "api_key"),
        (&mut fields.web_url, "web_url"),
        (&mut fields.pooler_host, "pooler_host"),
        (&mut fields.tls_authority, "tls_authority"),
        (&mut fields.client_certificate, "client_certificate"),
        (&mut fields.key_header, "key_header"),
        (&mut fields.expected_status, "expected_status"),
        (&mut fields.expected_path, "expected_path"),
        (&mut fields.expected_text, "expected_text"),
    ];
    for (field, name) in more {
        if let Some(value) = text(name) {
            *field = Some(value);
        }
    }
    fields.tls_mode = text("tls_mode")
        .and_then(|mode| tls_mode(&mode))
        .or(fields.tls_mode);
    fields.is_replica |= tree["is_replica"] == Value::Bool(true);
    fields.sign_in = text("sign_in")
        .and_then(|name| SignIn::of(&name))
        .or(fields.sign_in);
    let number = |name: &str| tree[name].as_u64().and_then(|number| number.try_into().ok());
    fields.thresholds = RawThresholds {
        slow_ms: number("slow_ms"),
        certificate_days: number("certificate_days"),
        connections_percent: number("connections_percent"),
        replica_lag_s: number("replica_lag_s"),
    };
    Some(fields)
}
