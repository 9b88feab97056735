"""The command line: `python3 -m stack up|down|status|test|bench|faults|soak|fuzz|addon-tests|fmt`."""

import sys
from collections.abc import Callable

from . import checks
from .console import StackError, complain
from .lifecycle import Stack
from .odoo import LOGIN, PASSWORD
from .settings import Settings


def _up() -> int:
    settings = Settings.from_environment()
    stack = Stack(settings)
    stack.up()
    print(f"\nInsightPulse is up: {stack.odoo.url}/odoo   login: {LOGIN}, password: {PASSWORD}")
    print(f"Its logs: {settings.state_dir / 'log'}   to stop it: make down")
    return 0


def _down() -> int:
    Stack(Settings.from_environment()).down()
    return 0


def _status() -> int:
    states = Stack(Settings.from_environment()).status()
    for name, state in states.items():
        print(f"{name}: {state}")
    return 0 if set(states.values()) == {"healthy"} else 1


_VERBS: dict[str, Callable[[], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "test": checks.test,
    "bench": checks.bench,
    "fuzz": checks.fuzz,
    "faults": checks.faults,
    "soak": checks.soak,
    "fmt": checks.fmt,
    "addon-tests": checks.test_addon,
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in _VERBS:
        complain(f"usage: python3 -m stack {'|'.join(_VERBS)}")
        return 2
    # What we say keeps its place among what the programs say that we run, even in a pipe.
    sys.stdout.reconfigure(line_buffering=True)
    try:
        return _VERBS[arguments[0]]()
    except StackError as error:
        complain(str(error))
        return 1
    except OSError as error:
        complain(f"{error.filename or 'this machine'}: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        complain("interrupted; run it again to go on")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
