//! Where the service can be reached: over TLS, whose certificate may change, and on a Unix socket.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;

use insightpulse_sidecar::settings::{Listen, TlsFiles};
use insightpulse_test_support::{Authority, Certificate};
use reqwest::{Certificate as Trusted, Client};

use crate::service::Home;

fn write(home: &Home, certificate: &Certificate) -> TlsFiles {
    let files = TlsFiles {
        certificate: home.path().join("cert.pem"),
        key: home.path().join("key.pem"),
    };
    fs::write(&files.certificate, certificate.chain_pem()).expect("written");
    fs::write(&files.key, certificate.key_pem()).expect("written");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).expect("set");
    files
}

fn client(authority: &Authority) -> Client {
    let trusted = Trusted::from_pem(authority.pem().as_bytes()).expect("a certificate");
    Client::builder()
        .tls_certs_only([trusted])
        // Each request shows what a new connection gets.
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_replaced_is_served_without_a_restart() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (old, new) = (Authority::new(), Authority::new());
    let mut home = Home::new("http://127.0.0.1:9");
    let tls = write(&home, &old.issue(&["127.0.0.1"]));
    home.listen = Listen::Tcp {
        host: "127.0.0.1".into(),
        port: 0,
        tls: Some(tls),
    };
    let service = home.start_unpaired();
    let url = format!("{}/healthz", service.url.replace("http:", "https:"));
    let (knows_old, knows_new) = (client(&old), client(&new));
    assert_eq!(knows_old.get(&url).send().await.expect("an answer").status(), 200);
    assert!(knows_new.get(&url).send().await.is_err());

    write(&home, &new.issue(&["127.0.0.1"]));
    assert_eq!(knows_new.get(&url).send().await.expect("an answer").status(), 200);
    // Another client: the old one has a session that it could resume.
    assert!(client(&old).get(&url).send().await.is_err());

    fs::write(home.path().join("cert.pem"), "broken").expect("written");
    assert_eq!(knows_new.get(&url).send().await.expect("an answer").status(), 200);
    // Nor is anybody answered without TLS.
    assert!(
        Client::new()
            .get(url.replace("https:", "http:"))
            .send()
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_for_owner_and_group_and_is_taken_over_after_a_kill() {
    let mut home = Home::new("http://127.0.0.1:9");
    let path = home.path().join("sidecar.sock");
    // What a killed process leaves: a socket that nobody listens on.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    home.listen = Listen::Unix(path.clone());
    let service = home.start_unpaired();
    let found = fs::metadata(&path).expect("there");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    let asking = path.clone();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(asking).expect("connected");
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    });
    assert!(answer.await.expect("no panic").starts_with("HTTP/1.1 200 OK"));
    service.stop().await;
}
