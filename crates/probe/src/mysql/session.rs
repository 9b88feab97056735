//! A session: from the address to the rows of its queries, and a goodbye.

use insightpulse_domain::{DatabaseTarget, Failure, Phase, Reason, server_text};
use tokio::io::AsyncRead;
use zeroize::Zeroizing;

use super::packet::{self, Greeting, LoginAnswer, ServerError, capability};
use crate::Target;
use crate::database::{About, Line, MESSAGE_MAX, dial};
use crate::egress::Egress;
use crate::stopwatch::Stopwatch;

/// A session that is logged in.
pub struct Session<'a> {
    pub line: Line,
    /// Packets are numbered within an exchange.
    sequence: u8,
    about: About<'a>,
}

const PACKETS_MAX: usize = 200;

/// A word of `caching_sha2_password`: the server remembers the password.
const REMEMBERED: u8 = 3;
/// It does not, and wants to have it.
const PASSWORD_WANTED: u8 = 4;

/// Connects, agrees on TLS as the target says, and logs in.
pub async fn connect<'a>(
    place: &'a DatabaseTarget,
    target: &'a Target,
    net: &Egress,
    watch: &'a Stopwatch,
) -> Result<Session<'a>, Failure> {
    let about = About::new(place, target, watch, "MySQL or MariaDB");
    let (mut stream, config) = dial(place, target, net, watch).await?;
    watch.enter(Phase::Login);
    let (mut sequence, body) = receive(&mut stream, &about).await?;
    if let Some(error) = packet::error(&body) {
        return Err(refusal(&about, &error));
    }
    let greeting = Greeting::read(&body).ok_or_else(|| about.another_protocol())?;
    let capabilities = capabilities(place);
    let has_tls = greeting.capabilities & capability::SSL != 0;
    if !has_tls {
        about.require_no_tls()?;
    }
    let line = match config.filter(|_| has_tls) {
        None => Line::plain(stream),
        Some(config) => {
            watch.enter(Phase::Tls);
            sequence = sequence.wrapping_add(1);
            let request = framed(sequence, &packet::ssl_request(capabilities | capability::SSL));
            about.send(&mut stream, &request).await?;
            let line = Line::secured(stream, config, &about).await?;
            watch.enter(Phase::Login);
            line
        }
    };
    let mut session = Session {
        line,
        sequence,
        about,
    };
    session.log_in(greeting, capabilities).await?;
    Ok(session)
}

impl Session<'_> {
    /// Asks, and returns the first row; `None` where there is none.
    pub async fn first_row(&mut self, question: &str) -> Result<Option<Vec<Option<String>>>, Failure> {
        self.about.watch.enter(Phase::Query);
        // The first packet of an exchange has the number 0.
        self.sequence = u8::MAX;
        self.send(&packet::query(question)).await?;
        let body = self.receive().await?;
        if let Some(error) = packet::error(&body) {
            return Err(refusal(&self.about, &error));
        }
        let columns = packet::column_count(&body).ok_or_else(|| self.about.another_protocol())?;
        let mut ends = 0;
        let mut first = None;
        for _ in 0..PACKETS_MAX {
            let body = self.receive().await?;
            match (packet::error(&body), ends) {
                (Some(error), _) => return Err(refusal(&self.about, &error)),
                // One ends the columns, one the rows.
                (None, 0) if packet::is_end(&body) => ends = 1,
                (None, 0) => {}
                (None, _) if packet::is_end(&body) => return Ok(first),
                (None, _) => {
                    let row = packet::row(&body, columns).ok_or_else(|| self.about.another_protocol())?;
                    first.get_or_insert(row);
                }
            }
        }
        Err(self.about.another_protocol())
    }

    /// Ends the measurement, and says goodbye.
    pub async fn end(self) {
        self.about.watch.stop();
        self.line.end(&framed(0, packet::QUIT)).await;
    }

    pub fn another_protocol(&self) -> Failure {
        self.about.another_protocol()
    }

    async fn log_in(&mut self, greeting: Greeting, capabilities: u32) -> Result<(), Failure> {
        let target = self.about.target;
        let encrypted = match self.line.encryption {
            Some(_) => capability::SSL,
            None => 0,
        };
        // A method that we do not speak is answered with one that we do: the server then asks for its own.
        let plugin = match greeting.plugin.as_str() {
            "caching_sha2_password" => "caching_sha2_password",
            _ => "mysql_native_password",
        };
        let proof = proof_of(self.about.password, plugin, &greeting.nonce);
        let database = target.database.as_deref();
        let login = packet::login(capabilities | encrypted, &target.user, &proof, database, plugin);
        self.send(&login).await?;
        for _ in 0..PACKETS_MAX {
            let body = self.receive().await?;
            match packet::login_answer(&body) {
                Some(LoginAnswer::Done) => return Ok(()),
                Some(LoginAnswer::Error(error)) => return Err(refusal(&self.about, &error)),
                Some(LoginAnswer::Switch { plugin, nonce }) => match plugin {
                    "mysql_native_password" | "caching_sha2_password" => {
                        let proof = proof_of(self.about.password, plugin, nonce);
                        self.send(&proof).await?;
                    }
                    "mysql_clear_password" | "sha256_password" => self.give_password().await?,
                    other => return Err(self.about.method_unknown(other)),
                },
                Some(LoginAnswer::More([REMEMBERED])) => {}
                Some(LoginAnswer::More([PASSWORD_WANTED])) => self.give_password().await?,
                Some(LoginAnswer::More(_)) | None => break,
            }
        }
        Err(self.about.another_protocol())
    }

    /// In the clear, so over TLS alone, whatever the TLS mode: without it, the
    /// server means a password encrypted with its own key, which anybody in
    /// between may have put in that key's place.
    async fn give_password(&mut self) -> Result<(), Failure> {
        if self.line.encryption.is_none() {
            return Err(self.about.password_in_clear());
        }
        let password = self.about.password.unwrap_or_default();
        let answer = Zeroizing::new([password.as_bytes(), b"\0"].concat());
        self.send(&answer).await
    }

    async fn send(&mut self, body: &[u8]) -> Result<(), Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let packet = Zeroizing::new(framed(self.sequence, body));
        self.about.send(&mut self.line.stream, &packet).await
    }

    async fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        let (sequence, body) = receive(&mut self.line.stream, &self.about).await?;
        self.sequence = sequence;
        Ok(body)
    }
}

fn capabilities(target: &DatabaseTarget) -> u32 {
    let with_database = match target.database {
        Some(_) => capability::CONNECT_WITH_DB,
        None => 0,
    };
    capability::LONG_PASSWORD
        | capability::PROTOCOL_41
        | capability::TRANSACTIONS
        | capability::SECURE_CONNECTION
        | capability::PLUGIN_AUTH
        | with_database
}

/// Nothing where there is no password: what a user without one wants.
fn proof_of(password: Option<&str>, plugin: &str, nonce: &[u8]) -> Vec<u8> {
    match (password, plugin) {
        (None, _) => Vec::new(),
        (Some(password), "caching_sha2_password") => packet::sha2_proof(password, nonce),
        (Some(password), _) => packet::native_proof(password, nonce),
    }
}

/// By the error's number:
/// <https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html>
fn refusal(about: &About<'_>, error: &ServerError<'_>) -> Failure {
    let (place, user) = (about.place.clone(), about.user());
    let database = server_text(about.target.database.as_deref().unwrap_or_default());
    let reason = match error.code {
        1045 if about.password.is_none() => Reason::PasswordMissing { place, user },
        1045 => Reason::PasswordRefused { place, user },
        1044 | 1142 | 1143 | 1227 => Reason::DatabaseForbidden {
            place,
            user,
            database,
        },
        1049 => Reason::DatabaseUnknown { place, database },
        1040 | 1203 | 1226 => Reason::NoConnectionFree { place },
        1129 | 1130 | 1698 => Reason::UserNotLetIn { place, user },
        1820 | 1862 => Reason::PasswordExpired { place, user },
        3159 => Reason::TlsWanted { place },
        1053 => Reason::ShuttingDown { place },
        _ => Reason::ServerError { place },
    };
    let words = String::from_utf8_lossy(error.message);
    Failure::from(reason).said(&format!("{}: {words}", error.code), about.password)
}

/// A packet's number, and what is in it.
async fn receive<S: AsyncRead + Unpin>(stream: &mut S, about: &About<'_>) -> Result<(u8, Vec<u8>), Failure> {
    let mut head = [0; 4];
    about.receive(stream, &mut head).await?;
    let [low, middle, high, sequence] = head;
    let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
    if !(1..=MESSAGE_MAX).contains(&length) {
        return Err(about.another_protocol());
    }
    let mut body = vec![0; length];
    about.receive(stream, &mut body).await?;
    Ok((sequence, body))
}

fn framed(sequence: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len())
        .expect("what we send is short")
        .to_le_bytes();
    [&length[..3], &[sequence], body].concat()
}
