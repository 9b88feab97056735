//! A network of the test's own, from which nothing gets out.

use std::env;
use std::process::Command;

const IS_INSIDE: &str = "INSIGHTPULSE_TESTS_OWN_NETWORK";

/// Runs a test in a network namespace that has a loopback interface alone: no
/// route leads anywhere, over IPv4 or IPv6.
///
/// A process cannot well move by itself with all of its threads: the test runs
/// itself again. `name` is the test's full name. It takes root, `unshare` of
/// Debian's util-linux and `ip` of its iproute2.
pub fn in_own_network(name: &str, test: impl FnOnce()) {
    if env::var_os(IS_INSIDE).is_some() {
        return test();
    }
    let inside = "ip link set lo up && exec \"$0\" \"$@\"";
    let done = Command::new("unshare")
        .args(["--net", "sh", "-c", inside])
        .arg(env::current_exe().expect("a path"))
        .args(["--exact", name, "--nocapture"])
        .env(IS_INSIDE, "1")
        .output()
        .expect("unshare, of Debian's util-linux, is there");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
