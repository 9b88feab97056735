//! The keyring's file: made, added to, never harmed, and for its owner alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::{Expect, expect};
use tempfile::TempDir;

use crate::program::{Ended, PROGRAM, insightpulse, run};

/// An empty place; the state directory is not made yet.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn with_keyring() -> Self {
        let place = Self::new();
        let ended = place.keys_add();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn keyring(&self) -> PathBuf {
        self.path().join("state/keyring.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.keyring()).expect("the keyring")
    }

    fn program(&self) -> Command {
        let mut program = insightpulse(self.path());
        program.env("INSIGHTPULSE_STATE_DIR", "state");
        program
    }

    fn keys_add(&self) -> Ended {
        run(self.program().args(["keys", "add"]))
    }

    /// `serve` with all that it needs.
    fn serve(&self) -> Command {
        let mut program = self.program();
        program.arg("serve").env("INSIGHTPULSE_SERVER__PORT", "0");
        program
    }

    fn files(&self) -> usize {
        fs::read_dir(self.path().join("state")).expect("there").count()
    }
}

/// The keys of a keyring's text, without their names.
fn keys(text: &str) -> Vec<&str> {
    let (_, table) = text.split_once("[keys]").expect("a table");
    table.split('"').skip(1).step_by(2).collect()
}

fn primary(text: &str) -> &str {
    let (_, rest) = text.split_once("primary = \"").expect("a primary key");
    rest.split_once('"').expect("its end").0
}

fn ids(text: &str) -> Vec<&str> {
    let (_, table) = text.split_once("[keys]").expect("a table");
    table
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(id, _)| id)
        .collect()
}

fn check_refused(ended: &Ended, expected: Expect) {
    expected.assert_eq(ended.complaint());
}

#[test]
fn the_first_key_makes_a_keyring_that_only_its_owner_reads() {
    let place = Place::new();
    let ended = place.keys_add();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&place.keyring()), mode(&place.path().join("state"))),
        (0o600, 0o700)
    );
    assert!(
        ended.stdout.starts_with("Made the keyring with the key k-"),
        "{}",
        ended.stdout
    );
    let text = place.text();
    let [key] = keys(&text)[..] else { panic!("{text}") };
    assert!(!ended.stdout.contains(key) && !ended.stderr.contains(key));
}

#[test]
fn a_key_that_is_added_opens_and_seals_once_it_is_rotated_to() {
    let place = Place::with_keyring();
    let before = place.text();
    let ended = place.keys_add();
    assert!(ended.stdout.starts_with("Added the key k-"), "{}", ended.stdout);
    let after = place.text();
    assert_eq!(keys(&after).len(), 2);
    assert!(keys(&after).contains(&keys(&before)[0]));
    assert_eq!(primary(&before), primary(&after));

    let added = ids(&after)
        .into_iter()
        .find(|id| *id != primary(&after))
        .expect("another")
        .to_owned();
    let ended = run(place.program().args(["keys", "rotate", &added]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(primary(&place.text()), added);
    assert_eq!(keys(&place.text()).len(), 2);
    let again = run(place.program().args(["keys", "rotate", &added]));
    assert_eq!(again.stdout, format!("{added} is the primary key already.\n"));
}

#[test]
fn rotating_without_a_name_makes_a_key() {
    let place = Place::with_keyring();
    let before = place.text();
    let ended = run(place.program().args(["keys", "rotate"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_ne!(primary(&place.text()), primary(&before));
    assert_eq!(keys(&place.text()).len(), 2);
    assert!(
        ended
            .stdout
            .contains(&format!("keys retire {}", primary(&before))),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_key_that_nothing_uses_is_retired_and_the_primary_never() {
    let place = Place::with_keyring();
    let first = primary(&place.text()).to_owned();
    run(place.program().args(["keys", "rotate"]));
    let second = primary(&place.text()).to_owned();
    let retire = |key: &str| run(place.program().args(["keys", "retire", key]));
    assert_eq!(
        retire(&second).complaint(),
        format!("{second} is the primary key, which seals; rotate to another one first")
    );
    check_refused(&retire("k-none"), expect!["the keyring has no key k-none"]);
    let ended = retire(&first);
    assert!(
        ended.stdout.starts_with(&format!("Retired {first}")),
        "{}",
        ended.stdout
    );
    assert_eq!(ids(&place.text()), [second.as_str()]);
}

#[test]
fn a_list_says_what_each_key_does() {
    let place = Place::with_keyring();
    let first = primary(&place.text()).to_owned();
    run(place.program().args(["keys", "rotate"]));
    let list = run(place.program().args(["keys", "list"])).stdout;
    let line = |id: &str| {
        list.lines()
            .find(|line| line.starts_with(id))
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(line(&first), format!("{first}  opens            not used"));
    let second = primary(&place.text()).to_owned();
    assert_eq!(line(&second), format!("{second}  seals and opens  not used"));
}

#[test]
fn two_commands_at_once_lose_no_key() {
    let place = Place::with_keyring();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(place.keys_add().code, Some(0)));
        }
    });
    assert_eq!(keys(&place.text()).len(), 9);
}

#[test]
fn a_keyring_from_a_mount_or_a_variable_is_read_and_not_written() {
    let place = Place::with_keyring();
    let (text, path) = (place.text(), place.keyring());
    fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("set");
    let sources = [
        ("INSIGHTPULSE_KEYRING__MOUNTED", "state/keyring.toml"),
        ("INSIGHTPULSE_KEYRING__TEXT", text.as_str()),
    ];
    for (name, value) in sources {
        let listed = run(place.program().env(name, value).args(["keys", "list"]));
        assert!(listed.stdout.starts_with(primary(&text)), "{}", listed.stderr);
        let added = run(place.program().env(name, value).args(["keys", "add"]));
        let complaint = added.complaint();
        assert!(
            complaint.contains("which this command cannot write"),
            "{complaint}"
        );
        assert!(!complaint.contains(keys(&text)[0]));
    }
    fs::set_permissions(&path, Permissions::from_mode(0o464)).expect("set");
    let writable = run(place
        .program()
        .env("INSIGHTPULSE_KEYRING__MOUNTED", "state/keyring.toml")
        .args(["keys", "list"]));
    check_refused(
        &writable,
        expect!["others may write the mounted keyring state/keyring.toml: mount it read-only"],
    );
}

#[test]
fn a_place_that_cannot_be_written_fails_clearly() {
    let place = Place::new();
    fs::write(place.path().join("state"), "a file where a directory should be").expect("written");
    check_refused(
        &place.keys_add(),
        expect!["make the directory state: File exists (os error 17)"],
    );
    let read_only = run(place
        .program()
        .env("INSIGHTPULSE_STATE_DIR", "/proc/insightpulse")
        .args(["keys", "add"]));
    check_refused(
        &read_only,
        expect!["make the directory /proc/insightpulse: No such file or directory (os error 2)"],
    );
}

#[test]
fn a_full_disk_leaves_the_old_keyring_as_it_was() {
    let place = Place::with_keyring();
    let before = place.text();
    // No file may grow: the kernel's answer to a write is an error, once its signal is ignored.
    let full = run(Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" keys add", PROGRAM])
        .env_clear()
        .env("INSIGHTPULSE_STATE_DIR", "state")
        .current_dir(place.path()));
    let complaint = full.complaint();
    assert!(
        complaint.starts_with("write state/keyring.toml: File too large"),
        "{complaint}"
    );
    assert_eq!((place.text(), place.files()), (before, 1));
}

#[test]
fn a_keyring_that_others_may_read_is_refused() {
    for mode in [0o640, 0o604, 0o660, 0o644] {
        let place = Place::with_keyring();
        let before = place.text();
        fs::set_permissions(place.keyring(), Permissions::from_mode(mode)).expect("set");
        for ended in [place.keys_add(), run(&mut place.serve())] {
            check_refused(
                &ended,
                expect![
                    "others may read the keyring state/keyring.toml: run `chmod 600 state/keyring.toml`, and think of its keys as known"
                ],
            );
        }
        assert_eq!(place.text(), before);
    }
}

#[test]
fn a_damaged_keyring_is_refused_and_left_alone() {
    let place = Place::with_keyring();
    let damaged = place.text().replace("[keys]", "[kays]");
    fs::write(place.keyring(), &damaged).expect("written");
    for ended in [place.keys_add(), run(&mut place.serve())] {
        check_refused(
            &ended,
            expect![
                "read the keyring state/keyring.toml: the keyring is not TOML with `primary` and `[keys]`"
            ],
        );
    }
    assert_eq!(place.text(), damaged);
}

#[test]
fn what_only_shows_when_it_starts_is_said_in_a_line_too() {
    let place = Place::with_keyring();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let ended = run(place.serve().env("INSIGHTPULSE_SERVER__PORT", &port));
    expect!["insightpulse: listen on 127.0.0.1:PORT (server.host, server.port): Address already in use (os error 98)"].assert_eq(&last_line(&ended).replace(&port, "PORT"));
    let ended = run(place
        .serve()
        .env("INSIGHTPULSE_SERVER__HOST", "no-such-host.invalid"));
    expect!["insightpulse: listen on no-such-host.invalid:0 (server.host, server.port): failed to lookup address information: Name or service not known"].assert_eq(&last_line(&ended));
}

/// What stands after the log, which has begun by then.
fn last_line(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    ended.stderr.lines().last().unwrap_or_default().to_owned()
}
