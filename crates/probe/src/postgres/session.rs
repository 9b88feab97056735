//! A session: from the address to the rows of one query, and a goodbye.

use insightpulse_domain::{DatabaseTarget, Failure, Phase, Reason};
use md5::{Digest, Md5};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use zeroize::Zeroizing;

use super::message::{self, Authentication, Backend, parse};
use super::refusal::refusal;
use crate::Target;
use crate::database::{About, Line, MESSAGE_MAX, dial};
use crate::egress::Egress;
use crate::login::{self, nonce, password, unproven};
use crate::memory::Memory;
use crate::scram::{Expected, Scram, ServerFirst};
use crate::stopwatch::Stopwatch;

/// A session that is logged in.
pub struct Session<'a> {
    pub line: Line,
    about: About<'a>,
}

/// More than any server sends before it is ready.
const MESSAGES_MAX: usize = 500;

/// The class of SQLSTATE for what is not allowed, or not known, in a statement.
const NOT_SO: &str = "42";

/// Connects, agrees on TLS as the target says, and logs in.
pub async fn connect<'a>(
    place: &'a DatabaseTarget,
    target: &'a Target,
    net: &Egress,
    watch: &'a Stopwatch,
) -> Result<Session<'a>, Failure> {
    let about = About::new(place, target, watch, "PostgreSQL");
    let (mut stream, config) = dial(place, target, net, watch).await?;
    let line = match config {
        Some(config) if server_speaks_tls(&about, &mut stream).await? => {
            Line::secured(stream, config, &about).await?
        }
        _ => Line::plain(stream),
    };
    let mut session = Session { line, about };
    watch.enter(Phase::Login);
    session.log_in(&net.memory).await?;
    Ok(session)
}

impl Session<'_> {
    /// Asks in the simple protocol, so that a transaction pooler serves it too,
    /// and hands over the one row that comes.
    ///
    /// What a server does not know, or does not allow, is followed by the next
    /// question, which asks for less.
    pub async fn ask<T>(
        mut self,
        questions: &[&str],
        read: impl Fn(&[Option<&str>]) -> Option<T>,
    ) -> Result<T, Failure> {
        self.about.watch.enter(Phase::Query);
        let mut answer = Err(Refused::Finally(self.about.another_protocol()));
        for question in questions {
            answer = self.first_row(question, &read).await;
            if !matches!(answer, Err(Refused::Question(_))) {
                break;
            }
        }
        self.about.watch.stop();
        self.line.end(&message::terminate()).await;
        answer.map_err(|(Refused::Question(failure) | Refused::Finally(failure))| failure)
    }

    async fn first_row<T>(
        &mut self,
        question: &str,
        read: impl Fn(&[Option<&str>]) -> Option<T>,
    ) -> Result<T, Refused> {
        self.send(&message::query(question)).await?;
        let mut answer = None;
        let mut refused = None;
        let mut body = Vec::new();
        for _ in 0..MESSAGES_MAX {
            let tag = match self.receive(&mut body).await {
                Ok(tag) => tag,
                // After an error that is fatal there is nothing more.
                Err(broken) => return Err(refused.unwrap_or(Refused::Finally(broken))),
            };
            match parse(tag, &body) {
                Some(Backend::Row(row)) => answer = answer.or_else(|| read(&row)),
                Some(Backend::Error(error)) => {
                    let failure = refusal(&self.about, &error);
                    refused = Some(match error.code.starts_with(NOT_SO) {
                        true => Refused::Question(failure),
                        false => Refused::Finally(failure),
                    });
                }
                Some(Backend::Ready) => {
                    return match refused {
                        Some(refused) => Err(refused),
                        None => answer.ok_or_else(|| self.about.another_protocol().into()),
                    };
                }
                Some(Backend::Other) => {}
                Some(Backend::Authentication(_)) | None => break,
            }
        }
        Err(refused.unwrap_or_else(|| self.about.another_protocol().into()))
    }

    async fn log_in(&mut self, memory: &Memory) -> Result<(), Failure> {
        let target = self.about.target;
        let database = target.database.as_deref().unwrap_or(&target.user);
        self.send(&message::startup(&target.user, database)).await?;
        let mut body = Vec::new();
        let mut proven = Proof::NotAsked;
        for _ in 0..MESSAGES_MAX {
            let tag = self.receive(&mut body).await?;
            match parse(tag, &body) {
                Some(Backend::Authentication(Authentication::Done)) => proven.accept(&self.about)?,
                Some(Backend::Authentication(Authentication::SaslFinal(last))) => {
                    proven.check(last, &self.about)?;
                }
                // Once: each time costs us thousands of rounds.
                Some(Backend::Authentication(Authentication::Sasl { mechanisms })) if proven.is_open() => {
                    let (scram, first) = self.begin_scram(&mechanisms).await?;
                    proven = Proof::Expected(self.finish_scram(scram, first, memory).await?);
                }
                Some(Backend::Authentication(asked)) => self.give_password(&asked).await?,
                Some(Backend::Error(error)) => return Err(refusal(&self.about, &error)),
                Some(Backend::Ready) if proven.is_done() => return Ok(()),
                Some(Backend::Other) => {}
                Some(Backend::Ready | Backend::Row(_)) | None => break,
            }
        }
        Err(self.about.another_protocol())
    }

    /// The methods that send the password itself, or MD5 of it.
    async fn give_password(&mut self, asked: &Authentication<'_>) -> Result<(), Failure> {
        let about = &self.about;
        let answer = match asked {
            Authentication::CleartextPassword => {
                about.require_encrypted(&self.line)?;
                message::password(password(about)?.as_bytes())
            }
            Authentication::Md5 { salt } => {
                message::password(md5_answer(&about.target.user, password(about)?, *salt).as_bytes())
            }
            Authentication::Other(method) => return Err(about.method_unknown(method)),
            _ => return Err(about.another_protocol()),
        };
        self.send(&Zeroizing::new(answer)).await
    }

    async fn begin_scram(&mut self, mechanisms: &[&str]) -> Result<(Scram, ServerFirst), Failure> {
        let end_point = self
            .line
            .encryption
            .as_ref()
            .and_then(|encryption| encryption.certificate.as_ref()?.end_point.as_deref())
            .filter(|_| mechanisms.contains(&"SCRAM-SHA-256-PLUS"));
        if end_point.is_none() && !mechanisms.contains(&"SCRAM-SHA-256") {
            return Err(self.about.method_unknown(&mechanisms.join(", ")));
        }
        password(&self.about)?;
        let scram = Scram::new("", nonce(), end_point);
        self.send(&message::sasl_initial(
            scram.mechanism(),
            scram.first().as_bytes(),
        ))
        .await?;
        let mut body = Vec::new();
        let tag = self.receive(&mut body).await?;
        match parse(tag, &body) {
            Some(Backend::Authentication(Authentication::SaslContinue(first))) => {
                let first = scram
                    .read_first(first)
                    .ok_or_else(|| self.about.another_protocol())?;
                Ok((scram, first))
            }
            Some(Backend::Error(error)) => Err(refusal(&self.about, &error)),
            _ => Err(self.about.another_protocol()),
        }
    }

    async fn finish_scram(
        &mut self,
        scram: Scram,
        server: ServerFirst,
        memory: &Memory,
    ) -> Result<Expected, Failure> {
        let (keys, server) = login::scram_keys(&self.about, server, memory).await?;
        let (answer, expected) = scram.prove(&server, &keys);
        self.send(&message::sasl_response(answer.as_bytes())).await?;
        Ok(expected)
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), Failure> {
        self.about.send(&mut self.line.stream, message).await
    }

    /// Reads one message into `body`, and returns its type.
    async fn receive(&mut self, body: &mut Vec<u8>) -> Result<u8, Failure> {
        let about = &self.about;
        let mut head = [0; 5];
        about.receive(&mut self.line.stream, &mut head).await?;
        let [tag, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if length < 4 || (length > MESSAGE_MAX && tag != b'E') || !KNOWN_TAGS.contains(&tag) {
            return Err(about.another_protocol());
        }
        let kept = (length - 4).min(MESSAGE_MAX);
        body.clear();
        let mut part = (&mut self.line.stream).take(kept as u64);
        part.read_to_end(body)
            .await
            .map_err(|error| about.broken(&error))?;
        // Of an error, what there is will do: a server may close in the middle of it.
        if body.len() < kept && tag != b'E' {
            return Err(about.cut());
        }
        Ok(tag)
    }
}

/// Why there is no answer to a question.
enum Refused {
    /// Another one may be answered.
    Question(Failure),
    Finally(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Refused::Finally(failure)
    }
}

/// The types of messages that a server sends to who only asks: it is no
/// PostgreSQL that begins otherwise.
const KNOWN_TAGS: &[u8] = b"RENvKSTCDZAI";

/// Whether the server has let us in, and proven itself where the method has it do so.
enum Proof {
    NotAsked,
    Expected(Expected),
    Given,
    Done,
}

impl Proof {
    fn check(&mut self, last: &[u8], about: &About<'_>) -> Result<(), Failure> {
        match self {
            Proof::Expected(expected) if expected.is(last) => {
                *self = Proof::Given;
                Ok(())
            }
            Proof::Expected(_) => Err(unproven(about)),
            _ => Err(about.another_protocol()),
        }
    }

    fn accept(&mut self, about: &About<'_>) -> Result<(), Failure> {
        match self {
            Proof::Expected(_) => Err(unproven(about)),
            _ => {
                *self = Proof::Done;
                Ok(())
            }
        }
    }

    fn is_open(&self) -> bool {
        matches!(self, Proof::NotAsked)
    }

    fn is_done(&self) -> bool {
        matches!(self, Proof::Done)
    }
}

/// Asks the server for TLS; `false` only where plain text will do.
async fn server_speaks_tls<S>(about: &About<'_>, stream: &mut S) -> Result<bool, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    about.watch.enter(Phase::Tls);
    let mut answer = [0];
    about.send(stream, &message::ssl_request()).await?;
    about.receive(stream, &mut answer).await?;
    match answer[0] {
        b'S' => Ok(true),
        b'N' => about.require_no_tls().map(|()| false),
        // An error in place of an answer comes from a server that is too busy to start a session.
        b'E' => Err(Reason::SessionRefused {
            place: about.place.clone(),
        }
        .into()),
        _ => Err(about.another_protocol()),
    }
}

/// `md5` and MD5 of (MD5 of password and user) and salt, in hexadecimal.
fn md5_answer(user: &str, password: &str, salt: [u8; 4]) -> String {
    let inner = hex(&Md5::new().chain_update(password).chain_update(user).finalize());
    let outer = hex(&Md5::new().chain_update(inner).chain_update(salt).finalize());
    format!("md5{outer}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
