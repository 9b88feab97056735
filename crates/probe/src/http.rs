//! Probes a web address: connect, ask once, see whether HTTP answers.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use insightpulse_domain::{Evidence, Failure, FailureKind, Family, HttpTarget, Phase, Scheme, TlsMode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::bounded::{Bounded, Unwanted};
use crate::egress::Egress;
use crate::stopwatch::Stopwatch;
use crate::{Target, tls};

/// More than certificates and a response's head need; no body is read.
const READ_MAX: usize = 128 * 1024;
const HEADERS_MAX: usize = 100;

/// Reachable means: HTTP answers, and not with an error of its own (5xx). No
/// secret is sent.
pub async fn probe(
    place: &HttpTarget,
    target: &Target,
    net: &Egress,
    watch: &Stopwatch,
) -> Result<Evidence, Failure> {
    let stream = Bounded::new(net.dial(&place.host, place.port, watch).await?, READ_MAX);
    let authority = format!("{}:{}", place.host, place.port);
    let request = request(place, target).map_err(|error| {
        let message = format!("{} cannot be asked for: {error}.", place.url());
        Failure::new(FailureKind::InvalidEndpoint, message)
    })?;
    let status = match (place.scheme, net.tls.config(TlsMode::VerifyFull)) {
        (Scheme::Https, Some(config)) => {
            watch.enter(Phase::Tls);
            let name = ServerName::try_from(place.host.to_lookup()).map_err(|_| {
                Failure::new(
                    FailureKind::Tls,
                    format!("{authority} has no name that TLS can verify."),
                )
            })?;
            let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
            let stream = connecting.map_err(|error| broken(&authority, "while agreeing on TLS", &error))?;
            ask(stream, request, &authority, watch).await?
        }
        _ => ask(stream, request, &authority, watch).await?,
    };
    if status.is_server_error() {
        return Err(Failure::new(
            FailureKind::Unhealthy,
            format!("{authority} answered with HTTP {}.", status.as_u16()),
        ));
    }
    Ok(Evidence::default())
}

fn request(place: &HttpTarget, target: &Target) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let path = match target.endpoint.kind.family() {
        Family::Http {
            health: Some(path), ..
        } => path,
        _ => &place.path,
    };
    let host = if place.port == place.scheme.port() {
        place.host.to_string()
    } else {
        format!("{}:{}", place.host, place.port)
    };
    Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("InsightPulse/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .body(Empty::new())
}

async fn ask<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    authority: &str,
    watch: &Stopwatch,
) -> Result<StatusCode, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    watch.enter(Phase::Query);
    let asked = async {
        let (mut sender, mut connection) = http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .handshake(TokioIo::new(stream))
            .await?;
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        // The connection moves the bytes while the request waits for its answer.
        // Once it has ended, it has handed on the answer or the error.
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(error) => Err(error),
            },
        }
    };
    let answer = asked.await.map_err(|error: hyper::Error| {
        if error.is_parse() {
            another_protocol(authority)
        } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            cut(authority, "before it answered")
        } else {
            broken(authority, "before it answered", &error)
        }
    })?;
    watch.stop();
    Ok(answer.status())
}

fn broken(authority: &str, doing: &str, error: &(dyn StdError + 'static)) -> Failure {
    if tls::find::<Unwanted>(error).is_some() {
        return another_protocol(authority);
    }
    if let Some(failure) = tls::handshake_failure(authority, error) {
        return failure;
    }
    match tls::find::<io::Error>(error) {
        Some(_) => cut(authority, doing),
        None => another_protocol(authority),
    }
}

fn cut(authority: &str, doing: &str) -> Failure {
    Failure::new(
        FailureKind::Reset,
        format!("{authority} closed the connection {doing}."),
    )
}

fn another_protocol(authority: &str) -> Failure {
    Failure::new(
        FailureKind::NotThisProtocol,
        format!("{authority} answers, but not as HTTP does."),
    )
}
