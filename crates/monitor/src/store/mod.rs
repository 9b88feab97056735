//! What is kept in PostgreSQL, and so shared by several sidecars and not lost with one.

mod connection;
mod pairing;
mod past;
mod replica;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio_postgres::error::SqlState;
use tracing::{info, warn};
use uuid::Uuid;

pub use connection::StoreSettings;
pub use replica::{Member, Replica};
pub use writer::{Entry, Recorder, Writer};

use crate::history::{History, Range};

/// A database that several sidecars may share.
pub struct Store {
    pool: Pool,
    /// This process, among those that share the database.
    pub(crate) id: Uuid,
    retention: Retention,
    is_ready: AtomicBool,
    is_away: AtomicBool,
    counts: Counts,
    /// Results of each database that are still to be written.
    behind: Mutex<HashMap<Uuid, usize>>,
}

/// How long history is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub sample_days: u16,
    pub rollup_days: u16,
}

/// What the store has done, for who counts.
#[derive(Debug, Default)]
pub struct Counts {
    pub written: AtomicU64,
    pub dropped: AtomicU64,
    pub failures: AtomicU64,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store's address is not one of PostgreSQL's: {0}")]
    BadUrl(String),
    #[error("the store's certificate authority cannot be read: {0}")]
    BadAuthority(String),
    #[error("the store cannot be reached: {0}")]
    Pool(#[from] deadpool_postgres::PoolError),
    #[error("the store refuses: {}", explained(.0))]
    Refused(#[from] tokio_postgres::Error),
    #[error("the store did not answer in time")]
    Timeout,
    #[error("the store's tables are not there yet")]
    NotReady,
    #[error("the store has version {0} of its tables, and this program knows {1}: update it")]
    TooNew(i32, i32),
}

impl StoreError {
    /// Whether somebody has emptied the store, or put back a copy that has no place for today.
    fn is_of_missing_tables(&self) -> bool {
        let code = match self {
            Self::Refused(error) => error.code(),
            _ => None,
        };
        [
            SqlState::UNDEFINED_TABLE,
            SqlState::INVALID_SCHEMA_NAME,
            // No partition takes the row; there are no other checks.
            SqlState::CHECK_VIOLATION,
        ]
        .iter()
        .any(|missing| code == Some(missing))
    }
}

/// Into how many parts the endpoints of a database are dealt.
pub const SHARDS: u16 = 64;

/// In their order; what is here is never changed, but added to.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("hours.sql"),
    include_str!("notices.sql"),
    include_str!("pairing.sql"),
];

/// Taken while tables are made or partitions come and go: several sidecars may start at once.
const LOCK: i64 = 0x696e_7369_6768_7470;

/// Nothing that is asked of the store takes longer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Days for which there are partitions beforehand.
const DAYS_AHEAD: i32 = 2;

/// Hours that one statement removes.
const REMOVED_AT_ONCE: i64 = 10_000;

const MAINTAIN_EVERY: Duration = Duration::from_secs(3_600);

impl Store {
    /// Connects to nothing yet: a store that is away is no reason not to start.
    pub fn new(settings: &StoreSettings) -> Result<Self, StoreError> {
        Ok(Self {
            pool: connection::pool(settings)?,
            id: Uuid::now_v7(),
            retention: settings.retention,
            is_ready: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
            counts: Counts::default(),
            behind: Mutex::default(),
        })
    }

    /// Makes or updates the tables, the first time that the store is there, or is there without them.
    async fn prepare(&self) -> Result<(), StoreError> {
        if !self.is_ready.load(Ordering::Relaxed) {
            self.migrate().await?;
            self.maintain().await?;
            self.is_ready.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether it did not answer when it was asked last.
    pub fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Whether everything that was found out is in the store.
    pub fn is_complete(&self, database: Uuid) -> bool {
        let behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        !self.is_away() && behind.get(&database).is_none_or(|results| *results == 0)
    }

    fn set_behind(&self, database: Uuid, results: usize) {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        behind.insert(database, results);
    }

    fn count_dropped(&self, results: usize) {
        self.counts.dropped.fetch_add(results as u64, Ordering::Relaxed);
    }

    pub async fn history(&self, database: Uuid, record: Uuid, range: Range) -> Result<History, StoreError> {
        let client = self.pool.get().await?;
        in_time(past::history(&client, database, record, range)).await
    }

    /// Makes and drops partitions, and forgets what is too old, for as long as it is polled.
    pub async fn run_maintenance(&self) {
        loop {
            tokio::time::sleep(MAINTAIN_EVERY).await;
            if let Err(error) = self.maintain().await {
                warn!(%error, "Old history could not be removed; it is tried again");
            }
        }
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        transaction
            .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
            .await?;
        transaction
            .batch_execute(
                "CREATE SCHEMA IF NOT EXISTS insightpulse; \
                 CREATE TABLE IF NOT EXISTS insightpulse.version (version integer NOT NULL)",
            )
            .await?;
        let version: i32 = transaction
            .query_one("SELECT coalesce(max(version), 0) FROM insightpulse.version", &[])
            .await?
            .get(0);
        let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
        if version > known {
            return Err(StoreError::TooNew(version, known));
        }
        for (step, number) in MIGRATIONS.iter().zip(1..).skip(version.unsigned_abs() as usize) {
            transaction
                .batch_execute("SET LOCAL search_path TO insightpulse")
                .await?;
            transaction.batch_execute(step).await?;
            transaction
                .execute("INSERT INTO insightpulse.version VALUES ($1)", &[&number])
                .await?;
            info!(store.version = number, "Updated the store's tables");
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn maintain(&self) -> Result<(), StoreError> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        // Partitions come and go under a lock that all inserts wait for. Behind somebody's backup it
        // is not waited for: there are some for days to come.
        transaction.batch_execute("SET LOCAL lock_timeout = '2s'").await?;
        transaction
            .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
            .await?;
        let today: i32 = transaction
            .query_one("SELECT (now() AT TIME ZONE 'utc')::date - date '2000-01-01'", &[])
            .await?
            .get(0);
        for day in today - 1..=today + DAYS_AHEAD {
            transaction.batch_execute(&partition(day)).await?;
        }
        let first = today - i32::from(self.retention.sample_days);
        let partitions = transaction
            .query(
                "SELECT c.relname, substr(c.relname, 8)::integer FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                  WHERE i.inhparent = 'insightpulse.sample'::regclass AND c.relname ~ '^sample_[0-9]+$'",
                &[],
            )
            .await?;
        for row in partitions {
            let (name, day): (String, i32) = (row.get(0), row.get(1));
            if day < first {
                transaction
                    .batch_execute(&format!("DROP TABLE insightpulse.{name}"))
                    .await?;
            }
        }
        transaction.commit().await?;
        // By itself, and in pieces: it may take long, and nothing waits for it.
        loop {
            let removed = client
                .execute(
                    "DELETE FROM insightpulse.rollup WHERE ctid = ANY (ARRAY( \
                            SELECT ctid FROM insightpulse.rollup \
                             WHERE hour < now() - make_interval(days => $1) LIMIT $2))",
                    &[&i32::from(self.retention.rollup_days), &REMOVED_AT_ONCE],
                )
                .await?;
            if removed < REMOVED_AT_ONCE.unsigned_abs() {
                return Ok(());
            }
        }
    }

    /// Has the tables made again where they are missing.
    fn look_for_tables(&self, error: &StoreError) {
        if error.is_of_missing_tables() {
            self.is_ready.store(false, Ordering::Relaxed);
        }
    }

    /// Remembers whether the store answered, and tells when that changes.
    fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let is_away = result.is_err();
        if let Err(error) = &result {
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
            self.look_for_tables(error);
            if !self.is_away.swap(is_away, Ordering::Relaxed) {
                warn!(%error, "The store is away: probing and write-back go on without it");
            }
        } else if self.is_away.swap(is_away, Ordering::Relaxed) {
            info!("The store is there again");
        }
        result
    }
}

/// Of one day, counted from 2000 on.
fn partition(day: i32) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS insightpulse.sample_{day} PARTITION OF insightpulse.sample \
         FOR VALUES FROM (('2000-01-01'::timestamp + interval '{day} days') AT TIME ZONE 'utc') \
                      TO (('2000-01-01'::timestamp + interval '{} days') AT TIME ZONE 'utc')",
        day + 1
    )
}

/// Part of a database's endpoints, the same for every sidecar.
pub(crate) fn shard_of(record: Uuid) -> i16 {
    let (high, low) = record.as_u64_pair();
    // A uuid of version 4 is random but for six bits; one of a test need not be.
    let mixed = (high ^ low.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    i16::try_from(mixed >> 58).expect("six bits")
}

async fn in_time<T>(asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(ANSWERS_WITHIN, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Timeout),
    }
}

/// PostgreSQL's own words, which tokio-postgres keeps for whoever asks the source.
fn explained(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) => refusal.message().to_owned(),
        None => {
            let mut cause: &dyn std::error::Error = error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            cause.to_string()
        }
    }
}
