"""Runs the addon's tests with Odoo's own runner, on a database made for them."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .command import tail
from .console import StackError, step
from .odoo import Odoo
from .postgres import Cluster
from .settings import ADDON

_RECORD = re.compile(r"\d{4}-\d\d-\d\d \S+ \d+ (?P<level>[A-Z]+) ")
_SKIPPED = re.compile(r"(?m)^\d{4}-.* INFO .*: skipped .+ : .+$")
_VERDICT = re.compile(r"odoo\.tests\.result: (\d+) failed, (\d+) error\(s\) of (\d+) tests")


def run_all() -> int:
    """Prints Odoo's errors and its own count; 0 when tests ran and none failed or was skipped."""
    with tempfile.TemporaryDirectory(prefix="insightpulse-addon-tests-") as folder:
        cluster = Cluster(Path(folder) / "postgres")
        try:
            with step("A PostgreSQL of their own"):
                cluster.start()
            odoo = Odoo(Path(folder) / "odoo", cluster, database="addon_tests")
            with step("Odoo's own test runner"):
                ended_well = odoo.test(ADDON)
            return _report(odoo.log.read_text(errors="replace"), ended_well)
        finally:
            cluster.stop()


def _report(log: str, ended_well: bool) -> int:
    for line in _errors(log):
        print(line)
    verdicts = [tuple(map(int, counts)) for counts in _VERDICT.findall(log)]
    failed = sum(failures + errors for failures, errors, _ in verdicts)
    ran = sum(count for *_, count in verdicts)
    skipped = _SKIPPED.findall(log)
    for line in skipped:
        print(line)
    print(f"{ran - failed - len(skipped)} passed, {failed} failed, {len(skipped)} skipped")
    if ran == 0:
        raise StackError(f"Odoo ran no test of the addon; the end of its log:\n{tail(log)}")
    if skipped:
        raise StackError("a test that is skipped tells nothing: see to what it misses")
    if not failed and not ended_well:
        raise StackError(f"Odoo ended badly, though no test failed; the end of its log:\n{tail(log)}")
    return 1 if failed else 0


def _errors(log: str) -> Iterator[str]:
    """The records of errors, with the tracebacks below them."""
    is_error = False
    for line in log.splitlines():
        if record := _RECORD.match(line):
            is_error = record["level"] in ("ERROR", "CRITICAL")
        if is_error:
            yield line
