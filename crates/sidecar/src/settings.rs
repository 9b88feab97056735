//! The configuration: read from a file and the environment, validated in one step.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, bail};
use config::{Config, Environment, File, FileFormat};
use insightpulse_monitor::{Concurrency, Limits, Retention, StoreSettings};
use insightpulse_odoo_rpc::{Account, Protocol};
use insightpulse_probe::{EgressPolicy, EgressRule};
use secrecy::{ExposeSecret, SecretString};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

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
    egress: RawEgress,
    #[serde(default)]
    probe: RawProbe,
    #[serde(default)]
    store: RawStore,
    #[serde(default)]
    odoo: RawOdoo,
    #[serde(default)]
    log: LogSettings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [server]")]
struct RawServer {
    host: String,
    port: u16,
    socket: Option<PathBuf>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    metrics_token: Option<SecretString>,
    metrics_token_file: Option<PathBuf>,
    requests_per_second: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [keyring]")]
struct RawKeyring {
    file: Option<PathBuf>,
    mounted: Option<PathBuf>,
    text: Option<SecretString>,
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
    per_host: usize,
    per_agency: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [store]")]
struct RawStore {
    url: Option<SecretString>,
    url_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    sample_days: u16,
    rollup_days: u16,
}

/// For the verbs that ask Odoo as one of its users; `serve` is told by a pairing,
/// and takes from here how to speak.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the table [odoo]")]
struct RawOdoo {
    protocol: RawProtocol,
    url: Option<String>,
    database: Option<String>,
    login: Option<String>,
    api_key: Option<SecretString>,
    api_key_file: Option<PathBuf>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct RawProtocol(Protocol);

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
    pub server: ServerSettings,
    pub state: StateSettings,
    /// `INSIGHTPULSE_EGRESS__…`
    pub egress: EgressPolicy,
    /// `INSIGHTPULSE_PROBE__…`
    pub probe: Limits,
    /// `INSIGHTPULSE_STORE__…`: what several sidecars share; `None` keeps all in memory.
    pub store: Option<StoreSettings>,
    pub log: LogSettings,
}

/// What every verb needs that touches keys or pairings.
#[derive(Debug, Clone)]
pub struct StateSettings {
    /// `INSIGHTPULSE_STATE_DIR`: what must outlive the process.
    pub directory: PathBuf,
    pub keyring: KeyringSettings,
    /// `INSIGHTPULSE_ODOO__PROTOCOL`: how every Odoo is spoken to.
    pub protocol: Protocol,
}

/// Where the keys come from.
#[derive(Debug, Clone)]
pub enum KeyringSettings {
    /// `INSIGHTPULSE_KEYRING__FILE`; `keyring.toml` in the state directory by
    /// default. For its owner alone, and the one that `keys` can write.
    File(PathBuf),
    /// `INSIGHTPULSE_KEYRING__MOUNTED`: a secret that Kubernetes, Docker or
    /// systemd mounts, with the mode that they give it.
    Mounted(PathBuf),
    /// `INSIGHTPULSE_KEYRING__TEXT`: what would stand in the file.
    Text(SecretString),
}

#[derive(Debug)]
pub struct ServerSettings {
    pub listen: Listen,
    /// `INSIGHTPULSE_SERVER__METRICS_TOKEN` or `…_FILE`: without one, nobody reads `/metrics`.
    pub metrics_token: Option<SecretString>,
    /// `INSIGHTPULSE_SERVER__REQUESTS_PER_SECOND`, of one database.
    pub requests_per_second: NonZeroU32,
}

/// Where Odoo reaches the sidecar.
#[derive(Debug, Clone)]
pub enum Listen {
    Tcp {
        /// `INSIGHTPULSE_SERVER__HOST`: a name or an address.
        host: String,
        /// `INSIGHTPULSE_SERVER__PORT`; 0 takes a free one.
        port: u16,
        tls: Option<TlsFiles>,
    },
    /// `INSIGHTPULSE_SERVER__SOCKET`: the path of a Unix socket.
    Unix(PathBuf),
}

/// PEM files that are read again when they change.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// `INSIGHTPULSE_SERVER__TLS_CERTIFICATE`: the chain, the server's own first.
    pub certificate: PathBuf,
    /// `INSIGHTPULSE_SERVER__TLS_KEY`
    pub key: PathBuf,
}

/// Fewer characters than this can be guessed.
const TOKEN_MIN: usize = 32;

impl Default for RawServer {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8787,
            socket: None,
            tls_certificate: None,
            tls_key: None,
            metrics_token: None,
            metrics_token_file: None,
            requests_per_second: 100,
        }
    }
}

impl Default for RawProbe {
    fn default() -> Self {
        Self {
            timeout_ms: 60_000,
            concurrency: 512,
            per_host: 32,
            per_agency: 256,
        }
    }
}

impl Default for RawStore {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            ca_file: None,
            sample_days: 7,
            rollup_days: 400,
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

impl TryFrom<String> for RawProtocol {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self)
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
    /// All that a verb needs which only probes.
    pub fn egress(self) -> EgressPolicy {
        self.egress.into()
    }

    /// `INSIGHTPULSE_ODOO__…`: which Odoo, and as whom.
    pub fn odoo(self) -> anyhow::Result<(Account, Protocol)> {
        let RawOdoo {
            protocol,
            url,
            database,
            login,
            api_key,
            api_key_file,
        } = self.odoo;
        let given = |key: &str, value: Option<String>, what: &str| value.with_context(|| missing(key, what));
        let account = Account {
            url: given(
                "odoo.url",
                url,
                "Odoo's address, such as https://odoo.example.com",
            )?,
            database: given("odoo.database", database, "the name of its database")?,
            login: given("odoo.login", login, "who the API key belongs to")?,
            api_key: secret("odoo.api_key", api_key, api_key_file)?.with_context(|| {
                missing(
                    "odoo.api_key",
                    "a key from My Profile → Account Security → New API Key",
                )
            })?,
        };
        Ok((account, protocol.0))
    }

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

    /// Where keys and pairings are; enough for the verbs that are not `serve`.
    pub fn state(&self) -> anyhow::Result<StateSettings> {
        let directory = self.state_dir()?.to_owned();
        let keyring = match (&self.keyring.file, &self.keyring.mounted, &self.keyring.text) {
            (None, None, None) => KeyringSettings::File(directory.join("keyring.toml")),
            (Some(file), None, None) => KeyringSettings::File(file.clone()),
            (None, Some(path), None) => KeyringSettings::Mounted(path.clone()),
            (None, None, Some(text)) => KeyringSettings::Text(text.clone()),
            _ => bail!(
                "keyring.file, keyring.mounted and keyring.text: set one of them, and leave out the others"
            ),
        };
        Ok(StateSettings {
            directory,
            keyring,
            protocol: self.odoo.protocol.0,
        })
    }

    /// What Odoo's settings take for the sidecar's address.
    pub fn listen(&self) -> anyhow::Result<Listen> {
        let server = &self.server;
        let tls = match (&server.tls_certificate, &server.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (None, None) => None,
            _ => bail!("server.tls_certificate and server.tls_key go together: set both or neither"),
        };
        match (&server.socket, tls) {
            (Some(_), Some(_)) => {
                bail!("server.socket has no TLS: leave out server.tls_certificate and server.tls_key")
            }
            (Some(path), None) => Ok(Listen::Unix(path.clone())),
            (None, tls) => Ok(Listen::Tcp {
                host: server.host.clone(),
                port: server.port,
                tls,
            }),
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

impl From<RawEgress> for EgressPolicy {
    fn from(raw: RawEgress) -> Self {
        Self {
            allow_loopback: raw.allow_loopback,
            allow: raw.allow,
            deny: raw.deny,
        }
    }
}

impl Settings {
    pub fn validate(raw: RawSettings) -> anyhow::Result<Self> {
        let state = raw.state()?;
        let listen = raw.listen()?;
        let RawSettings {
            server,
            egress,
            probe,
            store,
            log,
            ..
        } = raw;
        let metrics_token = secret(
            "server.metrics_token",
            server.metrics_token,
            server.metrics_token_file,
        )?;
        if metrics_token
            .as_ref()
            .is_some_and(|token| token.expose_secret().len() < TOKEN_MIN)
        {
            bail!(
                "server.metrics_token is shorter than {TOKEN_MIN} characters: make one with `openssl rand -hex 32`"
            );
        }
        let requests_per_second = NonZeroU32::new(server.requests_per_second)
            .context("server.requests_per_second is 0; it may be 1 or more")?;
        if !(100..=60_000).contains(&probe.timeout_ms) {
            bail!("probe.timeout_ms is {}; it may be 100 to 60000", probe.timeout_ms);
        }
        for (key, number) in [
            ("concurrency", probe.concurrency),
            ("per_host", probe.per_host),
            ("per_agency", probe.per_agency),
        ] {
            if !(1..=10_000).contains(&number) {
                bail!("probe.{key} is {number}; it may be 1 to 10000");
            }
        }
        Ok(Self {
            server: ServerSettings {
                listen,
                metrics_token,
                requests_per_second,
            },
            state,
            egress: egress.into(),
            probe: Limits {
                timeout: Duration::from_millis(probe.timeout_ms),
                concurrency: Concurrency {
                    total: probe.concurrency,
                    per_host: probe.per_host,
                    per_agency: probe.per_agency,
                },
            },
            store: store.validate()?,
            log,
        })
    }
}

impl RawStore {
    fn validate(self) -> anyhow::Result<Option<StoreSettings>> {
        for (key, days, least) in [
            ("sample_days", self.sample_days, 2),
            ("rollup_days", self.rollup_days, 90),
        ] {
            if !(least..=3_650).contains(&days) {
                bail!("store.{key} is {days}; it may be {least} to 3650");
            }
        }
        let authority = self
            .ca_file
            .map(|path| {
                fs::read_to_string(&path).with_context(|| format!("read store.ca_file, {}", path.display()))
            })
            .transpose()?;
        let url = secret("store.url", self.url, self.url_file)?;
        if url.is_none() && authority.is_some() {
            bail!("store.ca_file is there and store.url is not: set both or neither");
        }
        Ok(url.map(|url| StoreSettings {
            url,
            authority,
            retention: Retention {
                sample_days: self.sample_days,
                rollup_days: self.rollup_days,
            },
        }))
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
fn secret(
    key: &str,
    direct: Option<SecretString>,
    file: Option<PathBuf>,
) -> anyhow::Result<Option<SecretString>> {
    match (direct, file) {
        (Some(_), Some(_)) => bail!("{key} and {key}_file are both set: leave one out"),
        (Some(secret), None) => Ok(Some(secret)),
        (None, Some(path)) => {
            let text = SecretString::from(
                fs::read_to_string(&path).with_context(|| format!("read {key}_file, {}", path.display()))?,
            );
            Ok(Some(SecretString::from(text.expose_secret().trim())))
        }
        (None, None) => Ok(None),
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
