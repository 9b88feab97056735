"""Two sidecars on one PostgreSQL, and what happens when a part of it all is killed at a random moment.

`make faults` kills each part fifty times; `make test` does so a few times, to see that it still can.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receiver import Receiver
from ring import Databases, add_manager, configure, new_store, pair, wait_until
from stack.odoo import Odoo
from stack.postgres import Cluster
from stack.sidecar import Sidecar
from story import INTERVAL_S, Story
from switchboard import Switchboard

KILLS = int(os.environ.get("FAULT_KILLS") or 2)
SEED = os.environ.get("FAULT_SEED") or str(time.time_ns())
ENDPOINTS = 20
# A lease, the interval, what it takes to be sure, and a machine that does other things too.
PATIENCE_S = 120.0


class Center:
    """An Odoo, two sidecars, their store, and endpoints that go up and down."""

    def __init__(
        self, odoo: Odoo, sidecars: list[Sidecar], store: Cluster, switchboard: Switchboard, receiver: Receiver
    ) -> None:
        self.odoo, self.sidecars, self.store, self.switchboard = odoo, sidecars, store, switchboard
        self.receiver = receiver
        self.story = Story(odoo, switchboard, ENDPOINTS, SEED)

    def settle(self) -> None:
        self.story.settle(PATIENCE_S)

    def kill(self, what: Any) -> None:
        time.sleep(self.story.random.uniform(0, 6))
        what.kill()
        time.sleep(self.story.random.uniform(0, 3))
        what.start(**({"wait_for_odoo": False} if isinstance(what, Sidecar) else {}))


@pytest.fixture(scope="module")
def center(databases: Databases, executable: Path, directory: Path) -> Iterator[Center]:
    odoo = databases.odoo("faults")
    store = Cluster(directory / "faults_store")
    first = Sidecar(directory / "faults_first", executable=executable)
    second = Sidecar(directory / "faults_second", executable=executable)
    try:
        store.start()
        # That, and the keyring, is all they have together.
        shared = {"store": new_store(store)}
        for sidecar in (first, second):
            configure(sidecar, more=shared)
        odoo.start()
        add_manager(odoo)
        pair(odoo, first)
        (second.directory / "keyring.toml").symlink_to(first.directory / "keyring.toml")
        second.start(wait_for_odoo=False)
        with Switchboard() as switchboard, Receiver() as receiver:
            odoo.call("res.config.settings", "create", [receiver.settings])
            yield Center(odoo, [first, second], store, switchboard, receiver)
    finally:
        second.stop()
        first.stop()
        odoo.stop()
        store.stop()


@pytest.mark.timeout(60 + KILLS * 3 * (PATIENCE_S + 15))
def test_whoever_is_killed_nothing_sticks_and_nothing_is_lost_or_told_twice(center: Center) -> None:
    center.settle()
    both = "SELECT count(DISTINCT owner) FROM insightpulse.shard WHERE until > now()"
    wait_until(lambda: center.store.query(both, database="sidecar") == "2", "both have a part")
    for number in range(KILLS):
        for what in (center.sidecars[number % 2], center.store, center.odoo):
            center.story.flip()
            center.receiver.is_deaf = center.story.random.random() < 0.5
            center.kill(what)
            center.receiver.is_deaf = False
            center.settle()
    # What is on its way may still arrive, and must not.
    time.sleep(6)
    assert center.story.told() == center.story.truth, f"seed {SEED}"
    news = center.story.news()
    wait_until(lambda: news <= center.receiver.messages.keys(), f"the webhook is told all (seed {SEED})", PATIENCE_S)
    assert news == center.receiver.messages.keys() and len(news) > KILLS, f"seed {SEED}"
    assert center.receiver.forged == 0
    # Whatever a sidecar says, Odoo understands.
    for sidecar in center.sidecars:
        assert "is dropped" not in sidecar.log.read_text(), f"seed {SEED}"


def test_nobody_tests_more_often_than_an_interval_says(center: Center) -> None:
    center.settle()
    before = center.switchboard.asked.copy()
    begun = time.monotonic()
    time.sleep(30)
    intervals = (time.monotonic() - begun) / INTERVAL_S
    for number in range(ENDPOINTS):
        asked = center.switchboard.asked[number] - before[number]
        assert intervals - 2 <= asked <= intervals + 1.5, (
            f"endpoint {number}: {asked} tests in {intervals:.1f} intervals"
        )
