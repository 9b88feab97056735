//! Sends a document to a web address, through the egress policy like every probe.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use insightpulse_domain::{Failure, HttpTarget, Phase, Reason, server_text};
use serde_json::Value;
use tokio::time::Instant;

use crate::egress::Egress;
use crate::http::Client;
use crate::stopwatch::Stopwatch;
use crate::timed_out;

/// Posts JSON, written as [`Value`] writes itself; returns the status of the answer, which is not
/// followed and not read.
pub async fn post(
    net: &Egress,
    target: &HttpTarget,
    headers: &[(&'static str, String)],
    body: &Value,
    until: Instant,
) -> Result<u16, Failure> {
    let watch = Stopwatch::start();
    let begun = Instant::now();
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).map_err(|_| Reason::HeaderInvalid {
            header: server_text(name),
        })?;
        all.insert(HeaderName::from_static(name), value);
    }
    let mut client = Client::new(target, net, &watch);
    let answered = tokio::time::timeout_at(until, async {
        client
            .post(&target.path, &all, body, Phase::Query)
            .await
            .map(|answer| answer.status)
    });
    answered
        .await
        .unwrap_or_else(|_| Err(timed_out(&target.place(), watch.current(), until - begun)))
}
