//! `insightpulse pair`: a one-time code for Odoo's settings, and who is paired.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::keyring_source;
use crate::pairing_code::{LIFETIME, PairingCode};
use crate::pairings::{Pairing, Pairings};
use crate::settings::{Listen, RawSettings};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Pair {
    #[command(subcommand)]
    command: Option<Command>,

    /// Lets the new database take over the sealed secrets of this one, for a day
    #[arg(long, value_name = "DATABASE_UUID")]
    carry_over_from: Option<Uuid>,

    /// Prints the code alone
    #[arg(long)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the databases that are paired
    List,
    /// Unpairs a database, given by its name or its uuid; its token is dead at once, with other sidecars within a second
    Remove { database: String },
}

pub fn run(pair: Pair, settings: RawSettings) -> anyhow::Result<()> {
    let state = settings.state()?;
    let pairings = Pairings::new(&state.directory);
    match pair.command {
        Some(Command::List) => list(&pairings.read()?),
        Some(Command::Remove { database }) => remove(&pairings, &database),
        None => {
            // Without keys the pairing would fail in Odoo, where nobody can make them.
            keyring_source::read(&state.keyring)?;
            let code = PairingCode::new(&state.directory).issue(pair.carry_over_from, Timestamp::now())?;
            if pair.quiet {
                println!("{}", code.expose_secret());
                return Ok(());
            }
            println!("Pairing code: {}", code.expose_secret());
            println!(
                "It pairs one database within {} minutes. In Odoo, open Settings → InsightPulse → Pair with a sidecar,",
                LIFETIME.as_secs() / 60
            );
            println!(
                "and enter the code and the address by which Odoo reaches the sidecar{}.",
                address(&settings)
            );
            Ok(())
        }
    }
}

/// The address, where it can be known.
fn address(settings: &RawSettings) -> String {
    match settings.listen() {
        Ok(Listen::Unix(path)) => format!(", unix://{}", path.display()),
        Ok(Listen::Tcp { host, port, tls }) => {
            let scheme = if tls.is_some() { "https" } else { "http" };
            format!(", such as {scheme}://{host}:{port}")
        }
        Err(_) => String::new(),
    }
}

fn list(pairings: &[Pairing]) -> anyhow::Result<()> {
    if pairings.is_empty() {
        println!("No database is paired: run `insightpulse pair` for a code.");
    }
    for pairing in pairings {
        let expires = match pairing.api_key_expires_at {
            Some(at) => format!("{at:.0}"),
            None => "never".into(),
        };
        println!(
            "{}  {}  {}  paired {:.0}, API key until {expires}",
            pairing.database, pairing.database_name, pairing.odoo_url, pairing.paired_at
        );
    }
    Ok(())
}

fn remove(pairings: &Pairings, name: &str) -> anyhow::Result<()> {
    let known = pairings.read()?;
    let database = pick(&known, name)?.database;
    pairings.remove(database).context("unpair")?;
    println!(
        "Unpaired {name}. In its Odoo, press Settings → InsightPulse → Unpair, which removes the API key."
    );
    Ok(())
}

/// The one pairing that a name or a uuid means.
pub fn pick<'a>(pairings: &'a [Pairing], name: &str) -> anyhow::Result<&'a Pairing> {
    let uuid = name.parse::<Uuid>().ok();
    let mut found = pairings
        .iter()
        .filter(|pairing| Some(pairing.database) == uuid || pairing.database_name == name);
    match (found.next(), found.next()) {
        (Some(pairing), None) => Ok(pairing),
        (None, _) => bail!("no database “{name}” is paired: see `insightpulse pair list`"),
        (Some(_), Some(_)) => {
            bail!("several databases are called “{name}”: give the uuid, see `insightpulse pair list`")
        }
    }
}
