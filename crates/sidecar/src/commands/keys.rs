//! `insightpulse keys`: which keys there are, and a new one in an old one's place.

mod reseal;
mod usage;

use anyhow::{Context, bail};
use clap::Subcommand;
use insightpulse_vault::{KeyId, Keyring, KeyringError};

use crate::keyring_source;
use crate::pairings::Pairings;
use crate::settings::{KeyringSettings, RawSettings, StateSettings};
use usage::Usage;

#[derive(Subcommand)]
pub enum Command {
    /// Lists the keys, and how many secrets each has sealed
    List,
    /// Makes the keyring, or adds a key that opens and does not seal yet
    Add,
    /// Makes a key the primary, which seals from now on: the one given, or a new one
    Rotate { key: Option<KeyId> },
    /// Seals everything with the primary key that another key has sealed
    Reseal {
        /// How many records travel at once
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
        batch: u16,
    },
    /// Forgets a key that nothing uses any more
    Retire { key: KeyId },
}

pub async fn run(command: Command, settings: RawSettings) -> anyhow::Result<()> {
    let state = settings.state()?;
    match command {
        Command::List => list(&state).await,
        Command::Add => add(&state.keyring),
        Command::Rotate { key } => rotate(&state.keyring, key.as_ref()),
        Command::Reseal { batch } => reseal::run(&state, usize::from(batch)).await,
        Command::Retire { key } => retire(&state, &key).await,
    }
}

async fn list(state: &StateSettings) -> anyhow::Result<()> {
    let keyring = keyring_source::read(&state.keyring)?;
    let usage = Usage::ask(&Pairings::new(&state.directory), &keyring, state.protocol).await?;
    for id in keyring.ids() {
        let role = if id == keyring.primary() {
            "seals and opens"
        } else {
            "opens"
        };
        println!("{id}  {role:<15}  {}", usage.of(id));
    }
    for id in usage.strangers(&keyring) {
        println!("{id}  not here        {}", usage.of(&id));
    }
    usage.complain();
    Ok(())
}

fn add(settings: &KeyringSettings) -> anyhow::Result<()> {
    let line = keyring_source::update(settings, |keyring| match keyring {
        Some(mut keyring) => {
            let id = keyring.add().context("make a key")?;
            let line = format!(
                "Added the key {id}. It opens; once every sidecar has it, `insightpulse keys rotate {id}` lets it seal."
            );
            Ok((keyring, line))
        }
        None => {
            let keyring = Keyring::generate().context("make a key")?;
            let line = format!(
                "Made the keyring with the key {}, which seals and opens.",
                keyring.primary()
            );
            Ok((keyring, line))
        }
    })?;
    println!("{line}");
    remind(settings);
    Ok(())
}

fn rotate(settings: &KeyringSettings, to: Option<&KeyId>) -> anyhow::Result<()> {
    let (before, primary) = keyring_source::update(settings, |keyring| {
        let mut keyring = keyring.with_context(|| {
            format!(
                "there is no keyring at {}: make one with `insightpulse keys add`",
                settings.origin()
            )
        })?;
        let before = keyring.primary().clone();
        let primary = keyring.rotate(to)?.clone();
        Ok((keyring, (before, primary)))
    })?;
    if before == primary {
        println!("{primary} is the primary key already.");
        return Ok(());
    }
    println!("{primary} seals from now on; {before} goes on opening. A running sidecar follows by itself.");
    println!("Next: `insightpulse keys reseal`, then `insightpulse keys retire {before}`.");
    remind(settings);
    Ok(())
}

async fn retire(state: &StateSettings, key: &KeyId) -> anyhow::Result<()> {
    let keyring = keyring_source::read(&state.keyring)?;
    if key == keyring.primary() {
        return Err(KeyringError::Primary(key.clone()).into());
    }
    if !keyring.ids().any(|id| id == key) {
        return Err(KeyringError::Unknown(key.clone()).into());
    }
    let usage = Usage::ask(&Pairings::new(&state.directory), &keyring, state.protocol).await?;
    if let Some(reason) = usage.why_not_retire(key) {
        bail!("{key} is not retired: {reason}");
    }
    keyring_source::update(&state.keyring, |keyring| {
        let mut keyring = keyring.context("the keyring is gone")?;
        keyring.remove(key)?;
        Ok((keyring, ()))
    })?;
    println!("Retired {key}: nothing that is paired uses it.");
    println!("Backups of Odoo from before need it still: keep a copy of the keyring with them.");
    Ok(())
}

fn remind(settings: &KeyringSettings) {
    println!(
        "Keep a copy of {} in a safe place, apart from Odoo's database.",
        settings.origin()
    );
}
