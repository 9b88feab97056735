//! What the sessions of every database protocol have in common.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use insightpulse_domain::{DatabaseTarget, Failure, Phase, Reason, TlsMode, server_text};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::bounded::{Bounded, Unwanted};
use crate::egress::Egress;
use crate::stopwatch::Stopwatch;
use crate::tls::{self, Encryption, Identity};
use crate::{Target, another_protocol};

/// More than a login and a few rows need, certificates included.
const READ_MAX: usize = 256 * 1024;

/// The longest message that is read whole.
pub const MESSAGE_MAX: usize = 32 * 1024;

/// How long the farewell may take that nobody waits for an answer to.
const GOODBYE: Duration = Duration::from_millis(100);

/// A connection, encrypted or not.
pub struct Line {
    pub stream: BufReader<Box<dyn Stream>>,
    pub encryption: Option<Encryption>,
}

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What messages about one session need to know.
pub struct About<'a> {
    pub place: String,
    pub target: &'a DatabaseTarget,
    /// Which a server that asks for it may say back.
    pub password: Option<&'a str>,
    pub watch: &'a Stopwatch,
    protocol: &'static str,
}

impl Line {
    pub fn plain(stream: impl Stream + 'static) -> Self {
        Self {
            stream: BufReader::new(Box::new(stream)),
            encryption: None,
        }
    }

    /// Agrees on TLS, as the protocol's own words have announced.
    pub async fn secured(
        stream: Bounded<TcpStream>,
        config: Arc<ClientConfig>,
        about: &About<'_>,
    ) -> Result<Self, Failure> {
        let (stream, encryption) = tls::secure(stream, config, &about.target.host, &about.place).await?;
        Ok(Self {
            encryption: Some(encryption),
            ..Self::plain(stream)
        })
    }

    /// Says goodbye, so that the server logs no broken connection; whether it
    /// takes it is no longer our concern.
    pub async fn end(mut self, farewell: &[u8]) {
        let goodbye = async {
            self.stream.write_all(farewell).await.ok();
            self.stream.shutdown().await.ok();
        };
        tokio::time::timeout(GOODBYE, goodbye).await.ok();
    }
}

impl<'a> About<'a> {
    pub fn new(
        target: &'a DatabaseTarget,
        asked: &'a Target,
        watch: &'a Stopwatch,
        protocol: &'static str,
    ) -> Self {
        let password = asked.password.as_ref().map(ExposeSecret::expose_secret);
        Self {
            place: target.place(),
            target,
            password: password.filter(|password| !password.is_empty()),
            watch,
            protocol,
        }
    }

    /// The user's name, for a message.
    pub fn user(&self) -> String {
        server_text(&self.target.user)
    }

    /// Whether the TLS mode lets go on with a server that has none.
    pub fn require_no_tls(&self) -> Result<(), Failure> {
        match self.target.tls {
            TlsMode::Disable | TlsMode::Prefer => Ok(()),
            mode => Err(Reason::TlsNotOffered {
                place: self.place.clone(),
                mode: mode.as_str().into(),
            }
            .into()),
        }
    }

    /// Whether the password may be sent as it is: whoever stands in between
    /// could say that there is no TLS, and ask for it.
    pub fn require_encrypted(&self, line: &Line) -> Result<(), Failure> {
        match line.encryption.is_some() || self.target.tls == TlsMode::Disable {
            true => Ok(()),
            false => Err(self.password_in_clear()),
        }
    }

    pub fn password_in_clear(&self) -> Failure {
        Reason::PasswordInClear {
            place: self.place.clone(),
        }
        .into()
    }

    pub fn method_unknown(&self, method: &str) -> Failure {
        Reason::MethodUnknown {
            place: self.place.clone(),
            method: server_text(method),
        }
        .into()
    }

    pub async fn send<S>(&self, stream: &mut S, bytes: &[u8]) -> Result<(), Failure>
    where
        S: AsyncWrite + Unpin,
    {
        let sent = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        sent.await.map_err(|error| self.broken(&error))
    }

    /// Reads until the buffer is full.
    pub async fn receive<S>(&self, stream: &mut S, bytes: &mut [u8]) -> Result<(), Failure>
    where
        S: AsyncRead + Unpin,
    {
        let received = stream.read_exact(bytes).await;
        received.map(|_| ()).map_err(|error| self.broken(&error))
    }

    /// What a failed connection means that carried no answer of the server's.
    pub fn broken(&self, error: &io::Error) -> Failure {
        if tls::find::<Unwanted>(error).is_some() {
            return self.another_protocol();
        }
        tls::handshake_failure(&self.place, error).unwrap_or_else(|| self.cut())
    }

    pub fn cut(&self) -> Failure {
        let place = self.place.clone();
        let reason = match self.watch.current() {
            Phase::Tls => Reason::CutDuringTls { place },
            Phase::Login => Reason::CutDuringLogin { place },
            _ => Reason::CutBeforeAnswer { place },
        };
        reason.into()
    }

    pub fn another_protocol(&self) -> Failure {
        another_protocol(&self.place, self.protocol)
    }
}

/// Connects, and says how TLS would be spoken if the mode wants it. What is
/// wrong with certificates is told before anything is dialled.
pub async fn dial(
    place: &DatabaseTarget,
    target: &Target,
    net: &Egress,
    watch: &Stopwatch,
) -> Result<(Bounded<TcpStream>, Option<Arc<ClientConfig>>), Failure> {
    let identity = Identity {
        authority: place.authority.as_deref(),
        machine_too: false,
        certificate: place.client_certificate.as_deref(),
        key: target.client_key.as_ref(),
    };
    let config = net.tls.config(place.tls, identity)?;
    let stream = net.dial(&place.host, place.port, watch).await?;
    Ok((Bounded::new(stream, READ_MAX), config))
}
