//! An endpoint as the values that a form asks for.

use super::View;
use crate::document::Parameter;
use crate::text::Text;

impl View<'_> {
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = vec![];
        let mut add = |id, label, is_secret, value: Option<&Text<'_>>| {
            if let Some(value) = value {
                parameters.push(Parameter {
                    id,
                    label,
                    value: value.raw().to_owned(),
                    is_secret,
                });
            }
        };
        match self {
            View::Database(it) => {
                add("host", "Host", false, Some(&it.lookup()));
                add(
                    "port",
                    "Port",
                    false,
                    Some(&Text::new("port", it.port.to_string())),
                );
                add("database", "Database", false, it.database.as_ref());
                add("user", "User", false, Some(it.user()));
                add("password", "Password", true, it.password.as_ref());
                add(
                    "tls_mode",
                    "TLS",
                    false,
                    Some(&Text::new("TLS mode", it.sslmode())),
                );
                add("web_url", "Web address", false, it.web_url().as_ref());
                add("pooler_host", "Pooler", false, it.pooler_host().as_ref());
            }
            View::Http(it) => {
                add("url", "Address", false, Some(&it.url()));
                add("user", "User", false, it.user().as_ref());
                add("password", "Password", true, it.password.as_ref());
            }
        }
        add("api_key", "API key", true, self.api_key.as_ref());
        add(
            "tls_authority",
            "Certificate authority",
            false,
            self.authority().as_ref(),
        );
        parameters
    }
}
