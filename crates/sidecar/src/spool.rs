//! Results that could not be written back before a stop, kept for the next start.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use insightpulse_monitor::{Outbox, Report, Urgency};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::private_file;

pub struct Spool(PathBuf);

impl Spool {
    /// Of one database.
    pub fn new(state_dir: &Path, database: Uuid) -> Self {
        Self(state_dir.join(format!("outbox-{database}.json")))
    }

    /// Takes in what an earlier process left. A spool that cannot be read is
    /// no reason not to start: a test that is run again measures anew.
    pub fn restore(&self, outbox: &Outbox) {
        match self.read() {
            Ok(reports) => {
                let results = reports.len();
                reports
                    .into_iter()
                    .for_each(|report| outbox.put(report, Urgency::Changed));
                if results > 0 {
                    info!(
                        results,
                        "Took up results that were not written back before the last stop"
                    );
                }
            }
            Err(error) => warn!(
                error = format!("{error:#}"),
                "The results of before the last stop are lost"
            ),
        }
    }

    /// Leaves the outbox for the next process, or says how much is lost.
    pub fn save(&self, outbox: &Outbox) {
        let left = outbox.peek();
        if left.is_empty() {
            return;
        }
        let saved = serde_json::to_vec(&left)
            .context("encode results")
            .and_then(|bytes| private_file::write(&self.0, &bytes));
        match saved {
            Ok(()) => info!(
                results = left.len(),
                "Kept results for the next start, since Odoo was away"
            ),
            Err(error) => error!(
                results = left.len(),
                error = format!("{error:#}"),
                "Results are lost that Odoo has not taken; test those connections again"
            ),
        }
    }

    /// Nobody wants them any more.
    pub fn discard(&self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            warn!(path = %self.0.display(), %error, "A file with old results cannot be removed");
        }
    }

    fn read(&self) -> anyhow::Result<Vec<Report>> {
        let bytes = match fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("read {}", self.0.display())),
        };
        fs::remove_file(&self.0).with_context(|| format!("remove {}", self.0.display()))?;
        serde_json::from_slice(&bytes).with_context(|| format!("read {}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insightpulse_domain::{Evidence, Outcome, Phases, Thresholds};

    fn report() -> Report {
        let phases = Phases {
            connect_ms: Some(0.25),
            ..Phases::default()
        };
        let identity = (7, Uuid::from_u128(7), 3);
        let outcome = Outcome::new(
            identity,
            Uuid::now_v7(),
            Ok(Evidence::default()),
            phases,
            &Thresholds::default(),
            jiff::Timestamp::UNIX_EPOCH,
        );
        Report {
            outcome,
            unconfirmed: None,
            is_flapping: false,
            events: Vec::new(),
            tallies: Vec::new(),
        }
    }

    #[test]
    fn what_is_left_over_is_there_once_at_the_next_start() {
        let directory = tempfile::tempdir().expect("a directory");
        let spool = Spool::new(directory.path(), Uuid::nil());
        let (before, after, later) = (Outbox::default(), Outbox::default(), Outbox::default());
        before.put(report(), Urgency::Measured);
        spool.save(&before);
        spool.restore(&after);
        assert_eq!(after.peek(), before.peek());
        spool.restore(&later);
        assert!(later.is_empty());
    }

    #[test]
    fn a_damaged_spool_does_not_keep_the_service_from_starting() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(
            directory.path().join(format!("outbox-{}.json", Uuid::nil())),
            "{half",
        )
        .expect("written");
        let outbox = Outbox::default();
        Spool::new(directory.path(), Uuid::nil()).restore(&outbox);
        assert!(outbox.is_empty());
    }
}
