//! Runs the program in a clean environment.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_insightpulse");

/// The program, to be run in a directory.
pub fn insightpulse(directory: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().current_dir(directory);
    command
}

/// Far longer than a program takes that has nothing to do but to complain.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs it to its end; fails if it does not end by itself.
pub fn run(command: &mut Command) -> Ended {
    let mut running = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let begun = Instant::now();
    while running.try_wait().expect("a child").is_none() && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
    // Nothing happens to one that has ended.
    running.kill().ok();
    Ended::of(running.wait_with_output().expect("a child"))
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The one line that says why it failed.
    pub fn complaint(&self) -> &str {
        assert_eq!(self.code, Some(1), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        let line = self.stderr.strip_suffix('\n').unwrap_or(&self.stderr);
        assert!(!line.contains('\n'), "more than a line: {line}");
        line.strip_prefix("insightpulse: ").unwrap_or(line)
    }
}
