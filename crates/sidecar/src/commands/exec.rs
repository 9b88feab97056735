//! `insightpulse exec`: runs a command with the connections in its environment, and nowhere else.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use clap::Args;

use super::odoo::{LOGIN, Selection};
use crate::settings::RawSettings;

/// Runs a command with the variables of the format env in its environment
///
/// This process becomes the command: signals and the exit code are its own. Before that, the exit code is 1 when Odoo
/// refuses, 2 when something cannot be read, 126 when the command cannot be run, and 127 when there is none.
#[derive(Args)]
#[command(after_help = LOGIN)]
pub struct Exec {
    #[command(flatten)]
    selection: Selection,

    /// The command and its arguments, after --
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The variables that this program reads, its key among them: the command has no use for them.
const OWN: &str = "INSIGHTPULSE_";

pub async fn run(options: Exec, settings: RawSettings) -> anyhow::Result<ExitCode> {
    let client = match options.selection.client(settings) {
        Ok(client) => client,
        Err(error) => return Ok(super::bad_input(&error)),
    };
    let document = options.selection.render(&client, "env-json", true).await?;
    let variables = read(&document.content)?;
    let written = variables.keys().filter(|name| name.ends_with("_URL")).count();
    if written < document.count {
        eprintln!(
            "insightpulse: {} of {} connections are not in the environment: they are not complete yet",
            document.count - written,
            document.count
        );
    }
    let [program, arguments @ ..] = options.command.as_slice() else {
        bail!("there is no command")
    };
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with(OWN) {
            command.env_remove(name);
        }
    }
    command.envs(variables);
    // Comes back only if it failed.
    let error = command.exec();
    eprintln!("insightpulse: {}: {error}", program.to_string_lossy());
    Ok(ExitCode::from(match error.kind() {
        ErrorKind::NotFound => 127,
        _ => 126,
    }))
}

/// Names and values, if all of them can be in an environment.
fn read(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    // What serde says of a text shows none of it.
    let variables: BTreeMap<String, String> = serde_json::from_str(text)
        .ok()
        .context("Odoo's answer has no variables: update the addon and this program together")?;
    for (name, value) in &variables {
        let is_name = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            bail!("Odoo's answer has a variable whose name is none");
        }
        if value.contains('\0') {
            bail!("{name} has a NUL character in it, which no environment can carry");
        }
    }
    Ok(variables)
}
