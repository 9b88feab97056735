//! A PostgreSQL server of the test's own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::authority::Certificate;
use crate::template::{self, SUPERUSER, SUPERUSER_PASSWORD};
use crate::{keeper, server_user};

/// Ends, with its data, when it is dropped.
pub struct Cluster {
    server: Child,
    port: u16,
    copy: template::Copy,
}

#[derive(Default)]
pub struct Options<'a> {
    /// Lines of `pg_hba.conf`, which hold before “all users, SCRAM”.
    pub hba: &'a str,
    /// Settings beside those that every cluster has.
    pub settings: &'a [(&'a str, &'a str)],
    /// Switches TLS on.
    pub certificate: Option<&'a Certificate>,
    /// Run once it is up, by the superuser.
    pub sql: &'a str,
}

/// See [`Cluster::hold_session`].
pub struct HeldSession {
    psql: Child,
    _asks: Option<ChildStdin>,
    _answers: BufReader<ChildStdout>,
}

/// Another process may take a port before the server does.
const PORTS_TRIED: usize = 5;
const STARTS_WITHIN: Duration = Duration::from_secs(60);

impl Cluster {
    /// SCRAM for everyone, no TLS.
    pub fn start() -> Self {
        Self::start_with(&Options::default())
    }

    pub fn start_with(options: &Options<'_>) -> Self {
        let copy = template::copy();
        let data = copy.directory.path().join("data");
        let hba = format!(
            "host all {SUPERUSER} 127.0.0.1/32 scram-sha-256\n{}\nhost all all 127.0.0.1/32 scram-sha-256\n",
            options.hba
        );
        fs::write(data.join("pg_hba.conf"), hba).expect("written");
        if let Some(certificate) = options.certificate {
            write_for_server(&data.join("server.crt"), &certificate.chain_pem());
            write_for_server(&data.join("server.key"), &certificate.key_pem());
        }
        let (server, port) = (0..PORTS_TRIED)
            .find_map(|_| launch(copy.directory.path(), options))
            .expect("a port that stays free until the server takes it");
        let cluster = Self { server, port, copy };
        if !options.sql.is_empty() {
            cluster.sql(options.sql);
        }
        cluster
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as the superuser; returns the rows as psql prints them without alignment.
    pub fn sql(&self, text: &str) -> String {
        server_user::run_with(&mut self.psql(), text).trim().to_owned()
    }

    /// A session of the superuser's that does nothing until it is dropped.
    pub fn hold_session(&self) -> HeldSession {
        let mut psql = self
            .psql()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql can be run");
        let (mut asks, answers) = (psql.stdin.take(), psql.stdout.take());
        if let Some(asks) = &mut asks {
            asks.write_all(b"select 'here';\n").expect("psql reads");
        }
        let mut line = String::new();
        let mut answers = BufReader::new(answers.expect("piped"));
        answers.read_line(&mut line).expect("psql answers");
        assert_eq!(line.trim(), "here", "no session was free");
        HeldSession {
            psql,
            _asks: asks,
            _answers: answers,
        }
    }

    fn psql(&self) -> Command {
        let mut psql = Command::new(template::bindir().join("psql"));
        psql.env_clear()
            .env("PGPASSWORD", SUPERUSER_PASSWORD)
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--host=127.0.0.1", "--dbname=postgres"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--username={SUPERUSER}"));
        psql
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        read_log(self.copy.directory.path())
    }

    /// Refuses new sessions, and ends when the last one does.
    pub fn begin_to_stop(&self) {
        self.signal("TERM");
    }

    fn signal(&self, name: &str) {
        let _ = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.server.id().to_string())
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for HeldSession {
    fn drop(&mut self) {
        self.psql.kill().ok();
        self.psql.wait().ok();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.signal("QUIT");
        self.server.wait().ok();
    }
}

/// `None` when the port was taken in the meantime.
fn launch(directory: &Path, options: &Options<'_>) -> Option<(Child, u16)> {
    let data = directory.join("data");
    let port = free_port();
    let mut command = server_user::command(&template::bindir().join("postgres"), &data);
    command.arg("-D").arg(&data).current_dir(&data);
    let port_text = port.to_string();
    let settings = [
        ("listen_addresses", "127.0.0.1"),
        ("port", &port_text),
        // A path below a deep folder would be too long for the kernel.
        ("unix_socket_directories", ""),
        ("fsync", "off"),
        ("autovacuum", "off"),
        ("shared_buffers", "16MB"),
        ("max_wal_senders", "0"),
        ("wal_level", "minimal"),
        ("max_logical_replication_workers", "0"),
        (
            "ssl",
            if options.certificate.is_some() {
                "on"
            } else {
                "off"
            },
        ),
    ];
    for (name, value) in settings.iter().chain(options.settings) {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let log = File::create(directory.join("log")).expect("a log");
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log);
    let mut server = keeper::spawn(command).expect("setpriv, of Debian's util-linux, is there");
    let begun = Instant::now();
    while !is_ready(&data) {
        if server.try_wait().expect("a child").is_some() {
            let log = read_log(directory);
            assert!(
                log.contains("Address already in use"),
                "PostgreSQL did not start: {log}"
            );
            return None;
        }
        assert!(
            begun.elapsed() < STARTS_WITHIN,
            "PostgreSQL does not get ready: {}",
            read_log(directory)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Some((server, port))
}

/// As pg_ctl asks: the eighth line of the server's own file.
fn is_ready(data: &Path) -> bool {
    fs::read_to_string(data.join("postmaster.pid"))
        .is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim() == "ready"))
}

fn read_log(directory: &Path) -> String {
    let bytes = fs::read(directory.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn write_for_server(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
    server_user::give(path);
}
