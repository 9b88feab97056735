//! The keyring's file: for its owner alone, or refused.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};
use insightpulse_vault::Keyring;
use secrecy::{ExposeSecret, SecretString};

use crate::private_file;

pub fn read(path: &Path) -> anyhow::Result<Keyring> {
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("there is no keyring at {shown}: make one with `insightpulse keys add`")
        }
        Err(error) => return Err(error).with_context(|| format!("read the keyring {shown}")),
    };
    if private_file::is_open_to_others(path).with_context(|| format!("look at the keyring {shown}"))? {
        bail!("others may read the keyring {shown}: run `chmod 600 {shown}`, and think of its keys as known");
    }
    Keyring::parse(&text).with_context(|| format!("read the keyring {shown}"))
}

pub fn write(path: &Path, keyring: &Keyring) -> anyhow::Result<()> {
    private_file::write(path, keyring.to_text().expose_secret().as_bytes())
}
