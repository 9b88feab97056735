//! Reports on their way to Odoo: one of each endpoint, until it has arrived.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use crate::report::Report;

/// What has still to be written back.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug)]
struct State {
    waiting: BTreeMap<Uuid, Waiting>,
    /// What was sent, and may have arrived: it stays as it is until Odoo has
    /// said so, or else what it counts would be counted twice.
    on_the_way: Vec<Report>,
    /// So many of those go at once: less after a call that did not get through, which may have
    /// been too much for a proxy, or for Odoo's time.
    at_once: usize,
}

#[derive(Debug)]
struct Waiting {
    report: Report,
    urgency: Urgency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The newest measurement of what is as it was: it may wait for others.
    Measured,
    /// Something has changed, or somebody waits for it.
    Changed,
}

/// Takes a batch to Odoo.
pub trait Delivery: Send + Sync {
    fn deliver(&self, batch: &[Report]) -> impl Future<Output = Delivered> + Send;

    /// Odoo has them, or never will.
    fn done(&self, _batch: &[Report]) {}
}

#[derive(Debug, PartialEq, Eq)]
pub enum Delivered {
    Accepted,
    /// Not now: Odoo is away, or does not know us for the moment.
    Later(String),
    /// Something on the way takes no call of this size.
    TooLarge(String),
    /// Never: something in the batch is not acceptable.
    Refused(String),
}

/// The most reports of one call.
const BATCH: usize = 500;

/// How few reports of a call that did not get through still go together.
const LEAST: usize = 50;

/// Reports that come within this time of each other travel together.
const LINGER: Duration = Duration::from_millis(20);

/// How long a mere measurement waits.
const MEASURED_EVERY: Duration = Duration::from_secs(5);

const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MOST: Duration = Duration::from_secs(15);

impl Outbox {
    /// Adds to what waits of an endpoint.
    pub fn put(&self, report: Report, urgency: Urgency) {
        self.lock().put(report, urgency);
        if urgency == Urgency::Changed {
            self.filled.notify_one();
        }
    }

    /// All that has not arrived, oldest probes first.
    pub fn peek(&self) -> Vec<Report> {
        let state = self.lock();
        let waiting = state.waiting.values().map(|waiting| &waiting.report);
        let mut reports: Vec<_> = state.on_the_way.iter().chain(waiting).cloned().collect();
        reports.sort_by_key(|report| report.outcome.probe);
        reports
    }

    /// Forgets the endpoints that are somebody else's from now on.
    pub fn retain(&self, keep: impl Fn(Uuid) -> bool) {
        let mut state = self.lock();
        state.waiting.retain(|record, _| keep(*record));
        state.on_the_way.retain(|report| keep(report.outcome.record));
    }

    pub fn len(&self) -> usize {
        let state = self.lock();
        state.waiting.len() + state.on_the_way.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is to be sent now: what was sent already, as it was; else at least
    /// this urgent, the most urgent and then the oldest probes first.
    fn send(&self, urgency: Urgency) -> Vec<Report> {
        let mut state = self.lock();
        if state.on_the_way.is_empty() {
            let mut chosen: Vec<_> = state
                .waiting
                .iter()
                .filter(|(_, waiting)| waiting.urgency >= urgency)
                .map(|(record, waiting)| (Reverse(waiting.urgency), waiting.report.outcome.probe, *record))
                .collect();
            if chosen.len() > BATCH {
                chosen.select_nth_unstable(BATCH);
                chosen.truncate(BATCH);
            }
            chosen.sort_unstable();
            let mut batch = Vec::with_capacity(chosen.len());
            for (_, _, record) in chosen {
                batch.extend(state.waiting.remove(&record).map(|waiting| waiting.report));
            }
            state.on_the_way = batch;
        }
        let at_once = state.at_once.min(state.on_the_way.len());
        state.on_the_way[..at_once].to_vec()
    }

    fn got_through(&self) {
        let mut state = self.lock();
        state.at_once = (state.at_once * 2).min(BATCH);
    }

    /// The next call has half of what this one had, but not less than `least`.
    fn send_less(&self, sent: usize, least: usize) {
        let mut state = self.lock();
        state.at_once = (sent / 2).clamp(least, BATCH);
    }

    /// Forgets what has arrived.
    fn confirm(&self, arrived: &[Report]) {
        self.lock().on_the_way.retain(|sent| {
            !arrived
                .iter()
                .any(|report| report.outcome.probe == sent.outcome.probe)
        });
    }

    fn has(&self, urgency: Urgency) -> bool {
        let state = self.lock();
        !state.on_the_way.is_empty() || state.waiting.values().any(|waiting| waiting.urgency >= urgency)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            on_the_way: Vec::new(),
            at_once: BATCH,
        }
    }
}

impl State {
    fn put(&mut self, report: Report, urgency: Urgency) {
        match self.waiting.get_mut(&report.outcome.record) {
            Some(waiting) => {
                waiting.report.merge(report);
                waiting.urgency = waiting.urgency.max(urgency);
            }
            None => {
                self.waiting
                    .insert(report.outcome.record, Waiting { report, urgency });
            }
        }
    }
}

/// Delivers what comes in until `stop`, then what is left, for at most `grace`.
///
/// What could not be delivered is in the outbox when this returns.
pub async fn run_delivery(
    outbox: &Outbox,
    delivery: &impl Delivery,
    stop: CancellationToken,
    grace: Duration,
) {
    let mut backoff = BACKOFF_FIRST;
    let mut complained = false;
    let mut measured_at = Instant::now() + MEASURED_EVERY;
    while !stop.is_cancelled() {
        if !outbox.has(Urgency::Changed) {
            tokio::select! {
                () = outbox.filled.notified() => {}
                () = sleep_until(measured_at) => {}
                () = stop.cancelled() => break,
            }
        }
        let urgency = if measured_at <= Instant::now() {
            Urgency::Measured
        } else {
            sleep(LINGER).await;
            Urgency::Changed
        };
        let delivering = deliver_batch(outbox, delivery, urgency);
        tokio::pin!(delivering);
        let delivered = tokio::select! {
            delivered = &mut delivering => delivered,
            // What is on its way may arrive, or it would go twice.
            () = stop.cancelled() => match timeout(grace, delivering).await {
                Ok(delivered) => delivered,
                Err(_) => return,
            },
        };
        match delivered {
            Ok(()) => {
                if complained {
                    info!("Odoo takes results again");
                }
                (backoff, complained) = (BACKOFF_FIRST, false);
                if urgency == Urgency::Measured && !outbox.has(Urgency::Measured) {
                    measured_at = Instant::now() + MEASURED_EVERY;
                }
            }
            Err(reason) => {
                if !complained {
                    warn!(
                        outbox.len = outbox.len(),
                        reason, "Odoo does not take results; they are kept and tried again"
                    );
                }
                complained = true;
                tokio::select! {
                    () = sleep(backoff) => {}
                    () = stop.cancelled() => break,
                }
                backoff = (backoff * 2).min(BACKOFF_MOST);
            }
        }
    }
    let until = Instant::now() + grace;
    let flushing = async {
        while !outbox.is_empty() {
            if deliver_batch(outbox, delivery, Urgency::Measured).await.is_err() {
                sleep(BACKOFF_FIRST).await;
            }
        }
    };
    timeout_at(until, flushing).await.ok();
}

/// `Err` when the rest has to wait, with the reason.
async fn deliver_batch(outbox: &Outbox, delivery: &impl Delivery, urgency: Urgency) -> Result<(), String> {
    let batch = outbox.send(urgency);
    if batch.is_empty() {
        return Ok(());
    }
    let arrived = |reports: &[Report]| {
        outbox.confirm(reports);
        delivery.done(reports);
    };
    match delivery.deliver(&batch).await {
        Delivered::Accepted => {
            debug!(results = batch.len(), "Wrote results back to Odoo");
            arrived(&batch);
            outbox.got_through();
            Ok(())
        }
        Delivered::Later(reason) => {
            outbox.send_less(batch.len(), LEAST);
            Err(reason)
        }
        Delivered::TooLarge(reason) if batch.len() > 1 => {
            debug!(
                results = batch.len(),
                reason, "A call was too large; it is sent in halves"
            );
            outbox.send_less(batch.len(), 1);
            Ok(())
        }
        Delivered::TooLarge(reason) => {
            error!(
                endpoint.id = batch[0].outcome.id,
                reason, "A result is too large for what is between us and Odoo; it is dropped"
            );
            arrived(&batch);
            Ok(())
        }
        // One report must not hold up the others: each goes alone.
        Delivered::Refused(_) => {
            for report in batch {
                let alone = std::slice::from_ref(&report);
                match delivery.deliver(alone).await {
                    Delivered::Accepted => arrived(alone),
                    Delivered::Later(reason) => return Err(reason),
                    Delivered::Refused(reason) | Delivered::TooLarge(reason) => {
                        error!(
                            endpoint.id = report.outcome.id,
                            reason, "Odoo refuses a result for good; it is dropped"
                        );
                        arrived(alone);
                    }
                }
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use insightpulse_domain::{Evidence, Outcome, Phases, Status, Thresholds};
    use jiff::Timestamp;

    use super::*;
    use crate::report::{Event, EventKind, Tally};

    fn report(record: u128, probe: u128) -> Report {
        let outcome = Outcome::new(
            (record as i64, Uuid::from_u128(record), 1),
            Uuid::from_u128(probe),
            Ok(Evidence::default()),
            Phases::default(),
            &Thresholds::default(),
            Timestamp::UNIX_EPOCH,
        );
        let tally = Tally {
            day: "2026-11-27".parse().expect("a day"),
            probes: 1,
            failures: 0,
            observed_s: 30.0,
            up_s: 30.0,
            latency_sum_ms: 2.0,
            latency_max_ms: 2.0,
        };
        Report {
            outcome,
            unconfirmed: None,
            is_flapping: false,
            events: Vec::new(),
            tallies: vec![tally],
        }
    }

    fn event(id: u128) -> Event {
        Event {
            id: Uuid::from_u128(id),
            at: Timestamp::UNIX_EPOCH,
            kind: EventKind::Transition,
            from: None,
            to: Status::Success,
            is_flapping: false,
            is_quiet: false,
            failure_kind: None,
            failure_message: None,
            failure_advice: None,
            explanations: Vec::new(),
        }
    }

    /// Answers as the test says, then accepts; remembers what came.
    struct Scripted {
        answers: Mutex<VecDeque<Delivered>>,
        came: Mutex<Vec<Vec<Report>>>,
    }

    impl Scripted {
        fn new(answers: impl IntoIterator<Item = Delivered>) -> Self {
            Self {
                answers: Mutex::new(answers.into_iter().collect()),
                came: Mutex::default(),
            }
        }

        fn batches(&self) -> Vec<Vec<Report>> {
            self.came.lock().expect("no panic").clone()
        }

        fn came(&self) -> Vec<Vec<u128>> {
            let probe = |report: &Report| report.outcome.probe.as_u128();
            self.batches()
                .iter()
                .map(|batch| batch.iter().map(probe).collect())
                .collect()
        }
    }

    impl Delivery for Scripted {
        async fn deliver(&self, batch: &[Report]) -> Delivered {
            self.came.lock().expect("no panic").push(batch.to_vec());
            self.answers
                .lock()
                .expect("no panic")
                .pop_front()
                .unwrap_or(Delivered::Accepted)
        }
    }

    /// Runs the delivery for a minute of paused time.
    async fn run(outbox: &Outbox, delivery: &Scripted) {
        run_with(outbox, delivery, std::future::pending()).await;
    }

    async fn run_with(outbox: &Outbox, delivery: &Scripted, meanwhile: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let stopping = async {
            timeout(Duration::from_secs(60), meanwhile).await.ok();
            stop.cancel();
        };
        tokio::join!(
            run_delivery(outbox, delivery, stop.clone(), Duration::from_secs(5)),
            stopping
        );
    }

    fn later(times: usize) -> impl Iterator<Item = Delivered> {
        (0..times).map(|_| Delivered::Later("refused".into()))
    }

    #[test]
    fn the_newest_outcome_of_an_endpoint_is_kept_whatever_the_order() {
        let outbox = Outbox::default();
        for (record, probe) in [(1, 20), (1, 10), (2, 15)] {
            outbox.put(report(record, probe), Urgency::Measured);
        }
        let probes: Vec<_> = outbox
            .peek()
            .iter()
            .map(|kept| kept.outcome.probe.as_u128())
            .collect();
        assert_eq!(probes, [15, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_too_large_goes_in_halves_and_what_is_urgent_goes_first() {
        let outbox = Outbox::default();
        for id in 1..=4 {
            outbox.put(report(id, 10 + id), Urgency::Measured);
        }
        outbox.put(report(9, 99), Urgency::Changed);
        outbox.put(report(8, 98), Urgency::Changed);
        let too_large = || Delivered::TooLarge("HTTP 413".into());
        let delivery = Scripted::new([too_large(), too_large()]);
        run(&outbox, &delivery).await;
        let came = delivery.came();
        // One alone that is too large is given up, and holds up no other.
        let expected = [vec![98, 99], vec![98], vec![99], vec![11, 12], vec![13, 14]];
        assert_eq!(came, expected);
        assert!(outbox.is_empty());
    }

    #[test]
    fn events_are_kept_all_and_sums_add_up() {
        let outbox = Outbox::default();
        for id in 1..=3 {
            let mut report = report(1, id);
            report.events = vec![event(id)];
            outbox.put(report, Urgency::Changed);
        }
        let [kept] = outbox.peek().try_into().expect("one report");
        assert_eq!(kept.events, [event(1), event(2), event(3)]);
        let [tally] = kept.tallies.try_into().expect("one day");
        assert_eq!((tally.probes, tally.observed_s), (3, 90.0));
    }

    #[tokio::test(start_paused = true)]
    async fn results_wait_while_odoo_is_away_and_arrive_when_it_is_back() {
        let outbox = Outbox::default();
        outbox.put(report(1, 10), Urgency::Changed);
        let odoo = Scripted::new(later(4));
        run(&outbox, &odoo).await;
        assert_eq!(odoo.came(), vec![vec![10]; 5]);
        assert!(outbox.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_arrived_is_sent_again_as_it_was() {
        let outbox = Outbox::default();
        outbox.put(report(1, 10), Urgency::Changed);
        let odoo = Scripted::new(later(2));
        let meanwhile = async {
            sleep(Duration::from_millis(100)).await;
            outbox.put(report(1, 20), Urgency::Changed);
            std::future::pending().await
        };
        run_with(&outbox, &odoo, meanwhile).await;
        assert_eq!(odoo.came(), vec![vec![10], vec![10], vec![10], vec![20]]);
        let probes = |batch: &[Report]| batch[0].tallies[0].probes;
        let sums: Vec<_> = odoo.batches().iter().map(|batch| probes(batch)).collect();
        assert_eq!(sums, [1, 1, 1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_together_travels_together_in_bounded_batches() {
        let outbox = Outbox::default();
        (1..=700).for_each(|n| outbox.put(report(n, n), Urgency::Changed));
        let odoo = Scripted::new([]);
        run(&outbox, &odoo).await;
        let sizes: Vec<_> = odoo.came().iter().map(Vec::len).collect();
        assert_eq!(sizes, [500, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_measurement_waits_for_others_and_a_change_does_not() {
        let outbox = Outbox::default();
        outbox.put(report(1, 10), Urgency::Measured);
        let odoo = Scripted::new([]);
        let meanwhile = async {
            sleep(Duration::from_secs(1)).await;
            outbox.put(report(2, 20), Urgency::Changed);
            outbox.put(report(3, 30), Urgency::Measured);
            sleep(Duration::from_secs(1)).await;
            assert_eq!(odoo.came(), [vec![20]]);
            sleep(MEASURED_EVERY).await;
        };
        run_with(&outbox, &odoo, meanwhile).await;
        assert_eq!(odoo.came(), [vec![20], vec![10, 30]]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_refused_report_holds_up_no_other() {
        let outbox = Outbox::default();
        (1..=3).for_each(|n| outbox.put(report(n, n), Urgency::Changed));
        let refused = || Delivered::Refused("bad".into());
        let odoo = Scripted::new([refused(), Delivered::Accepted, refused(), Delivered::Accepted]);
        run(&outbox, &odoo).await;
        assert_eq!(odoo.came(), [vec![1, 2, 3], vec![1], vec![2], vec![3]]);
        assert!(outbox.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_delivered_before_the_end_is_left_for_the_caller() {
        let outbox = Outbox::default();
        outbox.put(report(1, 10), Urgency::Changed);
        let odoo = Scripted::new(later(1000));
        run(&outbox, &odoo).await;
        assert_eq!(outbox.peek(), [report(1, 10)]);
    }
}
