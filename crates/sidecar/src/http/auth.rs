//! The door: a request under `/v1` shows the token, or is not looked at.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::web::Data;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tracing::warn;

use super::{Api, Problem};

pub async fn require_token(
    api: Data<Api>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let shown = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
    if shown.is_some_and(|shown| is_token(shown, &api.token)) {
        return next.call(request).await;
    }
    warn!(
        peer = request.peer_addr().map(tracing::field::display),
        "Refused a request without the right token"
    );
    Err(Problem::unauthorized().into())
}

/// Compares in a time that does not depend on where the two differ.
fn is_token(header: &[u8], token: &SecretString) -> bool {
    let Some((scheme, shown)) = header.split_at_checked("Bearer ".len()) else {
        return false;
    };
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(shown.ct_eq(token.expose_secret().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let token = SecretString::from("0123456789abcdef0123456789abcdef");
        let check =
            |header: &str, expected| assert_eq!(is_token(header.as_bytes(), &token), expected, "{header}");
        check("Bearer 0123456789abcdef0123456789abcdef", true);
        check("bearer 0123456789abcdef0123456789abcdef", true);
        check("Bearer 0123456789abcdef0123456789abcdee", false);
        check("Bearer 0123456789abcdef0123456789abcde", false);
        check("Bearer 0123456789abcdef0123456789abcdef0", false);
        check("Bearer ", false);
        check("Basic 0123456789abcdef0123456789abcdef", false);
        check("", false);
    }
}
