//! Results on their way to Odoo: the newest of each endpoint, until it has arrived.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use insightpulse_domain::Outcome;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

/// What has still to be written back.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<BTreeMap<Uuid, Outcome>>,
    filled: Notify,
}

/// Takes a batch to Odoo.
pub trait Delivery: Send + Sync {
    fn deliver(&self, batch: &[Outcome]) -> impl Future<Output = Delivered> + Send;
}

#[derive(Debug, PartialEq, Eq)]
pub enum Delivered {
    Accepted,
    /// Not now: Odoo is away, or does not know us for the moment.
    Later(String),
    /// Never: something in the batch is not acceptable.
    Refused(String),
}

/// The most outcomes of one call.
const BATCH: usize = 500;

/// Results that end within this time of each other travel together.
const LINGER: Duration = Duration::from_millis(20);

const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MOST: Duration = Duration::from_secs(15);

impl Outbox {
    /// Keeps an outcome, unless a newer one of the endpoint is there.
    pub fn put(&self, outcome: Outcome) {
        let mut waiting = self.lock();
        match waiting.get(&outcome.record) {
            Some(kept) if kept.probe >= outcome.probe => {}
            _ => {
                waiting.insert(outcome.record, outcome);
            }
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Up to `most` of what is waiting, oldest probes first.
    pub fn peek(&self, most: usize) -> Vec<Outcome> {
        let mut batch: Vec<_> = self.lock().values().cloned().collect();
        batch.sort_by_key(|outcome| outcome.probe);
        batch.truncate(most);
        batch
    }

    /// Forgets what has arrived; a newer outcome of the same endpoint stays.
    pub fn confirm(&self, arrived: &[Outcome]) {
        let mut waiting = self.lock();
        for outcome in arrived {
            if waiting
                .get(&outcome.record)
                .is_some_and(|kept| kept.probe == outcome.probe)
            {
                waiting.remove(&outcome.record);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Outcome>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
    while !stop.is_cancelled() {
        if outbox.is_empty() {
            tokio::select! {
                () = outbox.filled.notified() => {}
                () = stop.cancelled() => break,
            }
        }
        tokio::time::sleep(LINGER).await;
        let delivering = deliver_batch(outbox, delivery);
        tokio::pin!(delivering);
        let delivered = tokio::select! {
            delivered = &mut delivering => delivered,
            // What is on its way may arrive, or it would go twice.
            () = stop.cancelled() => match tokio::time::timeout(grace, delivering).await {
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
                    () = tokio::time::sleep(backoff) => {}
                    () = stop.cancelled() => break,
                }
                backoff = (backoff * 2).min(BACKOFF_MOST);
            }
        }
    }
    let until = Instant::now() + grace;
    let flushing = async {
        while !outbox.is_empty() {
            if deliver_batch(outbox, delivery).await.is_err() {
                tokio::time::sleep(BACKOFF_FIRST).await;
            }
        }
    };
    tokio::time::timeout_at(until, flushing).await.ok();
}

/// `Err` when the rest has to wait, with the reason.
async fn deliver_batch(outbox: &Outbox, delivery: &impl Delivery) -> Result<(), String> {
    let batch = outbox.peek(BATCH);
    if batch.is_empty() {
        return Ok(());
    }
    match delivery.deliver(&batch).await {
        Delivered::Accepted => {
            debug!(results = batch.len(), "Wrote results back to Odoo");
            outbox.confirm(&batch);
            Ok(())
        }
        Delivered::Later(reason) => Err(reason),
        // One outcome must not hold up the others: each goes alone.
        Delivered::Refused(_) => {
            for outcome in batch {
                let alone = std::slice::from_ref(&outcome);
                match delivery.deliver(alone).await {
                    Delivered::Accepted => outbox.confirm(alone),
                    Delivered::Later(reason) => return Err(reason),
                    Delivered::Refused(reason) => {
                        error!(
                            endpoint.id = outcome.id,
                            reason, "Odoo refuses a result for good; it is dropped"
                        );
                        outbox.confirm(alone);
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

    use insightpulse_domain::{Evidence, Phases, Thresholds};
    use jiff::Timestamp;

    use super::*;

    fn outcome(record: u128, probe: u128) -> Outcome {
        Outcome::new(
            (record as i64, Uuid::from_u128(record), 1),
            Uuid::from_u128(probe),
            Ok(Evidence::default()),
            Phases::default(),
            &Thresholds::default(),
            Timestamp::UNIX_EPOCH,
        )
    }

    /// Answers as the test says, then accepts; remembers which probes came.
    struct Scripted {
        answers: Mutex<VecDeque<Delivered>>,
        came: Mutex<Vec<Vec<u128>>>,
    }

    impl Scripted {
        fn new(answers: impl IntoIterator<Item = Delivered>) -> Self {
            Self {
                answers: Mutex::new(answers.into_iter().collect()),
                came: Mutex::default(),
            }
        }

        fn came(&self) -> Vec<Vec<u128>> {
            self.came.lock().expect("no panic").clone()
        }
    }

    impl Delivery for Scripted {
        async fn deliver(&self, batch: &[Outcome]) -> Delivered {
            let probes = batch.iter().map(|outcome| outcome.probe.as_u128()).collect();
            self.came.lock().expect("no panic").push(probes);
            self.answers
                .lock()
                .expect("no panic")
                .pop_front()
                .unwrap_or(Delivered::Accepted)
        }
    }

    /// Runs the delivery for a minute of paused time.
    async fn run(outbox: &Outbox, delivery: &Scripted) {
        let stop = CancellationToken::new();
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            stop.cancel();
        };
        tokio::join!(
            run_delivery(outbox, delivery, stop.clone(), Duration::from_secs(5)),
            stopping
        );
    }

    #[test]
    fn the_newest_outcome_of_an_endpoint_is_kept_whatever_the_order() {
        let outbox = Outbox::default();
        outbox.put(outcome(1, 20));
        outbox.put(outcome(1, 10));
        outbox.put(outcome(2, 15));
        assert_eq!(outbox.peek(9), [outcome(2, 15), outcome(1, 20)]);
    }

    #[test]
    fn a_confirmation_leaves_a_newer_outcome() {
        let outbox = Outbox::default();
        outbox.put(outcome(1, 10));
        let sent = outbox.peek(9);
        outbox.put(outcome(1, 20));
        outbox.confirm(&sent);
        assert_eq!(outbox.peek(9), [outcome(1, 20)]);
    }

    #[tokio::test(start_paused = true)]
    async fn results_wait_while_odoo_is_away_and_arrive_when_it_is_back() {
        let outbox = Outbox::default();
        outbox.put(outcome(1, 10));
        let odoo = Scripted::new((0..4).map(|_| Delivered::Later("refused".into())));
        run(&outbox, &odoo).await;
        assert_eq!(odoo.came(), vec![vec![10]; 5]);
        assert!(outbox.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_together_travels_together_in_bounded_batches() {
        let outbox = Outbox::default();
        (1..=700).for_each(|n| outbox.put(outcome(n, n)));
        let odoo = Scripted::new([]);
        run(&outbox, &odoo).await;
        let sizes: Vec<_> = odoo.came().iter().map(Vec::len).collect();
        assert_eq!(sizes, [500, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_refused_outcome_holds_up_no_other() {
        let outbox = Outbox::default();
        (1..=3).for_each(|n| outbox.put(outcome(n, n)));
        let refused = || Delivered::Refused("bad".into());
        let odoo = Scripted::new([refused(), Delivered::Accepted, refused(), Delivered::Accepted]);
        run(&outbox, &odoo).await;
        assert_eq!(odoo.came(), [vec![1, 2, 3], vec![1], vec![2], vec![3]]);
        assert!(outbox.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_delivered_before_the_end_is_left_for_the_caller() {
        let outbox = Outbox::default();
        outbox.put(outcome(1, 10));
        let odoo = Scripted::new((0..1000).map(|_| Delivered::Later("refused".into())));
        run(&outbox, &odoo).await;
        assert_eq!(outbox.peek(9), [outcome(1, 10)]);
    }
}
