//! Writes results down before Odoo is told: what a killed process knew, another goes on from.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool_postgres::Transaction;
use insightpulse_domain::Outcome;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Store, StoreError, in_time, shard_of};
use crate::history::Sample;
use crate::judge::{Asked, Judge};
use crate::notice::{Notice, Notifier};
use crate::outbox::{Outbox, Urgency};
use crate::report::Report;

/// What one result comes to.
pub struct Entry {
    pub report: Report,
    pub urgency: Urgency,
    pub sample: Sample,
    pub judge: Judge,
    pub revision: i64,
    pub notices: Vec<Notice>,
    /// It may be written, and the answer lost.
    pub was_tried: bool,
}

/// Takes in one database's results.
#[derive(Clone)]
pub struct Recorder(mpsc::UnboundedSender<Letter>);

enum Letter {
    Entry(Box<Entry>),
    /// Of an endpoint that another sidecar has.
    HandOver(Box<Outcome>, Asked),
    /// These have arrived at Odoo.
    Arrived(Vec<Arrived>),
    /// These notices have arrived, or are not to be told any more.
    Told(Vec<Uuid>),
    /// An earlier process has left these in a file.
    Left(Vec<Report>, Vec<Notice>),
}

/// A report that Odoo has.
struct Arrived {
    record: Uuid,
    probe: Uuid,
    events: Vec<Uuid>,
}

/// Writes one database's results; see [`Recorder`].
pub struct Writer {
    store: Arc<Store>,
    database: Uuid,
    outbox: Arc<Outbox>,
    letters: mpsc::UnboundedReceiver<Letter>,
    /// Told to Odoo while the store was away, and not written yet.
    backlog: VecDeque<Entry>,
    /// Odoo has these, and the store may still have them as well.
    arrived: Vec<Arrived>,
    /// Who was to be told has these notices, and the store may still have them as well.
    told: Vec<Uuid>,
    /// These are in memory alone, or were in a file, and the store does not have them yet.
    left: (Vec<Report>, Vec<Notice>),
}

/// Results of one transaction.
const BATCH: usize = 1_000;

/// Results that come within this time of each other are written together.
const LINGER: Duration = Duration::from_millis(50);

/// What is kept while the store is away: a quarter of an hour of ten thousand endpoints in a minute.
const BACKLOG_MAX: usize = 150_000;

const RETRY: Duration = Duration::from_secs(1);

impl Recorder {
    /// A pair: what takes results in, and what writes them.
    pub fn new(store: Arc<Store>, database: Uuid, outbox: Arc<Outbox>) -> (Self, Writer) {
        let (sender, letters) = mpsc::unbounded_channel();
        let writer = Writer {
            store,
            database,
            outbox,
            letters,
            backlog: VecDeque::new(),
            arrived: Vec::new(),
            told: Vec::new(),
            left: Default::default(),
        };
        (Self(sender), writer)
    }

    /// Writes a result down, and then puts its report into the outbox.
    pub fn record(&self, entry: Entry) {
        self.0.send(Letter::Entry(Box::new(entry))).ok();
    }

    /// Gives a result to the sidecar whose endpoint it is about.
    pub fn hand_over(&self, outcome: Outcome, asked: Asked) {
        self.0.send(Letter::HandOver(Box::new(outcome), asked)).ok();
    }

    /// Odoo has these reports: nobody has to go on delivering them.
    pub fn arrived(&self, reports: &[Report]) {
        let arrived = reports.iter().map(|report| Arrived {
            record: report.outcome.record,
            probe: report.outcome.probe,
            events: report.events.iter().map(|event| event.id).collect(),
        });
        self.0.send(Letter::Arrived(arrived.collect())).ok();
    }

    /// Writes down what an earlier process has left in a file, which this one is about to tell.
    pub fn left(&self, reports: Vec<Report>, notices: Vec<Notice>) {
        self.0.send(Letter::Left(reports, notices)).ok();
    }

    /// These notices have arrived, or are not to be told any more.
    pub fn told(&self, notices: Vec<Uuid>) {
        self.0.send(Letter::Told(notices)).ok();
    }
}

impl Writer {
    /// Writes until `stop` or until nobody sends any more, and then what is left; has it told what
    /// is written.
    pub async fn run(mut self, notifier: Arc<dyn Notifier>, stop: CancellationToken) {
        let mut letters = Vec::new();
        loop {
            let received = tokio::select! {
                received = self.letters.recv_many(&mut letters, BATCH) => {
                    if received == 0 {
                        return;
                    }
                    received
                }
                () = sleep(RETRY), if self.is_behind() => 0,
                () = stop.cancelled() => {
                    self.letters.close();
                    while self.letters.recv_many(&mut letters, BATCH).await > 0 {}
                    self.take(&mut letters, &*notifier).await;
                    return;
                }
            };
            if received > 0 && received < BATCH {
                sleep(LINGER).await;
                while letters.len() < BATCH
                    && let Ok(letter) = self.letters.try_recv()
                {
                    letters.push(letter);
                }
            }
            self.take(&mut letters, &*notifier).await;
        }
    }

    fn is_behind(&self) -> bool {
        self.unwritten() > 0 || !self.arrived.is_empty() || !self.told.is_empty()
    }

    /// How much would be lost with this process.
    fn unwritten(&self) -> usize {
        self.backlog.len() + self.left.0.len() + self.left.1.len()
    }

    /// Nothing is asked of a store that is away: an answer that does not come would keep results
    /// from Odoo. The leases ask it all the time, and so learn when it is back.
    async fn take(&mut self, letters: &mut Vec<Letter>, notifier: &dyn Notifier) {
        let (mut entries, mut strange) = (Vec::new(), Vec::new());
        for letter in letters.drain(..) {
            match letter {
                Letter::Entry(entry) => entries.push(*entry),
                Letter::HandOver(outcome, asked) => strange.push((*outcome, asked)),
                Letter::Arrived(reports) => self.arrived.extend(reports),
                Letter::Told(notices) => self.told.extend(notices),
                Letter::Left(reports, notices) => {
                    self.left.0.extend(reports);
                    self.left.1.extend(notices);
                    self.store.set_behind(self.database, self.unwritten());
                }
            }
        }
        if !entries.is_empty() {
            self.write(entries, notifier).await;
        }
        if !strange.is_empty() {
            let is_handed_over = !self.store.is_away() && {
                let handed_over = self.hand_over(&strange).await;
                self.store.noted(handed_over).is_ok()
            };
            if !is_handed_over {
                for (outcome, _) in strange {
                    self.outbox.put(Report::bare(outcome), Urgency::Changed);
                }
            }
        }
        self.catch_up().await;
        self.write_left().await;
        self.forget_arrived().await;
    }

    async fn write_left(&mut self) {
        if (self.left.0.is_empty() && self.left.1.is_empty()) || self.store.is_away() {
            return;
        }
        let written = self.commit_left().await;
        if self.store.noted(written).is_ok() {
            self.left = Default::default();
            self.store.set_behind(self.database, self.unwritten());
        }
    }

    async fn commit_left(&self) -> Result<(), StoreError> {
        let (reports_left, notices_left) = &self.left;
        let mut client = self.store.pool.get().await?;
        in_time(async {
            let transaction = client.transaction().await?;
            reports(&transaction, self.database, reports_left.iter()).await?;
            notices(&transaction, self.database, notices_left.iter()).await?;
            transaction.commit().await
        })
        .await
    }

    async fn forget_arrived(&mut self) {
        let has_some = !self.arrived.is_empty() || !self.told.is_empty();
        if has_some && !self.store.is_away() {
            let forgotten = self.forget(&self.arrived, &self.told).await;
            if self.store.noted(forgotten).is_ok() {
                self.arrived.clear();
                self.told.clear();
            }
        }
        // What stays is delivered again by whoever comes next, and does no harm.
        self.arrived.truncate(BACKLOG_MAX);
        self.told.truncate(BACKLOG_MAX);
    }

    async fn write(&mut self, mut entries: Vec<Entry>, notifier: &dyn Notifier) {
        // What is older is written first, or it would be taken for what is newest.
        self.catch_up().await;
        if self.backlog.is_empty() && !self.store.is_away() {
            let written = commit(&self.store, self.database, &entries, |_| true).await;
            if let Ok(owned) = self.store.noted(written) {
                for entry in entries {
                    // Somebody else's endpoint by now: what it is like is for them to say.
                    if owned.contains(&shard_of(entry.report.outcome.record)) {
                        self.outbox.put(entry.report, entry.urgency);
                        notifier.tell(entry.notices);
                    } else {
                        self.store.count_dropped(1);
                    }
                }
                return;
            }
            entries.iter_mut().for_each(|entry| entry.was_tried = true);
        }
        for entry in entries {
            self.outbox.put(entry.report.clone(), entry.urgency);
            notifier.tell(entry.notices.clone());
            self.backlog.push_back(entry);
        }
        let surplus = self.backlog.len().saturating_sub(BACKLOG_MAX);
        self.backlog.drain(..surplus);
        self.store.count_dropped(surplus);
        self.store.set_behind(self.database, self.unwritten());
    }

    /// Writes what was told while the store was away: history, what is thought, and the events that
    /// Odoo does not have yet.
    async fn catch_up(&mut self) {
        while !self.backlog.is_empty() && !self.store.is_away() {
            let entries: Vec<_> = self.backlog.drain(..self.backlog.len().min(BATCH)).collect();
            let waiting: HashSet<Uuid> = self
                .outbox
                .peek()
                .iter()
                .flat_map(|report| report.events.iter().map(|event| event.id))
                .collect();
            let is_waiting = |entry: &Entry| {
                let events = &entry.report.events;
                events.iter().any(|event| waiting.contains(&event.id))
            };
            let written = commit(&self.store, self.database, &entries, is_waiting).await;
            match self.store.noted(written) {
                Ok(owned) => {
                    let is_ours = |entry: &&Entry| owned.contains(&shard_of(entry.report.outcome.record));
                    self.store
                        .count_dropped(entries.len() - entries.iter().filter(is_ours).count());
                }
                Err(_) => entries.into_iter().rev().for_each(|entry| {
                    self.backlog.push_front(Entry {
                        was_tried: true,
                        ..entry
                    });
                }),
            }
            self.store.set_behind(self.database, self.unwritten());
        }
    }

    async fn hand_over(&self, outcomes: &[(Outcome, Asked)]) -> Result<(), StoreError> {
        let client = self.store.pool.get().await?;
        let probes: Vec<_> = outcomes.iter().map(|(outcome, _)| outcome.probe).collect();
        let shards: Vec<_> = outcomes
            .iter()
            .map(|(outcome, _)| shard_of(outcome.record))
            .collect();
        let by_hand: Vec<_> = outcomes
            .iter()
            .map(|(_, asked)| *asked == Asked::ByHand)
            .collect();
        let outcomes: Vec<_> = outcomes.iter().map(|(outcome, _)| Json(outcome)).collect();
        let insert = "INSERT INTO insightpulse.handover (probe, database, shard, by_hand, outcome) \
                      SELECT probe, $1, shard, by_hand, outcome \
                        FROM unnest($2::uuid[], $3::int2[], $4::bool[], $5::jsonb[]) AS given(probe, shard, by_hand, outcome) \
                      ON CONFLICT DO NOTHING";
        in_time(client.execute(insert, &[&self.database, &probes, &shards, &by_hand, &outcomes]))
            .await
            .map(drop)
    }

    async fn forget(&self, arrived: &[Arrived], told: &[Uuid]) -> Result<(), StoreError> {
        let client = self.store.pool.get().await?;
        let records: Vec<_> = arrived.iter().map(|one| one.record).collect();
        let probes: Vec<_> = arrived.iter().map(|one| one.probe).collect();
        let events: Vec<_> = arrived.iter().flat_map(|one| &one.events).collect();
        in_time(async {
            if !told.is_empty() {
                client
                    .execute("DELETE FROM insightpulse.notice WHERE id = ANY($1)", &[&told])
                    .await?;
            }
            if arrived.is_empty() {
                return Ok(());
            }
            client
                .execute(
                    "DELETE FROM insightpulse.report AS kept \
                       USING unnest($2::uuid[], $3::uuid[]) AS arrived(record, probe) \
                       WHERE kept.database = $1 AND kept.record = arrived.record AND kept.probe <= arrived.probe",
                    &[&self.database, &records, &probes],
                )
                .await?;
            client
                .execute("DELETE FROM insightpulse.event WHERE id = ANY($1)", &[&events])
                .await?;
            Ok(())
        })
        .await
    }
}

/// Writes entries in one transaction, of some their reports too; returns the shards of them that
/// are ours. What is not is left alone: a sidecar that was asleep while another took over must not
/// undo what that one did. A lease that is over and that nobody has taken is still ours: whoever
/// takes it changes its row, and waits for us to end.
async fn commit(
    store: &Store,
    database: Uuid,
    entries: &[Entry],
    has_report: impl Fn(&Entry) -> bool,
) -> Result<HashSet<i16>, StoreError> {
    let mut client = store.pool.get().await?;
    let owned = in_time(async {
        let transaction = client.transaction().await?;
        let shards: HashSet<_> = entries
            .iter()
            .map(|entry| shard_of(entry.report.outcome.record))
            .collect();
        let rows = transaction
            .query(
                "SELECT shard FROM insightpulse.shard \
                  WHERE database = $1 AND shard = ANY($2) AND owner = $3 FOR SHARE",
                &[&database, &shards.into_iter().collect::<Vec<_>>(), &store.id],
            )
            .await?;
        let owned: HashSet<i16> = rows.iter().map(|row| row.get(0)).collect();
        let ours: Vec<_> = entries
            .iter()
            .filter(|entry| owned.contains(&shard_of(entry.report.outcome.record)))
            .collect();
        if !ours.is_empty() {
            samples(&transaction, database, &ours).await?;
            judgements(&transaction, database, &ours).await?;
            let changed = |entry: &&&Entry| entry.urgency == Urgency::Changed && has_report(entry);
            let changed = ours.iter().filter(changed).map(|entry| &entry.report);
            reports(&transaction, database, changed).await?;
            notices(
                &transaction,
                database,
                ours.iter().flat_map(|entry| &entry.notices),
            )
            .await?;
        }
        transaction.commit().await?;
        store
            .counts
            .written
            .fetch_add(ours.len() as u64, Ordering::Relaxed);
        Ok(owned)
    })
    .await?;
    Ok(owned)
}

async fn samples(
    transaction: &Transaction<'_>,
    database: Uuid,
    entries: &[&Entry],
) -> Result<(), tokio_postgres::Error> {
    let records: Vec<_> = entries.iter().map(|entry| entry.report.outcome.record).collect();
    let at: Vec<_> = entries.iter().map(|entry| seconds(entry.sample.at)).collect();
    let latency: Vec<_> = entries
        .iter()
        .map(|entry| entry.sample.latency_ms.map(|ms| ms as f32))
        .collect();
    let observed: Vec<_> = entries
        .iter()
        .map(|entry| entry.sample.observed.as_secs_f32())
        .collect();
    let probes: Vec<_> = entries.iter().map(|entry| entry.report.outcome.probe).collect();
    let was_tried: Vec<_> = entries.iter().map(|entry| entry.was_tried).collect();
    // What was tried before and is in is no newer than what is known of its endpoint, which was
    // written with it. One statement for both. A clock of ours that is a day off must not lose what was measured:
    // there are partitions around the store's own day alone.
    transaction
        .execute(
            "WITH given AS ( \
                 SELECT record, latency_ms, observed_s, \
                        CASE WHEN abs(extract(epoch FROM now()) - at) < 80000 THEN to_timestamp(at) ELSE now() END AS at \
                   FROM unnest($2::uuid[], $3::float8[], $4::float4[], $5::float4[], $6::uuid[], $7::bool[]) \
                        AS given(record, at, latency_ms, observed_s, probe, was_tried) \
                  WHERE NOT (was_tried AND EXISTS ( \
                            SELECT FROM insightpulse.endpoint AS known \
                             WHERE known.database = $1 AND known.record = given.record \
                               AND known.newest_probe >= given.probe)) \
             ), kept AS ( \
                 INSERT INTO insightpulse.sample (database, record, at, latency_ms, observed_s) \
                 SELECT $1, record, at, latency_ms, observed_s FROM given \
             ) \
             INSERT INTO insightpulse.rollup AS known \
                  SELECT $1, record, date_trunc('hour', at, 'utc'), count(*), count(*) - count(latency_ms), sum(observed_s), \
                         coalesce(sum(observed_s) FILTER (WHERE latency_ms IS NOT NULL), 0), \
                         coalesce(sum(latency_ms), 0), coalesce(max(latency_ms), 0) \
                    FROM given GROUP BY 1, 2, 3 ORDER BY 2, 3 \
             ON CONFLICT (database, record, hour) DO UPDATE \
                     SET probes = known.probes + excluded.probes, \
                         failures = known.failures + excluded.failures, \
                         observed_s = known.observed_s + excluded.observed_s, \
                         up_s = known.up_s + excluded.up_s, \
                         latency_sum_ms = known.latency_sum_ms + excluded.latency_sum_ms, \
                         latency_max_ms = greatest(known.latency_max_ms, excluded.latency_max_ms)",
            &[
                &database, &records, &at, &latency, &observed, &probes, &was_tried,
            ],
        )
        .await?;
    Ok(())
}

/// The newest of each endpoint.
async fn judgements(
    transaction: &Transaction<'_>,
    database: Uuid,
    entries: &[&Entry],
) -> Result<(), tokio_postgres::Error> {
    let newest: BTreeMap<Uuid, &Entry> = entries
        .iter()
        .map(|entry| (entry.report.outcome.record, *entry))
        .collect();
    let records: Vec<_> = newest.keys().copied().collect();
    let shards: Vec<_> = newest.keys().map(|record| shard_of(*record)).collect();
    let revisions: Vec<_> = newest.values().map(|entry| entry.revision).collect();
    let judges: Vec<_> = newest.values().map(|entry| Json(&entry.judge)).collect();
    let probes: Vec<_> = newest.values().map(|entry| entry.report.outcome.probe).collect();
    transaction
        .execute(
            "INSERT INTO insightpulse.endpoint AS known \
                  SELECT $1, record, shard, revision, judge, probe, now() \
                    FROM unnest($2::uuid[], $3::int2[], $4::int8[], $5::jsonb[], $6::uuid[]) \
                         AS given(record, shard, revision, judge, probe) \
             ON CONFLICT (database, record) DO UPDATE \
                     SET revision = excluded.revision, judge = excluded.judge, shard = excluded.shard, \
                         newest_probe = excluded.newest_probe, tested_at = excluded.tested_at \
                   WHERE known.newest_probe < excluded.newest_probe",
            &[&database, &records, &shards, &revisions, &judges, &probes],
        )
        .await?;
    Ok(())
}

/// What has changed. Mere measurements are made again within an interval, and are not kept.
async fn reports(
    transaction: &Transaction<'_>,
    database: Uuid,
    changed: impl Iterator<Item = &Report>,
) -> Result<(), tokio_postgres::Error> {
    let mut newest: HashMap<Uuid, (Uuid, Value)> = HashMap::new();
    let mut events = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for report in changed {
        let outcome = &report.outcome;
        for event in &report.events {
            events.0.push(event.id);
            events.1.push(outcome.record);
            events.2.push(shard_of(outcome.record));
            events.3.push(Json(event));
        }
        let mut bare = report.clone();
        bare.events.clear();
        bare.tallies.clear();
        if let Ok(report) = serde_json::to_value(&bare) {
            newest.insert(outcome.record, (outcome.probe, report));
        }
    }
    if newest.is_empty() {
        return Ok(());
    }
    // In one order everywhere, or two transactions could wait for each other.
    let newest: BTreeMap<_, _> = newest.into_iter().collect();
    let records: Vec<_> = newest.keys().copied().collect();
    let shards: Vec<_> = newest.keys().map(|record| shard_of(*record)).collect();
    let probes: Vec<_> = newest.values().map(|(probe, _)| *probe).collect();
    let reports: Vec<_> = newest.values().map(|(_, report)| Json(report)).collect();
    transaction
        .execute(
            "INSERT INTO insightpulse.report AS known \
                  SELECT $1, record, shard, probe, report \
                    FROM unnest($2::uuid[], $3::int2[], $4::uuid[], $5::jsonb[]) AS given(record, shard, probe, report) \
             ON CONFLICT (database, record) DO UPDATE \
                     SET probe = excluded.probe, report = excluded.report, shard = excluded.shard \
                   WHERE known.probe < excluded.probe",
            &[&database, &records, &shards, &probes, &reports],
        )
        .await?;
    let (ids, records, shards, events) = events;
    transaction
        .execute(
            "INSERT INTO insightpulse.event \
                  SELECT id, $1, record, shard, event \
                    FROM unnest($2::uuid[], $3::uuid[], $4::int2[], $5::jsonb[]) AS given(id, record, shard, event) \
             ON CONFLICT (id) DO NOTHING",
            &[&database, &ids, &records, &shards, &events],
        )
        .await?;
    Ok(())
}

/// What was told meanwhile is forgotten afterwards: the word of that comes later than the entry.
async fn notices(
    transaction: &Transaction<'_>,
    database: Uuid,
    notices: impl Iterator<Item = &Notice>,
) -> Result<(), tokio_postgres::Error> {
    let notices: Vec<_> = notices.collect();
    if notices.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = notices.iter().map(|notice| notice.id).collect();
    let records: Vec<_> = notices.iter().map(|notice| notice.record).collect();
    let shards: Vec<_> = notices.iter().map(|notice| shard_of(notice.record)).collect();
    let since: Vec<_> = notices.iter().map(|notice| seconds(notice.since)).collect();
    let bodies: Vec<_> = notices.iter().map(|notice| &notice.body).collect();
    transaction
        .execute(
            "INSERT INTO insightpulse.notice \
                  SELECT id, $1, record, shard, to_timestamp(since), body \
                    FROM unnest($2::uuid[], $3::uuid[], $4::int2[], $5::float8[], $6::text[]) \
                         AS given(id, record, shard, since, body) \
             ON CONFLICT (id) DO NOTHING",
            &[&database, &ids, &records, &shards, &since, &bodies],
        )
        .await?;
    Ok(())
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}
