//! A MySQL or MariaDB server: log in, ask who is there.

use insightpulse_domain::{DatabaseTarget, Evidence, Failure, server_text_without};
use secrecy::ExposeSecret;

use crate::{Asking, mysql, tls};

/// Both are allowed to every user, and known to both servers in every version.
const SETTINGS: &str = "SELECT VERSION(), @@max_connections";
const THREADS: &str = "SHOW GLOBAL STATUS LIKE 'Threads_connected'";

pub async fn probe(place: &DatabaseTarget, asking: Asking<'_>) -> Result<Evidence, Failure> {
    let password = asking.target.password.as_ref().map(ExposeSecret::expose_secret);
    let mut session = mysql::connect(place, asking.target, asking.net, asking.watch).await?;
    let settings = session.first_row(SETTINGS).await?.unwrap_or_default();
    let threads = session.first_row(THREADS).await?.unwrap_or_default();
    let [Some(version), most] = settings.as_slice() else {
        return Err(session.another_protocol());
    };
    let number = |text: Option<&Option<String>>| text?.as_deref()?.parse().ok();
    let evidence = Evidence {
        server_version: Some(server_text_without(released(version), password)),
        max_connections: number(Some(most)),
        active_connections: number(threads.get(1)),
        facts: tls::facts(session.line.encryption.as_ref()),
        concerns: Vec::new(),
    };
    session.end().await;
    Ok(evidence)
}

/// `10.11.6-MariaDB` of `10.11.6-MariaDB-0+deb12u1`, `8.0.36` of `8.0.36-0ubuntu0.22.04.1`.
fn released(version: &str) -> &str {
    const MARIADB: &str = "-MariaDB";
    match version.find(MARIADB) {
        Some(at) => &version[..at + MARIADB.len()],
        None => version.split('-').next().unwrap_or(version),
    }
}
