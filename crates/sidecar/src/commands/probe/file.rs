//! `endpoints.toml`: the endpoints that somebody tests again and again.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use insightpulse_domain::{Connection, Endpoint, Kind, RawEndpoint, SignIn, TlsMode};
use secrecy::SecretString;
use serde::Deserialize;

use super::{Subject, password_variable, variable};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    endpoint: Vec<Entry>,
}

/// Either a URL, or the parts of one; what both say, the part wins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    url: Option<String>,
    kind: Option<Kind>,
    server: Option<String>,
    port: Option<u16>,
    database: Option<String>,
    user: Option<String>,
    tls_mode: Option<TlsMode>,
    web_url: Option<String>,
    pooler_host: Option<String>,
    /// In the file itself, as the formats json, yaml and toml have them.
    tls_authority: Option<String>,
    client_certificate: Option<String>,
    password: Option<SecretString>,
    api_key: Option<SecretString>,
    /// Relative to the file itself.
    tls_authority_file: Option<PathBuf>,
    client_certificate_file: Option<PathBuf>,
    client_key_file: Option<PathBuf>,
    #[serde(default)]
    is_replica: bool,
    sign_in: Option<SignIn>,
    key_header: Option<String>,
    expected_status: Option<String>,
    expected_path: Option<String>,
    expected_text: Option<String>,
    slow_ms: Option<u32>,
    certificate_days: Option<u32>,
    connections_percent: Option<u32>,
    replica_lag_s: Option<u32>,
    /// The name of the variable that has it.
    password_env: Option<String>,
    api_key_env: Option<String>,
}

/// Reads all, or says what is wrong with the first that is wrong.
pub fn read(text: &str, base: &Path) -> anyhow::Result<Vec<Subject>> {
    // What toml says shows the line, which may have a password in a URL.
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        anyhow!("line {line}: {}", error.message())
    })?;
    if file.endpoint.is_empty() {
        bail!("it has no [[endpoint]]");
    }
    let mut names = HashSet::new();
    let mut subjects = Vec::new();
    for (index, entry) in file.endpoint.into_iter().enumerate() {
        let what = match &entry.name {
            Some(name) => format!("endpoint “{name}”"),
            None => format!("endpoint {}", index + 1),
        };
        let subject = subject(entry, base).with_context(|| what.clone())?;
        if !names.insert(subject.raw.name.clone()) {
            bail!("{what}: another one has the name “{}” already", subject.raw.name);
        }
        subjects.push(subject);
    }
    Ok(subjects)
}

fn subject(entry: Entry, base: &Path) -> anyhow::Result<Subject> {
    let (mut raw, mut password, mut api_key) = match (&entry.url, entry.kind) {
        (Some(url), _) => {
            let connection = Connection::parse(url).context("its url cannot be read")?;
            (connection.raw, connection.password, connection.api_key)
        }
        (None, Some(kind)) => (RawEndpoint::new(kind), None, None),
        (None, None) => bail!("it has neither a url nor a kind"),
    };
    raw.kind = entry.kind.unwrap_or(raw.kind);
    raw.name = entry.name.or(entry.server.clone()).unwrap_or(raw.name);
    raw.base_url = entry.server.or(raw.base_url);
    raw.port = entry.port.map(i64::from).or(raw.port);
    raw.database_name = entry.database.or(raw.database_name);
    raw.username = entry.user.or(raw.username);
    raw.tls_mode = entry.tls_mode.or(raw.tls_mode);
    raw.web_url = entry.web_url.or(raw.web_url);
    raw.pooler_host = entry.pooler_host;
    raw.is_replica |= entry.is_replica;
    raw.sign_in = entry.sign_in.or(raw.sign_in);
    raw.key_header = entry.key_header;
    raw.expected_status = entry.expected_status;
    raw.expected_path = entry.expected_path;
    raw.expected_text = entry.expected_text;
    raw.thresholds.slow_ms = entry.slow_ms;
    raw.thresholds.certificate_days = entry.certificate_days;
    raw.thresholds.connections_percent = entry.connections_percent;
    raw.thresholds.replica_lag_s = entry.replica_lag_s;

    let of_file = |path: Option<PathBuf>| -> anyhow::Result<Option<String>> {
        path.map(|path| {
            let path = base.join(path);
            fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
        })
        .transpose()
    };
    raw.tls_authority = of_file(entry.tls_authority_file)?.or(entry.tls_authority);
    raw.client_certificate = of_file(entry.client_certificate_file)?.or(entry.client_certificate);
    let client_key = of_file(entry.client_key_file)?.map(SecretString::from);

    let named = |name: Option<String>| -> anyhow::Result<Option<SecretString>> {
        name.map(|name| variable(&name).ok_or_else(|| anyhow!("the variable {name} is not set")))
            .transpose()
    };
    password = named(entry.password_env)?.or(entry.password).or(password);
    password = password.or_else(|| variable(password_variable(raw.kind)));
    api_key = named(entry.api_key_env)?.or(entry.api_key).or(api_key);
    Ok(Subject {
        endpoint: Endpoint::parse(&raw)?,
        raw,
        password,
        api_key,
        client_key,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use insightpulse_render::{Format, Secrets, single};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let said = match read(text, Path::new(".")) {
            Ok(subjects) => {
                let lines = subjects.iter().map(|subject| {
                    let endpoint = &subject.endpoint;
                    format!(
                        "{} {} {}",
                        subject.raw.name,
                        endpoint.kind().as_str(),
                        endpoint.authority()
                    )
                });
                lines.collect::<Vec<_>>().join("\n")
            }
            Err(error) => format!("error: {error:#}"),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn what_the_format_toml_writes_can_be_read() {
        let mut raw = RawEndpoint::new(Kind::Postgresql);
        raw.name = "Books".into();
        raw.base_url = Some("db.example".into());
        raw.username = Some("reader".into());
        raw.tls_authority = Some("-----BEGIN CERTIFICATE-----\n".into());
        raw.thresholds.slow_ms = Some(7);
        let endpoint = Endpoint::parse(&raw).expect("an endpoint");
        let secrets = Secrets::Revealed {
            password: Some("p\"w".into()),
            api_key: None,
        };
        let document = single(Format::Toml, raw.record, &endpoint, &secrets).expect("a document");
        let subjects = read(&document.content, Path::new(".")).expect("a file that can be read");
        assert_eq!(subjects[0].endpoint, endpoint);
        let password = subjects[0].password.as_ref().expect("a password");
        assert_eq!(secrecy::ExposeSecret::expose_secret(password), "p\"w");
    }

    #[test]
    fn the_example_that_is_shown_can_be_read() {
        let example = include_str!("../../../../../data/endpoints.example.toml");
        let uncommented: String = example.replace("_env = ", "_env_left_out = ");
        assert!(
            uncommented.contains("password_env_left_out"),
            "the example shows it"
        );
        let without_variables: String = example
            .lines()
            .filter(|line| !line.contains("_env = ") && !line.contains("_file = "))
            .map(|line| format!("{line}\n"))
            .collect();
        check(
            &without_variables,
            expect![[r#"
            Books postgresql db.example.com:5432
            Books, replica postgresql replica.example.com:5432
            Supabase Production supabase db.abcdefghijklmnopqrst.supabase.co:5432
            Odoo odoo 10.0.0.5:5432
            Shop mysql mariadb.example.com:3306
            Superset superset bi.example.com:443
            Notion MCP mcp mcp.example.com:443
            Tax portal api api.example.com:443"#]],
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        check("", expect!["error: line 1: missing field `endpoint`"]);
        check("endpoint = []", expect!["error: it has no [[endpoint]]"]);
        check(
            "[[endpoint]]\nname = 'a'\n",
            expect!["error: endpoint “a”: it has neither a url nor a kind"],
        );
        check(
            "[[endpoint]]\nurl = 'postgresql://u:canary@db:99999/x'\n",
            expect!["error: endpoint 1: its url cannot be read: The port is none; ports are 1 to 65535."],
        );
        check(
            "[[endpoint]]\nname = 'a'\nurl = 'mysql://u:canary@db'\npasword = 'x'\n",
            expect![
                "error: line 4: unknown field `pasword`, expected one of `name`, `url`, `kind`, `server`, `port`, `database`, `user`, `tls_mode`, `web_url`, `pooler_host`, `tls_authority`, `client_certificate`, `password`, `api_key`, `tls_authority_file`, `client_certificate_file`, `client_key_file`, `is_replica`, `sign_in`, `key_header`, `expected_status`, `expected_path`, `expected_text`, `slow_ms`, `certificate_days`, `connections_percent`, `replica_lag_s`, `password_env`, `api_key_env`"
            ],
        );
        check(
            "[[endpoint]]\nurl = 'postgresql://u:canary@db/x' oops\n",
            expect!["error: line 2: unexpected key or value, expected newline, `#`"],
        );
        check(
            "[[endpoint]]\nname = 'a'\nkind = 'postgresql'\nserver = 'db'\n",
            expect!["error: endpoint “a”: The user name is missing."],
        );
        check(
            "[[endpoint]]\nname = 'a'\nurl = 'https://a'\n[[endpoint]]\nname = 'a'\nurl = 'https://b'\n",
            expect!["error: endpoint “a”: another one has the name “a” already"],
        );
        check(
            "[[endpoint]]\nname = 'a'\nurl = 'https://a'\napi_key_env = 'NO_SUCH_VARIABLE'\n",
            expect!["error: endpoint “a”: the variable NO_SUCH_VARIABLE is not set"],
        );
        check(
            "[[endpoint]]\nname = 'a'\nurl = 'https://a'\ntls_authority_file = 'no/such.pem'\n",
            expect!["error: endpoint “a”: read ./no/such.pem: No such file or directory (os error 2)"],
        );
    }
}
