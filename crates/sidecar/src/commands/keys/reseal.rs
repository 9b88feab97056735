//! `insightpulse keys reseal`: walks all records, and can be stopped at any point.

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use insightpulse_domain::RawEndpoint;
use insightpulse_odoo_rpc::Protocol;
use insightpulse_vault::{Binding, Field, Keyring, SealedToken};
use uuid::Uuid;

use crate::keyring_source;
use crate::odoo::{Odoo, Resealed};
use crate::pairings::{Pairing, Pairings};
use crate::settings::StateSettings;

/// What happened in one database.
#[derive(Default)]
struct Done {
    resealed: u64,
    /// Secrets that somebody set or cleared while they were being resealed.
    changed_meanwhile: u64,
    /// Records with a secret that does not open: they are left as they are.
    unopened: Vec<String>,
}

/// What is sealed by the primary key already is not looked at: a run that was
/// interrupted is resumed by running it again.
pub async fn run(state: &StateSettings, batch: usize) -> anyhow::Result<()> {
    let keyring = keyring_source::read(&state.keyring)?;
    let pairings = Pairings::new(&state.directory);
    reseal_api_keys(&pairings, &keyring)?;
    let mut failures = Vec::new();
    for pairing in pairings.read()? {
        let name = pairing.database_name.clone();
        match database(&pairing, &keyring, state.protocol, batch).await {
            Ok(done) => {
                println!(
                    "{name}: {} secrets are sealed with {} now",
                    done.resealed,
                    keyring.primary()
                );
                if done.changed_meanwhile > 0 {
                    println!(
                        "{name}: {} were changed meanwhile and left alone",
                        done.changed_meanwhile
                    );
                }
                if !done.unopened.is_empty() {
                    failures.push(format!(
                        "{name}: the secrets of these do not open and were left as they are; type them again in \
                         Odoo: {}",
                        shortened(&done.unopened)
                    ));
                }
            }
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("; "));
    }
    Ok(())
}

async fn database(
    pairing: &Pairing,
    keyring: &Keyring,
    protocol: Protocol,
    batch: usize,
) -> anyhow::Result<Done> {
    let odoo = Odoo::new(pairing.client(keyring, protocol)?);
    let primary = keyring.primary().as_str();
    let counts = odoo.count_sealed_secrets().await?;
    let total = counts
        .iter()
        .filter(|(key, _)| *key != primary)
        .map(|(_, number)| number)
        .sum();
    let progress = Progress::new(&pairing.database_name, total);
    let mut done = Done::default();
    let mut after = 0;
    loop {
        let endpoints = odoo.sealed_secrets(after, batch, primary).await?;
        let Some(last) = endpoints.last() else { break };
        if last.id <= after {
            bail!("Odoo answers with records that were there already");
        }
        after = last.id;
        let mut items = Vec::new();
        for endpoint in &endpoints {
            items.extend(resealed(keyring, pairing.database, endpoint, &mut done));
        }
        if !items.is_empty() {
            let receipt = odoo.apply_resealed(&items).await?;
            done.resealed += receipt.changed;
            done.changed_meanwhile += receipt.skipped;
        }
        progress.at(done.resealed);
    }
    progress.finish();
    Ok(done)
}

/// The new tokens of one endpoint.
fn resealed(keyring: &Keyring, database: Uuid, endpoint: &RawEndpoint, done: &mut Done) -> Vec<Resealed> {
    let stored = [
        (Field::Password, &endpoint.password),
        (Field::ApiKey, &endpoint.api_key),
        (Field::ClientKey, &endpoint.client_key),
    ];
    let mut items = Vec::new();
    for (field, token) in stored {
        let Some(old) = token else { continue };
        match reseal(keyring, &Binding::of(database, endpoint, field), old) {
            Ok(Some(new)) => items.push(Resealed {
                id: endpoint.id,
                field,
                old: old.clone(),
                new,
            }),
            Ok(None) => {}
            Err(_) => done
                .unopened
                .push(format!("{} (id {})", endpoint.name, endpoint.id)),
        }
    }
    items
}

/// `None` when the primary key has sealed it already.
fn reseal(keyring: &Keyring, binding: &Binding, old: &str) -> anyhow::Result<Option<String>> {
    let token: SealedToken = old.parse()?;
    if token.key() == keyring.primary() {
        return Ok(None);
    }
    let secret = keyring.open(&token, binding)?;
    Ok(Some(keyring.seal(&secret, binding)?.to_string()))
}

/// The pairings' own secrets, which lie beside the keyring.
fn reseal_api_keys(pairings: &Pairings, keyring: &Keyring) -> anyhow::Result<()> {
    let resealed = pairings.update(|pairings| {
        for pairing in pairings {
            let is_old = pairing
                .sealed_api_key()
                .is_ok_and(|token| token.key() != keyring.primary());
            if is_old {
                let api_key = pairing.open_api_key(keyring)?;
                pairing.seal_api_key(keyring, &api_key)?;
            }
        }
        anyhow::Ok(())
    })?;
    resealed.context("seal the API keys of pairings")
}

fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// A bar where somebody looks, and lines where a log is written.
struct Progress {
    bar: ProgressBar,
    name: String,
}

impl Progress {
    fn new(name: &str, total: u64) -> Self {
        let style = ProgressStyle::with_template("{prefix} [{bar:40}] {pos} of {len} secrets, {eta} left");
        let bar = ProgressBar::new(total).with_prefix(name.to_owned());
        Self {
            bar: match style {
                Ok(style) => bar.with_style(style.progress_chars("=> ")),
                Err(_) => bar,
            },
            name: name.to_owned(),
        }
    }

    fn at(&self, resealed: u64) {
        self.bar.set_position(resealed);
        if self.bar.is_hidden() {
            eprintln!(
                "{}: {resealed} of {} secrets",
                self.name,
                self.bar.length().unwrap_or_default()
            );
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
