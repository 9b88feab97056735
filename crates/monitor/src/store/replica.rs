//! Which part of the endpoints is ours: leases on rows, without a leader.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use insightpulse_domain::Outcome;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use uuid::Uuid;

use super::{SHARDS, Store, StoreError, in_time};
use crate::judge::{Asked, Judge};
use crate::monitor::{Known, Monitor};
use crate::notice::{Notice, Notifier};
use crate::outbox::{Outbox, Urgency};
use crate::report::{Event, Report};

/// One database that this process serves.
#[derive(Clone)]
pub struct Member {
    pub database: Uuid,
    pub monitor: Arc<Monitor>,
    pub outbox: Arc<Outbox>,
    pub notifier: Arc<dyn Notifier>,
    /// Another sidecar was told that something has changed.
    pub on_hint: Arc<dyn Fn() + Send + Sync>,
}

/// This process among those that share a store.
pub struct Replica {
    store: Arc<Store>,
    databases: HashMap<Uuid, Share>,
    renewed: Option<Instant>,
    replicas: i64,
    begun: Instant,
    /// When it was last found away, by us.
    away: Option<Instant>,
    /// The store has just begun. Leases that were over meanwhile say nothing: nobody could renew
    /// them, and their owners go on with what they know.
    is_young: bool,
}

/// What we have of one database.
#[derive(Default)]
struct Share {
    shards: HashSet<i16>,
    /// No longer ours, and nobody else's yet: somebody has emptied the store, or put it back.
    adrift: HashSet<i16>,
    hint: Option<i64>,
}

/// Whoever dies loses its endpoints to others within this time.
const LEASE: Duration = Duration::from_secs(15);

/// What is written into a row, and how often: so that even a lease that was renewed a moment before
/// its holder died is found to be over within [`LEASE`].
const HELD: Duration = LEASE.saturating_sub(Duration::from_secs(2));
const RENEW_EVERY: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// We stop a little before others may begin, whatever their clocks and ours do in between.
const MARGIN: Duration = Duration::from_secs(2);

impl Replica {
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            databases: HashMap::new(),
            renewed: None,
            replicas: 1,
            begun: Instant::now(),
            away: None,
            is_young: false,
        }
    }

    /// Takes and keeps leases until `stop`, then gives them back.
    pub async fn run(mut self, members: impl Fn() -> Vec<Member>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let members = members();
            let looked = self.look(&members).await;
            if self.store.noted(looked).is_err() {
                self.away = Some(Instant::now());
                if self.renewed.is_none() && self.begun.elapsed() > LEASE {
                    self.go_on_alone(&members);
                }
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Lets others have our endpoints at once.
    pub async fn release(store: &Store) {
        let released = async {
            let client = store.pool.get().await?;
            in_time(async {
                client
                    .execute(
                        "UPDATE insightpulse.shard SET owner = NULL, until = '-infinity' WHERE owner = $1",
                        &[&store.id],
                    )
                    .await?;
                client
                    .execute("DELETE FROM insightpulse.replica WHERE id = $1", &[&store.id])
                    .await
            })
            .await
        };
        if let Err(error) = released.await {
            error!(%error, "The leases could not be given back; others wait until they are over");
        }
    }

    /// The store was never there since we began: better that several test the same than that nobody does.
    fn go_on_alone(&self, members: &[Member]) {
        let all = (0..i16::try_from(SHARDS).unwrap_or(i16::MAX)).collect();
        for member in members {
            member.monitor.own(&all, Instant::now());
        }
    }

    async fn look(&mut self, members: &[Member]) -> Result<(), StoreError> {
        self.store.prepare().await?;
        let is_due = self
            .renewed
            .is_none_or(|renewed| renewed.elapsed() >= RENEW_EVERY);
        if is_due {
            let (seen, is_young) = self.be_seen().await?;
            self.is_young = is_young;
            // After an outage, or when somebody has emptied it, the others come back one by one.
            self.replicas = if self.is_patient() {
                seen.max(self.replicas)
            } else {
                seen
            };
        }
        self.databases
            .retain(|database, _| members.iter().any(|member| member.database == *database));
        for member in members {
            self.share(member, is_due).await?;
        }
        if is_due {
            self.renewed = Some(Instant::now());
        }
        Ok(())
    }

    /// Whether others may just not have been able to renew their leases.
    fn is_patient(&self) -> bool {
        self.is_young || self.away.is_some_and(|away| away.elapsed() < LEASE)
    }

    /// Tells that we are there; returns how many are, and whether the store has just begun.
    async fn be_seen(&self) -> Result<(i64, bool), StoreError> {
        let client = self.store.pool.get().await?;
        in_time(async {
            client
                .execute(
                    "INSERT INTO insightpulse.replica VALUES ($1, now()) \
                     ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
                    &[&self.store.id],
                )
                .await?;
            client
                .execute(
                    "DELETE FROM insightpulse.replica \
                      WHERE seen_at < now() - make_interval(secs => $1) AND NOT $2 \
                        AND pg_postmaster_start_time() < now() - make_interval(secs => $3)",
                    &[&HELD.as_secs_f64(), &self.is_patient(), &LEASE.as_secs_f64()],
                )
                .await?;
            let row = client
                .query_one(
                    "SELECT count(*), pg_postmaster_start_time() >= now() - make_interval(secs => $1) \
                       FROM insightpulse.replica",
                    &[&LEASE.as_secs_f64()],
                )
                .await?;
            Ok((row.get(0), row.get(1)))
        })
        .await
    }

    async fn share(&mut self, member: &Member, is_due: bool) -> Result<(), StoreError> {
        let database = member.database;
        let before: Vec<i16> = self
            .databases
            .get(&database)
            .map(|share| share.shards.union(&share.adrift).copied().collect())
            .unwrap_or_default();
        let mut client = self.store.pool.get().await?;
        let id = self.store.id;
        let is_patient = self.is_patient();
        // What is not written yet would be lost with its shard.
        let is_complete = self.store.is_complete(database);
        let replicas = self.replicas.max(1);
        let fair = (i64::from(SHARDS) + replicas - 1) / replicas;
        // Counted from before the question: that is when the lease begins at the latest.
        let asked = Instant::now();
        let held = HELD.as_secs_f64();
        let (mine, elsewhere, taken, hint, handed) = in_time(async {
            let transaction = client.transaction().await?;
            // At first there are none, and when somebody has emptied the store.
            transaction
                .execute(
                    "INSERT INTO insightpulse.shard (database, shard) \
                     SELECT $1, generate_series(0, $2::int - 1) \
                      WHERE (SELECT count(*) FROM insightpulse.shard WHERE database = $1) < $2 \
                     ON CONFLICT DO NOTHING",
                    &[&database, &i32::from(SHARDS)],
                )
                .await?;
            if is_due {
                transaction
                    .execute(
                        "UPDATE insightpulse.shard SET until = now() + make_interval(secs => $3) \
                          WHERE database = $1 AND owner = $2",
                        &[&database, &id, &held],
                    )
                    .await?;
            }
            // More than our part is given back while others have less; less is filled up with what is free.
            let given: HashSet<i16> = transaction
                .query(
                    "UPDATE insightpulse.shard SET owner = NULL, until = '-infinity' \
                      WHERE database = $1 AND owner = $2 AND $4 AND shard IN ( \
                            SELECT shard FROM insightpulse.shard WHERE database = $1 AND owner = $2 \
                             ORDER BY shard OFFSET $3) \
                     RETURNING shard",
                    &[&database, &id, &fair, &is_complete],
                )
                .await?
                .iter()
                .map(|row| row.get(0))
                .collect();
            let taken = transaction
                .query(
                    "UPDATE insightpulse.shard AS taken SET owner = $2, until = now() + make_interval(secs => $4) \
                       FROM (SELECT shard, owner FROM insightpulse.shard \
                              WHERE database = $1 AND (owner IS NULL OR until < now() AND NOT $5) \
                              ORDER BY shard = ANY($6) DESC, shard \
                              LIMIT greatest(0, $3 - (SELECT count(*) FROM insightpulse.shard \
                                                       WHERE database = $1 AND owner = $2 AND until >= now())) \
                                FOR UPDATE SKIP LOCKED) AS free \
                      WHERE taken.database = $1 AND taken.shard = free.shard \
                     RETURNING taken.shard, free.owner",
                    &[&database, &id, &fair, &held, &is_patient, &before],
                )
                .await?;
            let taken: Vec<(i16, Option<Uuid>)> = taken.iter().map(|row| (row.get(0), row.get(1))).collect();
            let (mut mine, mut others) = (HashSet::new(), HashSet::new());
            let held = transaction
                .query(
                    "SELECT shard, owner = $2 FROM insightpulse.shard \
                      WHERE database = $1 AND owner IS NOT NULL AND until > now()",
                    &[&database, &id],
                )
                .await?;
            for row in &held {
                let set = if row.get(1) { &mut mine } else { &mut others };
                set.insert(row.get::<_, i16>(0));
            }
            let hint: i64 = transaction
                .query_one("SELECT coalesce((SELECT counter FROM insightpulse.hint WHERE database = $1), 0)",
                    &[&database],)
                .await?
                .get(0);
            let owned: Vec<_> = mine.iter().copied().collect();
            let handed = transaction
                .query(
                    "DELETE FROM insightpulse.handover WHERE database = $1 AND shard = ANY($2) \
                     RETURNING outcome, by_hand, probe",
                    &[&database, &owned],
                )
                .await?;
            transaction.commit().await?;
            let handed: Vec<(Json<Outcome>, bool)> =
                // What a newer version wrote may be something that this one does not know.
                handed.iter().filter_map(|row| Some((row.try_get(0).ok()?, row.get(1)))).collect();
            Ok((mine, &others | &given, taken, hint, handed))
        })
        .await?;

        let share = self.databases.entry(database).or_default();
        // Also what we had all the time by our own account: another may have had it while we slept.
        let retaken = taken.iter().map(|(shard, _)| *shard);
        let gained: HashSet<_> = mine.difference(&share.shards).copied().chain(retaken).collect();
        let lost: HashSet<_> = share.shards.difference(&mine).copied().collect();
        let anothers = taken
            .iter()
            .filter(|(_, owner)| owner.is_some_and(|owner| owner != id));
        let anothers: HashSet<_> = anothers.map(|(shard, _)| *shard).collect();
        if !anothers.is_empty() {
            let is_kept = |record| !anothers.contains(&super::shard_of(record));
            member.outbox.retain(is_kept);
            member.notifier.retain(&is_kept);
        }
        if !gained.is_empty() {
            let known = self.store.read(member, &gained).await?;
            member.monitor.adopt(known, &gained);
        }
        if !gained.is_empty() || !lost.is_empty() {
            let (gained, lost) = (gained.len(), lost.len());
            info!(%database, shards = mine.len(), gained, lost, "Shares the endpoints with others");
        }
        let share = self.databases.entry(database).or_default();
        let parted: HashSet<_> = &share.adrift | &lost;
        // Whoever has one of them has read what was to be told. What nobody has we go on telling.
        let (gone, adrift): (HashSet<i16>, HashSet<i16>) = parted
            .difference(&mine)
            .partition(|shard| elsewhere.contains(shard));
        if !gone.is_empty() {
            let is_ours = |record| !gone.contains(&super::shard_of(record));
            member.outbox.retain(is_ours);
            member.notifier.retain(&is_ours);
        }
        let until = match (is_due, self.renewed) {
            (false, Some(renewed)) => renewed + HELD,
            _ => asked + HELD,
        };
        member.monitor.own(&mine, until - MARGIN);
        share.adrift = adrift;
        share.shards = mine;
        if share.hint.replace(hint).is_some_and(|before| before != hint) {
            (member.on_hint)();
        }
        let mut handed = handed;
        handed.sort_by_key(|(outcome, _)| outcome.0.probe);
        for (Json(outcome), by_hand) in handed {
            let asked = if by_hand { Asked::ByHand } else { Asked::BySchedule };
            member.monitor.land(&outcome, asked);
        }
        Ok(())
    }
}

impl Store {
    /// Tells the other sidecars that something has changed.
    pub async fn hint(&self, database: Uuid) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        let update = "INSERT INTO insightpulse.hint AS known VALUES ($1, 1) \
                      ON CONFLICT (database) DO UPDATE SET counter = known.counter + 1";
        in_time(client.execute(update, &[&database])).await.map(drop)
    }

    /// What was known of the endpoints of some shards, and what Odoo was still to be told of them.
    async fn read(&self, member: &Member, shards: &HashSet<i16>) -> Result<Vec<Known>, StoreError> {
        let shards: Vec<_> = shards.iter().copied().collect();
        let client = self.pool.get().await?;
        let (known, reports, events, notices) = in_time(async {
            let known = client
                .query(
                    "SELECT record, revision, judge, newest_probe, \
                            greatest(extract(epoch FROM now() - tested_at), 0)::float8 \
                       FROM insightpulse.endpoint WHERE database = $1 AND shard = ANY($2)",
                    &[&member.database, &shards],
                )
                .await?;
            let reports = client
                .query(
                    "SELECT record, report FROM insightpulse.report WHERE database = $1 AND shard = ANY($2)",
                    &[&member.database, &shards],
                )
                .await?;
            let events = client
                .query(
                    "SELECT record, event FROM insightpulse.event WHERE database = $1 AND shard = ANY($2)",
                    &[&member.database, &shards],
                )
                .await?;
            let notices = client
                .query(
                    "SELECT id, record, extract(epoch FROM since)::float8, body FROM insightpulse.notice \
                      WHERE database = $1 AND shard = ANY($2) ORDER BY since",
                    &[&member.database, &shards],
                )
                .await?;
            Ok((known, reports, events, notices))
        })
        .await?;
        let mut events_of: HashMap<Uuid, Vec<Event>> = HashMap::new();
        for row in &events {
            // What an older version wrote and this one cannot read is not worth a stop.
            if let Ok(Json(event)) = row.try_get(1) {
                events_of.entry(row.get(0)).or_default().push(event);
            }
        }
        for row in &reports {
            if let Ok(Json::<Report>(mut report)) = row.try_get(1) {
                report.events = events_of.remove(&row.get(0)).unwrap_or_default();
                report.events.sort_by_key(|event| event.at);
                member.outbox.put(report, Urgency::Changed);
            }
        }
        let notices = notices.iter().filter_map(|row| {
            Some(Notice {
                id: row.get(0),
                record: row.get(1),
                since: Timestamp::from_second(row.get::<_, f64>(2) as i64).ok()?,
                body: row.try_get(3).ok()?,
            })
        });
        member.notifier.tell(notices.collect());
        Ok(known
            .iter()
            .filter_map(|row| {
                Some(Known {
                    record: row.get(0),
                    revision: row.get(1),
                    judge: row.try_get::<_, Json<Judge>>(2).ok()?.0,
                    newest_probe: row.get(3),
                    tested: Duration::try_from_secs_f64(row.get(4)).unwrap_or(Duration::MAX),
                })
            })
            .collect())
    }

    /// Forgets a database that is no longer served.
    pub async fn forget(&self, database: Uuid) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        in_time(async {
            for table in [
                "shard", "hint", "endpoint", "handover", "report", "event", "notice", "rollup", "sample",
            ] {
                client
                    .execute(
                        &format!("DELETE FROM insightpulse.{table} WHERE database = $1"),
                        &[&database],
                    )
                    .await?;
            }
            Ok(())
        })
        .await
    }
}
