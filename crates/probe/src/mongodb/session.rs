//! A session: from the address to the answers of commands.

use insightpulse_domain::{DatabaseTarget, Failure, Phase, Reason, TlsMode, server_text};
use zeroize::Zeroizing;

use super::bson::{Document, Writer};
use crate::Target;
use crate::database::{About, Line, MESSAGE_MAX, dial};
use crate::egress::Egress;
use crate::login;
use crate::memory::Memory;
use crate::scram::Scram;
use crate::stopwatch::Stopwatch;

/// A session that is logged in.
pub struct Session<'a> {
    pub line: Line,
    requests: i32,
    about: About<'a>,
}

/// Where users live, unless somebody chose otherwise; the format `mongodb-uri` says the same.
const USERS: &str = "admin";

/// `OP_MSG`, the one kind of message that is left.
const OP_MSG: i32 = 2013;
const HEAD: usize = 16;
/// Behind the head: flags, and the kind of the one section.
const BEFORE_DOCUMENT: usize = 5;

const NOT_ALLOWED: i32 = 13;
const LOGIN_REFUSED: i32 = 18;
const METHOD: &str = "SCRAM-SHA-256";

/// Connects, in TLS where the mode demands it, and logs in.
///
/// There is no asking whether a server has TLS, so `prefer` is what MongoDB's
/// own clients do when they are told nothing: none.
pub async fn connect<'a>(
    place: &'a DatabaseTarget,
    target: &'a Target,
    net: &Egress,
    watch: &'a Stopwatch,
) -> Result<Session<'a>, Failure> {
    let about = About::new(place, target, watch, "MongoDB");
    let (stream, config) = dial(place, target, net, watch).await?;
    let wants_tls = !matches!(place.tls, TlsMode::Disable | TlsMode::Prefer);
    let line = match config.filter(|_| wants_tls) {
        None => Line::plain(stream),
        Some(config) => {
            watch.enter(Phase::Tls);
            Line::secured(stream, config, &about).await?
        }
    };
    watch.enter(Phase::Login);
    let mut session = Session {
        line,
        requests: 0,
        about,
    };
    session.log_in(&net.memory).await?;
    Ok(session)
}

impl Session<'_> {
    /// What a command is answered with; `None` where the user may not ask.
    pub async fn ask(&mut self, command: &str, database: &str) -> Result<Option<Vec<u8>>, Failure> {
        let asked = Writer::new().int(command, 1).text("$db", database);
        let answer = self.call(asked).await?;
        let document = document(&answer).ok_or_else(|| self.about.another_protocol())?;
        match self.checked(document) {
            Ok(()) => Ok(Some(answer)),
            Err(_) if code(document) == Some(NOT_ALLOWED) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub fn another_protocol(&self) -> Failure {
        self.about.another_protocol()
    }

    /// Ends the measurement; there is no goodbye in this protocol.
    pub async fn end(self) {
        self.about.watch.stop();
        self.line.end(&[]).await;
    }

    async fn log_in(&mut self, memory: &Memory) -> Result<(), Failure> {
        let whose = format!("{USERS}.{}", self.about.target.user);
        let hello = Writer::new()
            .int("hello", 1)
            .text("saslSupportedMechs", &whose)
            .text("$db", USERS);
        let answer = self.call(hello).await?;
        let known = self.read(&answer)?;
        // It does not tell of a user that there is not.
        if let Some(methods) = known.document("saslSupportedMechs") {
            let names: Vec<_> = methods
                .values()
                .filter_map(|(_, value)| match value {
                    super::bson::Value::Text(name) => Some(String::from_utf8_lossy(name).into_owned()),
                    _ => None,
                })
                .collect();
            if !names.is_empty() && !names.iter().any(|name| name == METHOD) {
                return Err(self.about.method_unknown(&names.join(", ")));
            }
        }
        login::password(&self.about)?;
        let user = self.about.target.user.replace('=', "=3D").replace(',', "=2C");
        let scram = Scram::new(&user, login::nonce(), None);
        let start = Writer::new()
            .int("saslStart", 1)
            .text("mechanism", METHOD)
            .bytes("payload", scram.first().as_bytes())
            .document("options", Writer::new().flag("skipEmptyExchange", true))
            .text("$db", USERS);
        let answer = self.call(start).await?;
        let (conversation, first) = self.step(&answer)?;
        let server = scram
            .read_first(first)
            .ok_or_else(|| self.about.another_protocol())?;
        let (keys, server) = login::scram_keys(&self.about, server, memory).await?;
        let (proof, expected) = scram.prove(&server, &keys);
        let answer = self.call(go_on(conversation, proof.as_bytes())).await?;
        let (_, last) = self.step(&answer)?;
        if !expected.is(last) {
            return Err(login::unproven(&self.about));
        }
        // A server that does not know of the option wants one more, empty.
        if self.read(&answer)?.number("done") != Some(1.0) {
            let answer = self.call(go_on(conversation, b"")).await?;
            self.read(&answer)?;
        }
        Ok(())
    }

    /// The number of the conversation, and what the server says in it.
    fn step<'b>(&self, answer: &'b [u8]) -> Result<(i32, &'b [u8]), Failure> {
        let document = self.read(answer)?;
        let step = || {
            Some((
                document.number("conversationId")? as i32,
                document.bytes("payload")?,
            ))
        };
        step().ok_or_else(|| self.about.another_protocol())
    }

    fn read<'b>(&self, answer: &'b [u8]) -> Result<Document<'b>, Failure> {
        let document = document(answer).ok_or_else(|| self.about.another_protocol())?;
        self.checked(document)?;
        Ok(document)
    }

    fn checked(&self, document: Document<'_>) -> Result<(), Failure> {
        match document.number("ok") {
            Some(1.0) => Ok(()),
            Some(_) => Err(refusal(&self.about, document)),
            None => Err(self.about.another_protocol()),
        }
    }

    /// Sends a command, and returns the message that answers it.
    async fn call(&mut self, command: Writer) -> Result<Vec<u8>, Failure> {
        self.requests += 1;
        let message = Zeroizing::new(framed(self.requests, &command.end()));
        self.about.send(&mut self.line.stream, &message).await?;
        let mut head = [0; HEAD];
        self.about.receive(&mut self.line.stream, &mut head).await?;
        let number = |at: usize| i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = usize::try_from(number(0)).unwrap_or(0);
        let is_answer = number(8) == self.requests && number(12) == OP_MSG;
        if !is_answer || !(HEAD + BEFORE_DOCUMENT..=MESSAGE_MAX).contains(&length) {
            return Err(self.about.another_protocol());
        }
        let mut body = vec![0; length - HEAD];
        self.about.receive(&mut self.line.stream, &mut body).await?;
        Ok(body)
    }
}

fn go_on(conversation: i32, payload: &[u8]) -> Writer {
    Writer::new()
        .int("saslContinue", 1)
        .int("conversationId", conversation)
        .bytes("payload", payload)
        .text("$db", USERS)
}

/// The document of a message, its flags and the kind of its section before it.
pub fn document(body: &[u8]) -> Option<Document<'_>> {
    let (before, rest) = body.split_at_checked(BEFORE_DOCUMENT)?;
    (before[4] == 0).then(|| Document::read(rest))?
}

fn framed(request: i32, document: &[u8]) -> Vec<u8> {
    let length = i32::try_from(HEAD + BEFORE_DOCUMENT + document.len()).expect("what we send is short");
    let head = [length, request, 0, OP_MSG].map(i32::to_le_bytes);
    [&head.concat()[..], &[0; BEFORE_DOCUMENT], document].concat()
}

fn code(document: Document<'_>) -> Option<i32> {
    document.number("code").map(|code| code as i32)
}

/// By the error's number:
/// <https://www.mongodb.com/docs/manual/reference/error-codes/>
fn refusal(about: &About<'_>, document: Document<'_>) -> Failure {
    let (place, user) = (about.place.clone(), about.user());
    let number = code(document).unwrap_or_default();
    let reason = match number {
        11 | LOGIN_REFUSED => Reason::PasswordRefused { place, user },
        NOT_ALLOWED => Reason::DatabaseForbidden {
            place,
            user,
            database: server_text(about.target.database.as_deref().unwrap_or(USERS)),
        },
        // Interrupted at shutdown, shutdown in progress.
        91 | 11600 => Reason::ShuttingDown { place },
        _ => Reason::ServerError { place },
    };
    let words = String::from_utf8_lossy(document.text("errmsg").unwrap_or_default());
    Failure::from(reason).said(&format!("{number}: {words}"), about.password)
}
