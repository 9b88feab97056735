//! The configuration: read from a file and the environment, validated in one step.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, bail};
use config::{Config, Environment, File, FileFormat};
use insightpulse_monitor::Limits;
use insightpulse_odoo_rpc::Account;
use insightpulse_probe::{EgressPolicy, EgressRule};
use secrecy::{ExposeSecret, SecretString};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// Every variable begins with this; `__` stands for the dot in a key.
const PREFIX: &str = "INSIGHTPULSE";

/// Read by the command line itself.
const NOT_A_KEY: &str = "INSIGHTPULSE_CONFIG";

/// What was written, before it is known to be enough for a verb.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
    state_dir: Option<PathBuf>,
    #[serde(default)]
    server: RawServer,
    #[serde(default)]
    keyring: RawKeyring,
    #[serde(default)]
    odoo: RawOdoo,
    #[serde(default)]
    egress: RawEgress,
    #[serde(default)]
    probe: RawProbe,
    #[serde(default)]
    log: LogSettings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [server]")]
struct RawServer {
    host: String,
    port: u16,
    token: Option<SecretString>,
    token_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [keyring]")]
struct RawKeyring {
    file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [odoo]")]
struct RawOdoo {
    url: Option<String>,
    database: Option<String>,
    database_uuid: Option<Uuid>,
    login: String,
    api_key: Option<SecretString>,
    api_key_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [egress]")]
struct RawEgress {
    allow_loopback: bool,
    #[serde(deserialize_with = "rules")]
    allow: Vec<EgressRule>,
    #[serde(deserialize_with = "rules")]
    deny: Vec<EgressRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [probe]")]
struct RawProbe {
    timeout_ms: u64,
    concurrency: usize,
}

/// `INSIGHTPULSE_LOG__FILTER`, `INSIGHTPULSE_LOG__FORMAT`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [log]")]
pub struct LogSettings {
    /// As `tracing` reads it: `info`, `info,insightpulse_probe=debug`.
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    Text,
    Json,
}

/// What `serve` needs; each field is valid.
#[derive(Debug)]
pub struct Settings {
    /// `INSIGHTPULSE_STATE_DIR`: what must outlive the process.
    pub state_dir: PathBuf,
    pub server: ServerSettings,
    /// `INSIGHTPULSE_KEYRING__FILE`; `keyring.toml` in the state directory by default.
    pub keyring_file: PathBuf,
    pub odoo: OdooSettings,
    /// `INSIGHTPULSE_EGRESS__…`
    pub egress: EgressPolicy,
    /// `INSIGHTPULSE_PROBE__…`
    pub probe: Limits,
    pub log: LogSettings,
}

#[derive(Debug)]
pub struct ServerSettings {
    /// `INSIGHTPULSE_SERVER__HOST`: a name or an address.
    pub host: String,
    /// `INSIGHTPULSE_SERVER__PORT`; 0 takes a free one.
    pub port: u16,
    /// `INSIGHTPULSE_SERVER__TOKEN` or `…__TOKEN_FILE`: what Odoo shows.
    pub token: SecretString,
}

#[derive(Debug)]
pub struct OdooSettings {
    /// `INSIGHTPULSE_ODOO__URL`, `…__DATABASE`, `…__LOGIN`, and `…__API_KEY` or `…__API_KEY_FILE`.
    pub account: Account,
    /// `INSIGHTPULSE_ODOO__DATABASE_UUID`: the one database that is served.
    pub database_uuid: Uuid,
}

/// Odoo's own tokens have 40 characters; fewer than this can be guessed.
const TOKEN_MIN: usize = 32;

impl Default for RawServer {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8787,
            token: None,
            token_file: None,
        }
    }
}

impl Default for RawOdoo {
    fn default() -> Self {
        Self {
            url: None,
            database: None,
            database_uuid: None,
            login: "insightpulse_sidecar".into(),
            api_key: None,
            api_key_file: None,
        }
    }
}

impl Default for RawProbe {
    fn default() -> Self {
        Self {
            timeout_ms: 5_000,
            concurrency: 512,
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            filter: "info".into(),
            format: LogFormat::Text,
        }
    }
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!(
                "“{text}” is no format of the log; it may be text or json"
            )),
        }
    }
}

impl RawSettings {
    /// Reads the file, if one is named, and the environment, which goes before it.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let variables = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("INSIGHTPULSE_") && name != NOT_A_KEY)
            .collect();
        let mut sources = Config::builder();
        if let Some(path) = file {
            let text = fs::read_to_string(path)
                .with_context(|| format!("read the configuration {}", path.display()))?;
            sources = sources.add_source(File::from_str(&text, FileFormat::Toml));
        }
        let environment = Environment::with_prefix(PREFIX)
            .prefix_separator("_")
            .separator("__")
            .source(Some(variables));
        let from = match file {
            Some(path) => format!("{} and the environment (INSIGHTPULSE_…)", path.display()),
            None => "the environment (INSIGHTPULSE_…)".into(),
        };
        sources
            .add_source(environment)
            .build()
            .and_then(Config::try_deserialize)
            .map_err(|error| {
                anyhow::anyhow!("the configuration from {from} is wrong: {}", in_one_line(&error))
            })
    }

    pub fn keyring_file(&self) -> anyhow::Result<PathBuf> {
        match &self.keyring.file {
            Some(file) => Ok(file.clone()),
            None => Ok(self.state_dir()?.join("keyring.toml")),
        }
    }

    fn state_dir(&self) -> anyhow::Result<&Path> {
        self.state_dir.as_deref().with_context(|| {
            missing(
                "state_dir",
                "the directory for the keyring and what must outlive a stop",
            )
        })
    }
}

impl Settings {
    pub fn validate(raw: RawSettings) -> anyhow::Result<Self> {
        let state_dir = raw.state_dir()?.to_owned();
        let keyring_file = raw.keyring_file()?;
        let RawSettings {
            server,
            odoo,
            egress,
            probe,
            log,
            ..
        } = raw;
        let token = secret("server.token", server.token, server.token_file)?;
        if token.expose_secret().len() < TOKEN_MIN {
            bail!(
                "server.token is shorter than {TOKEN_MIN} characters: make one with `openssl rand -hex 32`"
            );
        }
        if !(100..=60_000).contains(&probe.timeout_ms) {
            bail!("probe.timeout_ms is {}; it may be 100 to 60000", probe.timeout_ms);
        }
        if !(1..=10_000).contains(&probe.concurrency) {
            bail!("probe.concurrency is {}; it may be 1 to 10000", probe.concurrency);
        }
        Ok(Self {
            state_dir,
            server: ServerSettings {
                host: server.host,
                port: server.port,
                token,
            },
            keyring_file,
            odoo: OdooSettings {
                account: Account {
                    url: odoo
                        .url
                        .with_context(|| missing("odoo.url", "the address of Odoo"))?,
                    database: odoo
                        .database
                        .with_context(|| missing("odoo.database", "the name of Odoo's database"))?,
                    login: odoo.login,
                    api_key: secret("odoo.api_key", odoo.api_key, odoo.api_key_file)?,
                },
                database_uuid: odoo.database_uuid.with_context(|| {
                    missing(
                        "odoo.database_uuid",
                        "the database.uuid that Odoo's Settings show",
                    )
                })?,
            },
            egress: EgressPolicy {
                allow_loopback: egress.allow_loopback,
                allow: egress.allow,
                deny: egress.deny,
            },
            probe: Limits {
                timeout: Duration::from_millis(probe.timeout_ms),
                concurrency: probe.concurrency,
            },
            log,
        })
    }
}

/// A list in a file, or a text with commas in a variable.
fn rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EgressRule>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected a list of networks and hosts, or one text with commas between them"
    )]
    enum Listed {
        List(Vec<String>),
        Text(String),
    }
    let texts = match Listed::deserialize(deserializer)? {
        Listed::List(texts) => texts,
        Listed::Text(text) => text.split(',').map(str::to_owned).collect(),
    };
    texts
        .iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| text.parse().map_err(D::Error::custom))
        .collect()
}

/// A secret from its own key or from the file that its `_file` key names.
fn secret(key: &str, direct: Option<SecretString>, file: Option<PathBuf>) -> anyhow::Result<SecretString> {
    match (direct, file) {
        (Some(_), Some(_)) => bail!("{key} and {key}_file are both set: leave one out"),
        (Some(secret), None) => Ok(secret),
        (None, Some(path)) => {
            let text = SecretString::from(
                fs::read_to_string(&path).with_context(|| format!("read {key}_file, {}", path.display()))?,
            );
            Ok(SecretString::from(text.expose_secret().trim()))
        }
        (None, None) => bail!(missing(key, "Odoo shows it once when you set up the sidecar")),
    }
}

/// A TOML error shows the line that is wrong, and that line may be a secret's.
fn in_one_line(error: &config::ConfigError) -> String {
    let text = error.to_string();
    let shown = |line: &&str| !line.trim().is_empty() && !line.contains('|');
    text.lines().filter(shown).collect::<Vec<_>>().join(": ")
}

fn missing(key: &str, what: &str) -> String {
    let variable = key.to_uppercase().replace('.', "__");
    format!("{key} is missing ({what}); set it in the file or as {PREFIX}_{variable}")
}
