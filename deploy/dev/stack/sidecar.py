"""The sidecar's server process, its configuration and its keyring."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import files, network
from .command import run, run_logged
from .console import StackError
from .process import Daemon
from .settings import CHECKOUT, clean_environment

PACKAGE = "insightpulse-sidecar"


def binary() -> Path:
    """Where cargo puts the release build."""
    target = CHECKOUT / (os.environ.get("CARGO_TARGET_DIR") or "target")
    return target / "release" / "insightpulse"


def build(log: Path) -> Path:
    """Builds the release binary, as far as it is not up to date."""
    run_logged(["cargo", "build", "--release", "--package", PACKAGE], log, purpose="build the sidecar", cwd=CHECKOUT)
    return binary()


class Sidecar:
    """One sidecar with its state and its `sidecar.toml`, all below `directory`."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        executable: Path | None = None,
        log: Path | None = None,
    ) -> None:
        """With port 0 it takes a free one. The executable is the checkout's release build unless given."""
        self.directory = directory
        self.port = port or network.free_port()
        self.executable = executable or binary()
        self.config_file = directory / "sidecar.toml"
        self._daemon = Daemon("sidecar", directory, log or directory / "sidecar.log")

    @property
    def url(self) -> str:
        return f"http://{network.HOST}:{self.port}"

    @property
    def log(self) -> Path:
        return self._daemon.log

    @property
    def pid(self) -> int | None:
        return self._daemon.pid

    def configure(self, config: Mapping[str, Any]) -> None:
        """Writes `sidecar.toml`: what is given, with where it listens and where its state lies."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The directory may be an older one, of a more generous umask.
        self.directory.chmod(0o700)
        server = {"host": network.HOST, "port": self.port, **config.get("server", {})}
        files.write_private(self.config_file, _toml({"state_dir": str(self.directory), **config, "server": server}))

    def ensure_keyring(self) -> bool:
        """Makes the first key if there is no keyring; says whether it did."""
        if (self.directory / "keyring.toml").exists():
            return False
        self.run("keys", "add", "--config", self.config_file)
        return True

    def run(self, *arguments: str | Path) -> str:
        """Runs one of the program's other verbs and returns what it printed."""
        return run(
            [self.executable, *arguments],
            purpose=f"run insightpulse {arguments[0]}",
            env=clean_environment(),
            cwd=self.directory,
        )

    def start(self, timeout: float = 30.0, *, wait_for_odoo: bool = True) -> bool:
        """Starts the server; says whether that changed anything.

        Without `wait_for_odoo` it is enough that it lives, even if it cannot write back.
        """
        if not self.executable.exists():
            raise StackError(f"{self.executable} is not built: run cargo build --release --package {PACKAGE}")
        self.ensure_keyring()
        command = [self.executable, "serve", "--config", self.config_file]
        version = files.digest(*map(str, command), self.config_file, self.executable)
        is_healthy = self.is_ready if wait_for_odoo else self.is_healthy
        if self._daemon.is_running() and self._daemon.version() == version:
            self._daemon.wait_until(is_healthy, timeout)
            return False
        self.stop()
        network.require_free(self.port, "SIDECAR_PORT")
        self._daemon.start(command, env=clean_environment(), cwd=self.directory, version=version)
        self._daemon.wait_until(is_healthy, timeout)
        return True

    def wait_until_ready(self, timeout: float = 30.0) -> None:
        """Waits until every Odoo that it is paired with takes results."""
        self._daemon.wait_until(self.is_ready, timeout)

    def stop(self) -> bool:
        """Stops the server, which finishes what is under way; says whether it was running."""
        return self._daemon.stop()

    def kill(self) -> None:
        """Ends the server at once, with nothing finished."""
        self._daemon.kill()

    def is_running(self) -> bool:
        return self._daemon.is_running()

    def is_healthy(self) -> bool:
        """Whether the process answers."""
        return network.answers(f"{self.url}/healthz")

    def is_ready(self) -> bool:
        """Whether it can write back to Odoo, too."""
        return network.answers(f"{self.url}/readyz")


def _toml(table: Mapping[str, Any], name: str = "") -> str:
    """A table of text, numbers, booleans and tables as TOML."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = [f"[{name}]"] if name and plain else []
    # JSON's texts, numbers and booleans are TOML's.
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    inner = [_toml(value, f"{name}.{key}" if name else key) for key, value in tables.items()]
    return "\n".join(["\n".join(lines) + "\n", *inner]) if lines else "\n".join(inner)
