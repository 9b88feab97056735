"""Servers that go on after the command that started them, and that a later command ends."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .command import tail
from .console import StackError

# The shell that becomes the server writes down itself who it is, before it becomes it: were that
# left to us, a server would be forgotten whenever we are killed at the wrong moment.
_ANNOUNCE = 'read -r line < "/proc/$$/stat" && printf "%s\\n" "$line" > "$0" && exec "$@"'


class Daemon:
    """One server process, known by its id and the moment that it began.

    An id alone would not do: after a restart of the machine it may be another process's. The file
    `<name>.pid` is the process's line of /proc/PID/stat; `<name>.version` is what it was started with.
    """

    def __init__(self, name: str, run_dir: Path, log: Path) -> None:
        self.name = name
        self.log = log
        self._pidfile = run_dir / f"{name}.pid"
        self._version = run_dir / f"{name}.version"

    @property
    def pid(self) -> int | None:
        """The id of the process, None when it does not run."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid, began = _identity(self._pidfile.read_text())
            if _identity(Path(f"/proc/{pid}/stat").read_text()) == (pid, began) and not _has_ended(pid):
                return pid
        return None

    def is_running(self) -> bool:
        return self.pid is not None

    def version(self) -> str | None:
        """What `start` was last told of the process's version."""
        with contextlib.suppress(OSError):
            return self._version.read_text()
        return None

    def start(self, command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, version: str = "") -> None:
        """Starts the process in a session of its own, with its output in the log."""
        for path in (self._pidfile, self.log):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._pidfile.unlink(missing_ok=True)
        self._version.write_text(version)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _ANNOUNCE, str(self._pidfile), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        deadline = time.monotonic() + 10
        while not self._is_announced() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        # It is not ours to wait for: whoever calls `stop` may be another process.
        child.returncode = 0

    def wait_until(self, is_healthy: Callable[[], bool], timeout: float) -> None:
        """Waits until the process does its work, and fails with the log's end when it does not."""
        deadline = time.monotonic() + timeout
        while not is_healthy():
            if not self.is_running():
                raise StackError(f"{self.name} has ended by itself; the end of {self.log}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} is not healthy after {timeout:.0f} s; the end of {self.log}:\n{self.log_tail()}"
                )
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM, patience: float = 15.0) -> bool:
        """Ends the process, politely first; says whether it was running."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, how)
            self._wait_for_end(patience)
            if self.is_running():
                # Its helpers too: it leads a group of its own.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                self._wait_for_end(patience)
        self._pidfile.unlink(missing_ok=True)
        return pid is not None

    def kill(self) -> None:
        """Ends the process and its helpers as a machine that fails would: at once, with nothing finished."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self._wait_for_end(15.0)
        self._pidfile.unlink(missing_ok=True)

    def log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return tail(self.log.read_text(errors="replace"))
        return ""

    def _is_announced(self) -> bool:
        with contextlib.suppress(OSError):
            return self._pidfile.read_text().endswith("\n")
        return False

    def _wait_for_end(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)


def _identity(stat: str) -> tuple[int, int]:
    """The id, and the moment that the process began, of a line of /proc/PID/stat."""
    # The command's name may itself have spaces and brackets, so count from its end.
    return int(stat.split(maxsplit=1)[0]), int(stat.rpartition(")")[2].split()[19])


def _has_ended(pid: int) -> bool:
    """Whether it is no more than an entry, kept until its parent asks how it ended; ours is asked."""
    try:
        # With threads that still go on, it looks like ended in /proc before it is.
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        pass
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
