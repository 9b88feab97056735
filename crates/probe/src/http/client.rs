//! One origin, and the connection to it that is open.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use insightpulse_domain::{Facts, Failure, HttpTarget, Phase, Reason, Scheme, TlsMode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::Answer;
use super::{BODY_MAX, HEAD_MAX};
use crate::another_protocol;
use crate::bounded::{Bounded, Unwanted};
use crate::egress::Egress;
use crate::stopwatch::Stopwatch;
use crate::tls::{self, Encryption, Identity};

/// Asks one origin. Redirects are answers, and are not followed: a key never
/// goes to another place than it was stored for.
pub struct Client<'a> {
    target: &'a HttpTarget,
    net: &'a Egress,
    watch: &'a Stopwatch,
    /// `api.example.com:443`, for messages.
    pub place: String,
    connection: Option<Connection>,
    encryption: Option<Encryption>,
}

pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Moves the bytes; it has to be polled whenever something is waited for.
    driver: Option<Driver>,
}

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

const HEADERS_MAX: usize = 100;
/// The longest head of a response.
const HEAD_BUFFER: usize = 64 * 1024;

impl<'a> Client<'a> {
    pub fn new(target: &'a HttpTarget, net: &'a Egress, watch: &'a Stopwatch) -> Self {
        Self {
            target,
            net,
            watch,
            place: target.place(),
            connection: None,
            encryption: None,
        }
    }

    /// `https://api.example.com:443`
    pub fn origin(&self) -> String {
        format!("{}://{}", self.target.scheme.as_str(), self.place)
    }

    /// What is known of the connection.
    pub fn facts(&self) -> Facts {
        tls::facts(self.encryption.as_ref())
    }

    pub async fn get(
        &mut self,
        path: &str,
        headers: &HeaderMap,
        phase: Phase,
    ) -> Result<Answer<'_>, Failure> {
        self.ask(Method::GET, path, headers, None, phase).await
    }

    pub async fn post(
        &mut self,
        path: &str,
        headers: &HeaderMap,
        body: &Value,
        phase: Phase,
    ) -> Result<Answer<'_>, Failure> {
        self.ask(Method::POST, path, headers, Some(body), phase).await
    }

    /// Asks, on the open connection if there is one, and returns as soon as the
    /// head of the answer is there. A header that is marked as sensitive is a
    /// secret, by which who asks is known.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Option<&Value>,
        phase: Phase,
    ) -> Result<Answer<'_>, Failure> {
        let request = self.request(method, path, headers, body)?;
        let is_signed_in = headers.values().any(HeaderValue::is_sensitive);
        // A server may close a connection between two requests at any time.
        if let Some(mut connection) = self.connection.take()
            && connection.is_ready().await
        {
            self.connection = Some(connection);
        } else {
            self.connection = Some(self.connect().await?);
        }
        self.watch.enter(phase);
        let place = &self.place;
        let connection = self.connection.as_mut().expect("set above");
        let response = connection
            .send(request)
            .await
            .map_err(|error| broken(place, &error))?;
        Ok(Answer::new(response, connection, place, is_signed_in))
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        self.connection = None;
    }

    async fn connect(&mut self) -> Result<Connection, Failure> {
        let identity = Identity {
            authority: self.target.authority.as_deref(),
            machine_too: self.target.is_other_half,
            ..Identity::default()
        };
        let config = match self.target.scheme {
            Scheme::Https => self.net.tls.config(TlsMode::VerifyFull, identity)?,
            Scheme::Http => None,
        };
        let stream = self
            .net
            .dial(&self.target.host, self.target.port, self.watch)
            .await?;
        let stream = Bounded::new(stream, HEAD_MAX + BODY_MAX);
        match config {
            None => Connection::begin(stream, &self.place).await,
            Some(config) => {
                self.watch.enter(Phase::Tls);
                let (stream, encryption) =
                    tls::secure(stream, config, &self.target.host, &self.place).await?;
                self.encryption = Some(encryption);
                Connection::begin(stream, &self.place).await
            }
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let host = if self.target.port == self.target.scheme.port() {
            self.target.host.to_string()
        } else {
            self.place.clone()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(USER_AGENT, concat!("InsightPulse/", env!("CARGO_PKG_VERSION")))
            // What is not compressed cannot be a bomb.
            .header(ACCEPT_ENCODING, "identity")
            .body(Full::from(body.map(Value::to_string).unwrap_or_default()))
            .map_err(|_| Reason::UrlInvalid {
                text: insightpulse_domain::server_text(path),
            })?;
        let all = request.headers_mut();
        all.extend(headers.clone());
        all.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if body.is_some() {
            all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }
}

impl Connection {
    async fn begin<S>(stream: S, place: &str) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, driver) = http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(place, &error))?;
        Ok(Self {
            sender,
            driver: Some(Box::pin(driver)),
        })
    }

    async fn is_ready(&mut self) -> bool {
        let Self { sender, driver } = self;
        drive(driver, sender.ready()).await.is_ok()
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<hyper::body::Incoming>> {
        let Self { sender, driver } = self;
        drive(driver, sender.send_request(request)).await
    }

    /// Waits for something that comes over this connection.
    pub(super) async fn wait<T>(
        &mut self,
        waiting: impl Future<Output = hyper::Result<T>>,
    ) -> hyper::Result<T> {
        drive(&mut self.driver, waiting).await
    }
}

/// Waits, and moves the connection's bytes meanwhile. When it has ended, it has
/// handed on what there was to wait for, or its error.
async fn drive<T>(
    driver: &mut Option<Driver>,
    waiting: impl Future<Output = hyper::Result<T>>,
) -> hyper::Result<T> {
    let mut waiting = pin!(waiting);
    poll_fn(|context| {
        if let Poll::Ready(answer) = waiting.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        if let Some(running) = driver
            && let Poll::Ready(ended) = running.as_mut().poll(context)
        {
            *driver = None;
            return match (waiting.as_mut().poll(context), ended) {
                (Poll::Ready(Ok(answer)), _) => Poll::Ready(Ok(answer)),
                (_, Err(error)) | (Poll::Ready(Err(error)), Ok(())) => Poll::Ready(Err(error)),
                (Poll::Pending, Ok(())) => Poll::Pending,
            };
        }
        Poll::Pending
    })
    .await
}

/// What a failed exchange means, up to the head of the answer.
pub(super) fn broken(place: &str, error: &hyper::Error) -> Failure {
    let cause: &(dyn StdError + 'static) = error;
    if error.is_parse() || tls::find::<Unwanted>(cause).is_some() {
        return another_protocol(place, "HTTP");
    }
    if let Some(failure) = tls::handshake_failure(place, cause) {
        return failure;
    }
    let is_cut = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    if is_cut || tls::find::<io::Error>(cause).is_some() {
        return Reason::CutBeforeAnswer { place: place.into() }.into();
    }
    another_protocol(place, "HTTP")
}

/// `Authorization: Bearer`, RFC 6750.
pub fn bearer(key: &SecretString) -> Result<HeaderValue, Failure> {
    sensitive(&format!("Bearer {}", key.expose_secret()))
}

/// `Authorization: Basic`, RFC 7617.
pub fn basic(user: &str, password: Option<&SecretString>) -> Result<HeaderValue, Failure> {
    let password = password.map(ExposeSecret::expose_secret).unwrap_or_default();
    sensitive(&format!("Basic {}", BASE64.encode(format!("{user}:{password}"))))
}

/// A header's value that is a secret.
pub fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Reason::SecretUnsendable {})?;
    value.set_sensitive(true);
    Ok(value)
}
