//! A way to the store, on which a test decides what comes through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use insightpulse_monitor::StoreSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// What goes wrong on it, once it does.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing comes through.
    Hangs,
    /// The answer to a commit of samples is lost, and the connection with it.
    LosesCommits,
}

/// The same store by another way, and what makes the fault begin and end.
pub async fn way_to(port: u16, settings: StoreSettings, fault: Fault) -> (StoreSettings, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let own = listener.local_addr().expect("bound").port();
    let is_wrong = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_wrong);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(connect(client, port, fault, Arc::clone(&switch)));
        }
    });
    let url =
        format!("postgresql://sidecar:canary-of-the-store@127.0.0.1:{own}/postgres?sslmode=disable").into();
    (StoreSettings { url, ..settings }, is_wrong)
}

async fn connect(client: TcpStream, port: u16, fault: Fault, is_wrong: Arc<AtomicBool>) {
    let server = TcpStream::connect(("127.0.0.1", port)).await.expect("the store");
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let has_samples = AtomicBool::new(false);
    let there = |bytes: &[u8]| {
        if has(bytes, b"INSERT INTO insightpulse.sample") {
            has_samples.store(true, Ordering::SeqCst);
        }
        true
    };
    let back = |bytes: &[u8]| {
        let is_of_samples = has(bytes, b"COMMIT\0") && has_samples.swap(false, Ordering::SeqCst);
        !(fault == Fault::LosesCommits && is_of_samples && is_wrong.load(Ordering::SeqCst))
    };
    let hangs = || fault == Fault::Hangs && is_wrong.load(Ordering::SeqCst);
    tokio::select! {
        () = forward(from_client, to_server, there, hangs) => {}
        () = forward(from_server, to_client, back, hangs) => {}
    }
}

/// Until either side ends, or something is not to pass.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    may_pass: impl Fn(&[u8]) -> bool,
    hangs: impl Fn() -> bool,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        while hangs() {
            sleep(Duration::from_millis(20)).await;
        }
        if !may_pass(&bytes[..read]) {
            return;
        }
        to.write_all(&bytes[..read]).await.ok();
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
