//! A PostgreSQL server, or a pooler before one: log in, ask who is there.

use insightpulse_domain::{DatabaseTarget, Evidence, Facts, Failure, Reason, server_text_without};
use secrecy::ExposeSecret;

use crate::{Asking, postgres, tls};

/// One statement in the simple protocol, so that a transaction pooler serves
/// it too. `pg_stat_database` counts sessions for any user, where
/// `pg_stat_activity` shows a plain user its own only.
///
/// A replica that has replayed all that it received is not behind, unless
/// nothing sends to it any more. One that is fed from an archive never had a
/// sender.
const QUESTION: &str = "select current_setting('server_version'), \
     current_setting('max_connections'), \
     (select sum(numbackends) from pg_catalog.pg_stat_database), \
     current_setting('superuser_reserved_connections')::int \
       + coalesce(current_setting('reserved_connections', true)::int, 0), \
     pg_catalog.pg_is_in_recovery(), \
     case when pg_catalog.pg_is_in_recovery() \
       then case when pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() then 0 \
       else extract(epoch from now() - pg_catalog.pg_last_xact_replay_timestamp()) end end, \
     case when pg_catalog.pg_is_in_recovery() \
       then pg_catalog.pg_last_wal_receive_lsn() is not null \
         and not exists (select from pg_catalog.pg_stat_wal_receiver) end, \
     pg_catalog.pg_database_size(pg_catalog.current_database())";

/// What every server that speaks the protocol knows, also one that is not
/// PostgreSQL, or that has taken its functions from this user.
const LESS: &str = "select current_setting('server_version')";

pub async fn probe(place: &DatabaseTarget, asking: Asking<'_>) -> Result<Evidence, Failure> {
    let password = asking.target.password.as_ref().map(ExposeSecret::expose_secret);
    let session = postgres::connect(place, asking.target, asking.net, asking.watch).await?;
    let shown = tls::facts(session.line.encryption.as_ref());
    let mut evidence = session
        .ask(&[QUESTION, LESS], |row| read(row, password, &shown))
        .await?;
    if evidence.facts.in_recovery == Some(true) && !place.is_replica {
        let place = place.place();
        evidence.concerns.push(Reason::InRecovery { place }.into());
    }
    Ok(evidence)
}

/// The one row that [`QUESTION`] or [`LESS`] asks for; `None` for any other.
fn read(row: &[Option<&str>], password: Option<&str>, shown: &Facts) -> Option<Evidence> {
    if let [version] = row {
        let version = version.as_ref()?.split_whitespace().next()?;
        return Some(Evidence {
            server_version: Some(server_text_without(version, password)),
            facts: shown.clone(),
            ..Evidence::default()
        });
    }
    let &[version, most, used, reserved, in_recovery, lag, is_cut, size] = row else {
        return None;
    };
    let number = |text: Option<&str>| text?.parse().ok();
    let is_cut = is_cut == Some("t");
    // Debian and others write their package's version behind PostgreSQL's own.
    let version = version?.split_whitespace().next()?;
    Some(Evidence {
        server_version: Some(server_text_without(version, password)),
        max_connections: number(most),
        active_connections: number(used),
        facts: Facts {
            reserved_connections: number(reserved),
            in_recovery: Some(in_recovery? == "t"),
            replica_lag_s: lag
                .and_then(|text| text.parse().ok())
                .filter(|lag: &f64| lag.is_finite()),
            database_bytes: number(size),
            ..shown.clone()
        },
        concerns: match is_cut {
            true => vec![Reason::ReplicaCut {}.into()],
            false => Vec::new(),
        },
    })
}
