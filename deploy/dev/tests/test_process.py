"""Servers are known by their id and their beginning, and end as a whole."""

import os
import signal
import time
from pathlib import Path

import pytest
from stack.console import StackError
from stack.process import Daemon


@pytest.fixture
def daemon(tmp_path):
    daemon = Daemon("sleeper", tmp_path, tmp_path / "log/sleeper.log")
    yield daemon
    daemon.stop()


def start(daemon, script, version="1"):
    daemon.start(["sh", "-c", script], env=dict(os.environ), cwd=Path("/"), version=version)


def test_a_started_process_leads_a_session_of_its_own_and_is_found_by_another_object(daemon, tmp_path):
    start(daemon, "exec sleep 60", version="7")
    again = Daemon("sleeper", tmp_path, daemon.log)
    assert again.pid == daemon.pid == os.getsid(daemon.pid)
    assert again.version() == "7"
    assert again.stop() and not again.stop()
    assert not daemon.is_running()


def test_a_process_that_got_the_id_of_an_ended_one_is_left_alone(daemon, tmp_path):
    start(daemon, "exec sleep 60")
    pid = daemon.pid
    pidfile = tmp_path / "sleeper.pid"
    fields = pidfile.read_text().split()
    fields[21] = str(int(fields[21]) - 1)
    ours = pidfile.read_text()
    pidfile.write_text(" ".join(fields))
    assert not daemon.is_running()
    assert not daemon.stop()
    os.kill(pid, 0)
    pidfile.write_text(ours)


@pytest.mark.parametrize("text", ["", "rubbish", "999999999 (x) S 1\n"])
def test_a_damaged_pidfile_means_that_nothing_runs(daemon, tmp_path, text):
    (tmp_path / "sleeper.pid").write_text(text)
    assert not daemon.is_running()
    assert not daemon.stop()


def test_a_process_that_does_not_listen_is_killed_with_its_helpers(daemon):
    start(daemon, "trap '' TERM; sleep 61 & while :; do sleep 0.1; done")
    pid = daemon.pid
    assert daemon.stop(patience=0.3)
    for _ in range(50):
        if not any(os.getpgid(int(other.name)) == pid for other in running()):
            return
        time.sleep(0.1)
    pytest.fail("a helper goes on")


def running():
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z" and os.getpgid(int(process.name)):
                yield process
        except OSError:
            continue


def test_one_that_ends_by_itself_is_reported_with_the_end_of_its_log(daemon):
    start(daemon, "echo no such file; exit 3")
    with pytest.raises(StackError, match=r"ended by itself.*\n.*no such file"):
        daemon.wait_until(lambda: False, timeout=5)


def test_one_that_is_never_healthy_is_reported(daemon):
    start(daemon, "exec sleep 60")
    with pytest.raises(StackError, match="not healthy after 0 s"):
        daemon.wait_until(lambda: False, timeout=0.2)
    os.kill(daemon.pid, signal.SIGKILL)
