//! Tells a program of the company's own what happened: signed, in order, and again until it has arrived.
//!
//! Headers and signature are those of <https://www.standardwebhooks.com>.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use insightpulse_domain::{Address, RawEndpoint, Status};
use insightpulse_monitor::{Event, EventKind, Monitored, Notice, Notifier, Recorder, Report};
use insightpulse_probe::{Egress, post};
use insightpulse_vault::SharedBinding;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::keyring_source::LiveKeyring;
use crate::metrics::{Delivery, TenantMetrics};
use crate::sealed::{Unopened, open, seal};
use crate::secrets::open_target;

/// The webhook of one database.
pub struct Webhook {
    database: Uuid,
    keyring: Arc<LiveKeyring>,
    net: Arc<Egress>,
    metrics: TenantMetrics,
    /// Writes down what has arrived, where that is done.
    recorder: Option<Recorder>,
    state: Mutex<State>,
    filled: Notify,
    /// It may take events again.
    is_better: Notify,
}

#[derive(Default)]
struct State {
    place: Place,
    waiting: VecDeque<Notice>,
}

/// Where to.
#[derive(Default)]
enum Place {
    /// Odoo has not said yet: what happens is kept.
    #[default]
    Unknown,
    Nowhere,
    /// With a sealed key to sign with.
    At(Box<RawEndpoint>),
}

/// More than these are dropped, the oldest first.
const WAITING_MAX: usize = 1_000;

/// Older news are none.
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MOST: Duration = Duration::from_secs(300);

impl Webhook {
    pub fn new(
        database: Uuid,
        keyring: Arc<LiveKeyring>,
        net: Arc<Egress>,
        metrics: TenantMetrics,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            database,
            keyring,
            net,
            metrics,
            recorder,
            state: Mutex::default(),
            filled: Notify::new(),
            is_better: Notify::new(),
        }
    }

    /// Goes on with this place; with none, what waits is forgotten.
    pub fn set_place(&self, place: Option<RawEndpoint>) {
        let mut state = self.lock();
        let is_the_same = match (&state.place, &place) {
            (Place::At(known), Some(place)) => {
                (&known.base_url, &known.api_key) == (&place.base_url, &place.api_key)
            }
            _ => false,
        };
        state.place = place.map_or(Place::Nowhere, |place| Place::At(Box::new(place)));
        let forgotten = match state.place {
            Place::Nowhere => std::mem::take(&mut state.waiting),
            _ => VecDeque::new(),
        };
        drop(state);
        self.forget(forgotten.iter().map(|notice| notice.id).collect());
        if !is_the_same {
            self.is_better.notify_one();
        }
        self.filled.notify_one();
    }

    /// What has not arrived yet, in its order.
    pub fn waiting(&self) -> Vec<Notice> {
        self.lock().waiting.iter().cloned().collect()
    }

    /// Has a test told, once and ahead of what waits; returns what became of it, or `None` when
    /// that takes longer than `wait`, or nobody wants to be told.
    pub async fn test(
        self: &Arc<Self>,
        endpoint: &RawEndpoint,
        wait: Duration,
    ) -> Option<Result<(), String>> {
        let place = match &self.lock().place {
            Place::At(place) => place.clone(),
            Place::Unknown | Place::Nowhere => return None,
        };
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
        let sending = tokio::spawn(async move {
            let sent = webhook.send(&place, id, &body).await;
            if sent.is_ok() {
                webhook.is_better.notify_one();
            }
            sent
        });
        timeout(wait, sending).await.ok()?.ok()
    }

    /// Sends what waits, for as long as it is polled.
    ///
    /// `may_tell` says no after a sleep, until it is known what another process has told meanwhile.
    pub async fn run(&self, may_tell: impl Fn() -> bool) -> Infallible {
        let mut backoff = BACKOFF_FIRST;
        loop {
            let Some((place, notice)) = self.next() else {
                self.filled.notified().await;
                continue;
            };
            if !may_tell() {
                sleep(BACKOFF_FIRST).await;
                continue;
            }
            if Timestamp::now().duration_since(notice.since) > TRIED_FOR {
                self.drop_one(notice.id, "it is older than a day");
                continue;
            }
            let body: Value = match open(&self.keyring.get(), self.binding(notice.id), &notice.body) {
                Ok(body) => body,
                Err(Unopened::IsForAnother) => {
                    self.leave(notice.id);
                    continue;
                }
                Err(Unopened::Worthless) => {
                    self.drop_one(notice.id, "somebody who has no key has written it");
                    continue;
                }
            };
            match self.send(&place, notice.id, &body).await {
                Ok(()) => {
                    self.remove(notice.id);
                    backoff = BACKOFF_FIRST;
                }
                Err(reason) => {
                    if backoff == BACKOFF_FIRST {
                        warn!(database = %self.database, reason, "The webhook does not take an event; it is tried again");
                    }
                    let is_better = timeout(backoff, self.is_better.notified()).await.is_ok();
                    backoff = if is_better {
                        BACKOFF_FIRST
                    } else {
                        (backoff * 2).min(BACKOFF_MOST)
                    };
                }
            }
        }
    }

    fn drop_one(&self, id: Uuid, reason: &str) {
        self.remove(id);
        self.metrics.webhook(Delivery::dropped);
        warn!(database = %self.database, event = %id, reason, "An event is not told to the webhook");
    }

    /// Another sidecar may have the key that this one lacks: the store keeps it for that.
    fn leave(&self, id: Uuid) {
        self.lock().waiting.retain(|notice| notice.id != id);
        warn!(
            database = %self.database, event = %id,
            "An event for the webhook was sealed with a key that this sidecar does not have: give all the same keyring"
        );
    }

    /// What waits may lie in the store, and is signed when it is sent: nobody else may write it.
    fn binding(&self, id: Uuid) -> SharedBinding {
        SharedBinding::Notice {
            database: self.database,
            id,
        }
    }

    /// The oldest, which stays until it has arrived.
    fn next(&self) -> Option<(Box<RawEndpoint>, Notice)> {
        let state = self.lock();
        match &state.place {
            Place::At(place) => Some((place.clone(), state.waiting.front()?.clone())),
            Place::Unknown | Place::Nowhere => None,
        }
    }

    fn remove(&self, id: Uuid) {
        self.lock().waiting.retain(|notice| notice.id != id);
        self.forget(vec![id]);
    }

    /// Nobody has to tell these any more.
    fn forget(&self, notices: Vec<Uuid>) {
        if let Some(recorder) = &self.recorder
            && !notices.is_empty()
        {
            recorder.told(notices);
        }
    }

    async fn send(&self, place: &RawEndpoint, id: Uuid, body: &Value) -> Result<(), String> {
        let sent = self.post(place, id, body).await;
        self.metrics.webhook(if sent.is_ok() {
            Delivery::sent
        } else {
            Delivery::failed
        });
        sent
    }

    async fn post(&self, place: &RawEndpoint, id: Uuid, body: &Value) -> Result<(), String> {
        let target =
            open_target(&self.keyring.get(), self.database, place).map_err(|error| error.to_string())?;
        let key = target
            .api_key
            .ok_or("there is no key to sign with; type one in Settings")?;
        let Address::Http(http) = target.endpoint.service.address() else {
            return Err("it is no web address".into());
        };
        let (id, now) = (id.to_string(), Timestamp::now().as_second().to_string());
        let signature = sign(&key, &id, &now, &body.to_string());
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", now),
            ("webhook-signature", signature),
        ];
        let until = Instant::now() + ANSWERS_WITHIN;
        match post(&self.net, http, &headers, body, until).await {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(format!("it answers with HTTP {status}")),
            Err(failure) => Err(failure.to_string()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifier for Webhook {
    fn notices(&self, report: &Report, endpoint: Option<&Monitored>) -> Vec<Notice> {
        if matches!(self.lock().place, Place::Nowhere) {
            return Vec::new();
        }
        let news = report.events.iter().filter(|event| event.is_news());
        news.filter_map(|event| {
            let sealed = seal(
                &self.keyring.get(),
                self.binding(event.id),
                &body(self.database, event, report, endpoint),
            );
            let body = sealed
                .inspect_err(|error| error!(%error, "An event is not told to the webhook"))
                .ok()?;
            Some(Notice {
                id: event.id,
                record: report.outcome.record,
                since: Timestamp::now(),
                body,
            })
        })
        .collect()
    }

    fn tell(&self, mut notices: Vec<Notice>) {
        if notices.is_empty() {
            return;
        }
        let mut state = self.lock();
        let mut surplus = Vec::new();
        if matches!(state.place, Place::Nowhere) {
            surplus.extend(notices.iter().map(|notice| notice.id));
        } else {
            // What was taken over from another process, or left for this one, may come twice.
            let known: HashSet<_> = state.waiting.iter().map(|notice| notice.id).collect();
            notices.retain(|notice| !known.contains(&notice.id));
            state.waiting.extend(notices);
            let dropped = state.waiting.len().saturating_sub(WAITING_MAX);
            surplus.extend(state.waiting.drain(..dropped).map(|notice| notice.id));
            for _ in &surplus {
                self.metrics.webhook(Delivery::dropped);
            }
            if dropped > 0 {
                info!(database = %self.database, dropped, "More events wait for the webhook than are kept; the oldest are dropped");
            }
        }
        drop(state);
        self.forget(surplus);
        self.filled.notify_one();
    }

    fn retain(&self, keep: &dyn Fn(Uuid) -> bool) {
        self.lock().waiting.retain(|notice| keep(notice.record));
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
