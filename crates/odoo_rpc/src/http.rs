//! Sends one request and reads a bounded answer.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};

use crate::error::Error;

/// Odoo itself ends a request after two minutes by default.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers are receipts and pages of records; more is a mistake or an attack.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

pub fn client() -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        // The request holds the API key: it goes to the address that was configured, or nowhere.
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .map_err(unreachable)
}

pub async fn send(request: RequestBuilder) -> Result<Answer, Error> {
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(Error::TooLarge(ANSWER_MAX));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}

impl Answer {
    /// The body of a success; anything else is not an answer of Odoo's RPC.
    pub fn success(self) -> Result<Vec<u8>, Error> {
        if self.status.is_success() {
            Ok(self.body)
        } else {
            Err(Error::NotOdoo(self.status.as_u16()))
        }
    }
}

fn unreachable(error: reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::Timeout;
    }
    // The innermost cause says it best: "Connection refused".
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Error::Unreachable(cause.to_string())
}
