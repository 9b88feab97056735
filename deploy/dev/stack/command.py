"""Runs a program to its end, and turns its failure into an error that a person can read."""

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .console import StackError

_TAIL_LINES = 25

# A lock that we hold is held by the program too: were we killed, the next run would wait for it,
# instead of working in the same folder beside it.
_KEEP_LOCKS = {"close_fds": False}


def run(
    arguments: Sequence[str | Path],
    *,
    purpose: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
) -> str:
    """Returns what the program printed on standard output.

    Fails with the end of its complaints when it exits with another code than 0. `env` is its whole
    environment; without it, it has ours.
    """
    command = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, errors="replace", cwd=cwd, env=env, **_KEEP_LOCKS
        )
    except OSError as error:
        raise _cannot_start(purpose, command, error) from None
    if done.returncode != 0:
        # What it printed before it failed may be a secret; complaints are not.
        raise _failed(purpose, command, done.returncode, done.stderr or done.stdout)
    return done.stdout


def run_logged(
    arguments: Sequence[str | Path],
    log: Path,
    *,
    purpose: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> None:
    """Runs a program that is long under way, with all of its output appended to the log.

    After `timeout` seconds it is ended, with its helpers.
    """
    command = [str(argument) for argument in arguments]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a+", errors="replace") as output:
        output.write(f"$ {shlex.join(command)}\n")
        output.flush()
        begin = output.tell()
        try:
            program = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=env,
                process_group=0,
                **_KEEP_LOCKS,
            )
        except OSError as error:
            raise _cannot_start(purpose, command, error) from None
        try:
            code = program.wait(timeout)
        except subprocess.TimeoutExpired:
            raise StackError(f"cannot {purpose}: it has not ended after {timeout:.0f} s, see {log}") from None
        finally:
            if program.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                program.wait()
        if code != 0:
            output.seek(begin)
            raise _failed(purpose, command, code, output.read())


def tail(text: str, lines: int = _TAIL_LINES) -> str:
    """The last lines of a program's output, indented to stand below a message."""
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-lines:])


def _cannot_start(purpose: str, command: list[str], error: OSError) -> StackError:
    return StackError(f"cannot {purpose}: {command[0]}: {error.strerror}")


def _failed(purpose: str, command: list[str], code: int, output: str) -> StackError:
    return StackError(f"cannot {purpose}: {Path(command[0]).name} exited with {code}\n{tail(output)}")
