//! The formats, with what `data/formats.toml` says of them.

use std::str::FromStr;
use std::sync::LazyLock;

use insightpulse_domain::Kind;
use serde::{Deserialize, Serialize};

macro_rules! formats {
    ($($variant:ident = $id:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Format { $($variant,)* }

        impl Format {
            pub const ALL: &[Format] = &[$(Format::$variant,)*];

            /// As `render_config` and `insightpulse render` name it.
            pub fn as_str(self) -> &'static str {
                match self { $(Format::$variant => $id,)* }
            }
        }
    };
}

// In the order of `data/formats.toml`.
formats! {
    Uri = "uri",
    UriDirect = "uri-direct",
    UriTransactionPooler = "uri-transaction-pooler",
    UriSessionPooler = "uri-session-pooler",
    MysqlUri = "mysql-uri",
    MongodbUri = "mongodb-uri",
    Libpq = "libpq",
    Jdbc = "jdbc",
    Dotnet = "dotnet",
    Sqlalchemy = "sqlalchemy",
    Env = "env",
    EnvExport = "env-export",
    EnvJson = "env-json",
    Psql = "psql",
    Pgpass = "pgpass",
    PgService = "pg_service",
    Curl = "curl",
    SupersetDatabase = "superset-database",
    Prometheus = "prometheus",
    Go = "go",
    Node = "node",
    Php = "php",
    Python = "python",
    Rust = "rust",
    Prisma = "prisma",
    Drizzle = "drizzle",
    OdooConf = "odoo-conf",
    SupabaseEnv = "supabase-env",
    NextjsEnv = "nextjs-env",
    Compose = "compose",
    ComposeService = "compose-service",
    K8sConfigmap = "k8s-configmap",
    K8sSecret = "k8s-secret",
    McpJson = "mcp-json",
    McpVscode = "mcp-vscode",
    McpClaudeCode = "mcp-claude-code",
    Json = "json",
    Yaml = "yaml",
    Toml = "toml",
}

/// A row of `data/formats.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Compared with [`Format::as_str`] by a test.
    pub id: String,
    pub label: String,
    pub tab: String,
    pub language: String,
    pub extension: String,
    pub mimetype: String,
    kinds: Vec<Kind>,
    /// One value and no file: it ends without a line break.
    #[serde(default)]
    pub value: bool,
    pub several: Option<Frame>,
    pub comment: Option<String>,
}

/// What is around and between the pieces of a document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Frame {
    /// A document of one has none.
    pub title: String,
    pub head: String,
    pub between: String,
    pub tail: String,
}

/// A purpose that formats serve.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tab {
    pub id: String,
    pub label: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    tab: Vec<Tab>,
    format: Vec<Row>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../data/formats.toml"))
        .expect("data/formats.toml is compiled in, and a test reads it")
});

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no format here; there are: {known}", known = names())]
pub struct UnknownFormat(String);

fn names() -> String {
    Format::ALL
        .iter()
        .map(|format| format.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

impl Format {
    pub fn tabs() -> &'static [Tab] {
        &TABLE.tab
    }

    pub fn row(self) -> &'static Row {
        // A test compares the order of the two.
        &TABLE.format[self as usize]
    }

    /// The formats that a kind has a use for.
    pub fn of_kind(kind: Kind) -> impl Iterator<Item = Format> {
        Format::ALL
            .iter()
            .copied()
            .filter(move |format| format.fits(kind))
    }

    /// The formats of which one document holds several connections.
    pub fn of_several() -> impl Iterator<Item = Format> {
        Format::ALL
            .iter()
            .copied()
            .filter(|format| format.row().several.is_some() && !format.row().kinds.is_empty())
    }

    pub fn fits(self, kind: Kind) -> bool {
        self.row().kinds.contains(&kind)
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Format::ALL
            .iter()
            .copied()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| UnknownFormat(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_formats_in_this_order_and_tabs_for_all() {
        let ids: Vec<_> = TABLE.format.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(
            ids,
            Format::ALL
                .iter()
                .map(|format| format.as_str())
                .collect::<Vec<_>>()
        );
        for row in &TABLE.format {
            assert!(TABLE.tab.iter().any(|tab| tab.id == row.tab), "{}", row.id);
        }
    }

    #[test]
    fn an_unknown_format_lists_the_known() {
        let error = "docx".parse::<Format>().expect_err("no such format").to_string();
        assert!(
            error.starts_with("“docx” is no format here; there are: uri, uri-direct, "),
            "{error}"
        );
    }
}
