//! The attacks of the threat model that a probe meets, against listeners that would catch a leaked secret.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use insightpulse_domain::{Kind, TlsMode};
use insightpulse_probe::{Addresses, Egress, EgressPolicy, Resolve};
use insightpulse_test_support::FaultServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::check::{Asked, SHORT, describe, net};
use crate::postgres_faults::message;

const CANARY: &str = "canary-5d1c90ab";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A name server of the attacker's: the next answer each time, and the last one for ever.
#[derive(Clone)]
struct Rebinding {
    answers: Arc<Mutex<Vec<Vec<&'static str>>>>,
    asked: Arc<AtomicUsize>,
}

impl Rebinding {
    fn new(answers: &[&[&'static str]]) -> Self {
        let answers = answers.iter().rev().map(|addresses| addresses.to_vec());
        Self {
            answers: Arc::new(Mutex::new(answers.collect())),
            asked: Arc::default(),
        }
    }
}

impl Resolve for Rebinding {
    fn resolve<'a>(&'a self, _name: &'a str) -> Addresses<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("no test has panicked with it");
        let answer = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop().expect("an answer"),
        };
        let parsed = answer
            .iter()
            .map(|text| text.parse().expect("an address"))
            .collect::<Vec<IpAddr>>();
        Box::pin(async move { io::Result::Ok(parsed) })
    }
}

fn with_canaries(asked: Asked) -> Asked {
    Asked {
        password: Some(CANARY.into()),
        api_key: Some(CANARY.into()),
        ..asked
    }
}

/// Both families that a form can point at a host.
fn each_family(host: &str, port: u16) -> [Asked; 2] {
    let in_address = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    [
        with_canaries(Asked::postgres(port).host(host)),
        with_canaries(Asked::http(Kind::Api, format!("http://{in_address}:{port}"))),
    ]
}

fn caught(server: &FaultServer) -> String {
    String::from_utf8_lossy(&server.seen().received.concat()).into_owned()
}

#[tokio::test]
async fn metadata_in_six_spellings_and_behind_a_name_is_never_dialled() {
    let spellings = [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ];
    let by_name = Egress::with_resolver(open(), Rebinding::new(&[&["169.254.169.254"]])).expect("TLS");
    for (host, net) in spellings
        .iter()
        .map(|host| (*host, net()))
        .chain([("metadata.example", &by_name)])
    {
        for asked in each_family(host, 80) {
            let said = describe(&asked.probe(net).await);
            assert!(
                said.starts_with("egress_denied: ") && said.ends_with("(rule: link-local)."),
                "{host}: {said}"
            );
        }
    }
    for (host, rule) in [
        ("fd00:ec2::254", "cloud metadata"),
        ("100.100.100.200", "cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("fe80::a9fe:a9fe", "link-local"),
        ("0.0.0.0", "unspecified address"),
    ] {
        for asked in each_family(host, 80) {
            let said = describe(&asked.probe(net()).await);
            assert!(said.ends_with(&format!("(rule: {rule}).")), "{host}: {said}");
        }
    }
}

#[tokio::test]
async fn loopback_in_every_spelling_is_refused_where_it_is_not_allowed() {
    let server = FaultServer::answering([OK]).await;
    let closed =
        Egress::with_resolver(EgressPolicy::default(), Rebinding::new(&[&["127.0.0.1"]])).expect("TLS");
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "localhost",
        "LOCALHOST.",
        "rebound.example",
    ] {
        for asked in each_family(host, server.port()) {
            let said = describe(&asked.probe(&closed).await);
            assert!(said.ends_with("(rule: loopback)."), "{host}: {said}");
        }
    }
    assert_eq!(server.seen().accepted, 0);
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_was_checked_is_dialled() {
    for family in 0..2 {
        // The same port at another address: whoever looks twice gets there.
        let trap = FaultServer::answering([OK]).await;
        let names = Rebinding::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
        let policy = EgressPolicy {
            deny: vec!["127.0.0.1".parse().expect("a rule")],
            ..open()
        };
        let net = Egress::with_resolver(policy, names.clone()).expect("TLS");
        let asked = each_family("rebound.example", trap.port())[family].clone();
        let said = describe(&asked.probe(&net).await);
        // Nobody listens at the first address.
        assert!(said.starts_with("refused: "), "{said}");
        assert_eq!(names.asked.load(Ordering::SeqCst), 1);
        assert_eq!(trap.seen().accepted, 0);
    }
}

#[tokio::test]
async fn of_several_addresses_only_those_that_are_allowed_are_dialled() {
    let trap = FaultServer::answering([OK]).await;
    let denied = EgressPolicy {
        deny: vec!["127.0.0.1".parse().expect("a rule")],
        ..open()
    };
    let net = Egress::with_resolver(denied, Rebinding::new(&[&["127.0.0.1", "127.0.0.2"]])).expect("TLS");
    for asked in each_family("mixed.example", trap.port()) {
        let said = describe(&asked.probe(&net).await);
        assert!(said.starts_with("refused: "), "{said}");
    }
    assert_eq!(trap.seen().accepted, 0);

    let server = FaultServer::answering([OK]).await;
    let net =
        Egress::with_resolver(open(), Rebinding::new(&[&["169.254.169.254", "127.0.0.1"]])).expect("TLS");
    let [_, http] = each_family("mixed.example", server.port());
    assert!(describe(&http.probe(&net).await).starts_with("healthy: "));
}

#[tokio::test]
async fn a_redirect_to_another_origin_takes_nothing_there() {
    let trap = FaultServer::answering([OK]).await;
    for place in [
        format!("http://127.0.0.1:{}/", trap.port()),
        format!("//127.0.0.1:{}/", trap.port()),
        "http://169.254.169.254/latest/meta-data".into(),
        "file:///etc/passwd".into(),
    ] {
        for status in [
            "301 Moved",
            "302 Found",
            "303 See Other",
            "307 Temporary",
            "308 Permanent",
        ] {
            let head = format!("HTTP/1.1 {status}\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
            let server = FaultServer::answering([head]).await;
            let [_, http] = each_family("127.0.0.1", server.port());
            let said = describe(&http.probe(net()).await);
            assert!(said.starts_with("redirected: "), "{said}");
        }
    }
    assert_eq!(trap.seen().accepted, 0);
}

#[tokio::test]
async fn a_hostile_host_gets_no_password_without_a_challenge_and_hears_none_said_back() {
    // It asks for the password in the clear, as PostgreSQL may, and then says it to whoever reads the result.
    let mut wants_it = message(b'R', &3_u32.to_be_bytes());
    let said_back =
        format!("SFATAL\0C28P01\0Myour password {CANARY} and can\u{200b}ary-5d1c90ab are wrong\0\0");
    let refusal = message(b'E', said_back.as_bytes());
    let server = FaultServer::answering([wants_it.clone(), refusal]).await;
    let [postgres, _] = each_family("127.0.0.1", server.port());
    let said = describe(&postgres.tls(TlsMode::Disable).probe(net()).await);
    assert!(caught(&server).contains(CANARY), "it was not even asked: {said}");
    assert!(said.contains("your password ••• and ••• are wrong"), "{said}");
    assert!(!said.contains("canary"), "{said}");

    // Nor does a message that only begins like one make it talk.
    wants_it.truncate(6);
    let server = FaultServer::answering([wants_it]).await;
    let [postgres, _] = each_family("127.0.0.1", server.port());
    postgres.tls(TlsMode::Disable).within(SHORT).probe(net()).await;
    assert!(!caught(&server).contains("canary"));
}

#[tokio::test]
async fn a_form_that_demands_tls_sends_nothing_to_who_has_none() {
    for mode in [TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let server = FaultServer::answering(["N"]).await;
        let [postgres, _] = each_family("127.0.0.1", server.port());
        let said = describe(&postgres.tls(mode).probe(net()).await);
        assert!(said.starts_with("tls: "), "{said}");
        assert!(!caught(&server).contains("canary") && !caught(&server).contains("app"));
    }
}

fn open() -> EgressPolicy {
    EgressPolicy {
        allow_loopback: true,
        ..EgressPolicy::default()
    }
}

/// Speaks SCRAM up to where it would have to know the password's keys, and then says as told.
async fn scram_without_the_keys(last: &'static [&'static [u8]]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accepted");
        let mut bytes = vec![0; 4096];
        assert!(stream.read(&mut bytes).await.expect("a startup message") > 0);
        let methods = [&10_u32.to_be_bytes()[..], b"SCRAM-SHA-256\0\0"].concat();
        stream.write_all(&message(b'R', &methods)).await.expect("sent");
        let length = stream.read(&mut bytes).await.expect("the first message");
        let first = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let (_, nonce) = first.split_once("r=").expect("a nonce");
        let answer = [
            &11_u32.to_be_bytes()[..],
            format!("r={nonce}more,s=c2FsdA==,i=1").as_bytes(),
        ]
        .concat();
        stream.write_all(&message(b'R', &answer)).await.expect("sent");
        assert!(stream.read(&mut bytes).await.expect("the proof") > 0);
        for body in last {
            stream.write_all(&message(b'R', body)).await.expect("sent");
        }
        stream.write_all(&message(b'Z', b"I")).await.expect("sent");
        while stream.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
    });
    port
}

#[tokio::test]
async fn a_server_that_lets_everybody_in_has_to_know_the_password_too() {
    const DONE: &[u8] = &[0, 0, 0, 0];
    const WRONG: &[u8] = b"\0\0\0\x0cv=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    for last in [&[DONE][..], &[WRONG, DONE]] {
        let port = scram_without_the_keys(last).await;
        let asked = Asked::postgres(port).tls(TlsMode::Disable);
        let said = describe(&asked.probe(net()).await);
        assert!(
            said.starts_with("auth: ") && said.contains("could not prove"),
            "{said}"
        );
    }
}
