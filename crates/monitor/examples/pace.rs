//! How punctual the schedule is, and what it costs, beside a bare loop that makes the same connections.
//!
//! `pace serve` answers HTTP on a port that it prints, and keeps another one that answers nothing.
//! `pace monitor|bare ENDPOINTS SECONDS PORT HOLE` tests that many once a minute, one in twenty of them
//! in the hole, and prints one JSON line: seconds of CPU, bytes of memory, and how late tests began.

use std::env;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use insightpulse_domain::{Endpoint, Failure, RawEndpoint};
use insightpulse_monitor::{
    Concurrency, Delivered, Delivery, Limits, Monitor, MonitorSetup, Monitored, Observer, Outbox, Report,
    run_delivery,
};
use insightpulse_probe::{Egress, EgressPolicy, Target};
use insightpulse_test_support::BlackHole;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const INTERVAL: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(5);
const ONE_IN: usize = 20;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nobody has chosen before");
    let arguments: Vec<_> = env::args().skip(1).collect();
    let number = |index: usize| -> u64 { arguments[index].parse().expect("a number") };
    match arguments[0].as_str() {
        "serve" => serve().await,
        mode => {
            let place = Place {
                port: u16::try_from(number(3)).expect("a port"),
                hole: u16::try_from(number(4)).expect("a port"),
            };
            let endpoints = usize::try_from(number(1)).expect("a number");
            let seconds = Duration::from_secs(number(2));
            let late = match mode {
                "monitor" => monitor(endpoints, seconds, place).await,
                _ => bare(endpoints, seconds, place).await,
            };
            println!("{}", measured(endpoints, seconds, late));
        }
    }
}

#[derive(Clone, Copy)]
struct Place {
    port: u16,
    hole: u16,
}

impl Place {
    fn port_of(self, index: usize) -> u16 {
        if index.is_multiple_of(ONE_IN) {
            self.hole
        } else {
            self.port
        }
    }
}

async fn serve() {
    let hole = BlackHole::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!(
        "{} {}",
        listener.local_addr().expect("an address").port(),
        hole.port()
    );
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let mut request = [0; 1024];
            // Whoever asks sends its head at once.
            if stream.read(&mut request).await.is_ok() {
                stream.write_all(ANSWER).await.ok();
            }
        });
    }
}

/// Remembers how late each probe began.
#[derive(Default)]
struct Watch(Mutex<Vec<Duration>>);

impl Observer for Watch {
    fn begun(&self, late: Duration) {
        self.0.lock().expect("no panic").push(late);
    }
}

/// An Odoo that takes everything.
struct Taken;

impl Delivery for Taken {
    async fn deliver(&self, _batch: &[Report]) -> Delivered {
        Delivered::Accepted
    }
}

fn endpoint(index: usize, place: Place) -> Monitored {
    let id = index + 1;
    serde_json::from_value(json!({
        "id": id, "record": Uuid::from_u128(id as u128), "revision": 1, "name": format!("Endpoint {id}"),
        "kind": "api", "base_url": format!("http://127.0.0.1:{}/health", place.port_of(index)),
        "interval_s": INTERVAL.as_secs(), "timeout_ms": TIMEOUT.as_millis(), "version": "1",
        // What is known already keeps to its slot.
        "status": if index.is_multiple_of(ONE_IN) { "failed" } else { "success" },
    }))
    .expect("an endpoint")
}

async fn monitor(endpoints: usize, seconds: Duration, place: Place) -> Vec<Duration> {
    let policy = EgressPolicy {
        allow_loopback: true,
        ..EgressPolicy::default()
    };
    let watch = Arc::new(Watch::default());
    let outbox = Arc::new(Outbox::default());
    let opens = |raw: &RawEndpoint| -> Result<Target, Failure> {
        Ok(Target {
            endpoint: Endpoint::parse(raw)?,
            password: None,
            api_key: None,
            client_key: None,
        })
    };
    let monitor = Monitor::new(MonitorSetup {
        database: Uuid::nil(),
        runtime: Handle::current(),
        net: Arc::new(Egress::new(policy).expect("TLS")),
        limits: Limits {
            timeout: TIMEOUT,
            // All are on one host here, which nobody's are.
            concurrency: Concurrency {
                total: 2_048,
                per_host: 2_048,
                per_agency: 2_048,
            },
        },
        outbox: Arc::clone(&outbox),
        keeping: None,
        observer: Arc::clone(&watch) as _,
        notifier: Arc::new(()),
        opens: Arc::new(opens),
    });
    monitor.take_in((0..endpoints).map(|index| endpoint(index, place)).collect());
    let stop = CancellationToken::new();
    let delivering = run_delivery(&outbox, &Taken, stop.clone(), Duration::ZERO);
    tokio::select! {
        () = monitor.run() => {}
        () = delivering => {}
        () = sleep(seconds) => {}
    }
    let late = watch.0.lock().expect("no panic");
    late.clone()
}

/// The same connections at the same moments, and nothing else.
async fn bare(endpoints: usize, seconds: Duration, place: Place) -> Vec<Duration> {
    let begun = Instant::now();
    let mut late = Vec::new();
    let gap = INTERVAL / u32::try_from(endpoints).expect("few");
    for turn in 0_u32.. {
        let due = begun + gap * turn;
        if due > begun + seconds {
            break;
        }
        sleep_until(due).await;
        late.push(due.elapsed());
        let port = place.port_of(turn as usize % endpoints);
        tokio::spawn(timeout(TIMEOUT, async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream
                .write_all(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                .await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await
        }));
    }
    late
}

fn measured(endpoints: usize, seconds: Duration, mut late: Vec<Duration>) -> Value {
    late.sort_unstable();
    let at = |part: f64| {
        let index = ((late.len() as f64 * part) as usize).min(late.len().saturating_sub(1));
        late.get(index).map(|late| late.as_secs_f64() * 1e3)
    };
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .expect("fields")
        .split_whitespace()
        .collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|index| fields[*index].parse::<f64>().expect("ticks"))
        .sum();
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|kib| kib.split_whitespace().next()?.parse::<f64>().ok())
        .expect("memory");
    json!({
        "endpoints": endpoints, "tests": late.len(), "seconds": seconds.as_secs_f64(),
        // A hundred ticks a second, as Linux has told programs since ever.
        "cpu_s": ticks / 100.0, "memory_mib": resident / 1024.0,
        "late_p50_ms": at(0.5), "late_p99_ms": at(0.99), "late_max_ms": at(1.0),
    })
}
