//! Tells a program of the company's own what happened: signed, in order, and again until it has arrived.
//!
//! Headers and signature are those of <https://www.standardwebhooks.com>.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use insightpulse_domain::{Address, RawEndpoint, Status};
use insightpulse_monitor::{Event, EventKind, Monitored, Report};
use insightpulse_probe::{Egress, post};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use uuid::Uuid;

use crate::keyring_source::LiveKeyring;
use crate::metrics::{Delivery, TenantMetrics};
use crate::secrets::open_target;

/// The webhook of one database.
pub struct Webhook {
    database: Uuid,
    keyring: Arc<LiveKeyring>,
    net: Arc<Egress>,
    metrics: TenantMetrics,
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    /// Where to, with a sealed key to sign with; `None` while nobody wants to be told.
    place: Option<RawEndpoint>,
    waiting: VecDeque<Letter>,
}

struct Letter {
    id: Uuid,
    since: Timestamp,
    body: Value,
}

/// More than these are dropped, the oldest first.
const WAITING_MAX: usize = 1_000;

/// Older news are none.
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MOST: Duration = Duration::from_secs(300);

impl Webhook {
    pub fn new(database: Uuid, keyring: Arc<LiveKeyring>, net: Arc<Egress>, metrics: TenantMetrics) -> Self {
        Self {
            database,
            keyring,
            net,
            metrics,
            state: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Goes on with this place; with none, what waits is forgotten.
    pub fn set_place(&self, place: Option<RawEndpoint>) {
        let mut state = self.lock();
        if place.is_none() {
            state.waiting.clear();
        }
        state.place = place;
    }

    /// Has the news of a report told.
    pub fn tell(&self, report: &Report, endpoint: Option<&Monitored>) {
        for event in report.events.iter().filter(|event| event.is_news()) {
            let body = body(self.database, event, report, endpoint);
            self.put(event.id, body);
        }
    }

    /// Has a test told, once and ahead of what waits; returns what became of it, or `None` when
    /// that takes longer than `wait`, or nobody wants to be told.
    pub async fn test(
        self: &Arc<Self>,
        endpoint: &RawEndpoint,
        wait: Duration,
    ) -> Option<Result<(), String>> {
        let place = self.lock().place.clone()?;
        let id = Uuid::now_v7();
        let body = json!({
            "type": "connection.test",
            "timestamp": Timestamp::now(),
            "data": {
                "id": id, "database": self.database,
                "endpoint": {"id": endpoint.id, "record": endpoint.record, "name": endpoint.name, "kind": endpoint.kind},
            },
        });
        let webhook = Arc::clone(self);
        let letter = Letter {
            id,
            since: Timestamp::now(),
            body,
        };
        let sending = tokio::spawn(async move { webhook.send(&place, &letter).await });
        tokio::time::timeout(wait, sending).await.ok()?.ok()
    }

    /// Sends what waits, for as long as it is polled.
    pub async fn run(&self) -> Infallible {
        let mut backoff = BACKOFF_FIRST;
        loop {
            let Some((place, letter)) = self.next() else {
                self.filled.notified().await;
                continue;
            };
            match self.send(&place, &letter).await {
                Ok(()) => backoff = BACKOFF_FIRST,
                Err(reason) if Timestamp::now().duration_since(letter.since) > TRIED_FOR => {
                    self.metrics.webhook(Delivery::dropped);
                    warn!(database = %self.database, reason, "The webhook did not take an event for a day; it is dropped");
                }
                Err(reason) => {
                    if backoff == BACKOFF_FIRST {
                        warn!(database = %self.database, reason, "The webhook does not take an event; it is tried again");
                    }
                    self.lock().waiting.push_front(letter);
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MOST);
                }
            }
        }
    }

    fn put(&self, id: Uuid, body: Value) {
        let mut state = self.lock();
        if state.place.is_none() {
            return;
        }
        state.waiting.push_back(Letter {
            id,
            since: Timestamp::now(),
            body,
        });
        if state.waiting.len() > WAITING_MAX {
            state.waiting.pop_front();
            self.metrics.webhook(Delivery::dropped);
            info!(database = %self.database, "More events wait for the webhook than are kept; the oldest is dropped");
        }
        drop(state);
        self.filled.notify_one();
    }

    fn next(&self) -> Option<(RawEndpoint, Letter)> {
        let mut state = self.lock();
        let place = state.place.clone()?;
        Some((place, state.waiting.pop_front()?))
    }

    async fn send(&self, place: &RawEndpoint, letter: &Letter) -> Result<(), String> {
        let sent = self.post(place, letter).await;
        self.metrics.webhook(if sent.is_ok() {
            Delivery::sent
        } else {
            Delivery::failed
        });
        sent
    }

    async fn post(&self, place: &RawEndpoint, letter: &Letter) -> Result<(), String> {
        let target =
            open_target(&self.keyring.get(), self.database, place).map_err(|error| error.to_string())?;
        let key = target
            .api_key
            .ok_or("there is no key to sign with; type one in Settings")?;
        let Address::Http(http) = target.endpoint.service.address() else {
            return Err("it is no web address".into());
        };
        let (id, now) = (letter.id.to_string(), Timestamp::now().as_second().to_string());
        let signature = sign(&key, &id, &now, &letter.body.to_string());
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", now),
            ("webhook-signature", signature),
        ];
        let until = Instant::now() + ANSWERS_WITHIN;
        match post(&self.net, http, &headers, &letter.body, until).await {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(format!("it answers with HTTP {status}")),
            Err(failure) => Err(failure.to_string()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `v1,` and the signature of what is sent, by a key that may be written as `whsec_<base64>`.
fn sign(key: &SecretString, id: &str, timestamp: &str, body: &str) -> String {
    let key = key.expose_secret();
    let bytes = key
        .strip_prefix("whsec_")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .unwrap_or_else(|| key.as_bytes().to_vec());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let signature = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(signature))
}

fn body(database: Uuid, event: &Event, report: &Report, endpoint: Option<&Monitored>) -> Value {
    let kind = match (event.kind, event.to) {
        (EventKind::Flapping, _) => "connection.flapping",
        (EventKind::Steady, _) => "connection.steady",
        (EventKind::Transition, Status::Failed) => "connection.failed",
        (EventKind::Transition, Status::Degraded) => "connection.degraded",
        (EventKind::Transition, Status::Success) => "connection.recovered",
    };
    json!({
        "type": kind,
        "timestamp": event.at,
        "data": {
            "id": event.id,
            "database": database,
            "endpoint": {
                "id": report.outcome.id,
                "record": report.outcome.record,
                "name": endpoint.map(|endpoint| endpoint.raw.name.as_str()),
                "kind": endpoint.map(|endpoint| endpoint.raw.kind),
            },
            "from": event.from,
            "to": event.to,
            "failure_kind": event.failure_kind,
            "message": event.failure_message,
            "advice": event.failure_advice,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
    #[test]
    fn the_signature_is_the_specifications() {
        let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into();
        let signature = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
