//! Who may probe now: limits in all, per host and per agency.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::judge::Asked;

/// How many probes may run at once.
#[derive(Debug, Clone, Copy)]
pub struct Concurrency {
    pub total: usize,
    pub per_host: usize,
    pub per_agency: usize,
}

/// Hands out turns. What somebody waits for has places of its own, and so does
/// not queue behind the schedule.
pub struct Turns {
    total: usize,
    all: Arc<Semaphore>,
    /// The places that the schedule may take.
    scheduled: Arc<Semaphore>,
    by_schedule: Lane,
    by_hand: Lane,
}

/// The right to probe, until it is dropped.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "held, not read")] Vec<OwnedSemaphorePermit>);

struct Lane {
    hosts: Places<String>,
    agencies: Places<i64>,
}

/// Semaphores by key, for as long as somebody uses or waits for them.
struct Places<K> {
    each: usize,
    taken: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// The part of all places that is kept for what somebody waits for.
const KEPT_PART: usize = 8;

impl Turns {
    pub fn new(limits: Concurrency) -> Self {
        let kept = (limits.total / KEPT_PART).max(1);
        let lane = || Lane {
            hosts: Places::new(limits.per_host),
            agencies: Places::new(limits.per_agency),
        };
        Self {
            total: limits.total,
            all: Arc::new(Semaphore::new(limits.total)),
            scheduled: Arc::new(Semaphore::new(limits.total.saturating_sub(kept).max(1))),
            by_schedule: lane(),
            by_hand: lane(),
        }
    }

    /// How many have a turn.
    pub fn taken(&self) -> usize {
        self.total.saturating_sub(self.all.available_permits())
    }

    /// Waits for a turn. Who waits for a crowded host holds no place of its agency's,
    /// nor the other way round: others could use it.
    pub async fn take(&self, asked: Asked, host: Option<&str>, agency: Option<i64>) -> Turn {
        let lane = match asked {
            Asked::BySchedule => &self.by_schedule,
            Asked::ByHand => &self.by_hand,
        };
        let mut permits = Vec::with_capacity(4);
        let host = host.map(|host| lane.hosts.of(host.to_owned()));
        let agency = agency.map(|agency| lane.agencies.of(agency));
        match (host, agency) {
            (Some(host), Some(agency)) => permits.extend(acquire_both(&host, &agency).await),
            (Some(one), None) | (None, Some(one)) => permits.push(acquire(&one).await),
            (None, None) => {}
        }
        if asked == Asked::BySchedule {
            permits.push(acquire(&self.scheduled).await);
        }
        permits.push(acquire(&self.all).await);
        Turn(permits)
    }
}

impl<K: Eq + Hash> Places<K> {
    fn new(each: usize) -> Self {
        Self {
            each: each.max(1),
            taken: Mutex::default(),
        }
    }

    /// Who waits and who has a permit holds the semaphore, which so stays where others find it.
    fn of(&self, key: K) -> Arc<Semaphore> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Twice as many as are in use are worth a walk, which so costs nothing on average.
        if taken.len() == taken.capacity() {
            taken.retain(|_, places| Arc::strong_count(places) > 1);
        }
        Arc::clone(
            taken
                .entry(key)
                .or_insert_with(|| Arc::new(Semaphore::new(self.each))),
        )
    }
}

/// Waits for a permit of each, and holds none while it waits for the other.
async fn acquire_both(one: &Arc<Semaphore>, other: &Arc<Semaphore>) -> [OwnedSemaphorePermit; 2] {
    let (mut first, mut second) = (one, other);
    loop {
        let permit = acquire(first).await;
        if let Ok(both) = Arc::clone(second).try_acquire_owned() {
            return [permit, both];
        }
        drop(permit);
        std::mem::swap(&mut first, &mut second);
    }
}

async fn acquire(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(places)
        .acquire_owned()
        .await
        .expect("no semaphore of turns is ever closed")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn turns() -> Turns {
        Turns::new(Concurrency {
            total: 16,
            per_host: 2,
            per_agency: 3,
        })
    }

    async fn is_there(turns: &Turns, asked: Asked, host: &str, agency: i64) -> bool {
        let turn = turns.take(asked, Some(host), Some(agency));
        tokio::time::timeout(Duration::from_secs(1), turn).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowded_host_delays_no_other() {
        let turns = turns();
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(turns.take(Asked::BySchedule, Some("slow"), Some(1)).await);
        }
        assert!(!is_there(&turns, Asked::BySchedule, "slow", 2).await);
        assert!(is_there(&turns, Asked::BySchedule, "other", 2).await);
        held.pop();
        assert!(is_there(&turns, Asked::BySchedule, "slow", 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowded_agency_delays_no_other() {
        let turns = turns();
        let mut held = Vec::new();
        for host in ["a", "b", "c"] {
            held.push(turns.take(Asked::BySchedule, Some(host), Some(1)).await);
        }
        assert!(!is_there(&turns, Asked::BySchedule, "d", 1).await);
        assert!(is_there(&turns, Asked::BySchedule, "d", 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_crowded_agency_holds_no_place_of_a_host() {
        let turns = Arc::new(turns());
        let mut held = Vec::new();
        for host in ["a", "b", "c"] {
            held.push(turns.take(Asked::BySchedule, Some(host), Some(1)).await);
        }
        for _ in 0..5 {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.take(Asked::BySchedule, Some("d"), Some(1)).await });
        }
        tokio::task::yield_now().await;
        assert!(is_there(&turns, Asked::BySchedule, "d", 2).await);
        // And gets its turn when one is free.
        held.pop();
        assert!(is_there(&turns, Asked::BySchedule, "e", 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_test_by_hand_does_not_queue_behind_the_schedule() {
        let turns = turns();
        let mut held = Vec::new();
        for number in 0..14 {
            let host = format!("host {number}");
            held.push(turns.take(Asked::BySchedule, Some(&host), Some(number)).await);
        }
        assert!(!is_there(&turns, Asked::BySchedule, "next", 99).await);
        assert!(is_there(&turns, Asked::ByHand, "next", 99).await);
        assert!(is_there(&turns, Asked::ByHand, "host 1", 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_uses_is_not_remembered() {
        let turns = turns();
        for number in 0..10_000 {
            drop(
                turns
                    .take(Asked::ByHand, Some(&format!("host {number}")), None)
                    .await,
            );
        }
        let remembered = turns.by_hand.hosts.taken.lock().expect("no panic").len();
        assert!(remembered < 100, "{remembered}");
    }
}
