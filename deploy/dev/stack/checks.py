"""Every check and test that `make test` runs, and the benchmarks."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import addon_tests, downloads, lifecycle, packages, postgres, sidecar, systems
from .console import StackError, step
from .settings import CHECKOUT

_TEST_REQUIREMENTS = CHECKOUT / "tests/requirements.txt"
_RUFF_CONFIG = CHECKOUT / "deploy/dev/ruff.toml"
# Workspaces of their own, and what each fuzzes.
_FUZZ = {
    CHECKOUT / "crates/vault/fuzz": ("token", "keyring"),
    CHECKOUT / "crates/probe/fuzz": (
        "postgresql",
        "mysql",
        "server_sent_events",
        "mcp",
        "certificate",
        "connection_url",
        "expectation",
    ),
}
_PYTHON_FOLDERS = ("odoo_addon", "tests", "deploy")


def test() -> int:
    """Runs all checks, even after one has failed, and says at the end which did."""
    python = _get_tools_ready()
    checks = {
        "Rust is formatted": lambda: _ran("cargo", "fmt", "--check"),
        "Rust has no lints": lambda: _ran(
            "cargo", "clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"
        ),
        "Rust's tests": lambda: _ran("cargo", "nextest", "run", "--workspace", "--no-fail-fast"),
        "Rust's examples in documents": lambda: _ran("cargo", "test", "--workspace", "--doc", "--quiet"),
        "Python has no lints": lambda: _ran(*_ruff(python, "check")),
        "Python is formatted": lambda: _ran(*_ruff(python, "format", "--check")),
        "The stack tool's tests": lambda: _ran(python, "-m", "pytest", "deploy/dev/tests"),
        "The addon's tests": lambda: addon_tests.run_all() == 0,
        "The whole, with Odoo and a browser": lambda: _ran(python, "-m", "pytest", "tests"),
    }
    failed = [title for title, check in checks.items() if not _passes(title, check)]
    if failed:
        raise StackError(f"{len(failed)} of {len(checks)} checks failed: {'; '.join(failed)}")
    print(f"==> All {len(checks)} checks passed")
    return 0


def test_addon() -> int:
    """Runs the addon's tests alone."""
    _get_servers_and_browser_ready()
    return addon_tests.run_all()


def bench() -> int:
    """Runs the benchmarks."""
    python = _get_tools_ready()
    return 0 if _ran(python, "tests/bench") else 1


def faults() -> int:
    """Kills each part of it all FAULT_KILLS times."""
    python = _get_tools_ready()
    os.environ.setdefault("FAULT_KILLS", "50")
    return 0 if _ran(python, "-m", "pytest", "tests/test_faults.py") else 1


def soak() -> int:
    """Tests at a high rate for SOAK_SECONDS, and watches what grows."""
    python = _get_tools_ready()
    return 0 if _ran(python, "tests/soak") else 1


def fuzz() -> int:
    """Fuzzes the project's own parsers, each for FUZZ_SECONDS; what crashes one is kept and named."""
    seconds = os.environ.get("FUZZ_SECONDS") or "60"
    packages.ensure([packages.CPP_COMPILER])
    host = subprocess.run(["rustc", "--print", "host-tuple"], check=True, capture_output=True, text=True).stdout.strip()
    built = CHECKOUT / "target/fuzz"
    build = ["cargo", "build", "--release", "--locked", "--target", host, "--target-dir", str(built)]
    for workspace in _FUZZ:
        # Its configuration, with the flags of libFuzzer, is read there alone.
        if subprocess.run(build, cwd=workspace).returncode != 0:
            raise StackError("the fuzz targets cannot be built")
    targets = [(workspace, name) for workspace, names in _FUZZ.items() for name in names]
    failed = [name for workspace, name in targets if not _fuzzed(built, host, workspace / "seeds" / name, seconds)]
    if failed:
        raise StackError(f"fuzzing found something: {', '.join(failed)}")
    print(f"==> {len(targets)} parsers, {seconds} s each, nothing found")
    return 0


def _fuzzed(built: Path, host: str, seeds: Path, seconds: str) -> bool:
    """Runs the target that has its seeds in a folder of its name."""
    name = seeds.name
    corpus = built / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        "-max_len=4096",
        f"-artifact_prefix={built}/{name}-",
        "-print_final_stats=1",
    ]
    return _ran(built / host / "release" / name, *options, corpus, seeds)


def fmt() -> int:
    """Formats everything in place, the order of imports included."""
    python = downloads.virtualenv("venv-tests", _TEST_REQUIREMENTS)
    commands = (("cargo", "fmt"), _ruff(python, "check", "--select", "I", "--fix"), _ruff(python, "format"))
    return 0 if all(_ran(*command) for command in commands) else 1


def _get_servers_and_browser_ready() -> None:
    lifecycle.get_machine_ready()
    with step("Chromium") as current:
        current.note = "installed" if packages.ensure([packages.CHROMIUM]) else "is there"


def _get_tools_ready() -> Path:
    """Sees to what the tests need; returns the Python that has their tools."""
    _get_servers_and_browser_ready()
    with step("systemd's checker of units") as current:
        current.note = "installed" if packages.ensure([packages.SYSTEMD_ANALYZE]) else "is there"
    with step("A clock that tests can set") as current:
        current.note = "installed" if packages.ensure([packages.FAKETIME]) else "is there"
    with step("The systems that are probed") as current:
        current.note = "installed" if systems.ensure() else "are there"
    with step("cargo-nextest") as current:
        current.note = _get_nextest()
    with step("Python tools of the tests"):
        python = downloads.virtualenv("venv-tests", _TEST_REQUIREMENTS)
    # Not below a STATE_DIR: there need not be a stack for the tests.
    with step("Building the sidecar"), tempfile.TemporaryDirectory() as folder:
        sidecar.build(Path(folder) / "build.log")
    # The Rust tests start servers of their own, too.
    os.environ["PG_BINDIR"] = str(postgres.bindir())
    return python


def _get_nextest() -> str:
    if shutil.which("cargo-nextest"):
        return "is there"
    if not _ran("cargo", "install", "--locked", "--quiet", "cargo-nextest"):
        raise StackError("cargo-nextest cannot be installed")
    return "installed"


def _ruff(python: Path, *arguments: str) -> Sequence[str | Path]:
    return [python.with_name("ruff"), *arguments, "--config", _RUFF_CONFIG, *_PYTHON_FOLDERS]


def _passes(title: str, check: Callable[[], bool]) -> bool:
    print(f"\n==> {title}")
    begun = time.monotonic()
    try:
        passed = check()
    except StackError as error:
        print(error)
        passed = False
    print(f"==> {title}: {'passed' if passed else 'FAILED'}, {time.monotonic() - begun:.0f} s")
    return passed


def _ran(*command: str | Path) -> bool:
    """Runs a command in the checkout, with its output here; says whether it was content."""
    try:
        return subprocess.run([str(part) for part in command], cwd=CHECKOUT).returncode == 0
    except OSError as error:
        raise StackError(f"{command[0]}: {error.strerror}") from None
