"""What all of these systems have in common: a process of our own that answers, or says in its log why not."""

import http.client
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from stack import network, unprivileged
from stack.packages import program
from stack.process import Daemon
from stack.settings import clean_environment

from .certificates import Identity


class Server(ABC):
    """One server with its files below `directory`; `with` starts it, and stops it in any case."""

    name: str
    # How long it may take until it answers, on a machine that does other things too.
    patience_s = 30.0
    # What it is asked to end with.
    end = signal.SIGTERM

    def __init__(self, directory: Path, *, port: int = 0) -> None:
        """With port 0 it takes a free one."""
        self.directory = directory
        self.host = network.HOST
        self.port = port or network.free_port()
        self._daemon = Daemon(self.name, directory, directory / f"{self.name}.log")

    @property
    def log(self) -> Path:
        return self._daemon.log

    @property
    def pid(self) -> int | None:
        return self._daemon.pid

    def start(self) -> None:
        """Returns when it answers; fails with the end of its log when it does not."""
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self.prepare()
            self._daemon.start(self.command(), env=self.environment(), cwd=self.directory)
            self._daemon.wait_until(self.answers, self.patience_s)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """Asks it to end, and ends it when it does not; says whether it was running."""
        return self._daemon.stop(self.end)

    def is_running(self) -> bool:
        return self._daemon.is_running()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def prepare(self) -> None:  # noqa: B027
        """Writes what it reads when it starts."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    def answers(self) -> bool: ...

    def environment(self) -> Mapping[str, str]:
        return clean_environment()


class UnprivilegedServer(Server):
    """One that refuses to run as root, or had better not: it runs as the user that PostgreSQL does."""

    def prepare(self) -> None:
        unprivileged.own(self.directory)

    def as_user(self) -> list[str]:
        return unprivileged.prefix(self.directory)

    def write(self, name: str, text: str) -> Path:
        """A file that it may read, and nobody else."""
        path = self.directory / name
        path.write_text(text)
        return self._hand_over(path)

    def keep(self, identity: Identity) -> Identity:
        """A copy of a certificate and its key that it may read."""
        certificate, key = (Path(shutil.copy(path, self.directory)) for path in identity)
        return Identity(self._hand_over(certificate), self._hand_over(key))

    def folder(self, name: str) -> Path:
        """A folder that it may write to."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return self._hand_over(path, 0o700)

    @staticmethod
    def _hand_over(path: Path, mode: int = 0o600) -> Path:
        path.chmod(mode)
        unprivileged.own(path)
        return path


def installed(name: str) -> Path:
    """A program that a Debian package has brought."""
    found = program(name)
    assert found is not None, f"{name} is not installed: stack.systems.ensure() does that"
    return found


def status(port: int, path: str = "/", *, timeout: float = 5.0) -> int | None:
    """The status of a GET without anything more, None when there is no answer."""
    connection = http.client.HTTPConnection(network.HOST, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
