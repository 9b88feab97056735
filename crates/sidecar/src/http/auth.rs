//! The door: a request under `/v1` shows a database's token, or is not looked at.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::web::{Data, ReqData};
use actix_web::{HttpMessage, HttpRequest};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use super::{Api, Problem};
use crate::digest::Digest;
use crate::metrics::Refusal;
use crate::tenants::Tenant;

/// Who asks, in a handler under `/v1`.
pub type Caller = ReqData<Arc<Tenant>>;

/// What those may try who are not let in. Whoever shows a right token is never
/// held up by those who guess, even from the same address.
pub struct Attempts {
    of_peer: DefaultKeyedRateLimiter<IpAddr>,
    of_all: DefaultDirectRateLimiter,
}

impl Attempts {
    pub fn per_minute(of_peer: u32, of_all: u32) -> Self {
        let quota = |number| Quota::per_minute(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN));
        Self {
            of_peer: RateLimiter::keyed(quota(of_peer)),
            of_all: RateLimiter::direct(quota(of_all)),
        }
    }

    /// Whether one more is allowed; counts it.
    pub fn allow(&self, peer: IpAddr) -> bool {
        if self.of_peer.len() > PEERS_MAX {
            self.of_peer.retain_recent();
        }
        self.of_all.check().is_ok() && self.of_peer.check_key(&peer).is_ok()
    }
}

/// How many addresses are remembered before the old ones are looked through.
const PEERS_MAX: usize = 4096;

/// Lets in who shows the token of a database that is paired, as far as that has
/// requests left.
pub async fn admit(
    api: Data<Api>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let shown = bearer(request.request()).map(Digest::of);
    let tenant = match shown.and_then(|token| api.tenants.find(&token)) {
        Some(tenant) => tenant,
        None => find_elsewhere(&api, request.request(), shown).await?,
    };
    if tenant.rate.check().is_err() {
        api.metrics.refused(Refusal::rate);
        return Err(Problem::too_many_requests().into());
    }
    let Ok(_turn) = tenant.turns.try_acquire() else {
        api.metrics.refused(Refusal::busy);
        return Err(Problem::busy().into());
    };
    request.extensions_mut().insert(Arc::clone(&tenant));
    next.call(request).await
}

/// Lets in who shows the token of the metrics.
pub fn require_metrics_token(api: &Api, request: &HttpRequest) -> Result<(), Problem> {
    let shown = bearer(request).map(Digest::of);
    let expected = api.metrics_token.as_ref().map(digest_of);
    match (shown, expected) {
        (Some(shown), Some(expected)) if shown == expected => Ok(()),
        _ => Err(refuse_stranger(api, request)),
    }
}

/// Where a request comes from; all of a Unix socket's are one.
pub fn peer(request: &HttpRequest) -> IpAddr {
    match request.peer_addr() {
        Some(address) => address.ip(),
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    }
}

/// Who may have paired with another sidecar a moment ago. Of those who try too often nobody is asked.
async fn find_elsewhere(
    api: &Api,
    request: &HttpRequest,
    shown: Option<Digest>,
) -> Result<Arc<Tenant>, Problem> {
    let may_try = api.strangers.allow(peer(request));
    if let Some(token) = shown
        && may_try
        && api.sharing.look().await
        && let Some(tenant) = api.tenants.find(&token)
    {
        return Ok(tenant);
    }
    Err(refusal(api, request, may_try))
}

fn refuse_stranger(api: &Api, request: &HttpRequest) -> Problem {
    refusal(api, request, api.strangers.allow(peer(request)))
}

fn refusal(api: &Api, request: &HttpRequest, may_try: bool) -> Problem {
    api.metrics.refused(Refusal::token);
    if may_try {
        warn!(peer = %peer(request), "Refused a request without the right token");
        Problem::unauthorized()
    } else {
        Problem::too_many_attempts()
    }
}

fn digest_of(token: &SecretString) -> Digest {
    Digest::of(token.expose_secret().as_bytes())
}

/// The token of `Authorization: Bearer …`.
fn bearer(request: &HttpRequest) -> Option<&[u8]> {
    let header = request.headers().get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = header.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let token = digest_of(&"0123456789abcdef0123456789abcdef".into());
        let check = |header: &str, expected| {
            let request = TestRequest::get()
                .insert_header((AUTHORIZATION, header))
                .to_http_request();
            let shown = bearer(&request).map(Digest::of);
            assert_eq!(shown == Some(token), expected, "{header}");
        };
        check("Bearer 0123456789abcdef0123456789abcdef", true);
        check("bearer 0123456789abcdef0123456789abcdef", true);
        check("Bearer 0123456789abcdef0123456789abcdee", false);
        check("Bearer 0123456789abcdef0123456789abcde", false);
        check("Bearer 0123456789abcdef0123456789abcdef0", false);
        check("Bearer ", false);
        check("Basic 0123456789abcdef0123456789abcdef", false);
        check("", false);
    }

    #[test]
    fn attempts_are_counted_by_address_and_all_together() {
        let attempts = Attempts::per_minute(2, 5);
        let peer = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        assert!(attempts.allow(peer(1)) && attempts.allow(peer(1)));
        assert!(!attempts.allow(peer(1)), "its own are used up");
        assert!(attempts.allow(peer(2)) && attempts.allow(peer(3)));
        assert!(!attempts.allow(peer(4)), "all are used up");
    }
}
