"""What the stack tool says: one line a step, and one line when it has to stop."""

import contextlib
import sys
import time
from collections.abc import Iterator


class StackError(Exception):
    """Something that cannot be had, in a sentence that tells the reader what to do."""


class Step:
    """A step that is under way; `note` is what its line says once it has ended."""

    def __init__(self) -> None:
        self.note = ""


@contextlib.contextmanager
def step(title: str) -> Iterator[Step]:
    """Says that a step begins and, on the same line, how it ended and how long it took."""
    print(f"==> {title} … ", end="", flush=True)
    begun = time.monotonic()
    current = Step()
    try:
        yield current
    except BaseException:
        print("failed", flush=True)
        raise
    seconds = time.monotonic() - begun
    note = f"{current.note}, " if current.note else ""
    print(f"{note}{seconds:.1f} s", flush=True)


def complain(message: str) -> None:
    """Prints an error for people on standard error."""
    print(f"error: {message}", file=sys.stderr, flush=True)
