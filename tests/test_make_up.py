"""`make up` and `make down`, as somebody with a checkout runs them."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ring import CHECKOUT
from stack import network
from stack.settings import clean_environment

# Cargo may have something to build, and other runs of it may come first.
pytestmark = pytest.mark.timeout(900)


class Checkout:
    """A STATE_DIR of its own, with ports that are free."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.ports = {name: network.free_port() for name in ("ODOO_PORT", "SIDECAR_PORT", "PG_PORT")}

    def start(self, goal: str) -> subprocess.Popen[str]:
        variables = {name: str(port) for name, port in self.ports.items()}
        environment = {**clean_environment(), **variables, "STATE_DIR": str(self.state_dir), "ODOO_DB": "made"}
        for name in ("ODOO_BIN", "PG_BINDIR", "INSIGHTPULSE_CACHE_DIR"):
            if name in os.environ:
                environment[name] = os.environ[name]
        return subprocess.Popen(
            ["make", "--no-print-directory", goal],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make(self, goal: str) -> tuple[int, str]:
        """The exit code and everything that was printed."""
        process = self.start(goal)
        printed, _ = process.communicate(timeout=600)
        return process.returncode, printed

    def servers(self) -> dict[str, str]:
        """The process id of each server."""
        return {path.stem: path.read_text().split(" ", 1)[0] for path in self.state_dir.glob("*/*.pid")}

    def answers(self) -> dict[str, bool]:
        return {
            "Odoo": network.answers(f"http://127.0.0.1:{self.ports['ODOO_PORT']}/web/health"),
            "sidecar": network.answers(f"http://127.0.0.1:{self.ports['SIDECAR_PORT']}/readyz"),
        }


def runs(pid: str) -> bool:
    """Whether a process is there that has not ended and only waits to be asked how."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "state")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose first `make up` was killed while it made the database."""
    checkout = Checkout(tmp_path_factory.mktemp("killed") / "state")
    try:
        process = checkout.start("up")
        assert process.stdout
        seen = ""
        while "==> Database" not in seen:
            character = process.stdout.read(1)
            assert character, f"it ended before it could be killed:\n{seen}"
            seen += character
        time.sleep(2)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        yield checkout
    finally:
        checkout.make("down")


@pytest.mark.parametrize("variable", ["ODOO_PORT", "SIDECAR_PORT", "PG_PORT"])
def test_a_port_that_is_taken_is_told_with_the_one_who_has_it(checkout: Checkout, variable: str) -> None:
    with socket.create_server((network.HOST, checkout.ports[variable])):
        code, printed = checkout.make("up")
    assert code != 0
    assert f"port {checkout.ports[variable]} is taken by pid {os.getpid()} (" in printed
    assert f"set {variable} to a free port" in printed
    assert "Traceback" not in printed


def test_a_state_dir_that_cannot_be_written_is_told(checkout: Checkout) -> None:
    # Not even root makes a folder there.
    checkout.state_dir = Path("/proc/insightpulse")
    code, printed = checkout.make("up")
    assert code != 0
    assert "error: /proc/insightpulse cannot be written to" in printed
    assert "Traceback" not in printed


def test_down_without_up_is_content(checkout: Checkout) -> None:
    code, _ = checkout.make("down")
    assert code == 0
    assert not checkout.state_dir.exists()


def test_up_goes_on_where_a_killed_one_stopped(killed: Checkout) -> None:
    code, printed = killed.make("up")
    assert code == 0, printed
    assert killed.answers() == {"Odoo": True, "sidecar": True}
    assert f"http://127.0.0.1:{killed.ports['ODOO_PORT']}" in printed
    assert "login: admin" in printed


def test_up_again_changes_nothing(killed: Checkout) -> None:
    before = killed.servers()
    assert set(before) == {"postgres", "odoo", "sidecar"}
    code, printed = killed.make("up")
    assert code == 0, printed
    assert killed.servers() == before


def test_down_stops_all_of_it(killed: Checkout) -> None:
    processes = killed.servers().values()
    code, printed = killed.make("down")
    assert code == 0, printed
    assert not any(runs(pid) for pid in processes)
    assert killed.answers() == {"Odoo": False, "sidecar": False}
    assert killed.make("down")[0] == 0
