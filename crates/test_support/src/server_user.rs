//! Runs PostgreSQL's programs, which refuse to run as root.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const USER: &str = "postgres";

/// A command of PostgreSQL that may work in `directory`.
///
/// As root it runs as the user `postgres`. A checkout may lie below a folder
/// that is root's alone: there, and only there, it is given the right to pass.
pub fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new("setpriv");
    // SIGQUIT makes the server end at once, and take its shared memory along.
    command.arg("--pdeathsig=QUIT");
    if is_root() {
        command.args(as_server_user(directory));
    }
    command.arg(program).env_clear().env("LC_ALL", "C.UTF-8");
    command
}

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Gives a file or folder to the user that the server runs as.
pub fn give(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg(format!("{USER}:")).arg(path));
    }
}

/// Runs to the end; panics with what it said when that is not a good one.
pub fn run(command: &mut Command) -> String {
    run_with(command, "")
}

/// [`run`], with a text to read.
pub fn run_with(command: &mut Command, input: &str) -> String {
    let mut running = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{:?} cannot be run: {error}", command.get_program()));
    let mut reads = running.stdin.take().expect("piped");
    // Who ends without having read says why in its exit.
    reads.write_all(input.as_bytes()).ok();
    drop(reads);
    let output = running.wait_with_output().expect("a child");
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn as_server_user(directory: &Path) -> Vec<String> {
    let user = vec![
        format!("--reuid={USER}"),
        format!("--regid={USER}"),
        "--init-groups".to_owned(),
    ];
    let capability = |name: &str| vec![format!("--inh-caps=+{name}"), format!("--ambient-caps=+{name}")];
    for extra in [vec![], capability("dac_read_search"), capability("dac_override")] {
        let arguments = [user.clone(), extra].concat();
        let gets_there = Command::new("setpriv")
            .args(&arguments)
            .arg("ls")
            .arg(directory)
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("setpriv, of Debian's util-linux, is there");
        if gets_there.success() {
            return arguments;
        }
    }
    panic!(
        "PostgreSQL refuses to run as root, and there is no user “{USER}” that gets to {}",
        directory.display()
    );
}
