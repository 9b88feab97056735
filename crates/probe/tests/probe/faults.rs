//! Every kind of endpoint against every fault: what it is called, and that fifty at once harm nobody.
//!
//! The table in the documentation is written by this test, with `UPDATE_EXPECT=1`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use expect_test::expect_file;
use insightpulse_domain::{Failure, FailureKind, Family, Kind, TlsMode};
use insightpulse_probe::{Addresses, Egress, EgressPolicy, Probed, Resolve};
use insightpulse_test_support::{
    Authority, BlackHole, Certificate, Cluster, FaultServer, Options, Step, eventually, in_own_network,
};
use tokio::task::JoinSet;

use crate::check::{Asked, PLENTY, describe, most_memory_mib};
use crate::mongodb;
use crate::postgres_faults::{accepted, message, parameter};

/// Which language a server would have to speak.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Postgresql,
    Mysql,
    Mongodb,
    Http,
}

/// What is wrong with the network or the server, and how a probe is led there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    NameUnknown,
    NameServerSilent,
    OnlyIpv6,
    NobodyListens,
    BlackHole,
    Silent,
    ByteByByte,
    SilentAfterLogin,
    AnswersTooLate,
    ClosesAtOnce,
    ResetsAtOnce,
    ResetsInTls,
    ResetsInLogin,
    ResetsInAnswer,
    AnotherProtocol,
    WrongLength,
    EndlessHead,
    EndlessBody,
    HugeError,
    EscapesInError,
    NoTls,
    TlsStalls,
    OtherName,
    Expired,
    NotYetValid,
    SelfSigned,
    UnknownAuthority,
    PasswordRefused,
    WantsPasswordInClear,
    Forbidden,
    NoSuchDatabase,
    Full,
    Unwell,
    RedirectLoop,
    RedirectElsewhere,
    Bomb,
}

use Fault::*;

const ALL: &[(Fault, &str)] = &[
    (NameUnknown, "the name is unknown"),
    (NameServerSilent, "DNS never answers"),
    (OnlyIpv6, "the name has IPv6 only, the machine has none"),
    (NobodyListens, "nobody listens"),
    (BlackHole, "packets are dropped"),
    (Silent, "accepts and is silent"),
    (ByteByByte, "sends a byte now and then"),
    (SilentAfterLogin, "falls silent after the login"),
    (AnswersTooLate, "answers after the deadline"),
    (ClosesAtOnce, "closes at once"),
    (ResetsAtOnce, "resets at once"),
    (ResetsInTls, "resets in the TLS handshake"),
    (ResetsInLogin, "resets in the login or the request"),
    (ResetsInAnswer, "resets in the middle of the answer"),
    (AnotherProtocol, "speaks another protocol"),
    (WrongLength, "says a wrong length"),
    (EndlessHead, "never ends the login or the head"),
    (EndlessBody, "never ends the answer"),
    (HugeError, "answers with a huge error"),
    (EscapesInError, "has escapes and broken UTF-8 in its error"),
    (NoTls, "has no TLS where it is demanded"),
    (TlsStalls, "stalls in the TLS handshake"),
    (OtherName, "certificate for another name"),
    (Expired, "certificate expired"),
    (NotYetValid, "certificate not yet valid"),
    (SelfSigned, "certificate self-signed"),
    (UnknownAuthority, "certificate of an unknown authority"),
    (PasswordRefused, "refuses the password or key"),
    (
        WantsPasswordInClear,
        "wants the password in the clear, without TLS",
    ),
    (Forbidden, "knows who it is, and lets it do nothing"),
    (NoSuchDatabase, "has no such database"),
    (Full, "is full, or is asked too often"),
    (Unwell, "says that it is not well"),
    (RedirectLoop, "redirects to itself"),
    (RedirectElsewhere, "redirects to another origin"),
    (Bomb, "answers with a compressed bomb"),
];

/// Long enough to get to where a server stops answering.
const DEADLINE: Duration = Duration::from_millis(600);
/// The bytes of a packet that says no more than that TLS begins.
const MYSQL_SSL_REQUEST: usize = 4 + 32;
const CROWD: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// A place to probe, kept alive.
enum Place {
    Server(FaultServer),
    Hole(BlackHole),
    Nowhere,
}

/// Knows one name of each sort.
struct Names;

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a> {
        Box::pin(async move {
            match name {
                "silent.example" => std::future::pending().await,
                "ipv6.example" => Ok(vec!["2001:db8::1".parse().expect("an address")]),
                "localhost" => Ok(vec!["127.0.0.1".parse().expect("an address")]),
                _ => Ok(vec![]),
            }
        })
    }
}

fn protocol(kind: Kind) -> Protocol {
    match kind.family() {
        Family::Postgresql { .. } => Protocol::Postgresql,
        Family::Mysql { .. } => Protocol::Mysql,
        Family::Mongodb { .. } => Protocol::Mongodb,
        Family::Http { .. } => Protocol::Http,
    }
}

/// The first thing that a server says by itself, which MySQL's alone does.
fn opening(protocol: Protocol, has_tls: bool) -> Vec<Step> {
    match protocol {
        Protocol::Mysql => vec![Step::Send(mysql_greeting(has_tls))],
        _ => vec![],
    }
}

/// Up to where TLS begins.
fn before_tls(protocol: Protocol) -> Vec<Step> {
    let mut steps = opening(protocol, true);
    match protocol {
        Protocol::Postgresql => steps.extend([Step::Receive, send("S")]),
        // The handshake follows at once: it may be in the same packet.
        Protocol::Mysql => steps.push(Step::ReceiveExactly(MYSQL_SSL_REQUEST)),
        Protocol::Mongodb | Protocol::Http => {}
    }
    steps
}

/// Up to the answer to a question, without TLS.
fn logged_in(protocol: Protocol) -> Vec<Step> {
    let mut steps = opening(protocol, false);
    steps.push(Step::Receive);
    match protocol {
        Protocol::Postgresql => {
            steps.push(Step::Send([accepted(), message(b'Z', b"I")].concat()));
            steps.push(Step::Receive);
        }
        Protocol::Mysql => {
            steps.push(Step::Send(packet(2, b"\0\0\0\x02\0\0\0")));
            steps.push(Step::Receive);
        }
        // Its login cannot be written down beforehand: this is as far as a script gets.
        Protocol::Mongodb => steps.extend([Step::Send(mongodb::hello()), Step::Receive]),
        Protocol::Http => {}
    }
    steps
}

/// Version 10, with or without TLS, as the documentation has it.
fn mysql_greeting(has_tls: bool) -> Vec<u8> {
    let lower = if has_tls { 0xffff_u16 } else { 0xf7ff };
    let body = [
        &b"\x0a10.11.6-MariaDB\0\x01\0\0\x0012345678\0"[..],
        &lower.to_le_bytes(),
        &[45, 2, 0, 0xff, 0xdf, 21],
        &[0; 10],
        b"abcdefghijkl\0mysql_native_password\0",
    ]
    .concat();
    packet(0, &body)
}

fn packet(sequence: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_le_bytes();
    [&length[..3], &[sequence], body].concat()
}

fn send(words: impl Into<Vec<u8>>) -> Step {
    Step::Send(words.into())
}

/// The steps, and some more.
fn then(mut steps: Vec<Step>, more: impl IntoIterator<Item = Step>) -> Vec<Step> {
    steps.extend(more);
    steps
}

/// What refuses in each language: an SQLSTATE, MySQL's number, an HTTP status.
fn refusing(protocol: Protocol, sqlstate: &str, number: u16, status: &str, words: &[u8]) -> Vec<Step> {
    let answer = match protocol {
        Protocol::Postgresql => {
            let body = [format!("SFATAL\0C{sqlstate}\0M").as_bytes(), words, b"\0\0"].concat();
            message(b'E', &body)
        }
        Protocol::Mysql => packet(
            2,
            &[&b"\xff"[..], &number.to_le_bytes(), b"#HY000", words].concat(),
        ),
        Protocol::Mongodb => {
            let code = match number {
                1045 => 18,
                1044 => 13,
                _ => 91,
            };
            mongodb::refusal(1, code, words)
        }
        Protocol::Http => [
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", words.len()).as_bytes(),
            words,
        ]
        .concat(),
    };
    then(opening(protocol, false), [Step::Receive, Step::Send(answer)])
}

/// `None` where a fault makes no sense for a protocol.
fn script(fault: Fault, protocol: Protocol) -> Option<Vec<Step>> {
    let redirect = |place: &str| {
        vec![
            Step::Receive,
            send(format!(
                "HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
            )),
        ]
    };
    let is_http = protocol == Protocol::Http;
    Some(match fault {
        Silent => vec![],
        ByteByByte => match protocol {
            Protocol::Postgresql => {
                vec![
                    Step::Receive,
                    Step::Trickle([accepted(), parameter(&"x".repeat(1000))].concat(), PAUSE),
                ]
            }
            Protocol::Mysql => vec![Step::Trickle(mysql_greeting(false), PAUSE)],
            Protocol::Mongodb => vec![Step::Receive, Step::Trickle(mongodb::hello(), PAUSE)],
            Protocol::Http => vec![
                Step::Receive,
                Step::Trickle(b"HTTP/1.1 200 OK\r\nX-Slow: ".to_vec(), PAUSE),
            ],
        },
        SilentAfterLogin => logged_in(protocol),
        AnswersTooLate => then(
            logged_in(protocol),
            [Step::Wait(2 * DEADLINE), send("HTTP/1.1 200 OK\r\n\r\n")],
        ),
        ClosesAtOnce => vec![Step::Close],
        ResetsAtOnce => vec![Step::Reset],
        ResetsInTls => then(before_tls(protocol), [Step::Receive, Step::Reset]),
        ResetsInLogin => then(opening(protocol, false), [Step::Receive, Step::Reset]),
        ResetsInAnswer => {
            let half = match protocol {
                Protocol::Postgresql => b"T\0\0\0".to_vec(),
                Protocol::Mysql => b"\x01\0\0\x01\x02\x20".to_vec(),
                Protocol::Mongodb => mongodb::hello()[..10].to_vec(),
                Protocol::Http => {
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
                        .to_vec()
                }
            };
            // The probe has to have read it before the reset takes it away.
            then(
                logged_in(protocol),
                [Step::Send(half), Step::Wait(PAUSE), Step::Reset],
            )
        }
        AnotherProtocol if is_http => vec![
            Step::Receive,
            Step::Send(message(b'E', b"SFATAL\0C0A000\0Mno\0\0")),
        ],
        AnotherProtocol => vec![send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")],
        WrongLength => match protocol {
            Protocol::Postgresql => vec![Step::Receive, send(&b"R\0\0\0\x03"[..])],
            Protocol::Mysql => vec![send(&b"\xff\xff\xff\0\x0a"[..])],
            Protocol::Mongodb => vec![Step::Receive, Step::Send(mongodb::head(3, 1))],
            Protocol::Http => vec![
                Step::Receive,
                send("HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n"),
            ],
        },
        EndlessHead => match protocol {
            Protocol::Postgresql => vec![Step::Receive, Step::Endless(parameter("more"))],
            Protocol::Mysql => vec![Step::Endless(packet(0, b"\x0a"))],
            Protocol::Mongodb => vec![Step::Receive, Step::Endless(mongodb::hello())],
            Protocol::Http => vec![
                Step::Receive,
                send("HTTP/1.1 200 OK\r\n"),
                Step::Endless(b"X-More: x\r\n".to_vec()),
            ],
        },
        EndlessBody => match protocol {
            Protocol::Postgresql => then(logged_in(protocol), [Step::Endless(message(b'D', b"\0\0"))]),
            Protocol::Mysql => then(
                logged_in(protocol),
                [send(packet(1, b"\x02")), Step::Endless(packet(2, b"\x03def"))],
            ),
            Protocol::Mongodb => then(
                logged_in(protocol),
                [
                    Step::Send(mongodb::head(i32::MAX, 2)),
                    Step::Endless(b"\0".to_vec()),
                ],
            ),
            Protocol::Http => vec![
                Step::Receive,
                send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
                Step::Endless(b" ".to_vec()),
            ],
        },
        HugeError => match protocol {
            Protocol::Postgresql => vec![
                Step::Receive,
                send(&b"E\x3f\xff\xff\xffSFATAL\0C28P01\0M"[..]),
                Step::Endless(b"no ".to_vec()),
            ],
            Protocol::Mysql => vec![
                send(&b"\xff\xff\xff\0\xff\x15\x04"[..]),
                Step::Endless(b"no ".to_vec()),
            ],
            Protocol::Mongodb => vec![
                Step::Receive,
                Step::Send(mongodb::head(i32::MAX, 1)),
                Step::Endless(b"no ".to_vec()),
            ],
            Protocol::Http => vec![
                Step::Receive,
                send("HTTP/1.1 500 No\r\n\r\n"),
                Step::Endless(b"no ".to_vec()),
            ],
        },
        EscapesInError => refusing(
            protocol,
            "28P01",
            1045,
            "401 No",
            b"\x1b]0;owned\x07\xff\xfe\xe2\x80\xae<b>",
        ),
        NoTls => match protocol {
            Protocol::Postgresql => vec![Step::Receive, send("N")],
            Protocol::Mysql => vec![Step::Send(mysql_greeting(false))],
            Protocol::Mongodb => vec![Step::Receive, Step::Send(mongodb::hello())],
            Protocol::Http => vec![
                Step::Receive,
                send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
            ],
        },
        TlsStalls => before_tls(protocol),
        PasswordRefused => refusing(protocol, "28P01", 1045, "401 Unauthorized", b"no"),
        WantsPasswordInClear => match protocol {
            Protocol::Postgresql => {
                vec![
                    Step::Receive,
                    send("N"),
                    Step::Receive,
                    Step::Send(message(b'R', &3_u32.to_be_bytes())),
                ]
            }
            Protocol::Mysql => then(
                opening(protocol, false),
                [
                    Step::Receive,
                    Step::Send(packet(2, b"\xfemysql_clear_password\0")),
                ],
            ),
            Protocol::Mongodb => vec![Step::Receive, Step::Send(mongodb::hello_with("PLAIN"))],
            Protocol::Http => return None,
        },
        Forbidden => refusing(protocol, "42501", 1044, "403 Forbidden", b"no"),
        // Where there is none of a name, MongoDB makes one, and who is too many is cut off.
        NoSuchDatabase | Full if protocol == Protocol::Mongodb => return None,
        NoSuchDatabase if is_http => return None,
        NoSuchDatabase => refusing(protocol, "3D000", 1049, "", b"no"),
        Full => refusing(protocol, "53300", 1040, "429 Too Many Requests", b"no"),
        Unwell => refusing(protocol, "57P03", 1053, "503 Service Unavailable", b"no"),
        RedirectLoop if is_http => redirect("/"),
        RedirectElsewhere if is_http => redirect("https://evil.example/login?next=x"),
        Bomb if is_http => vec![
            Step::Receive,
            send(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\u{8}00",
            ),
        ],
        RedirectLoop | RedirectElsewhere | Bomb => return None,
        NameUnknown | NameServerSilent | OnlyIpv6 | NobodyListens | BlackHole => return Some(vec![]),
        OtherName | Expired | NotYetValid | SelfSigned | UnknownAuthority => return Some(vec![]),
    })
}

fn certificate(fault: Fault, known: &Authority) -> Option<Certificate> {
    let names = &["127.0.0.1"];
    Some(match fault {
        OtherName => known.issue(&["other.example"]),
        Expired => known.issue_expired(names),
        NotYetValid => known.issue_too_early(names),
        SelfSigned => Authority::self_signed(names),
        UnknownAuthority => Authority::new().issue(names),
        _ => return None,
    })
}

/// A server with a fault, and how somebody comes to probe it; `None` where it makes no sense.
async fn meet(fault: Fault, kind: Kind, known: &Authority) -> Option<(Place, Asked)> {
    let protocol = protocol(kind);
    let steps = script(fault, protocol)?;
    let shown = certificate(fault, known);
    let needs_tls = shown.is_some() || matches!(fault, NoTls | TlsStalls | ResetsInTls);
    let place = match (fault, shown) {
        (NameUnknown | NameServerSilent | OnlyIpv6 | NobodyListens, _) => Place::Nowhere,
        (BlackHole, _) => Place::Hole(BlackHole::start().await),
        (_, Some(shown)) => {
            let steps = then(before_tls(protocol), [Step::Tls(shown.server_config())]);
            Place::Server(FaultServer::scripted(steps).await)
        }
        (_, None) => Place::Server(FaultServer::scripted(steps).await),
    };
    let port = match &place {
        Place::Server(server) => server.port(),
        Place::Hole(hole) => hole.port(),
        Place::Nowhere => 1,
    };
    let host = match fault {
        NameUnknown => "unknown.example",
        NameServerSilent => "silent.example",
        OnlyIpv6 => "ipv6.example",
        _ => "127.0.0.1",
    };
    let asked = match protocol {
        Protocol::Http => {
            let scheme = if needs_tls { "https" } else { "http" };
            let asked = Asked::http(kind, format!("{scheme}://{host}:{port}/"));
            // What is looked for makes the answer be read.
            match kind {
                Kind::Api => asked
                    .key("of the app")
                    .with(|raw| raw.expected_text = Some("ok".into())),
                Kind::Superset => asked.login("app", Some("of the app")),
                _ => asked.key("of the app"),
            }
        }
        _ => {
            let mode = match fault {
                WantsPasswordInClear => TlsMode::Prefer,
                _ if needs_tls => TlsMode::VerifyFull,
                _ => TlsMode::Disable,
            };
            Asked::database(kind, port).host(host).tls(mode)
        }
    };
    let authority = known.pem();
    let asked = asked
        .with(|raw| raw.tls_authority = Some(authority))
        .within(if hangs(fault) { DEADLINE } else { PLENTY });
    Some((place, asked))
}

/// Only the deadline ends it.
fn hangs(fault: Fault) -> bool {
    matches!(
        fault,
        NameServerSilent | BlackHole | Silent | ByteByByte | SilentAfterLogin | AnswersTooLate | TlsStalls
    )
}

fn net() -> Egress {
    let policy = EgressPolicy {
        allow_loopback: true,
        ..EgressPolicy::default()
    };
    Egress::with_resolver(policy, Names).expect("TLS")
}

fn failure(probed: &Probed) -> &Failure {
    probed
        .found
        .as_ref()
        .expect_err("nothing that a fault lets be healthy")
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test);
}

#[test]
fn every_fault_of_every_kind_has_its_name() {
    in_own_network("faults::every_fault_of_every_kind_has_its_name", || {
        run(async {
            let (known, net) = (Authority::new(), net());
            let mut rows = BTreeMap::new();
            let mut advice: BTreeMap<&str, (&str, String)> = BTreeMap::new();
            for (order, (fault, title)) in ALL.iter().enumerate() {
                for kind in Kind::ALL {
                    let cell = match meet(*fault, kind, &known).await {
                        None => "–".to_owned(),
                        Some((_place, asked)) => {
                            let probed = asked.probe(&net).await;
                            let failure = failure(&probed);
                            let said = failure.message();
                            assert!(
                                !said.chars().any(char::is_control),
                                "{fault:?} {kind:?}: {said:?}"
                            );
                            assert!(!said.contains("of the app"), "{fault:?} {kind:?}: {said:?}");
                            let name = failure.kind().as_str();
                            let port = asked.target().endpoint.service.address().host_and_port().1;
                            let example = said.replace(&format!(":{port}"), ":PORT");
                            advice.entry(name).or_insert((failure.advice(), example));
                            format!("`{name}`")
                        }
                    };
                    rows.entry((order, *title)).or_insert_with(Vec::new).push(cell);
                }
            }
            expect_file!["../../FAULTS.md"].assert_eq(&document(&rows, &advice));
        });
    });
}

fn document(rows: &BTreeMap<(usize, &str), Vec<String>>, advice: &BTreeMap<&str, (&str, String)>) -> String {
    let mut text = String::from(
        "# What each fault is called\n\n\
         Written by `tests/probe/faults.rs`, which probes a server with each fault: every kind alone, and six kinds fifty at once.\n\
         A dash is where a fault makes no sense.\n\n",
    );
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    writeln!(text, "| the server, or the way to it | {} |", kinds.join(" | ")).expect("a String");
    writeln!(text, "|---|{}", "---|".repeat(kinds.len())).expect("a String");
    for ((_, title), cells) in rows {
        writeln!(text, "| {title} | {} |", cells.join(" | ")).expect("a String");
    }
    text.push_str("\n## What to do\n\n| kind of failure | for example | advice |\n|---|---|---|\n");
    for kind in FailureKind::ALL {
        let example = advice
            .get(kind.as_str())
            .map_or("", |(_, example)| example.as_str());
        writeln!(
            text,
            "| `{}` | {} | {} |",
            kind.as_str(),
            example.replace('|', "\\|"),
            kind.advice()
        )
        .expect("a String");
    }
    text
}

#[test]
fn fifty_at_once_of_each_fault_end_by_the_deadline_and_harm_no_healthy_one() {
    in_own_network(
        "faults::fifty_at_once_of_each_fault_end_by_the_deadline_and_harm_no_healthy_one",
        || {
            run(async {
                let cluster = Cluster::start_with(&Options {
                    hba: "host all app 127.0.0.1/32 trust",
                    sql: "create role app login",
                    ..Options::default()
                });
                let (known, net) = (Authority::new(), std::sync::Arc::new(net()));
                // Kinds that are probed alike need not all be a crowd.
                for kind in [
                    Kind::Postgresql,
                    Kind::Mysql,
                    Kind::Mongodb,
                    Kind::Superset,
                    Kind::Mcp,
                    Kind::Api,
                ] {
                    for (fault, _) in ALL {
                        let Some((place, asked)) = meet(*fault, kind, &known).await else {
                            continue;
                        };
                        let alone = failure(&asked.probe(&net).await).kind();
                        let mut crowd = JoinSet::new();
                        for _ in 0..CROWD {
                            let (net, asked) = (std::sync::Arc::clone(&net), asked.clone());
                            crowd.spawn(async move { asked.probe(&net).await });
                        }
                        let healthy = Asked::postgres(cluster.port())
                            .tls(TlsMode::Disable)
                            .probe(&net)
                            .await;
                        assert!(
                            healthy.found.is_ok(),
                            "{fault:?} {kind:?}: {}",
                            describe(&healthy)
                        );
                        while let Some(probed) = crowd.join_next().await {
                            let probed = probed.expect("no probe panics");
                            assert_eq!(
                                failure(&probed).kind(),
                                alone,
                                "{fault:?} {kind:?}: {}",
                                describe(&probed)
                            );
                            assert!(
                                !hangs(*fault) || alone == FailureKind::Timeout,
                                "{fault:?} {kind:?}"
                            );
                        }
                        if let Place::Server(server) = &place {
                            eventually("every connection is closed", || server.seen().open == 0).await;
                            let sent = server.seen().sent;
                            assert!(
                                sent < 16 * 1024 * 1024,
                                "{fault:?} {kind:?}: {sent} bytes were taken"
                            );
                        }
                    }
                }
                assert_eq!(
                    cluster.sql("select count(*) from pg_stat_activity where usename = 'app'"),
                    "0"
                );
                assert!(most_memory_mib() < 512, "{} MiB", most_memory_mib());
            });
        },
    );
}
