//! For `make bench`: probes one endpoint over and over, so many at once, for some seconds, and prints as JSON
//! how many it did, how long it took, the CPU time and the most memory of this process.
//!
//! `rate URL CLIENTS SECONDS`; a password comes from `PGPASSWORD`.

use std::env;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use insightpulse_domain::{Connection, Endpoint};
use insightpulse_probe::{Egress, EgressPolicy, Target, probe};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, clients, seconds] = arguments.as_slice() else {
        return Err("usage: rate URL CLIENTS SECONDS".into());
    };
    let (clients, seconds): (usize, f64) = (clients.parse()?, seconds.parse()?);
    let connection = Connection::parse(url)?;
    let target = Arc::new(Target {
        endpoint: Endpoint::parse(&connection.raw)?,
        password: connection
            .password
            .or(env::var("PGPASSWORD").ok().map(Into::into)),
        api_key: None,
        client_key: None,
    });
    let net = Arc::new(Egress::new(EgressPolicy {
        allow_loopback: true,
        ..EgressPolicy::default()
    })?);
    // The first one reads the system's authorities, and derives the keys that the others find.
    probe(&target, &net, Instant::now() + DEADLINE).await.found?;

    let (count, cpu, begun) = (Arc::new(AtomicU64::new(0)), cpu_seconds()?, Instant::now());
    let until = begun + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (target, net, count) = (Arc::clone(&target), Arc::clone(&net), Arc::clone(&count));
            tokio::spawn(async move {
                while Instant::now() < until {
                    probe(&target, &net, Instant::now() + DEADLINE).await.found?;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, insightpulse_domain::Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let took = begun.elapsed().as_secs_f64();
    let count = count.load(Ordering::Relaxed);
    let (cpu, memory) = (cpu_seconds()? - cpu, most_memory_kib()?);
    println!(r#"{{"probes": {count}, "seconds": {took}, "cpu_seconds": {cpu}, "memory_kib": {memory}}}"#);
    Ok(())
}

/// User and system time of this process so far: fields 14 and 15 of `proc_pid_stat(5)`, in hundredths.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no process's line")?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<u64>() as f64 / 100.0)
}

fn most_memory_kib() -> Result<u64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
