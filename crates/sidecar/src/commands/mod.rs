//! The verbs: one file each.

mod exec;
mod keys;
mod odoo;
mod pair;
mod probe;
mod render;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::settings::RawSettings;

/// Probes connections, seals their secrets, and tells Odoo how they are.
#[derive(Parser)]
#[command(name = "insightpulse", version)]
pub struct Cli {
    /// A TOML file; environment variables INSIGHTPULSE_… go before it.
    #[arg(long, global = true, env = "INSIGHTPULSE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answers Odoo, probes, and writes results back, until it is stopped
    Serve,
    /// The keys that seal secrets
    #[command(subcommand)]
    Keys(keys::Command),
    /// Prints a one-time code that pairs an Odoo database, within minutes
    Pair(pair::Pair),
    Probe(probe::Probe),
    Render(render::Render),
    Exec(exec::Exec),
}

impl Command {
    /// Whether programs ask it, and have to tell bad input from a bad answer.
    fn has_exit_codes(&self) -> bool {
        matches!(self, Command::Probe(_) | Command::Render(_) | Command::Exec(_))
    }
}

/// One line on standard error, and 2.
fn bad_input(error: &anyhow::Error) -> ExitCode {
    eprintln!("insightpulse: {error:#}");
    ExitCode::from(2)
}

impl Cli {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        // Another part of the process, a test, may have chosen already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let settings = match RawSettings::read(self.config.as_deref()) {
            Err(error) if self.command.has_exit_codes() => return Ok(bad_input(&error)),
            settings => settings?,
        };
        match self.command {
            Command::Serve => serve::run(settings).await?,
            Command::Keys(command) => keys::run(command, settings).await?,
            Command::Pair(pair) => pair::run(pair, settings)?,
            Command::Probe(options) => return probe::run(options, settings).await,
            Command::Render(options) => return render::run(options, settings).await,
            Command::Exec(options) => return exec::run(options, settings).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
