//! `insightpulse render`: a configuration of what Odoo holds, for a terminal or a file.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

use anyhow::{Context, bail};
use clap::Args;

use super::odoo::{LOGIN, Selection};
use crate::private_file;
use crate::settings::RawSettings;

/// Prints a configuration of the connections in Odoo
///
/// Exit code: 0 when it was written, 1 when Odoo refuses, 2 when something cannot be read.
#[derive(Args)]
#[command(after_help = LOGIN)]
pub struct Render {
    /// uri, env, compose, k8s-secret, json, …; Odoo lists them for one that there is not
    #[arg(long, short, value_name = "FORMAT")]
    format: String,

    #[command(flatten)]
    selection: Selection,

    /// With the secrets, not placeholders; for Connection Administrators, and in the audit log
    #[arg(long)]
    reveal: bool,

    /// Writes a file that nobody else may read
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replaces the file if there is one
    #[arg(long, requires = "output")]
    force: bool,
}

pub async fn run(options: Render, settings: RawSettings) -> anyhow::Result<ExitCode> {
    let client = match options.selection.client(settings).and_then(|client| {
        options.check_output()?;
        Ok(client)
    }) {
        Ok(client) => client,
        Err(error) => return Ok(super::bad_input(&error)),
    };
    let document = options
        .selection
        .render(&client, &options.format, options.reveal)
        .await?;
    match &options.output {
        Some(path) => private_file::write(path, document.content.as_bytes())?,
        None => {
            let mut out = io::stdout().lock();
            out.write_all(document.content.as_bytes())
                .context("write the document")?;
            // A value that ends without a line break would stick to the prompt.
            if !document.content.ends_with('\n') {
                writeln!(out).context("write the document")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Render {
    /// Before a secret is asked for that has no place then.
    fn check_output(&self) -> anyhow::Result<()> {
        match &self.output {
            Some(path) if !self.force && fs::symlink_metadata(path).is_ok() => {
                bail!("{} is there already: say --force to replace it", path.display())
            }
            _ => Ok(()),
        }
    }
}
