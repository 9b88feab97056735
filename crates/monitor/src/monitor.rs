//! Everything about one database's endpoints: when each is due, what is thought of it, what Odoo has to know.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use insightpulse_domain::{Cadence, Failure, Outcome, RawEndpoint};
use insightpulse_probe::{Egress, Target};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::history::{History, Range, Remembered, Sample};
use crate::judge::{Asked, Change, Heard, Judge};
use crate::notice::Notifier;
use crate::outbox::{Outbox, Urgency};
use crate::prober::{Answer, Job, Landing, Limits, Load, Prober, TooManyTests};
use crate::report::{Event, EventKind, Report, Tally};
use crate::roster::Monitored;
use crate::slots::Slots;
use crate::store::{Entry, Recorder, Store, shard_of};

/// Opens an endpoint's secrets and reads it, for one probe.
pub type Opens = Arc<dyn Fn(&RawEndpoint) -> Result<Target, Failure> + Send + Sync>;

/// What is told to whoever counts.
pub trait Observer: Send + Sync {
    /// A probe by schedule began so long after its time.
    fn begun(&self, _late: Duration) {}
    fn landed(&self, _outcome: &Outcome, _endpoint: Option<&Monitored>) {}
    /// The newest result of an endpoint that is ours to judge.
    fn measured(&self, _outcome: &Outcome, _endpoint: &Monitored) {}
    /// An endpoint is not monitored any more, or not by us.
    fn gone(&self, _record: Uuid) {}
}

/// The monitoring of one database.
pub struct Monitor {
    prober: Prober,
    desk: Arc<Desk>,
    opens: Opens,
}

/// Where results are written down before Odoo is told.
pub struct Keeping {
    pub store: Arc<Store>,
    pub recorder: Recorder,
}

/// What another process, or this one before it was restarted, knew of an endpoint.
#[derive(Debug)]
pub struct Known {
    pub record: Uuid,
    pub revision: i64,
    pub judge: Judge,
    pub newest_probe: Uuid,
    /// How long ago it was tested.
    pub tested: Duration,
}

/// What probes and schedule share.
struct Desk {
    salt: u64,
    outbox: Arc<Outbox>,
    /// `None`: what is known is in memory alone.
    keeping: Option<Keeping>,
    observer: Arc<dyn Observer>,
    notifier: Arc<dyn Notifier>,
    state: Mutex<State>,
    /// Something is due sooner than it was.
    sooner: Notify,
}

#[derive(Default)]
struct State {
    files: HashMap<Uuid, File>,
    /// What is known of endpoints that have not been read from Odoo yet.
    known: HashMap<Uuid, Known>,
    /// With a store, the shards that are ours, and until when that is certain.
    owned: (HashSet<i16>, Option<Instant>),
    /// Who is due when; what does not agree with the file any more is passed over.
    due: BinaryHeap<Reverse<(Instant, Uuid)>>,
}

/// All about one endpoint.
struct File {
    endpoint: Arc<Monitored>,
    slots: Slots,
    judge: Judge,
    /// What the judgement is about, which may have been tested before it was read.
    judged: i64,
    /// The newest result that the judgement has heard, or that Odoo shows.
    heard: Option<Uuid>,
    /// No probe of this endpoint may have a smaller id, or Odoo would take it for an older one.
    newest_probe: Uuid,
    /// When the next probe begins; while one is under way, when that is given up.
    due: Instant,
    is_probing: bool,
    last: Option<Instant>,
    remembered: Remembered,
}

/// What changed in the roster.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    pub added: usize,
    pub changed: usize,
    pub gone: usize,
}

/// How soon a result that is not confirmed yet is looked at again.
const RETRY: Duration = Duration::from_secs(2);

/// What is new or was changed is tested soon, so many milliseconds apart.
const SOON_STEP: Duration = Duration::from_millis(2);

/// A probe that has not landed so long after its deadline is lost, or still waits for its turn.
const LOST: Duration = Duration::from_secs(60);

/// A turn is waited for, and that is no reason to give a probe up.
const TURN: Duration = Duration::from_secs(300);

/// What the monitoring of one database is made of.
pub struct MonitorSetup {
    pub database: Uuid,
    /// Probes run here.
    pub runtime: Handle,
    pub net: Arc<Egress>,
    pub limits: Limits,
    pub outbox: Arc<Outbox>,
    /// `None` keeps what is known in memory alone.
    pub keeping: Option<Keeping>,
    pub observer: Arc<dyn Observer>,
    pub notifier: Arc<dyn Notifier>,
    pub opens: Opens,
}

impl Monitor {
    pub fn new(setup: MonitorSetup) -> Self {
        let MonitorSetup {
            database,
            runtime,
            net,
            limits,
            outbox,
            keeping,
            observer,
            notifier,
            opens,
        } = setup;
        let desk = Arc::new(Desk {
            salt: database.as_u64_pair().1,
            outbox,
            keeping,
            observer,
            notifier,
            state: Mutex::default(),
            sooner: Notify::new(),
        });
        let landing: Arc<dyn Landing> = Arc::clone(&desk) as _;
        Self {
            prober: Prober::new(runtime, net, landing, limits),
            desk,
            opens,
        }
    }

    /// Tests what somebody wants to know about: see [`Prober::test`].
    pub async fn test(
        &self,
        request: &str,
        endpoints: Vec<RawEndpoint>,
        wait: Duration,
    ) -> Result<Vec<Answer>, TooManyTests> {
        let jobs = endpoints
            .into_iter()
            .map(|raw| {
                let known = self
                    .desk
                    .lock()
                    .files
                    .get(&raw.record)
                    .map(|file| Arc::clone(&file.endpoint));
                let host = known.as_ref().and_then(|known| known.host.clone());
                let agency = known.and_then(|known| known.agency);
                self.job(Arc::new(raw), host, agency)
            })
            .collect();
        self.prober.test(request, jobs, wait).await
    }

    /// Takes in endpoints as Odoo has them now: new ones, changed ones.
    pub fn take_in(&self, endpoints: Vec<Monitored>) -> Changed {
        let changed = self.desk.take_in(endpoints);
        self.desk.sooner.notify_one();
        changed
    }

    /// Forgets what is not among these any more; returns how many that were.
    pub fn keep_only(&self, records: &HashSet<Uuid>) -> usize {
        self.desk.retain(|record, _| records.contains(record))
    }

    /// Forgets those of these ids.
    pub fn forget(&self, ids: &HashSet<i64>) {
        self.desk.retain(|_, file| !ids.contains(&file.endpoint.raw.id));
    }

    /// The version of each endpoint that is known.
    pub fn versions(&self) -> HashMap<Uuid, String> {
        let state = self.desk.lock();
        let versions = state.files.iter();
        versions
            .map(|(record, file)| (*record, file.endpoint.version.clone()))
            .collect()
    }

    /// How an endpoint has been; of one that is not known, nothing is.
    pub fn history(&self, record: Uuid, range: Range) -> History {
        let state = self.desk.lock();
        let none = Remembered::default();
        let remembered = state.files.get(&record).map_or(&none, |file| &file.remembered);
        remembered.history(range, Timestamp::now())
    }

    /// Goes on from what is known of the endpoints of some shards, which are ours from now on.
    pub fn adopt(&self, known: Vec<Known>, shards: &HashSet<i16>) {
        self.desk.adopt(known, shards);
        self.desk.sooner.notify_one();
    }

    /// Goes on from what this process had not told Odoo before it was restarted: where Odoo does not
    /// know it yet, what it says is older.
    pub fn go_on_from(&self, reports: &[Report]) {
        let now = Timestamp::now();
        let mut state = self.desk.lock();
        for Report { outcome, .. } in reports {
            let known = Known {
                record: outcome.record,
                revision: outcome.revision,
                judge: Judge::new(Some(outcome.status)),
                newest_probe: outcome.probe,
                tested: now
                    .duration_since(outcome.checked_at)
                    .try_into()
                    .unwrap_or_default(),
            };
            state.know(known);
        }
    }

    /// Whether what is ours is so for certain: not after a sleep, until the store was asked.
    pub fn is_certain(&self) -> bool {
        let Some(keeping) = &self.desk.keeping else {
            return true;
        };
        let until = self.desk.lock().owned.1;
        keeping.store.is_away() || until.is_some_and(|until| Instant::now() < until)
    }

    /// These shards are ours until then, and no others.
    pub fn own(&self, shards: &HashSet<i16>, until: Instant) {
        let lost: Vec<_> = {
            let mut state = self.desk.lock();
            let before = std::mem::replace(&mut state.owned, (shards.clone(), Some(until))).0;
            if before.is_subset(shards) {
                return;
            }
            let is_lost = |record: &&Uuid| {
                let shard = shard_of(**record);
                before.contains(&shard) && !shards.contains(&shard)
            };
            state.files.keys().filter(is_lost).copied().collect()
        };
        lost.iter().for_each(|record| self.desk.observer.gone(*record));
    }

    /// Whether what only one of several processes may do is ours to do.
    pub fn is_first(&self) -> bool {
        self.desk.keeping.is_none() || self.desk.lock().owned.0.contains(&0)
    }

    /// Takes in what another process has found out about an endpoint of ours.
    pub fn land(&self, outcome: &Outcome, asked: Asked) {
        let cadence = {
            let state = self.desk.lock();
            state.files.get(&outcome.record).map(|file| file.endpoint.cadence)
        };
        if let Some(cadence) = cadence {
            self.desk.landed(outcome, asked, &cadence);
        }
    }

    pub fn len(&self) -> usize {
        self.desk.lock().files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many probes run, and how many wait for their turn.
    pub fn load(&self) -> Load {
        self.prober.load()
    }

    /// Starts each probe at its time, for as long as it is polled.
    pub async fn run(&self) {
        loop {
            let (due, next) = self.desk.due(Instant::now(), Timestamp::now());
            for (endpoint, due) in due {
                let job = self.job(Arc::clone(&endpoint.raw), endpoint.host.clone(), endpoint.agency);
                self.prober.probe_by_schedule(job, due);
            }
            let sleep = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = self.desk.sooner.notified() => {}
            }
        }
    }

    /// Waits until no probe is under way, but not longer than that; start none afterwards.
    pub async fn drain(&self, within: Duration) {
        self.prober.drain(within).await;
    }

    fn job(&self, raw: Arc<RawEndpoint>, host: Option<String>, agency: Option<i64>) -> Job {
        let opens = Arc::clone(&self.opens);
        Job {
            id: raw.id,
            record: raw.record,
            revision: raw.revision,
            name: raw.name.clone(),
            host,
            agency,
            cadence: raw.cadence(),
            open: Box::new(move || opens(&raw)),
        }
    }
}

impl Desk {
    /// Forgets the others; returns how many.
    fn retain(&self, keep: impl Fn(&Uuid, &File) -> bool) -> usize {
        let mut gone = Vec::new();
        self.lock().files.retain(|record, file| {
            let stays = keep(record, file);
            if !stays {
                gone.push(*record);
            }
            stays
        });
        gone.iter().for_each(|record| self.observer.gone(*record));
        gone.len()
    }

    fn take_in(&self, endpoints: Vec<Monitored>) -> Changed {
        let mut changed = Changed::default();
        let (now, wall) = (Instant::now(), Timestamp::now());
        let mut soon = now;
        let mut state = self.lock();
        for endpoint in endpoints {
            let record = endpoint.raw.record;
            let interval = Duration::from_secs(endpoint.cadence.interval_s.into());
            let slots = Slots::new(endpoint.raw.id, self.salt, interval);
            let endpoint = Arc::new(endpoint);
            let filed = state.files.remove(&record);
            let is_known = filed.is_some();
            let mut file = filed.unwrap_or_else(|| File::new(Arc::clone(&endpoint), slots, now));
            // While the store was away, or was put back, Odoo was told what is newer.
            let known = state
                .known
                .remove(&record)
                .filter(|known| Some(known.newest_probe) >= endpoint.last_probe);
            let was_tested = known.as_ref().is_some_and(|known| file.go_on_from(known, now));
            let revision = endpoint.raw.revision;
            let is_new_revision =
                is_known && revision != file.endpoint.raw.revision && revision != file.judged;
            if is_new_revision {
                file.begin_anew(revision);
            }
            file.newest_probe = file.newest_probe.max(endpoint.last_probe.unwrap_or_default());
            let was_resting = is_known && file.endpoint.rests(wall);
            file.endpoint = endpoint;
            if !file.is_probing {
                let has_no_result = file.endpoint.status.is_none() && !was_tested;
                let wants_a_first_result = has_no_result || is_new_revision || was_resting;
                file.due = if wants_a_first_result {
                    soon += SOON_STEP;
                    soon.min(now + slots.wait_from(wall))
                } else if is_known && file.slots == slots {
                    file.due
                } else {
                    now + slots.wait_from(wall)
                };
                state.due.push(Reverse((file.due, record)));
            }
            file.slots = slots;
            match is_known {
                true => changed.changed += 1,
                false => changed.added += 1,
            }
            state.files.insert(record, file);
        }
        changed
    }

    /// Whose time has come, with that time; and when the next one's does.
    fn due(&self, now: Instant, wall: Timestamp) -> (Vec<(Arc<Monitored>, Instant)>, Option<Instant>) {
        let mut state = self.lock();
        let owned = state.owned.clone();
        let mut begin = Vec::new();
        while let Some(Reverse((due, record))) = state.due.peek().copied() {
            let file = state.files.get_mut(&record).filter(|file| file.due == due);
            let Some(file) = file else {
                state.due.pop();
                continue;
            };
            if due > now {
                return (begin, Some(due));
            }
            let is_ours = self.keeping.as_ref().is_none_or(|keeping| {
                let (shards, until) = &owned;
                // While the store is away nobody else can have taken it either. If it is away from us
                // alone, two test the same, and what changes has the same id for both.
                shards.contains(&shard_of(record))
                    && (until.is_some_and(|until| now < until) || keeping.store.is_away())
            });
            file.is_probing = is_ours && !file.endpoint.rests(wall);
            if file.is_probing {
                let allowed = Duration::from_millis(file.endpoint.cadence.timeout_ms.into());
                begin.push((Arc::clone(&file.endpoint), due));
                file.due = now + TURN + allowed + LOST;
            } else {
                file.due = now + file.slots.wait_from(wall);
            }
            let next = file.due;
            state.due.pop();
            state.due.push(Reverse((next, record)));
        }
        (begin, None)
    }

    fn judge(&self, outcome: &Outcome, asked: Asked, cadence: &Cadence) -> Judged {
        let now = Instant::now();
        let mut state = self.lock();
        if !state.files.contains_key(&outcome.record) {
            // Somebody tests what is archived, or so new that it has not been read yet: what
            // is thought of it is what Odoo shows.
            return Judged::Unknown;
        }
        let is_ours = self.keeping.is_none() || state.owned.0.contains(&shard_of(outcome.record));
        let file = state.files.get_mut(&outcome.record).expect("it was there");
        if !is_ours {
            file.schedule(now, file.slots.wait_from(Timestamp::now()));
            let due = (file.due, outcome.record);
            state.due.push(Reverse(due));
            return Judged::Anothers;
        }
        if outcome.revision < file.endpoint.raw.revision {
            file.schedule(now, Duration::ZERO);
            let due = (file.due, outcome.record);
            state.due.push(Reverse(due));
            return Judged::Stale;
        }
        if outcome.revision > file.endpoint.raw.revision && outcome.revision != file.judged {
            // The change has not been read yet. What was thought is about what it was.
            file.begin_anew(outcome.revision);
        }
        file.heard = file.heard.max(Some(outcome.probe));
        // Another process that made it may have a clock that is ahead.
        file.newest_probe = file.newest_probe.max(outcome.probe);
        let interval = Duration::from_secs(cadence.interval_s.into());
        let sample = Sample::new(outcome, file.last.map(|last| now - last), interval);
        file.last = Some(now);
        if self.keeping.is_none() {
            file.remembered.add(&sample);
        }
        let was_unlike = file.judge.shown() != Some(outcome.status);
        let rests = file.endpoint.rests(Timestamp::now());
        let heard = file
            .judge
            .hear(outcome.status, asked, cadence, outcome.checked_at, rests);
        let wait = file.slots.wait_from(Timestamp::now());
        file.schedule(
            now,
            if heard.unconfirmed.is_some() {
                wait.min(RETRY)
            } else {
                wait
            },
        );
        let due = (file.due, outcome.record);
        let judge = file.judge.clone();
        state.due.push(Reverse(due));
        drop(state);
        let urgency = if heard.change.is_some() || was_unlike || asked == Asked::ByHand {
            Urgency::Changed
        } else {
            Urgency::Measured
        };
        Judged::Heard(Box::new(Entry {
            report: Report::new(outcome.clone(), &heard, &sample),
            urgency,
            sample,
            judge,
            revision: outcome.revision,
            notices: Vec::new(),
            was_tried: false,
        }))
    }

    /// Whether an endpoint is monitored, and by us.
    fn has(&self, record: Uuid) -> bool {
        let state = self.lock();
        let is_ours = self.keeping.is_none() || state.owned.0.contains(&shard_of(record));
        is_ours && state.files.contains_key(&record)
    }

    fn adopt(&self, known: Vec<Known>, shards: &HashSet<i16>) {
        let (now, wall) = (Instant::now(), Timestamp::now());
        let mut state = self.lock();
        let mut tested = HashMap::new();
        for known in known {
            match state.files.get_mut(&known.record) {
                Some(file) => {
                    // It may be from before an outage of the store, or out of a backup.
                    if file.heard <= Some(known.newest_probe) {
                        file.go_on_from(&known, now);
                    }
                    tested.insert(known.record, known.tested);
                }
                None => state.know(known),
            }
        }
        let State { files, due, .. } = &mut *state;
        let mut soon = now;
        for (record, file) in files.iter_mut() {
            if !shards.contains(&shard_of(*record)) || file.is_probing {
                continue;
            }
            let interval = Duration::from_secs(file.endpoint.cadence.interval_s.into());
            // Its turn was missed while nobody had it.
            let was_missed = tested.get(record).is_none_or(|tested| *tested > interval);
            file.due = now + file.slots.wait_from(wall);
            if was_missed {
                soon += SOON_STEP;
                file.due = file.due.min(soon);
            }
            due.push(Reverse((file.due, *record)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Landing for Desk {
    fn probe_id(&self, record: Uuid) -> Uuid {
        let mut probe = Uuid::now_v7();
        if let Some(file) = self.lock().files.get_mut(&record) {
            // After a clock has jumped back, the newest is still the greatest.
            if probe <= file.newest_probe {
                probe = Uuid::from_u128(file.newest_probe.as_u128().saturating_add(1));
            }
            file.newest_probe = probe;
        }
        probe
    }

    fn begun(&self, late: Option<Duration>) {
        if let Some(late) = late {
            self.observer.begun(late);
        }
    }

    fn landed(&self, outcome: &Outcome, asked: Asked, cadence: &Cadence) {
        let mut judged = self.judge(outcome, asked, cadence);
        let is_ours = matches!(judged, Judged::Heard(_));
        let endpoint = {
            let state = self.lock();
            state
                .files
                .get(&outcome.record)
                .map(|file| Arc::clone(&file.endpoint))
        };
        if let Judged::Heard(entry) = &mut judged
            && !entry.report.events.is_empty()
        {
            entry.notices = self.notifier.notices(&entry.report, endpoint.as_deref());
        }
        match (judged, &self.keeping) {
            (Judged::Stale, _) => {}
            (Judged::Heard(entry), Some(keeping)) => keeping.recorder.record(*entry),
            (Judged::Heard(entry), None) => {
                self.outbox.put(entry.report, entry.urgency);
                self.notifier.tell(entry.notices);
            }
            (Judged::Anothers, Some(keeping)) => keeping.recorder.hand_over(outcome.clone(), asked),
            (Judged::Anothers | Judged::Unknown, _) => {
                self.outbox.put(Report::bare(outcome.clone()), Urgency::Changed);
            }
        }
        self.observer.landed(outcome, endpoint.as_deref());
        if let Some(endpoint) = endpoint.filter(|_| is_ours) {
            self.observer.measured(outcome, &endpoint);
            // It may have gone, and been told to have, since it was looked up.
            if !self.has(outcome.record) {
                self.observer.gone(outcome.record);
            }
        }
        self.sooner.notify_one();
    }
}

/// What one result comes to.
enum Judged {
    Heard(Box<Entry>),
    /// Of what the endpoint was before somebody changed it.
    Stale,
    /// Of an endpoint that is not monitored.
    Unknown,
    /// Another sidecar says what it means.
    Anothers,
}

impl State {
    /// Keeps this until its endpoint is read from Odoo, if nothing newer is kept.
    fn know(&mut self, known: Known) {
        let kept = self.known.get(&known.record);
        if kept.is_none_or(|kept| kept.newest_probe <= known.newest_probe) {
            self.known.insert(known.record, known);
        }
    }
}

impl File {
    /// Takes over what is thought, if that is about the same revision.
    fn go_on_from(&mut self, known: &Known, now: Instant) -> bool {
        self.newest_probe = self.newest_probe.max(known.newest_probe);
        let is_same = known.revision == self.endpoint.raw.revision;
        if is_same {
            self.heard = self.heard.max(Some(known.newest_probe));
            self.judge = known.judge.clone();
            self.judged = known.revision;
            self.last = now.checked_sub(known.tested);
        } else if self.endpoint.status.is_none() {
            // Changed while nobody looked, and not tested since.
            self.judge = known.judge.clone();
            self.begin_anew(self.endpoint.raw.revision);
        }
        is_same
    }

    fn new(endpoint: Arc<Monitored>, slots: Slots, now: Instant) -> Self {
        Self {
            judge: Judge::new(endpoint.status),
            judged: endpoint.raw.revision,
            heard: endpoint.last_probe,
            newest_probe: endpoint.last_probe.unwrap_or_default(),
            endpoint,
            slots,
            due: now,
            is_probing: false,
            last: None,
            remembered: Remembered::default(),
        }
    }

    fn begin_anew(&mut self, revision: i64) {
        self.judge.renew();
        self.judged = revision;
    }

    fn schedule(&mut self, now: Instant, wait: Duration) {
        self.is_probing = false;
        self.due = now + wait;
    }
}

impl Report {
    /// Of an endpoint that nothing is thought of.
    pub(crate) fn bare(outcome: Outcome) -> Self {
        Self {
            outcome,
            unconfirmed: None,
            is_flapping: false,
            events: Vec::new(),
            tallies: Vec::new(),
        }
    }

    fn new(mut outcome: Outcome, heard: &Heard, sample: &Sample) -> Self {
        let events = heard.change.map(|change| Event::new(change, &outcome, heard));
        let tally = Tally::new(sample);
        outcome.status = heard.shown;
        Self {
            outcome,
            unconfirmed: heard.unconfirmed,
            is_flapping: heard.is_flapping,
            events: events.into_iter().collect(),
            tallies: vec![tally],
        }
    }
}

impl Event {
    fn new(change: Change, outcome: &Outcome, heard: &Heard) -> Self {
        let (kind, from) = match change {
            Change::Transition(from) => (EventKind::Transition, from),
            Change::FlappingBegan(from) => (EventKind::Flapping, from),
            Change::FlappingEnded(from) => (EventKind::Steady, from),
        };
        Self {
            id: heard.id,
            at: outcome.checked_at,
            kind,
            from,
            to: heard.shown,
            is_flapping: heard.is_flapping,
            is_quiet: heard.is_quiet,
            failure_kind: outcome.failure_kind,
            failure_message: outcome.failure_message.clone(),
            failure_advice: outcome.failure_advice.clone(),
            explanations: outcome.explanations.clone(),
        }
    }
}

impl Tally {
    fn new(sample: &Sample) -> Self {
        let observed_s = sample.observed.as_secs_f64();
        let latency_ms = sample.latency_ms.unwrap_or_default();
        Self {
            day: sample.at.to_zoned(TimeZone::UTC).date(),
            probes: 1,
            failures: u32::from(!sample.is_up),
            observed_s,
            up_s: if sample.is_up { observed_s } else { 0.0 },
            latency_sum_ms: latency_ms,
            latency_max_ms: latency_ms,
        }
    }
}
