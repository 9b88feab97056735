//! What the sessions of every database protocol have in common.

use std::io;
use std::time::Duration;

use insightpulse_domain::{DatabaseTarget, Failure, Phase, Reason, TlsMode, server_text};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};

use crate::bounded::Unwanted;
use crate::certificate::Certificate;
use crate::stopwatch::Stopwatch;
use crate::tls::{self, Identity, Secured};
use crate::{Target, another_protocol};

/// More than a login and a few rows need, certificates included.
pub const READ_MAX: usize = 256 * 1024;

/// The longest message that is read whole.
pub const MESSAGE_MAX: usize = 32 * 1024;

/// How long the farewell may take that nobody waits for an answer to.
pub const GOODBYE: Duration = Duration::from_millis(100);

/// A connection, encrypted or not, and what is known of it.
pub struct Line {
    pub stream: BufReader<Box<dyn Stream>>,
    pub certificate: Option<Certificate>,
    /// `TLSv1.3`; `None` without TLS.
    pub tls_version: Option<String>,
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
            certificate: None,
            tls_version: None,
        }
    }

    pub fn secured(secured: Secured) -> Self {
        Self {
            stream: BufReader::new(Box::new(secured.stream)),
            certificate: secured.certificate,
            tls_version: Some(secured.version),
        }
    }

    pub fn is_encrypted(&self) -> bool {
        self.tls_version.is_some()
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
            place: format!("{}:{}", target.host, target.port),
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
        match line.is_encrypted() || self.target.tls == TlsMode::Disable {
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

/// Whom a database's endpoint trusts, and who it is.
pub fn identity<'a>(place: &'a DatabaseTarget, target: &'a Target) -> Identity<'a> {
    Identity {
        authority: place.authority.as_deref(),
        machine_too: false,
        certificate: place.client_certificate.as_deref(),
        key: target.client_key.as_ref(),
    }
}
