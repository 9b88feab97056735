//! The command line: telemetry, configuration, one verb.

use std::process::ExitCode;

use clap::Parser;
use insightpulse_sidecar::commands::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("insightpulse: {error:#}");
            ExitCode::FAILURE
        }
    }
}
