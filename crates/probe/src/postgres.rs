//! Probes a PostgreSQL server: connect, authenticate, ask who is there.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use insightpulse_domain::{
    Evidence, Failure, FailureKind, Phase, PostgresTarget, TlsMode, server_text, server_text_without,
};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::{Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::bounded::{Bounded, Unwanted};
use crate::egress::Egress;
use crate::stopwatch::Stopwatch;
use crate::{Target, tls};

/// More than a login and one row need, certificates included.
const READ_MAX: usize = 256 * 1024;

/// The length of the message and the code of an SSLRequest:
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What a server may answer to a startup message with: authentication, an
/// error, a notice, another protocol version.
const FIRST_ANSWERS: &[u8] = b"RENv";

/// How long the farewell may take that nobody waits for an answer to.
const GOODBYE: Duration = Duration::from_millis(100);

/// One statement in the simple protocol, so that a transaction pooler serves
/// it too. `pg_stat_database` counts for any user, where `pg_stat_activity`
/// shows a plain user its own sessions only.
const QUESTION: &str = "select current_setting('server_version'), \
     current_setting('max_connections'), \
     (select sum(numbackends) from pg_catalog.pg_stat_database)";

type Stream = Bounded<TcpStream>;

pub async fn probe(
    place: &PostgresTarget,
    target: &Target,
    net: &Egress,
    watch: &Stopwatch,
) -> Result<Evidence, Failure> {
    let stream = net.dial(&place.host, place.port, watch).await?;
    let session = Session {
        place: format!("{}:{}", place.host, place.port),
        target: place,
        password: target.password.as_ref().map(ExposeSecret::expose_secret),
        watch,
    };
    let mut config = Config::new();
    config
        .user(&place.user)
        .dbname(place.database.as_deref().unwrap_or(&place.user))
        .application_name("InsightPulse")
        // An empty password is refused by whoever wants one, and not asked for by whoever does not.
        .password(session.password.unwrap_or_default());
    let mut stream = Bounded::new(stream, READ_MAX);
    match net.tls.config(place.tls) {
        Some(tls) if session.server_speaks_tls(&mut stream).await? => {
            config
                .ssl_mode(SslMode::Require)
                .ssl_negotiation(SslNegotiation::Direct);
            let connect = MakeTlsConnect::<Stream>::make_tls_connect(
                &mut MakeRustlsConnect::new(tls.as_ref().clone()),
                &place.host.to_lookup(),
            );
            let connect = connect.map_err(|error| session.broken(&error))?;
            session.ask(stream, Timed { connect, watch }, &config).await
        }
        _ => {
            watch.enter(Phase::Login);
            stream.expect_first(FIRST_ANSWERS);
            config.ssl_mode(SslMode::Disable);
            session.ask(stream, NoTls, &config).await
        }
    }
}

/// What messages about one probe need to know.
struct Session<'a> {
    place: String,
    target: &'a PostgresTarget,
    /// Which a server that asks for it may say back.
    password: Option<&'a str>,
    watch: &'a Stopwatch,
}

impl Session<'_> {
    /// Asks the server for TLS; `false` only where plain text will do.
    async fn server_speaks_tls(&self, stream: &mut Stream) -> Result<bool, Failure> {
        self.watch.enter(Phase::Tls);
        let mut answer = [0];
        let exchanged = async {
            stream.write_all(&SSL_REQUEST).await?;
            stream.read_exact(&mut answer).await
        };
        exchanged.await.map_err(|error| self.broken(&error))?;
        match (answer[0], self.target.tls) {
            (b'S', _) => Ok(true),
            (b'N', TlsMode::Prefer) => Ok(false),
            (b'N', mode) => Err(Failure::new(
                FailureKind::Tls,
                format!(
                    "{} does not offer TLS, and the TLS mode “{}” demands it.",
                    self.place,
                    mode.as_str()
                ),
            )),
            // An error in place of an answer comes from a server that is too busy to start a session.
            (b'E', _) => Err(Failure::new(
                FailureKind::Unhealthy,
                format!("{} refused to begin a session.", self.place),
            )),
            _ => Err(self.another_protocol()),
        }
    }

    async fn ask<T>(&self, stream: Stream, tls: T, config: &Config) -> Result<Evidence, Failure>
    where
        T: TlsConnect<Stream>,
    {
        let (client, mut connection) = config
            .connect_raw(stream, tls)
            .await
            .map_err(|error| self.failure(&error))?;
        self.watch.enter(Phase::Query);
        // The connection moves the bytes while the client waits for its rows.
        let asked = tokio::select! {
            answer = client.simple_query(QUESTION) => answer.map_err(|error| self.failure(&error)),
            ended = &mut connection => Err(match ended {
                Ok(()) => self.cut(),
                Err(error) => self.failure(&error),
            }),
        };
        self.watch.stop();
        let evidence = read(&asked?, self.password);
        // A polite goodbye, so that the server logs no broken connection. It has
        // all it needs to see one; whether it takes it is no longer our concern.
        drop(client);
        let _ = tokio::time::timeout(GOODBYE, connection).await;
        evidence.ok_or_else(|| self.another_protocol())
    }

    /// What an error of tokio-postgres means. Its own classification is private.
    fn failure(&self, error: &tokio_postgres::Error) -> Failure {
        if let Some(error) = error.as_db_error() {
            return self.refusal(error);
        }
        if error.is_closed() {
            return self.cut();
        }
        self.broken(error)
    }

    /// What a failed connection means that carried no answer of the server's.
    fn broken(&self, error: &(dyn StdError + 'static)) -> Failure {
        if tls::find::<Unwanted>(error).is_some() {
            return self.another_protocol();
        }
        if let Some(failure) = tls::handshake_failure(&self.place, error) {
            return failure;
        }
        match tls::find::<io::Error>(error).map(io::Error::kind) {
            Some(
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe,
            ) => self.cut(),
            _ => self.another_protocol(),
        }
    }

    /// What the server's own refusal means, by its SQLSTATE:
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    fn refusal(&self, error: &DbError) -> Failure {
        let Self { place, target, .. } = self;
        let user = server_text(&target.user);
        let database = server_text(target.database.as_deref().unwrap_or(&target.user));
        let (kind, what) = match error.code() {
            code if *code == SqlState::INVALID_PASSWORD && self.password.is_none() => (
                FailureKind::Auth,
                format!("{place} wants a password for the user “{user}”, and none is stored."),
            ),
            code if *code == SqlState::INVALID_PASSWORD => (
                FailureKind::Auth,
                format!("{place} refused the password of the user “{user}”."),
            ),
            code if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => (
                FailureKind::Forbidden,
                format!("{place} does not let the user “{user}” in."),
            ),
            code if *code == SqlState::INVALID_CATALOG_NAME => (
                FailureKind::DatabaseMissing,
                format!("{place} has no database “{database}”."),
            ),
            code if *code == SqlState::INSUFFICIENT_PRIVILEGE => (
                FailureKind::Forbidden,
                format!("{place} forbids the user “{user}” to use the database “{database}”."),
            ),
            code if *code == SqlState::TOO_MANY_CONNECTIONS => (
                FailureKind::TooManyConnections,
                format!("{place} has no connection free."),
            ),
            _ => (FailureKind::Unhealthy, format!("{place} answered with an error.")),
        };
        let said = server_text_without(error.message(), self.password);
        // A real code has five letters and digits; a hostile server may send anything.
        let code = error.code().code();
        let code = match code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            true => format!(" ({code})"),
            false => String::new(),
        };
        Failure::new(kind, format!("{what} The server said: “{said}”{code}."))
    }

    fn cut(&self) -> Failure {
        let doing = match self.watch.current() {
            Phase::Tls => "while agreeing on TLS",
            Phase::Login => "during the login",
            _ => "before it answered",
        };
        Failure::new(
            FailureKind::Reset,
            format!("{} closed the connection {doing}.", self.place),
        )
    }

    fn another_protocol(&self) -> Failure {
        Failure::new(
            FailureKind::NotThisProtocol,
            format!("{} answers, but not as PostgreSQL does.", self.place),
        )
    }
}

/// Ends the TLS phase when the handshake has ended: the login follows at once.
struct Timed<'a, T> {
    connect: T,
    watch: &'a Stopwatch,
}

struct TimedHandshake<'a, F> {
    handshake: Pin<Box<F>>,
    watch: &'a Stopwatch,
}

impl<'a, S, T: TlsConnect<S>> TlsConnect<S> for Timed<'a, T> {
    type Stream = T::Stream;
    type Error = T::Error;
    type Future = TimedHandshake<'a, T::Future>;

    fn connect(self, stream: S) -> Self::Future {
        TimedHandshake {
            handshake: Box::pin(self.connect.connect(stream)),
            watch: self.watch,
        }
    }
}

impl<F: Future> Future for TimedHandshake<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.handshake.as_mut().poll(cx);
        if polled.is_ready() {
            self.watch.enter(Phase::Login);
        }
        polled
    }
}

/// The one row that [`QUESTION`] asks for.
fn read(answer: &[SimpleQueryMessage], password: Option<&str>) -> Option<Evidence> {
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })?;
    let number = |column| {
        row.try_get(column)
            .ok()
            .flatten()
            .and_then(|text: &str| text.parse().ok())
    };
    // Debian and others write their package's version behind PostgreSQL's own.
    let version: &str = row.try_get(0).ok().flatten()?;
    Some(Evidence {
        server_version: version
            .split_whitespace()
            .next()
            .map(|version| server_text_without(version, password)),
        max_connections: number(1),
        active_connections: number(2),
    })
}
