//! A MongoDB server: log in, ask who is there.

use insightpulse_domain::{DatabaseTarget, Evidence, Failure, Phase, server_text_without};
use secrecy::ExposeSecret;

use crate::mongodb::{connect, document};
use crate::{Asking, tls};

pub async fn probe(place: &DatabaseTarget, asking: Asking<'_>) -> Result<Evidence, Failure> {
    let password = asking.target.password.as_ref().map(ExposeSecret::expose_secret);
    let mut session = connect(place, asking.target, asking.net, asking.watch).await?;
    asking.watch.enter(Phase::Query);
    // Most users may ask for it; for the others it stays unknown.
    let answer = session.ask("buildInfo", "admin").await?;
    let version = match &answer {
        None => None,
        Some(answer) => match document(answer).and_then(|told| told.text("version")) {
            None => return Err(session.another_protocol()),
            version => version,
        },
    };
    let evidence = Evidence {
        server_version: version
            .map(|version| server_text_without(&String::from_utf8_lossy(version), password)),
        max_connections: None,
        active_connections: None,
        facts: tls::facts(session.line.encryption.as_ref()),
        concerns: Vec::new(),
    };
    session.end().await;
    Ok(evidence)
}
