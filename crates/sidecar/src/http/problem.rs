//! Problem documents (RFC 9457), each with a stable code.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use uuid::Uuid;

/// Why a request is not answered with what it asked for. The detail is fit for
/// the user who pressed a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
        }
    }

    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The token is missing or wrong",
            "Send the sidecar's token as “Authorization: Bearer …”.",
        )
    }

    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is no such route",
            "See the sidecar's documentation.",
        )
    }

    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "The route takes another method",
            "See the sidecar's documentation.",
        )
    }

    pub fn body_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The body is too large",
            format!("A body may have {limit} bytes."),
        )
    }

    pub fn malformed_body(detail: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed_body",
            "The body cannot be read",
            detail,
        )
    }

    pub fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            "The body came too slowly",
            "Send the whole request at once.",
        )
    }

    pub fn code_refused() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "code_refused",
            "The pairing code is not accepted",
            "The code is wrong, was used already, or is older than ten minutes. Make a new one with `insightpulse pair`.",
        )
    }

    pub fn unreadable_text(detail: String) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unreadable_text",
            "The text is no connection",
            detail,
        )
    }

    pub fn invalid_pairing(detail: String) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_pairing",
            "This Odoo cannot be paired",
            detail,
        )
    }

    pub fn carry_over_not_permitted(from: Uuid) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "carry_over_not_permitted",
            "The secrets belong to another database",
            format!(
                "Secrets of the database {from} may be taken over for a day after pairing with a code of \
                 `insightpulse pair --carry-over-from {from}`."
            ),
        )
    }

    pub fn too_many_attempts() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            "Too many attempts",
            "Too many wrong tokens or codes came from there. Wait a minute.",
        )
    }

    pub fn too_many_requests() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too many requests",
            "This database asks more often than the sidecar answers (server.requests_per_second). Wait a moment.",
        )
    }

    pub fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "The sidecar is busy",
            "Too many requests of this database are being answered. Wait a moment.",
        )
    }

    pub fn wrong_database() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "wrong_database",
            "The token belongs to another database",
            "The token was given to another database. If this database is a copy, pair it by itself.",
        )
    }

    pub fn too_many_endpoints(limit: usize) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_endpoints",
            "Too many endpoints in one request",
            format!("A request may have {limit} endpoints."),
        )
    }

    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The sidecar failed",
            "This is a fault of the sidecar: look into its log.",
        )
    }

    pub fn too_many_tests() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_tests",
            "Too many tests are waiting",
            "The sidecar has more tests to run than it keeps. Wait a minute, then test again.",
        )
    }

    pub fn unknown_format(detail: String) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_format",
            "There is no such format",
            detail,
        )
    }

    pub fn unsealable(detail: String) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unsealable",
            "The secret cannot be sealed",
            detail,
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.title)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status)
            .content_type("application/problem+json")
            .json(json!({
                "type": format!("urn:insightpulse:problem:{}", self.code),
                "title": self.title,
                "status": self.status.as_u16(),
                "detail": self.detail,
                "code": self.code,
            }))
    }
}
