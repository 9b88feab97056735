//! A data directory that is made once and copied for each cluster.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::server_user;

pub const SUPERUSER: &str = "postgres";
pub const SUPERUSER_PASSWORD: &str = "of the superuser";

/// A cluster's folder. It is locked while its test lives.
pub struct Copy {
    pub directory: TempDir,
    _lock: File,
}

/// Where PostgreSQL's server programs are: PG_BINDIR, else the newest of Debian's.
pub fn bindir() -> PathBuf {
    if let Some(own) = env::var_os("PG_BINDIR") {
        let own = PathBuf::from(own);
        assert!(
            own.join("initdb").exists(),
            "PG_BINDIR={} has no initdb",
            own.display()
        );
        return own;
    }
    let version = |folder: &Path| -> Option<u32> { folder.file_name()?.to_str()?.parse().ok() };
    fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin/initdb").exists())
        .max_by_key(|folder| version(folder))
        .expect(
            "PostgreSQL's server programs are missing: install Debian's package postgresql, or set PG_BINDIR",
        )
        .join("bin")
}

/// Held while a copy's test lives.
const LOCK: &str = "lock";

/// A copy's folder begins with this.
const PREFIX: &str = "insightpulse-test-cluster-";

/// A fresh copy, with `data` in it.
pub fn copy() -> Copy {
    let (template, place) = (template(), fast_place());
    sweep(&place);
    let directory = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(&place)
        .expect("a directory for a cluster");
    // The sweeper takes what has a lock that nobody holds, so it gets its name when it is held.
    let unnamed = directory.path().join("lock.new");
    let lock = File::create(&unnamed).expect("a lock");
    lock.lock().expect("locked");
    fs::rename(&unnamed, directory.path().join(LOCK)).expect("named");
    server_user::give(directory.path());
    server_user::run(
        Command::new("cp")
            .arg("-a")
            .arg(template)
            .arg(directory.path().join("data")),
    );
    Copy {
        directory,
        _lock: lock,
    }
}

/// Memory, where there is enough: a copy to a busy disk takes seconds.
fn fast_place() -> PathBuf {
    const MEMORY: &str = "/dev/shm";
    const ENOUGH_MIB: u64 = 1024;
    let free = Command::new("df")
        .args(["--block-size=1M", "--output=avail", MEMORY])
        .output();
    let free = free.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    let mib = free
        .ok()
        .and_then(|lines| lines.lines().last()?.trim().parse::<u64>().ok());
    if mib.is_some_and(|mib| mib >= ENOUGH_MIB) {
        MEMORY.into()
    } else {
        target_place()
    }
}

/// Below cargo's target directory, where `cargo clean` gets to it.
fn target_place() -> PathBuf {
    let program = env::current_exe().expect("a program has a path");
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())
        .map_or_else(env::temp_dir, Path::to_path_buf);
    let place = target.join("insightpulse-test-clusters");
    fs::create_dir_all(&place).expect("a directory for clusters");
    place
}

/// Made by the first test that wants one.
fn template() -> PathBuf {
    let root = target_place();
    let bindir = bindir();
    let version = server_user::run(Command::new(bindir.join("postgres")).arg("--version"));
    let words: String = version
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let template = root.join(format!("template-{}", words.trim_matches('-')));
    let lock = File::create(root.join("template.lock")).expect("a lock");
    lock.lock().expect("locked");
    if !template.exists() {
        let partial = tempfile::Builder::new()
            .prefix("partial-")
            .tempdir_in(&root)
            .expect("a directory");
        server_user::give(partial.path());
        let password = partial.path().join("password");
        fs::write(&password, SUPERUSER_PASSWORD).expect("written");
        server_user::run(
            server_user::command(&bindir.join("initdb"), partial.path())
                .current_dir(partial.path())
                .arg("--pgdata=data")
                .arg(format!("--username={SUPERUSER}"))
                .args(["--auth=scram-sha-256", "--pwfile=password", "--encoding=UTF8"])
                .args(["--locale=C.UTF-8", "--no-sync", "--wal-segsize=1"]),
        );
        fs::rename(partial.path().join("data"), &template).expect("moved");
    }
    template
}

/// Removes what killed tests left.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).expect("it is there").flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}
