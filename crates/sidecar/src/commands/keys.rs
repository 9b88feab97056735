//! `insightpulse keys`: the keyring's file.

use anyhow::Context;
use clap::Subcommand;
use insightpulse_vault::Keyring;

use crate::keyring_file;
use crate::settings::RawSettings;

#[derive(Subcommand)]
pub enum Command {
    /// Makes the keyring, or adds a key that seals from now on
    Add,
}

pub fn run(command: Command, settings: RawSettings) -> anyhow::Result<()> {
    let path = settings.keyring_file()?;
    match command {
        Command::Add => {
            let (keyring, what) = if path.exists() {
                let mut keyring = keyring_file::read(&path)?;
                keyring.rotate(None).context("make a key")?;
                (keyring, "Added")
            } else {
                (
                    Keyring::generate().context("make a key")?,
                    "Made the keyring with",
                )
            };
            keyring_file::write(&path, &keyring)?;
            println!(
                "{what} the key {}, which seals from now on: {}",
                keyring.primary(),
                path.display()
            );
            println!("Keep a copy of this file in a safe place, apart from Odoo's database.");
            Ok(())
        }
    }
}
