//! What programs that speak HTTP are told: curl, MCP clients, Prometheus.

use insightpulse_domain::Kind;

use super::http::{Credentials, in_header};
use super::{Database, Http, View};
use crate::encode;
use crate::text::Text;
use crate::unwritable::Unwritable;

const MCP_INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}"#;

impl View<'_> {
    /// Options with their values, the address aside.
    pub fn curl_options(&self) -> Result<Vec<(&'static str, Text<'static>)>, Unwritable> {
        match self {
            View::Database(it) => it.curl_options(),
            View::Http(it) => it.curl_options(),
        }
    }

    pub fn curl_url(&self) -> Result<Text<'static>, Unwritable> {
        let url = match self {
            View::Database(it) if it.is_supabase() => format!("{}/rest/v1/", it.needed_web_url()?.raw()),
            View::Database(it) => format!("{}/web/health", it.needed_web_url()?.raw()),
            View::Http(it) if it.kind() == Kind::Superset => {
                format!("{}/api/v1/security/login", it.url().raw().trim_end_matches('/'))
            }
            View::Http(it) => it.url().raw().to_owned(),
        };
        Ok(Text::new("address", url))
    }

    /// The name that a client shows, unique in a document.
    pub fn mcp_name(&self) -> Text<'_> {
        Text::new("name", self.slug())
    }

    pub fn mcp_url(&self) -> Result<Text<'static>, Unwritable> {
        match self {
            View::Http(it) => Ok(Text::new("address", it.url().raw().to_owned())),
            // Supabase's own server, which asks in the browser who one is:
            // <https://supabase.com/docs/guides/getting-started/mcp>
            View::Database(it) => match it.project() {
                Some(project) => Ok(Text::new(
                    "address",
                    format!("https://mcp.supabase.com/mcp?project_ref={project}&read_only=true"),
                )),
                None => Err(Unwritable::Missing(
                    "Supabase's MCP server is for hosted projects, and which one this is cannot be told.",
                )),
            },
        }
    }

    pub fn mcp_authorization(&self) -> Result<Option<Text<'static>>, Unwritable> {
        let View::Http(it) = self else { return Ok(None) };
        Ok(match it.credentials()? {
            Credentials::Header(_, value) => Some(Text::new("API key", value)),
            Credentials::Basic(..) | Credentials::None => None,
        })
    }

    /// What an exporter is asked to look at.
    pub fn exporter_target(&self) -> Text<'_> {
        match self {
            View::Database(it) if it.kind() == Kind::Mysql => it.place(),
            View::Database(it) => Text::new(
                "server",
                format!(
                    "{}/{}?sslmode={}",
                    it.place().raw(),
                    encode::uri(it.dbname().raw()),
                    it.sslmode()
                ),
            ),
            View::Http(it) => it.url(),
        }
    }

    /// Of a project's API, for a scrape.
    pub fn web_place(&self) -> Text<'static> {
        Text::new(
            "web address",
            self.web().map_or_else(String::new, |web| web.place()),
        )
    }
}

impl Http<'_> {
    fn curl_options(&self) -> Result<Vec<(&'static str, Text<'static>)>, Unwritable> {
        let mut options = match self.credentials()? {
            // Superset takes its user and password in a body.
            Credentials::Basic(user, password) if self.kind() == Kind::Superset => {
                let password = password.as_ref().map_or("", Text::raw);
                let login = serde_json::json!({
                    "username": user.raw(), "password": password, "provider": "db", "refresh": true
                });
                vec![("--json", Text::new("password", login.to_string()))]
            }
            Credentials::Basic(user, _) if user.raw().contains(':') => {
                return Err(Unwritable::Unfit {
                    what: user.what(),
                    why: "a colon in it, at which HTTP's basic scheme ends a user name",
                });
            }
            Credentials::Basic(user, password) => {
                let password = password.as_ref().map_or("", Text::raw);
                vec![(
                    "--user",
                    Text::new("password", format!("{}:{password}", user.raw())),
                )]
            }
            Credentials::Header(name, value) => {
                vec![("--header", Text::new("API key", format!("{name}: {value}")))]
            }
            Credentials::None => vec![],
        };
        if self.kind() == Kind::Mcp {
            options.push((
                "--header",
                Text::new("header", "Accept: application/json, text/event-stream"),
            ));
            options.push(("--json", Text::new("request", MCP_INITIALIZE)));
        }
        Ok(options)
    }
}

impl Database<'_> {
    fn curl_options(&self) -> Result<Vec<(&'static str, Text<'static>)>, Unwritable> {
        if !self.is_supabase() {
            return Ok(vec![]);
        }
        let key = in_header(&self.needed_api_key()?)?.to_owned();
        Ok(vec![("--header", Text::new("API key", format!("apikey: {key}")))])
    }
}
