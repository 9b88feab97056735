//! What could not be told before a stop, kept for the next start.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use insightpulse_monitor::{Notice, Notifier, Outbox, Report, Urgency};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::private_file;

pub struct Spool {
    reports: PathBuf,
    notices: PathBuf,
}

impl Spool {
    /// Of one database.
    pub fn new(state_dir: &Path, database: Uuid) -> Self {
        Self {
            reports: state_dir.join(format!("outbox-{database}.json")),
            notices: state_dir.join(format!("webhook-{database}.json")),
        }
    }

    /// Takes in what an earlier process left, and returns its reports. A spool that cannot be read is
    /// no reason not to start: a test that is run again measures anew.
    pub fn restore(&self, outbox: &Outbox, notifier: &dyn Notifier) -> Vec<Report> {
        let reports: Vec<Report> = restored(&self.reports);
        for report in &reports {
            outbox.put(report.clone(), Urgency::Changed);
        }
        notifier.tell(restored(&self.notices));
        reports
    }

    /// Leaves for the next process what Odoo and the webhook have not taken, or says how much is lost.
    pub fn save(&self, reports: &[Report], notices: &[Notice]) {
        save(&self.reports, reports, "Odoo");
        save(&self.notices, notices, "the webhook");
    }

    /// Nobody wants them any more.
    pub fn discard(&self) {
        for path in [&self.reports, &self.notices] {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != ErrorKind::NotFound
            {
                warn!(path = %path.display(), %error, "A file with old results cannot be removed");
            }
        }
    }
}

fn restored<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let read = take(path);
    match &read {
        Ok(left) if !left.is_empty() => info!(
            left = left.len(),
            path = %path.display(),
            "Took up what was not told before the last stop"
        ),
        Ok(_) => {}
        Err(error) => warn!(
            error = format!("{error:#}"),
            "What was not told before the last stop is lost"
        ),
    }
    read.unwrap_or_default()
}

/// Takes away what is there; another process that does so waits.
fn take<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let _lock = lock(path)?;
    let left = read(path);
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => left,
    }
}

/// Adds to what another sidecar of the same directory may have left.
fn add<T: Serialize + DeserializeOwned + Clone>(path: &Path, left: &[T]) -> anyhow::Result<()> {
    let _lock = lock(path)?;
    // What cannot be read is of no use to the next process either.
    let mut all: Vec<T> = read(path).unwrap_or_default();
    all.extend_from_slice(left);
    private_file::write(path, &serde_json::to_vec(&all).context("encode what is left")?)
}

fn lock(path: &Path) -> anyhow::Result<fs::File> {
    let directory = path.parent().unwrap_or(Path::new("."));
    private_file::make_directory(directory)?;
    private_file::lock(directory)
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display()))
}

fn save<T: Serialize + DeserializeOwned + Clone>(path: &Path, left: &[T], whom: &str) {
    if left.is_empty() {
        return;
    }
    match add(path, left) {
        Ok(()) => info!(
            left = left.len(),
            "Kept for the next start what {whom} has not taken"
        ),
        Err(error) => error!(
            left = left.len(),
            error = format!("{error:#}"),
            "What {whom} has not taken is lost; test those connections again"
        ),
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
        spool.save(&before.peek(), &[]);
        let left = spool.restore(&after, &());
        assert_eq!(left, before.peek());
        assert_eq!(after.peek(), before.peek());
        spool.restore(&later, &());
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
        Spool::new(directory.path(), Uuid::nil()).restore(&outbox, &());
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_two_leave_is_there_together() {
        let directory = tempfile::tempdir().expect("a directory");
        let spool = Spool::new(directory.path(), Uuid::nil());
        let mut another = report();
        another.outcome.record = Uuid::from_u128(8);
        spool.save(&[report()], &[]);
        spool.save(&[another], &[]);
        let outbox = Outbox::default();
        spool.restore(&outbox, &());
        assert_eq!(outbox.len(), 2);
    }
}
