//! What a probe keeps for the next one of the same place, because it is dear to make again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;
use tokio::time::Instant;

/// Values by place, each good for one secret only, for minutes.
///
/// A value is found with the very secret that it was made with: a changed one
/// finds nothing, and what is made with it takes the old one's place. Which
/// secret it was is kept as a digest under a key of this process's own.
pub struct Remembered<V>(Arc<Inner<V>>);

struct Inner<V> {
    digests: hmac::Key,
    lifetime: Duration,
    state: Mutex<State<V>>,
}

struct State<V> {
    entries: HashMap<String, Entry<V>>,
    is_swept: bool,
}

struct Entry<V> {
    made_with: hmac::Tag,
    value: V,
    until: Instant,
}

/// More places than one sidecar has; beyond it nothing more is remembered.
const ENTRIES_MAX: usize = 50_000;

impl<V: Clone + Send + 'static> Remembered<V> {
    /// Fails where the machine has no random numbers.
    pub fn new(lifetime: Duration) -> Result<Self, ring::error::Unspecified> {
        Ok(Self(Arc::new(Inner {
            digests: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            lifetime,
            state: Mutex::new(State {
                entries: HashMap::new(),
                is_swept: false,
            }),
        })))
    }

    pub fn get(&self, place: &str, secret: &[u8]) -> Option<V> {
        let state = self.0.lock();
        let entry = state.entries.get(place)?;
        let is_it = hmac::verify(&self.0.digests, secret, entry.made_with.as_ref()).is_ok();
        (is_it && entry.until > Instant::now()).then(|| entry.value.clone())
    }

    pub fn put(&self, place: &str, secret: &[u8], value: V) {
        let entry = Entry {
            made_with: hmac::sign(&self.0.digests, secret),
            value,
            until: Instant::now() + self.0.lifetime,
        };
        let mut state = self.0.lock();
        if state.entries.len() < ENTRIES_MAX || state.entries.contains_key(place) {
            state.entries.insert(place.to_owned(), entry);
        }
        if !state.is_swept {
            state.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
    }

    pub fn forget(&self, place: &str) {
        self.0.lock().entries.remove(place);
    }
}

impl<V> Inner<V> {
    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is too old, also when nobody asks any more.
async fn sweep<V>(inner: Weak<Inner<V>>) {
    loop {
        let Some(pause) = inner.upgrade().map(|inner| inner.lifetime / 4) else {
            return;
        };
        tokio::time::sleep(pause).await;
        let Some(inner) = inner.upgrade() else { return };
        let mut state = inner.lock();
        let now = Instant::now();
        state.entries.retain(|_, entry| entry.until > now);
        if state.entries.is_empty() {
            state.entries.shrink_to_fit();
            state.is_swept = false;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_value_is_found_with_its_own_secret_only() {
        let remembered = Remembered::new(LIFETIME).expect("random numbers");
        remembered.put("a", b"one", 1);
        assert_eq!(remembered.get("a", b"one"), Some(1));
        assert_eq!(remembered.get("a", b"two"), None);
        assert_eq!(remembered.get("b", b"one"), None);
        remembered.put("a", b"two", 2);
        assert_eq!(remembered.get("a", b"one"), None);
        assert_eq!(remembered.0.lock().entries.len(), 1);
        remembered.forget("a");
        assert_eq!(remembered.get("a", b"two"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_gone_after_its_time_though_nobody_asks() {
        let remembered = Remembered::new(LIFETIME).expect("random numbers");
        let value = Arc::new(());
        remembered.put("a", b"one", Arc::clone(&value));
        tokio::time::sleep(LIFETIME - Duration::from_secs(1)).await;
        assert!(remembered.get("a", b"one").is_some());
        tokio::time::sleep(LIFETIME).await;
        assert_eq!(Arc::strong_count(&value), 1);
        remembered.put("a", b"one", Arc::clone(&value));
        tokio::time::sleep(2 * LIFETIME).await;
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
