//! For `make bench`: seals and opens each line of standard input, and prints how many seconds each pass took.

use std::io::{BufRead, stdin};
use std::time::{Duration, Instant};

use insightpulse_domain::{Kind, RawEndpoint};
use insightpulse_vault::{Binding, Field, Keyring, SealedToken};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

fn main() -> anyhow::Result<()> {
    let secrets: Vec<SecretString> = stdin()
        .lock()
        .lines()
        .map(|line| line.map(SecretString::from))
        .collect::<Result<_, _>>()?;
    let (keyring, binding) = (Keyring::generate()?, binding());
    // The first pass warms up.
    pass(&keyring, &binding, &secrets)?;
    let (sealing, opening) = pass(&keyring, &binding, &secrets)?;
    println!("{} {}", sealing.as_secs_f64(), opening.as_secs_f64());
    Ok(())
}

/// As in a request: from text to a token's text, and back.
fn pass(
    keyring: &Keyring,
    binding: &Binding,
    secrets: &[SecretString],
) -> anyhow::Result<(Duration, Duration)> {
    let begun = Instant::now();
    let tokens: Vec<String> = secrets
        .iter()
        .map(|secret| Ok(keyring.seal(secret, binding)?.to_string()))
        .collect::<anyhow::Result<_>>()?;
    let sealing = begun.elapsed();
    let begun = Instant::now();
    let opened: Vec<SecretString> = tokens
        .iter()
        .map(|token| Ok(keyring.open(&token.parse::<SealedToken>()?, binding)?))
        .collect::<anyhow::Result<_>>()?;
    let opening = begun.elapsed();
    let same = opened
        .iter()
        .zip(secrets)
        .all(|(opened, secret)| opened.expose_secret() == secret.expose_secret());
    anyhow::ensure!(same, "a secret came back as another");
    Ok((sealing, opening))
}

fn binding() -> Binding {
    let endpoint = RawEndpoint {
        record: Uuid::from_u128(2),
        name: "Books".into(),
        base_url: Some("db.example.com".into()),
        port: Some(5432),
        tls_mode: None,
        username: Some("reader".into()),
        ..RawEndpoint::new(Kind::Postgresql)
    };
    Binding::of(Uuid::from_u128(1), &endpoint, Field::Password)
}
