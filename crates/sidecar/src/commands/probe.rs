//! `insightpulse probe`: tests endpoints for people without Odoo.

mod file;
mod report;

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io};

use anyhow::{Context, bail};
use clap::{ArgAction, Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use insightpulse_domain::{Connection, Endpoint, Family, Kind, Outcome, RawEndpoint, Status};
use insightpulse_probe::{Egress, Target, probe};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use self::report::Reporter;
use crate::settings::RawSettings;

/// Tests endpoints, given as URLs or in a file
///
/// Exit code: 0 when all are healthy, 1 when one is not, 2 when something cannot be read.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Probe {
    /// postgresql://user@host/db, mysql://…, mongodb://…, https://…, mcp+https://…, superset+https://…, supabase://…, odoo://…
    #[arg(value_name = "URL", required_unless_present = "file")]
    urls: Vec<String>,

    /// A TOML file of endpoints; data/endpoints.example.toml shows its format
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,

    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,

    /// Tests again every so many seconds (5), until it is stopped
    #[arg(long, short, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", require_equals = true)]
    watch: Option<f64>,

    /// How long one test may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,

    /// How many tests run at once
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    concurrency: usize,

    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,

    /// Reads the password of the one endpoint from standard input
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "api_key_stdin")]
    password_stdin: bool,

    /// Reads the key of the one endpoint from standard input
    #[arg(long, action = ArgAction::SetTrue)]
    api_key_stdin: bool,
}

const HELP: &str = "\
A password or key that is not in its URL comes from a variable: PGPASSWORD for PostgreSQL, \
Supabase and Odoo, MYSQL_PWD for MySQL, PROBE_PASSWORD for any other, PROBE_API_KEY for a key. \
In a file, an endpoint names its own variables.";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// What is tested: an endpoint as it was written, and its secrets.
#[derive(Clone)]
struct Subject {
    raw: RawEndpoint,
    endpoint: Endpoint,
    password: Option<SecretString>,
    api_key: Option<SecretString>,
    client_key: Option<SecretString>,
}

/// Sooner than a person would want a bar.
const PROGRESS_AFTER: Duration = Duration::from_millis(700);

pub async fn run(options: Probe, settings: RawSettings) -> anyhow::Result<ExitCode> {
    let prepared = prepare(&options, settings);
    let (subjects, net) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Ok(super::bad_input(&error)),
    };
    let net = Arc::new(net);
    let reporter = Reporter::new(
        options.output == Output::Json,
        options.watch.is_some(),
        has_colors(options.color),
    );
    loop {
        let begun = Instant::now();
        let outcomes = test(&subjects, &net, &options).await;
        match reporter.show(&subjects, &outcomes) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(verdict(&outcomes)),
            shown => shown.context("write the results")?,
        }
        let Some(pause) = options.watch else {
            return Ok(verdict(&outcomes));
        };
        tokio::select! {
            () = tokio::time::sleep_until(begun + Duration::from_secs_f64(pause)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(verdict(&outcomes)),
        }
    }
}

fn verdict(outcomes: &[Outcome]) -> ExitCode {
    match outcomes.iter().all(|outcome| outcome.status == Status::Success) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn prepare(options: &Probe, settings: RawSettings) -> anyhow::Result<(Vec<Subject>, Egress)> {
    if !(0.05..=600.0).contains(&options.timeout) {
        bail!("--timeout is 0.05 to 600 seconds");
    }
    if options
        .watch
        .is_some_and(|pause| !(0.1..=86_400.0).contains(&pause))
    {
        bail!("--watch is 0.1 to 86400 seconds");
    }
    if options.concurrency == 0 {
        bail!("--concurrency is 1 or more");
    }
    let mut subjects = Vec::new();
    for (index, url) in options.urls.iter().enumerate() {
        // The URL itself is not repeated: it may have a password in it.
        let number = index + 1;
        subjects.push(of_url(url).with_context(|| format!("URL {number} cannot be read"))?);
    }
    if let Some(path) = &options.file {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let base = path.parent().unwrap_or_else(|| ".".as_ref());
        subjects.extend(file::read(&text, base).with_context(|| path.display().to_string())?);
    }
    if options.password_stdin || options.api_key_stdin {
        let [subject] = subjects.as_mut_slice() else {
            bail!(
                "a secret from standard input is for one endpoint, and there are {}",
                subjects.len()
            );
        };
        let secret = Some(read_secret()?);
        match options.password_stdin {
            true => subject.password = secret,
            false => subject.api_key = secret,
        }
    }
    // Whoever types this can connect to the machine itself in any other way.
    let mut egress = settings.egress();
    egress.allow_loopback = true;
    Ok((subjects, Egress::new(egress)?))
}

fn of_url(url: &str) -> anyhow::Result<Subject> {
    let Connection {
        raw,
        password,
        api_key,
    } = Connection::parse(url)?;
    let (password_name, api_key_name) = (password_variable(raw.kind), "PROBE_API_KEY");
    Ok(Subject {
        endpoint: Endpoint::parse(&raw)?,
        password: password.or_else(|| variable(password_name)),
        api_key: api_key.or_else(|| variable(api_key_name)),
        client_key: None,
        raw,
    })
}

fn password_variable(kind: Kind) -> &'static str {
    match kind.family() {
        Family::Postgresql { .. } => "PGPASSWORD",
        Family::Mysql { .. } => "MYSQL_PWD",
        Family::Mongodb { .. } | Family::Http { .. } => "PROBE_PASSWORD",
    }
}

fn variable(name: &str) -> Option<SecretString> {
    env::var(name)
        .ok()
        .filter(|text| !text.is_empty())
        .map(Into::into)
}

/// A line, less its end.
fn read_secret() -> anyhow::Result<SecretString> {
    let mut text = zeroize::Zeroizing::new(String::new());
    io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .context("read standard input")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        bail!("standard input is empty, and should have the secret");
    }
    Ok(line.into())
}

/// Tests all, so many at once, and returns what came of them in their order.
async fn test(subjects: &[Subject], net: &Arc<Egress>, options: &Probe) -> Vec<Outcome> {
    let turns = Arc::new(Semaphore::new(options.concurrency));
    let timeout = Duration::from_secs_f64(options.timeout);
    let mut tests = JoinSet::new();
    for (index, subject) in subjects.iter().cloned().enumerate() {
        let (turns, net) = (Arc::clone(&turns), Arc::clone(net));
        tests.spawn(async move {
            let _turn = turns.acquire_owned().await;
            (index, test_one(subject, &net, timeout).await)
        });
    }
    let bar = progress(subjects.len());
    let mut outcomes: Vec<Option<Outcome>> = vec![None; subjects.len()];
    let begun = Instant::now();
    while let Some(tested) = tests.join_next().await {
        let (index, outcome) = tested.expect("a probe does not panic, and nobody ends it");
        outcomes[index] = Some(outcome);
        bar.inc(1);
        if begun.elapsed() > PROGRESS_AFTER {
            bar.tick();
        }
    }
    bar.finish_and_clear();
    outcomes.into_iter().flatten().collect()
}

async fn test_one(subject: Subject, net: &Egress, timeout: Duration) -> Outcome {
    let Subject {
        raw,
        endpoint,
        password,
        api_key,
        client_key,
    } = subject;
    let target = Target {
        endpoint,
        password,
        api_key,
        client_key,
    };
    let probed = probe(&target, net, Instant::now() + timeout).await;
    Outcome::new(
        (raw.id, raw.record, raw.revision),
        Uuid::now_v7(),
        probed.found,
        probed.phases,
        &target.endpoint.thresholds,
        Timestamp::now(),
    )
}

/// On standard error, and only for people who look at it.
fn progress(count: usize) -> ProgressBar {
    if count < 2 || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} tested")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style)
}

/// <https://no-color.org>
fn has_colors(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|text| text.is_empty())
        }
    }
}
