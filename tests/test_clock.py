"""A sidecar whose clock jumps, as those of suspended machines and of wrong time servers do."""

import shlex
import time
from pathlib import Path

from ring import Databases, running, wait_until
from stack import packages
from story import Story
from switchboard import Switchboard

ENDPOINTS = 8
# Hours ahead, days back, and right again.
JUMPS = ("+10800", "-172800", "+0")


def with_a_clock(executable: Path, directory: Path, offset: Path) -> Path:
    """The same program, with a clock that is off by what a file says; time goes on as fast as it does."""
    variables = {
        "LD_PRELOAD": packages.faketime_library(),
        "FAKETIME_TIMESTAMP_FILE": offset,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    lines = [f"export {name}={shlex.quote(str(value))}" for name, value in variables.items()]
    script = directory / "insightpulse_with_a_clock"
    script.write_text("\n".join(["#!/bin/sh", *lines, f'exec {shlex.quote(str(executable))} "$@"', ""]))
    script.chmod(0o755)
    return script


def test_a_clock_that_jumps_stops_nothing_and_tells_nothing_twice(
    databases: Databases, executable: Path, directory: Path
) -> None:
    offset = directory / "clocks_offset"
    offset.write_text("+0")
    clocked = with_a_clock(executable, directory, offset)
    with Switchboard() as switchboard, running(databases, "clock", executable=clocked) as (odoo, _sidecar):
        story = Story(odoo, switchboard, ENDPOINTS, seed="clock")
        story.settle(60)
        for jump in JUMPS:
            before = story.read("last_checked_at")
            offset.write_text(jump)
            asked = switchboard.asked.copy()

            def is_tested(asked: dict[int, int] = asked) -> bool:
                return all(switchboard.asked[number] >= asked[number] + 2 for number in range(ENDPOINTS))

            wait_until(is_tested, f"all are tested after a jump to {jump}", 30)
            story.flip()
            story.settle(60)
            if jump != "+0":
                # Or the clock never jumped.
                assert all(
                    abs(one - other) > 3_600
                    for one, other in zip(seconds(before), seconds(story.read("last_checked_at")), strict=True)
                )
        time.sleep(6)
        # By arrival: their dates are the clock's.
        assert story.told("id") == story.truth


def seconds(moments: list[str]) -> list[float]:
    return [time.mktime(time.strptime(moment, "%Y-%m-%d %H:%M:%S")) for moment in moments]
