//! A cluster is there while its test is, and not longer.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::{env, thread};

use insightpulse_test_support::{Cluster, eventually_blocking};

const IS_VICTIM: &str = "INSIGHTPULSE_TESTS_KILL_THIS";

#[test]
fn a_cluster_answers_until_it_is_dropped() {
    let cluster = Cluster::start();
    assert_eq!(cluster.sql("select 1; select 2"), "1\n2");
    let port = cluster.port();
    drop(cluster);
    assert!(!answers(port));
}

#[test]
fn a_cluster_ends_with_a_test_that_is_killed() {
    if env::var_os(IS_VICTIM).is_some() {
        let cluster = Cluster::start();
        println!("\nport {}", cluster.port());
        loop {
            thread::park();
        }
    }
    let mut victim = Command::new(env::current_exe().expect("a path"))
        .args([
            "--exact",
            "a_cluster_ends_with_a_test_that_is_killed",
            "--nocapture",
        ])
        .env(IS_VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test's own program runs");
    let said = BufReader::new(victim.stdout.take().expect("piped"));
    let port = said
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("port ")?.parse().ok())
        .expect("a port");
    assert!(answers(port));
    victim.kill().expect("killed");
    victim.wait().expect("ended");
    eventually_blocking("the server has ended", || !answers(port));
    // The next one takes away what it left on the disk.
    drop(Cluster::start());
}

#[test]
fn without_postgresql_a_test_says_what_to_install() {
    if env::var_os(IS_VICTIM).is_some() {
        Cluster::start();
        return;
    }
    let nowhere = tempfile::tempdir().expect("a directory");
    let ended = Command::new(env::current_exe().expect("a path"))
        .args([
            "--exact",
            "without_postgresql_a_test_says_what_to_install",
            "--nocapture",
        ])
        .env(IS_VICTIM, "1")
        .env("PG_BINDIR", nowhere.path())
        .output()
        .expect("the test's own program runs");
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        said.contains("PG_BINDIR=") && said.contains("has no initdb"),
        "{said}"
    );
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
