//! An endpoint as named properties: those of the file that `insightpulse probe --file` reads.

use insightpulse_domain::{Service, SignIn, StatusSet};

use super::View;
use crate::text::Text;

pub(crate) struct Property<'v> {
    pub name: &'static str,
    value: Value<'v>,
}

enum Value<'v> {
    Text(Text<'v>),
    /// A number or `true`, which JSON, YAML and TOML write alike.
    Bare(String),
}

impl<'v> Property<'v> {
    pub fn is_text(&self) -> bool {
        matches!(self.value, Value::Text(_))
    }

    pub fn text(&self) -> Text<'v> {
        match &self.value {
            Value::Text(text) => text.clone(),
            Value::Bare(_) => Text::new("value", ""),
        }
    }

    pub fn bare(&self) -> &str {
        match &self.value {
            Value::Text(_) => "",
            Value::Bare(bare) => bare,
        }
    }
}

impl View<'_> {
    pub fn properties(&self) -> Vec<Property<'_>> {
        let mut properties: Vec<Property<'_>> = Vec::new();
        let mut add = |name, value| properties.push(Property { name, value });
        let text = |what, text: &'static str| Value::Text(Text::new(what, text));
        add("name", Value::Text(self.name.clone()));
        add("kind", text("kind", self.kind().as_str()));
        match self {
            View::Database(it) => {
                add("server", Value::Text(it.lookup()));
                add("port", Value::Bare(it.port.to_string()));
                if let Some(database) = it.database.clone() {
                    add("database", Value::Text(database));
                }
                add("user", Value::Text(it.user().clone()));
                add("tls_mode", text("TLS mode", it.sslmode()));
                if let Some(url) = it.given_web_url() {
                    add("web_url", Value::Text(url));
                }
                if let Some(pooler) = it.pooler_host() {
                    add("pooler_host", Value::Text(pooler));
                }
                if it.is_replica() {
                    add("is_replica", Value::Bare("true".into()));
                }
            }
            View::Http(it) => {
                add("server", Value::Text(it.url()));
                if let Some(user) = it.user() {
                    add("user", Value::Text(user));
                }
                if let Service::Api(api) = &self.endpoint.service {
                    if let Some(sign_in) = api.sign_in {
                        add("sign_in", text("way to sign in", sign_in.as_str()));
                    }
                    if api.sign_in == Some(SignIn::Header) {
                        let header = Text::new("header", api.key_header.as_str());
                        add("key_header", Value::Text(header));
                    }
                    if api.status != StatusSet::default() {
                        let status = Text::new("expected status", api.status.to_string());
                        add("expected_status", Value::Text(status));
                    }
                    if let Some(path) = &api.path {
                        let path = Text::new("expected path", path.to_string());
                        add("expected_path", Value::Text(path));
                    }
                    if let Some(expected) = &api.text {
                        let expected = Text::new("expected text", expected.as_str());
                        add("expected_text", Value::Text(expected));
                    }
                }
            }
        }
        if let Some(pem) = self.authority() {
            add("tls_authority", Value::Text(pem));
        }
        if let Some(pem) = self.client_certificate() {
            add("client_certificate", Value::Text(pem));
        }
        let (own, usual) = (self.endpoint.thresholds, self.kind().thresholds());
        for (name, own, usual) in [
            ("slow_ms", own.slow_ms, usual.slow_ms),
            ("certificate_days", own.certificate_days, usual.certificate_days),
            (
                "connections_percent",
                own.connections_percent,
                usual.connections_percent,
            ),
            ("replica_lag_s", own.replica_lag_s, usual.replica_lag_s),
        ] {
            if own != usual {
                add(name, Value::Bare(own.to_string()));
            }
        }
        for (name, secret) in [("password", &self.password), ("api_key", &self.api_key)] {
            if let Some(secret) = secret {
                add(name, Value::Text(secret.clone()));
            }
        }
        properties
    }
}
