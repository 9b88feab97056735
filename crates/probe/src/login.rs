//! Logging in by SCRAM, as far as the databases that have it do so alike.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use insightpulse_domain::{Failure, Reason};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::database::About;
use crate::memory::Memory;
use crate::scram::{ScramKeys, ServerFirst};

/// PostgreSQL's own default is 4096, MongoDB's 15000. What takes a core for a second serves an attacker only.
const ROUNDS_MAX: u32 = 600_000;

/// So many rounds keep a thread busy that others wait for.
const ROUNDS_BRIEF: u32 = 20_000;

/// A password that is empty is one that nobody has.
pub fn password<'a>(about: &About<'a>) -> Result<&'a str, Failure> {
    about.password.ok_or_else(|| {
        Reason::PasswordMissing {
            place: about.place.clone(),
            user: about.user(),
        }
        .into()
    })
}

/// The server did not show that it knows the password itself.
pub fn unproven(about: &About<'_>) -> Failure {
    Reason::ServerUnproven {
        place: about.place.clone(),
    }
    .into()
}

/// What the password comes to, remembered or derived.
pub async fn scram_keys(
    about: &About<'_>,
    server: ServerFirst,
    memory: &Memory,
) -> Result<(Arc<ScramKeys>, ServerFirst), Failure> {
    if server.rounds.get() > ROUNDS_MAX {
        return Err(about.method_unknown(&format!("SCRAM-SHA-256 with {} rounds", server.rounds)));
    }
    let password = password(about)?;
    let whose = format!("{} {}", about.place, about.target.user);
    let known = memory
        .scram_keys
        .get(&whose, password.as_bytes())
        .filter(|keys| keys.are_for(&server));
    if let Some(keys) = known {
        return Ok((keys, server));
    }
    let (keys, server) = derive(password, server).await;
    memory
        .scram_keys
        .put(&whose, password.as_bytes(), Arc::clone(&keys));
    Ok((keys, server))
}

async fn derive(password: &str, server: ServerFirst) -> (Arc<ScramKeys>, ServerFirst) {
    if server.rounds.get() <= ROUNDS_BRIEF {
        return (Arc::new(ScramKeys::derive(password, &server)), server);
    }
    let password = Zeroizing::new(password.to_owned());
    let derived = tokio::task::spawn_blocking(move || {
        let keys = ScramKeys::derive(&password, &server);
        (Arc::new(keys), server)
    });
    derived.await.expect("deriving keys does not panic")
}

/// Of our side; printable, and without a comma.
pub fn nonce() -> String {
    let mut bytes = [0; 18];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the machine had random numbers when the process started");
    STANDARD_NO_PAD.encode(bytes)
}
