//! MongoDB: a stand-in that answers as its documentation says, for there is no real one to be had here.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::{Expect, expect};
use insightpulse_domain::{Kind, TlsMode};
use insightpulse_test_support::{Authority, FaultServer, Step};
use ring::{digest, hmac, pbkdf2};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::check::{Asked, check};

const SALT: &[u8] = b"sixteen bytes ..";
const ROUNDS: u32 = 4096;
const PASSWORD: &str = "of the app";

/// The first 16 bytes of a message: its length, its number, what it answers, `OP_MSG`.
pub fn head(length: i32, answers: i32) -> Vec<u8> {
    [length, 99, answers, 2013].map(i32::to_le_bytes).concat()
}

/// What a server says of itself before anybody has logged in.
pub fn hello() -> Vec<u8> {
    hello_with("SCRAM-SHA-256")
}

pub fn hello_with(mechanism: &str) -> Vec<u8> {
    let list = document(&[text("0", mechanism.as_bytes())]);
    message(
        1,
        &[
            [b"\x08isWritablePrimary\0\x01".to_vec()].concat(),
            [&b"\x04saslSupportedMechs\0"[..], &list].concat(),
            // What a probe has no use for, and has to step over.
            b"\x09localTime\0\0\0\0\0\0\0\0\0".to_vec(),
            b"\x07id\0aaaabbbbcccc".to_vec(),
            b"\x11operationTime\0\0\0\0\0\0\0\0\0".to_vec(),
            b"\x12n\0\0\0\0\0\0\0\0\0".to_vec(),
            ok(1.0),
        ],
    )
}

pub fn refusal(answers: i32, code: i32, words: &[u8]) -> Vec<u8> {
    message(
        answers,
        &[
            ok(0.0),
            [&b"\x10code\0"[..], &code.to_le_bytes()].concat(),
            text("errmsg", words),
        ],
    )
}

fn ok(value: f64) -> Vec<u8> {
    [&b"\x01ok\0"[..], &value.to_le_bytes()].concat()
}

fn text(name: &str, value: &[u8]) -> Vec<u8> {
    let length = i32::try_from(value.len() + 1).expect("short").to_le_bytes();
    [b"\x02", name.as_bytes(), b"\0", &length, value, b"\0"].concat()
}

fn binary(name: &str, value: &[u8]) -> Vec<u8> {
    let length = i32::try_from(value.len()).expect("short").to_le_bytes();
    [b"\x05", name.as_bytes(), b"\0", &length, b"\0", value].concat()
}

fn document(fields: &[Vec<u8>]) -> Vec<u8> {
    let body = fields.concat();
    let length = i32::try_from(body.len() + 5).expect("short").to_le_bytes();
    [&length[..], &body, b"\0"].concat()
}

fn message(answers: i32, fields: &[Vec<u8>]) -> Vec<u8> {
    let document = document(fields);
    let length = i32::try_from(16 + 5 + document.len()).expect("short");
    [head(length, answers), vec![0; 5], document].concat()
}

/// A server that knows one user, and proves that it does.
struct MongoDb {
    /// It wants one more message than it needs, as servers before 4.4 do.
    is_old: bool,
    /// What it answers `buildInfo` with.
    knows_version: bool,
}

impl MongoDb {
    async fn start(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                self.serve(stream).await;
            }
        });
        port
    }

    /// Until the client goes.
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut first = String::new();
        loop {
            let mut head = [0; 16];
            stream.read_exact(&mut head).await.ok()?;
            let number = |at: usize| i32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
            let mut body = vec![0; usize::try_from(number(0)).expect("a length") - 16];
            stream.read_exact(&mut body).await.ok()?;
            let asked = number(4);
            let is = |command: &str| body.windows(command.len()).any(|part| part == command.as_bytes());
            let said = String::from_utf8_lossy(payload(&body)).into_owned();
            let conversation = b"\x10conversationId\0\x07\0\0\0".to_vec();
            let done = |done: bool| [&b"\x08done\0"[..], &[u8::from(done)]].concat();
            let answer = if is("hello") {
                hello()
            } else if is("saslStart") {
                let bare = said.strip_prefix("n,,").expect("no binding").to_owned();
                assert!(bare.starts_with("n=a=3Dp=2Cp,r="), "{bare}");
                let nonce = bare.split(",r=").nth(1).expect("a nonce");
                let server = format!("r={nonce}server,s={},i={ROUNDS}", STANDARD.encode(SALT));
                first = format!("{bare},{server}");
                message(
                    asked,
                    &[
                        conversation,
                        done(false),
                        binary("payload", server.as_bytes()),
                        ok(1.0),
                    ],
                )
            } else if is("saslContinue") && said.is_empty() {
                message(
                    asked,
                    &[conversation, done(true), binary("payload", b""), ok(1.0)],
                )
            } else if is("saslContinue") {
                match prove(&first, &said) {
                    Some(signature) => {
                        let payload = binary("payload", format!("v={signature}").as_bytes());
                        message(asked, &[conversation, done(!self.is_old), payload, ok(1.0)])
                    }
                    None => refusal(asked, 18, b"Authentication failed."),
                }
            } else if is("buildInfo") && self.knows_version {
                message(asked, &[text("version", b"8.0.4"), ok(1.0)])
            } else {
                refusal(asked, 13, b"not allowed")
            };
            stream.write_all(&answer).await.ok()?;
        }
    }
}

fn payload(body: &[u8]) -> &[u8] {
    let name = b"\x05payload\0";
    let Some(at) = body.windows(name.len()).position(|part| part == name) else {
        return &[];
    };
    let rest = &body[at + name.len()..];
    let length = i32::from_le_bytes(rest[..4].try_into().expect("four"));
    &rest[5..5 + usize::try_from(length).expect("a length")]
}

/// The server's signature, if the client's proof is right: RFC 5802, section 3.
fn prove(first: &str, last: &str) -> Option<String> {
    let (without_proof, proof) = last.rsplit_once(",p=")?;
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(ROUNDS).expect("some");
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        SALT,
        PASSWORD.as_bytes(),
        &mut salted,
    );
    let mac = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let spoken = format!("{first},{without_proof}");
    let client = mac(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let signature = mac(stored.as_ref(), spoken.as_bytes());
    let expected: Vec<u8> = client
        .as_ref()
        .iter()
        .zip(signature.as_ref())
        .map(|(a, b)| a ^ b)
        .collect();
    if STANDARD.decode(proof).ok()? != expected {
        return None;
    }
    let server = mac(&salted, b"Server Key");
    Some(STANDARD.encode(mac(server.as_ref(), spoken.as_bytes())))
}

fn asked(port: u16) -> Asked {
    Asked::database(Kind::Mongodb, port)
        .tls(TlsMode::Disable)
        .with(|raw| raw.username = Some("a=p,p".into()))
}

async fn check_login(server: MongoDb, ask: impl FnOnce(Asked) -> Asked, expected: Expect) {
    check(ask(asked(server.start().await)), expected).await;
}

#[tokio::test]
async fn a_user_logs_in_and_the_server_says_who_it_is() {
    for is_old in [false, true] {
        let server = MongoDb {
            is_old,
            knows_version: true,
        };
        let evidence = asked(server.start().await)
            .probe(crate::check::net())
            .await
            .found
            .expect("a login");
        assert_eq!(evidence.server_version.as_deref(), Some("8.0.4"));
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_a_missing_one_is_said() {
    let server = || MongoDb {
        is_old: false,
        knows_version: true,
    };
    check_login(server(), |asked| asked.login("a=p,p", Some("another")), expect!["auth: 127.0.0.1:PORT refused the password of the user “a=p,p”. The server said: “18: Authentication failed.”."]).await;
    check_login(
        server(),
        |asked| asked.login("a=p,p", None),
        expect!["auth: 127.0.0.1:PORT wants a password for the user “a=p,p”, and none is stored."],
    )
    .await;
}

#[tokio::test]
async fn what_a_user_may_not_ask_stays_unknown() {
    let server = MongoDb {
        is_old: false,
        knows_version: false,
    };
    let probed = asked(server.start().await).probe(crate::check::net()).await;
    assert_eq!(probed.found.expect("a login").server_version, None);
}

#[tokio::test]
async fn a_server_that_does_not_know_the_password_is_not_believed() {
    let steps = [
        Step::Receive,
        Step::Send(hello()),
        Step::Receive,
        Step::Send(message(
            2,
            &[
                b"\x10conversationId\0\x07\0\0\0".to_vec(),
                binary("payload", b"r=x,s=YQ==,i=1"),
                ok(1.0),
            ],
        )),
    ];
    let server = FaultServer::scripted(steps).await;
    check(
        asked(server.port()),
        expect!["not_this_protocol: 127.0.0.1:PORT answers, but not as MongoDB does."],
    )
    .await;
}

#[tokio::test]
async fn an_older_way_to_log_in_is_named() {
    let server = FaultServer::scripted([Step::Receive, Step::Send(hello_with("SCRAM-SHA-1"))]).await;
    check(
        asked(server.port()),
        expect![
            "auth_method: 127.0.0.1:PORT wants the login method “SCRAM-SHA-1”, which is not spoken here."
        ],
    )
    .await;
}

#[tokio::test]
async fn tls_begins_with_the_first_byte() {
    let authority = Authority::new();
    let shown = authority.issue(&["127.0.0.1"]).server_config();
    let server =
        FaultServer::scripted([Step::Tls(shown), Step::Receive, Step::Send(refusal(1, 18, b"no"))]).await;
    let pem = authority.pem();
    let asked = asked(server.port())
        .tls(TlsMode::VerifyFull)
        .with(|raw| raw.tls_authority = Some(pem));
    check(
        asked,
        expect!["auth: 127.0.0.1:PORT refused the password of the user “a=p,p”. The server said: “18: no”."],
    )
    .await;
}
