//! Runs probes: those that somebody asked for, and those that are due.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use insightpulse_domain::{Cadence, Failure, FailureKind, Outcome, Phases, Reason, Thresholds};
use insightpulse_probe::{Egress, Probed, Target, probe};
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Level, debug, enabled, error, info};
use uuid::Uuid;

use crate::judge::Asked;
use crate::patience::Patience;
use crate::turns::{Concurrency, Turns};

/// One endpoint to probe.
pub struct Job {
    pub id: i64,
    pub record: Uuid,
    pub revision: i64,
    pub name: String,
    /// Where it is, as far as that can be told: for the limit of each host.
    pub host: Option<String>,
    pub agency: Option<i64>,
    pub cadence: Cadence,
    /// Reads the endpoint and opens its secrets: called when the probe starts.
    pub open: Box<dyn FnOnce() -> Result<Target, Failure> + Send>,
}

/// What a caller is told about one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done(Arc<Outcome>),
    /// The probe goes on; its outcome will be written back.
    Testing {
        id: i64,
        probe: Uuid,
    },
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long one probe may take at most, whatever its endpoint allows.
    pub timeout: Duration,
    /// How many probes run at once; the others wait for their turn.
    pub concurrency: Concurrency,
}

/// How much there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub running: usize,
    /// Behind a limit: in all, of a host or of an agency.
    pub waiting: usize,
}

/// More tests are waiting than are kept.
#[derive(Debug, thiserror::Error)]
#[error("{WAITING_MAX} tests are waiting already")]
pub struct TooManyTests;

/// Takes in what probes find out.
pub trait Landing: Send + Sync {
    /// The id of the endpoint's next probe: greater than that of any before it.
    fn probe_id(&self, record: Uuid) -> Uuid;

    /// A probe begins, so long after its time if it had one.
    fn begun(&self, _late: Option<Duration>) {}

    /// Called exactly once for each probe.
    fn landed(&self, outcome: &Outcome, asked: Asked, cadence: &Cadence);
}

pub struct Prober {
    runtime: Handle,
    net: Arc<Egress>,
    landing: Arc<dyn Landing>,
    limits: Limits,
    turns: Arc<Turns>,
    patience: Patience,
    state: Arc<Mutex<State>>,
    tasks: TaskTracker,
    /// What is due gets no turn any more.
    closing: CancellationToken,
}

#[derive(Default)]
struct State {
    /// What is due and waits for its turn, by record and revision.
    queued: HashSet<(Uuid, i64)>,
    /// Probes that have not ended, by record and revision.
    flights: HashMap<(Uuid, i64), Flight>,
    /// What was started for a request that may come again.
    requests: HashMap<String, Started>,
}

/// A probe that is under way, or was a moment ago.
#[derive(Clone)]
struct Flight {
    id: i64,
    probe: Uuid,
    /// Somebody waits for it, whoever began it.
    by_hand: Arc<AtomicBool>,
    outcome: watch::Receiver<Option<Arc<Outcome>>>,
}

/// A flight that has not ended, as who makes it sees it.
struct Departure {
    probe: Uuid,
    by_hand: Arc<AtomicBool>,
    landed: watch::Sender<Option<Arc<Outcome>>>,
}

struct Started {
    at: Instant,
    /// Record and revision of each job: what makes a request the same.
    subject: Vec<(Uuid, i64)>,
    flights: Vec<Flight>,
}

const WAITING_MAX: usize = 50_000;

/// How many endpoints the remembered requests may have, all together.
const REMEMBERED_MAX: usize = 20_000;

/// Odoo runs a request again, after a serialization failure, within seconds.
const REQUEST_REMEMBERED: Duration = Duration::from_secs(60);

impl Prober {
    /// Probes run on `runtime`, so they outlive the request that asked for them.
    pub fn new(runtime: Handle, net: Arc<Egress>, landing: Arc<dyn Landing>, limits: Limits) -> Self {
        Self {
            runtime,
            net,
            landing,
            limits,
            turns: Arc::new(Turns::new(limits.concurrency)),
            patience: Patience::new(),
            state: Arc::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Starts a probe for each job, and answers when all have ended or when
    /// the wait is over, whichever is first.
    ///
    /// An endpoint that is being probed in the same revision is joined. A
    /// request of a name that was seen in the last minute starts nothing.
    pub async fn test(
        &self,
        request: &str,
        jobs: Vec<Job>,
        wait: Duration,
    ) -> Result<Vec<Answer>, TooManyTests> {
        let flights = self.start(request, jobs)?;
        let granted = self.patience.take(wait);
        let begun = Instant::now();
        let mut answers = Vec::with_capacity(flights.len());
        for Flight {
            id,
            probe,
            mut outcome,
            ..
        } in flights
        {
            let landed = tokio::time::timeout_at(begun + granted, outcome.wait_for(Option::is_some)).await;
            answers.push(match landed {
                Ok(Ok(outcome)) => match &*outcome {
                    Some(outcome) => Answer::Done(Arc::clone(outcome)),
                    None => Answer::Testing { id, probe },
                },
                Ok(Err(_)) | Err(_) => Answer::Testing { id, probe },
            });
        }
        self.patience.put_back(granted.saturating_sub(begun.elapsed()));
        Ok(answers)
    }

    /// Probes what is due, unless it is being probed when its turn comes: then
    /// that one counts. `landed` is told of either. What waits already does not
    /// wait twice, however long it takes.
    pub fn probe_by_schedule(&self, job: Job, due: Instant) {
        if !lock(&self.state).queued.insert((job.record, job.revision)) {
            debug!(
                endpoint.id = job.id,
                "The schedule does not keep up: a probe still waits for its turn"
            );
            return;
        }
        let flying = self.flying();
        self.tasks.spawn_on(
            async move {
                let turn = flying
                    .turns
                    .take(Asked::BySchedule, job.host.as_deref(), job.agency);
                let turn = flying.closing.run_until_cancelled(turn).await;
                let (_, departure) = {
                    let mut state = lock(&flying.state);
                    state.queued.remove(&(job.record, job.revision));
                    if turn.is_none() || state.flights.contains_key(&(job.record, job.revision)) {
                        return;
                    }
                    depart(&mut state, &job, flying.landing.as_ref(), Asked::BySchedule)
                };
                flying.landing.begun(Some(due.elapsed()));
                flying.fly(job, departure).await;
                drop(turn);
            },
            &self.runtime,
        );
    }

    pub fn load(&self) -> Load {
        let running = self.turns.taken();
        Load {
            running,
            waiting: self.tasks.len().saturating_sub(running),
        }
    }

    /// Waits until no probe is under way, but not longer than that; start none
    /// afterwards. What is due and waits for its turn gets none.
    pub async fn drain(&self, within: Duration) {
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(within, self.tasks.wait()).await.is_err() {
            info!(
                probes = self.tasks.len(),
                "Probes that have not ended are given up"
            );
        }
    }

    fn start(&self, request: &str, jobs: Vec<Job>) -> Result<Vec<Flight>, TooManyTests> {
        let subject: Vec<_> = jobs.iter().map(|job| (job.record, job.revision)).collect();
        let mut state = lock(&self.state);
        let now = Instant::now();
        state
            .requests
            .retain(|_, started| now - started.at < REQUEST_REMEMBERED);
        if let Some(started) = state.requests.get(request)
            && started.subject == subject
        {
            return Ok(started.flights.clone());
        }
        if state.flights.len() + jobs.len() > WAITING_MAX {
            return Err(TooManyTests);
        }
        let flights: Vec<_> = jobs
            .into_iter()
            .map(|job| match state.flights.get(&(job.record, job.revision)) {
                Some(flight) => {
                    flight.by_hand.store(true, Ordering::Relaxed);
                    flight.clone()
                }
                None => self.launch(&mut state, job),
            })
            .collect();
        let started = Started {
            at: now,
            subject,
            flights: flights.clone(),
        };
        state.requests.insert(request.to_owned(), started);
        state.forget_oldest();
        Ok(flights)
    }

    fn launch(&self, state: &mut State, job: Job) -> Flight {
        let (flight, departure) = depart(state, &job, self.landing.as_ref(), Asked::ByHand);
        let flying = self.flying();
        self.tasks.spawn_on(
            async move {
                let turn = flying
                    .turns
                    .take(Asked::ByHand, job.host.as_deref(), job.agency)
                    .await;
                flying.landing.begun(None);
                flying.fly(job, departure).await;
                drop(turn);
            },
            &self.runtime,
        );
        flight
    }

    fn flying(&self) -> Flying {
        Flying {
            runtime: self.runtime.clone(),
            net: Arc::clone(&self.net),
            landing: Arc::clone(&self.landing),
            turns: Arc::clone(&self.turns),
            state: Arc::clone(&self.state),
            timeout: self.limits.timeout,
            closing: self.closing.clone(),
        }
    }
}

/// What a probe's task has of its prober.
struct Flying {
    runtime: Handle,
    net: Arc<Egress>,
    landing: Arc<dyn Landing>,
    turns: Arc<Turns>,
    state: Arc<Mutex<State>>,
    timeout: Duration,
    closing: CancellationToken,
}

impl Flying {
    async fn fly(&self, job: Job, departure: Departure) {
        let Departure {
            probe: probe_id,
            by_hand,
            landed,
        } = departure;
        let (id, record, revision) = (job.id, job.record, job.revision);
        let net = Arc::clone(&self.net);
        let allowed = self
            .timeout
            .min(Duration::from_millis(job.cadence.timeout_ms.into()));
        // A task of its own: a panic ends one probe, and is told.
        let probing = self.runtime.spawn(async move {
            match (job.open)() {
                Ok(target) => {
                    let probed = probe(&target, &net, Instant::now() + allowed).await;
                    (probed, target.endpoint.thresholds)
                }
                Err(failure) => not_begun(failure),
            }
        });
        let (probed, thresholds) = probing.await.unwrap_or_else(|panic| {
            error!(endpoint.id = id, error = %panic, "A probe panicked");
            not_begun(Reason::Panicked {}.into())
        });
        let outcome = Arc::new(Outcome::new(
            (id, record, revision),
            probe_id,
            probed.found,
            probed.phases,
            &thresholds,
            Timestamp::now(),
        ));
        let asked = if by_hand.load(Ordering::Relaxed) {
            Asked::ByHand
        } else {
            Asked::BySchedule
        };
        tell(&outcome, &job.name, asked);
        lock(&self.state).flights.remove(&(record, revision));
        self.landing.landed(&outcome, asked, &job.cadence);
        // Nobody may be waiting any more.
        landed.send(Some(outcome)).ok();
    }
}

/// What somebody asked for is worth a line; ten thousand a minute are not.
fn tell(outcome: &Outcome, name: &str, asked: Asked) {
    macro_rules! say {
        ($log:ident) => {
            $log!(
                endpoint.id = outcome.id,
                endpoint.record = %outcome.record,
                endpoint.name = name,
                status = ?outcome.status,
                latency_ms = outcome.latency_ms,
                failure.kind = outcome.failure_kind.map(FailureKind::as_str),
                "Probed an endpoint"
            )
        };
    }
    match asked {
        Asked::ByHand => say!(info),
        Asked::BySchedule if enabled!(Level::DEBUG) => say!(debug),
        Asked::BySchedule => {}
    }
}

fn depart(state: &mut State, job: &Job, landing: &dyn Landing, asked: Asked) -> (Flight, Departure) {
    let (landed, outcome) = watch::channel(None);
    let flight = Flight {
        id: job.id,
        probe: landing.probe_id(job.record),
        by_hand: Arc::new(AtomicBool::new(asked == Asked::ByHand)),
        outcome,
    };
    let departure = Departure {
        probe: flight.probe,
        by_hand: Arc::clone(&flight.by_hand),
        landed,
    };
    state.flights.insert((job.record, job.revision), flight.clone());
    (flight, departure)
}

impl State {
    /// Keeps what is remembered within its bound, the newest requests last.
    fn forget_oldest(&mut self) {
        let endpoints = |state: &Self| {
            state
                .requests
                .values()
                .map(|started| started.flights.len())
                .sum::<usize>()
        };
        while self.requests.len() > 1 && endpoints(self) > REMEMBERED_MAX {
            let oldest = self.requests.iter().min_by_key(|(_, started)| started.at);
            let Some(oldest) = oldest.map(|(request, _)| request.clone()) else {
                return;
            };
            self.requests.remove(&oldest);
        }
    }
}

fn not_begun(failure: Failure) -> (Probed, Thresholds) {
    let probed = Probed {
        found: Err(failure),
        phases: Phases::default(),
    };
    (probed, Thresholds::default())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use insightpulse_domain::Kind;
    use insightpulse_probe::EgressPolicy;

    use super::*;

    /// Remembers what landed.
    #[derive(Default)]
    struct Field(Mutex<Vec<(Outcome, Asked)>>);

    impl Field {
        fn landed(&self) -> Vec<(Outcome, Asked)> {
            self.0.lock().expect("no panic").clone()
        }
    }

    impl Landing for Field {
        fn probe_id(&self, _record: Uuid) -> Uuid {
            Uuid::now_v7()
        }

        fn landed(&self, outcome: &Outcome, asked: Asked, _cadence: &Cadence) {
            self.0.lock().expect("no panic").push((outcome.clone(), asked));
        }
    }

    fn prober() -> Prober {
        prober_with(Arc::default())
    }

    fn prober_with(field: Arc<Field>) -> Prober {
        let net = Egress::new(EgressPolicy::default()).expect("TLS");
        let limits = Limits {
            timeout: Duration::from_secs(5),
            concurrency: Concurrency {
                total: 8,
                per_host: 8,
                per_agency: 8,
            },
        };
        Prober::new(Handle::current(), Arc::new(net), field, limits)
    }

    /// A job that waits for `gate` and counts how often it was opened.
    fn job(id: i64, opened: &Arc<AtomicUsize>, wait: Duration) -> Job {
        let opened = Arc::clone(opened);
        Job {
            id,
            record: Uuid::from_u128(id as u128),
            revision: 1,
            name: format!("Test {id}"),
            host: None,
            agency: None,
            cadence: Kind::Api.cadence(),
            open: Box::new(move || {
                opened.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(wait);
                Err(Reason::HostMissing {}.into())
            }),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_quick_probe_is_answered_and_lands() {
        let (field, opened) = (Arc::<Field>::default(), Arc::default());
        let prober = prober_with(Arc::clone(&field));
        let answers = prober
            .test(
                "r1",
                vec![job(7, &opened, Duration::ZERO)],
                Duration::from_secs(5),
            )
            .await
            .expect("few tests");
        let [Answer::Done(outcome)] = answers.as_slice() else {
            panic!("{answers:?}")
        };
        assert_eq!(
            (outcome.id, outcome.failure_kind),
            (7, Some(FailureKind::InvalidEndpoint))
        );
        assert_eq!(field.landed(), [(outcome.as_ref().clone(), Asked::ByHand)]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_slow_probe_is_told_as_testing_and_still_lands() {
        let (field, opened) = (Arc::<Field>::default(), Arc::default());
        let prober = prober_with(Arc::clone(&field));
        let slow = vec![job(7, &opened, Duration::from_millis(300))];
        let answers = prober
            .test("r1", slow, Duration::from_millis(1))
            .await
            .expect("few tests");
        let [Answer::Testing { id: 7, probe }] = answers.as_slice() else {
            panic!("{answers:?}")
        };
        prober.drain(Duration::from_secs(10)).await;
        assert_eq!(field.landed()[0].0.probe, *probe);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_that_comes_again_starts_nothing() {
        let (prober, opened) = (prober(), Arc::default());
        let wait = Duration::from_secs(5);
        let first = prober
            .test("r1", vec![job(7, &opened, Duration::ZERO)], wait)
            .await
            .expect("few tests");
        let again = prober
            .test("r1", vec![job(7, &opened, Duration::ZERO)], wait)
            .await
            .expect("few tests");
        assert_eq!(first, again);
        assert_eq!(opened.load(Ordering::SeqCst), 1);
        let other = prober
            .test("r2", vec![job(7, &opened, Duration::ZERO)], wait)
            .await
            .expect("few tests");
        assert_ne!(first, other);
        assert_eq!(opened.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_of_the_same_name_about_another_endpoint_is_another_request() {
        let (prober, opened) = (prober(), Arc::default());
        let wait = Duration::from_secs(5);
        for id in [7, 8] {
            let answers = prober
                .test("r1", vec![job(id, &opened, Duration::ZERO)], wait)
                .await
                .unwrap();
            assert!(
                matches!(answers.as_slice(), [Answer::Done(outcome)] if outcome.id == id),
                "{answers:?}"
            );
        }
        assert_eq!(opened.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_remembered_of_requests_is_bounded() {
        let (prober, opened) = (prober(), Arc::default());
        for request in 0..50 {
            let jobs = (0..1_000)
                .map(|id| job(request * 1_000 + id, &opened, Duration::ZERO))
                .collect();
            prober
                .test(&format!("r{request}"), jobs, Duration::from_secs(5))
                .await
                .unwrap();
            while !lock(&prober.state).flights.is_empty() {
                tokio::task::yield_now().await;
            }
        }
        let remembered: usize = lock(&prober.state)
            .requests
            .values()
            .map(|started| started.flights.len())
            .sum();
        assert_eq!(remembered, REMEMBERED_MAX);
        assert!(lock(&prober.state).requests.contains_key("r49"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_endpoint_that_is_being_probed_is_joined() {
        let (prober, opened) = (prober(), Arc::default());
        let slow = || vec![job(7, &opened, Duration::from_millis(200))];
        let first = prober
            .test("r1", slow(), Duration::ZERO)
            .await
            .expect("few tests");
        let second = prober
            .test("r2", slow(), Duration::from_secs(5))
            .await
            .expect("few tests");
        let ([Answer::Testing { probe, .. }], [Answer::Done(outcome)]) =
            (first.as_slice(), second.as_slice())
        else {
            panic!("{first:?} {second:?}")
        };
        assert_eq!(*probe, outcome.probe);
        assert_eq!(opened.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_ends_one_probe_and_is_told() {
        let (prober, opened) = (prober(), Arc::default());
        let mut bad = job(7, &opened, Duration::ZERO);
        bad.open = Box::new(|| panic!("for the test"));
        let jobs = vec![bad, job(8, &opened, Duration::ZERO)];
        let answers = prober
            .test("r1", jobs, Duration::from_secs(5))
            .await
            .expect("few tests");
        let kinds: Vec<_> = answers
            .iter()
            .map(|answer| match answer {
                Answer::Done(outcome) => outcome.failure_kind,
                Answer::Testing { .. } => None,
            })
            .collect();
        assert_eq!(
            kinds,
            [Some(FailureKind::Internal), Some(FailureKind::InvalidEndpoint)]
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_waits_for_its_turn_does_not_wait_twice_and_gets_none_at_the_end() {
        let (field, opened) = (Arc::<Field>::default(), Arc::default());
        let prober = prober_with(Arc::clone(&field));
        let mut taken = Vec::new();
        // All that the schedule may have: an eighth is kept for who presses Test.
        for _ in 0..7 {
            taken.push(prober.turns.take(Asked::BySchedule, None, None).await);
        }
        for _ in 0..5 {
            prober.probe_by_schedule(job(7, &opened, Duration::ZERO), Instant::now());
        }
        assert_eq!(prober.tasks.len(), 1);
        prober.drain(Duration::from_secs(10)).await;
        assert!(prober.tasks.is_empty());
        assert_eq!((opened.load(Ordering::SeqCst), field.landed().len()), (0, 0));
        drop(taken);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_due_while_somebody_tests_it_is_probed_once_and_counts_as_by_hand() {
        let (field, opened) = (Arc::<Field>::default(), Arc::default());
        let prober = prober_with(Arc::clone(&field));
        let slow = || job(7, &opened, Duration::from_millis(200));
        prober
            .test("r1", vec![slow()], Duration::ZERO)
            .await
            .expect("few tests");
        prober.probe_by_schedule(slow(), Instant::now());
        prober.drain(Duration::from_secs(10)).await;
        assert_eq!(opened.load(Ordering::SeqCst), 1);
        assert!(matches!(field.landed().as_slice(), [(_, Asked::ByHand)]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_tests_what_the_schedule_has_begun_joins_it() {
        let (field, opened) = (Arc::<Field>::default(), Arc::default());
        let prober = prober_with(Arc::clone(&field));
        let slow = || job(7, &opened, Duration::from_millis(300));
        prober.probe_by_schedule(slow(), Instant::now());
        while opened.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let answers = prober
            .test("r1", vec![slow()], Duration::from_secs(5))
            .await
            .expect("few tests");
        assert!(matches!(answers.as_slice(), [Answer::Done(_)]), "{answers:?}");
        assert_eq!(opened.load(Ordering::SeqCst), 1);
        assert!(matches!(field.landed().as_slice(), [(_, Asked::ByHand)]));
    }
}
