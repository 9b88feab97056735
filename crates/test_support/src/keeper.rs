//! Starts programs that end with this process, even if it is killed.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

type Order = (Command, Sender<io::Result<Child>>);

/// Starts a program from a thread that lives as long as the process.
///
/// The kernel sends a child its parent-death signal when the *thread* that
/// started it ends, and a test's thread ends with its test.
pub fn spawn(command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, incoming) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in incoming {
                answer.send(command.spawn()).ok();
            }
        });
        orders
    });
    let (answer, spawned) = channel();
    keeper
        .send((command, answer))
        .expect("the keeper lives as long as the process");
    spawned.recv().expect("the keeper answers")
}
