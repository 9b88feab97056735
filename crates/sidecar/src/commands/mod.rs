//! The verbs: one file each.

mod keys;
mod pair;
mod probe;
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
}

impl Cli {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        // Another part of the process, a test, may have chosen already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let settings = match RawSettings::read(self.config.as_deref()) {
            Err(error) if matches!(self.command, Command::Probe(_)) => return Ok(probe::bad_input(&error)),
            settings => settings?,
        };
        match self.command {
            Command::Serve => serve::run(settings).await?,
            Command::Keys(command) => keys::run(command, settings).await?,
            Command::Pair(pair) => pair::run(pair, settings)?,
            Command::Probe(options) => return probe::run(options, settings).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
