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
use tracing::error;
use uuid::Uuid;

use crate::history::{History, Range, Remembered, Sample};
use crate::judge::{Asked, Change, Heard, Judge};
use crate::outbox::{Outbox, Urgency};
use crate::prober::{Answer, Job, Landing, Limits, Prober, TooManyTests};
use crate::report::{Event, EventKind, Report, Tally};
use crate::roster::Monitored;
use crate::slots::Slots;

/// Opens an endpoint's secrets and reads it, for one probe.
pub type Opens = Arc<dyn Fn(&RawEndpoint) -> Result<Target, Failure> + Send + Sync>;

/// What is told to whoever counts.
pub trait Observer: Send + Sync {
    /// A probe by schedule began so long after its time.
    fn begun(&self, _late: Duration) {}
    fn landed(&self, _outcome: &Outcome, _endpoint: Option<&Monitored>) {}
}

/// The monitoring of one database.
pub struct Monitor {
    prober: Prober,
    desk: Arc<Desk>,
    opens: Opens,
}

/// What probes and schedule share.
struct Desk {
    salt: u64,
    outbox: Arc<Outbox>,
    observer: Arc<dyn Observer>,
    state: Mutex<State>,
    /// Something is due sooner than it was.
    sooner: Notify,
}

#[derive(Default)]
struct State {
    files: HashMap<Uuid, File>,
    /// Who is due when; what does not agree with the file any more is passed over.
    due: BinaryHeap<Reverse<(Instant, Uuid)>>,
}

/// All about one endpoint.
struct File {
    endpoint: Arc<Monitored>,
    slots: Slots,
    judge: Judge,
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

/// A probe that has not landed so long after its deadline is lost.
const LOST: Duration = Duration::from_secs(60);

/// A turn is waited for, and that is no reason to give a probe up.
const TURN: Duration = Duration::from_secs(300);

impl Monitor {
    pub fn new(
        database: Uuid,
        runtime: Handle,
        net: Arc<Egress>,
        limits: Limits,
        outbox: Arc<Outbox>,
        observer: Arc<dyn Observer>,
        opens: Opens,
    ) -> Self {
        let desk = Arc::new(Desk {
            salt: database.as_u64_pair().1,
            outbox,
            observer,
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
        let mut state = self.desk.lock();
        let before = state.files.len();
        state.files.retain(|record, _| records.contains(record));
        before - state.files.len()
    }

    /// Forgets those of these ids.
    pub fn forget(&self, ids: &HashSet<i64>) {
        let mut state = self.desk.lock();
        state.files.retain(|_, file| !ids.contains(&file.endpoint.raw.id));
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

    pub fn len(&self) -> usize {
        self.desk.lock().files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// Waits until no probe is under way; start none afterwards.
    pub async fn drain(&self) {
        self.prober.drain().await;
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
            let known = state.files.remove(&record);
            let is_known = known.is_some();
            let mut file = known.unwrap_or_else(|| File::new(Arc::clone(&endpoint), slots, now));
            let is_new_revision = is_known && endpoint.raw.revision != file.endpoint.raw.revision;
            if is_new_revision {
                // Odoo has withdrawn what was said of it.
                file.judge = Judge::new(None);
            }
            file.newest_probe = file.newest_probe.max(endpoint.last_probe.unwrap_or_default());
            let was_resting = is_known && file.endpoint.rests(wall);
            file.endpoint = endpoint;
            if !file.is_probing {
                let wants_a_first_result = file.endpoint.status.is_none() || is_new_revision || was_resting;
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
            if file.is_probing {
                error!(
                    endpoint.id = file.endpoint.raw.id,
                    "A probe was lost; another one begins"
                );
            }
            file.is_probing = !file.endpoint.rests(wall);
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

    /// What one result comes to; `None` when it is about what is not there any more.
    fn judge(&self, outcome: &Outcome, asked: Asked, cadence: &Cadence) -> Option<(Report, Urgency)> {
        let now = Instant::now();
        let mut state = self.lock();
        let Some(file) = state.files.get_mut(&outcome.record) else {
            // Somebody tests what is archived, or so new that it has not been read yet: what
            // is thought of it is what Odoo shows.
            return Some((Report::bare(outcome.clone()), Urgency::Changed));
        };
        if outcome.revision < file.endpoint.raw.revision {
            file.schedule(now, Duration::ZERO);
            let due = (file.due, outcome.record);
            state.due.push(Reverse(due));
            return None;
        }
        if outcome.revision > file.endpoint.raw.revision {
            // The change has not been read yet. What was thought is about what it was.
            file.judge = Judge::new(None);
        }
        let interval = Duration::from_secs(cadence.interval_s.into());
        let sample = Sample::new(outcome, file.last.map(|last| now - last), interval);
        file.last = Some(now);
        file.remembered.add(&sample);
        let was_unlike = file.judge.shown() != Some(outcome.status);
        let heard = file
            .judge
            .hear(outcome.status, asked, cadence, outcome.checked_at);
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
        state.due.push(Reverse(due));
        drop(state);
        let urgency = if heard.change.is_some() || was_unlike || asked == Asked::ByHand {
            Urgency::Changed
        } else {
            Urgency::Measured
        };
        Some((Report::new(outcome.clone(), &heard, &sample), urgency))
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
        if let Some((report, urgency)) = self.judge(outcome, asked, cadence) {
            self.outbox.put(report, urgency);
        }
        let endpoint = {
            let state = self.lock();
            state
                .files
                .get(&outcome.record)
                .map(|file| Arc::clone(&file.endpoint))
        };
        self.observer.landed(outcome, endpoint.as_deref());
        self.sooner.notify_one();
    }
}

impl File {
    fn new(endpoint: Arc<Monitored>, slots: Slots, now: Instant) -> Self {
        Self {
            judge: Judge::new(endpoint.status),
            newest_probe: endpoint.last_probe.unwrap_or_default(),
            endpoint,
            slots,
            due: now,
            is_probing: false,
            last: None,
            remembered: Remembered::default(),
        }
    }

    fn schedule(&mut self, now: Instant, wait: Duration) {
        self.is_probing = false;
        self.due = now + wait;
    }
}

impl Report {
    /// Of an endpoint that nothing is thought of.
    fn bare(outcome: Outcome) -> Self {
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
            Change::FlappingEnded => (EventKind::Steady, Some(heard.shown)),
        };
        Self {
            id: Uuid::now_v7(),
            at: outcome.checked_at,
            kind,
            from,
            to: heard.shown,
            is_flapping: heard.is_flapping,
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
