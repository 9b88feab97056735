//! Where the keys come from, and who else may read them there.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use insightpulse_vault::Keyring;
use secrecy::{ExposeSecret, SecretString};

use crate::private_file;
use crate::reloading::Reloading;
use crate::settings::KeyringSettings;

/// The keyring of a running service, as it is now.
pub struct LiveKeyring(Source);

enum Source {
    File(Reloading<Keyring>),
    Text(Arc<Keyring>),
}

impl LiveKeyring {
    pub fn new(settings: &KeyringSettings) -> anyhow::Result<Self> {
        let source = match settings {
            KeyringSettings::File(path) | KeyringSettings::Mounted(path) => {
                let (settings, paths) = (settings.clone(), vec![path.clone()]);
                Source::File(Reloading::new("the keyring", paths, move || read(&settings))?)
            }
            KeyringSettings::Text(_) => Source::Text(Arc::new(read(settings)?)),
        };
        Ok(Self(source))
    }

    pub fn get(&self) -> Arc<Keyring> {
        match &self.0 {
            Source::File(reloading) => reloading.get(),
            Source::Text(keyring) => Arc::clone(keyring),
        }
    }
}

pub fn read(settings: &KeyringSettings) -> anyhow::Result<Keyring> {
    match settings {
        KeyringSettings::File(path) => {
            let text = read_text(path)?;
            let shown = path.display();
            if mode(path)? & 0o077 != 0 {
                bail!(
                    "others may read the keyring {shown}: run `chmod 600 {shown}`, and think of its keys as known"
                );
            }
            Keyring::parse(&text).with_context(|| format!("read the keyring {shown}"))
        }
        // The platform decides who sees its mounts; who could write there would choose our keys.
        KeyringSettings::Mounted(path) => {
            let text = read_text(path)?;
            let shown = path.display();
            if mode(path)? & 0o022 != 0 {
                bail!("others may write the mounted keyring {shown}: mount it read-only");
            }
            Keyring::parse(&text).with_context(|| format!("read the keyring {shown}"))
        }
        KeyringSettings::Text(text) => Keyring::parse(text).context("read keyring.text"),
    }
}

/// Changes the keyring's file, or makes it: `change` gets what is there.
///
/// Two commands at once wait for each other.
pub fn update<T>(
    settings: &KeyringSettings,
    change: impl FnOnce(Option<Keyring>) -> anyhow::Result<(Keyring, T)>,
) -> anyhow::Result<T> {
    let KeyringSettings::File(path) = settings else {
        bail!(
            "the keyring comes from {}, which this command cannot write: change it on a copy in a file \
             (keyring.file), and put that in its place",
            settings.origin()
        )
    };
    let _lock = lock(path)?;
    let keyring = match path.exists() {
        true => Some(read(settings)?),
        false => None,
    };
    let (keyring, answer) = change(keyring)?;
    private_file::write(path, keyring.to_text().expose_secret().as_bytes())?;
    Ok(answer)
}

/// Held until it is dropped, or the process ends.
fn lock(path: &Path) -> anyhow::Result<File> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    private_file::make_directory(directory)?;
    private_file::lock(directory)
}

impl KeyringSettings {
    /// What to call it in a message.
    pub fn origin(&self) -> String {
        match self {
            KeyringSettings::File(path) => path.display().to_string(),
            KeyringSettings::Mounted(path) => format!("the mounted secret {}", path.display()),
            KeyringSettings::Text(_) => "the variable INSIGHTPULSE_KEYRING__TEXT".into(),
        }
    }
}

fn read_text(path: &Path) -> anyhow::Result<SecretString> {
    let shown = path.display();
    match fs::read_to_string(path) {
        Ok(text) => Ok(SecretString::from(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("there is no keyring at {shown}: make one with `insightpulse keys add`")
        }
        Err(error) => Err(error).with_context(|| format!("read the keyring {shown}")),
    }
}

fn mode(path: &Path) -> anyhow::Result<u32> {
    private_file::mode(path).with_context(|| format!("look at the keyring {}", path.display()))
}
