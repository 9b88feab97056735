"""Many Tests at once on few workers: nobody waits for an endpoint, and nothing is lost."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from peers import BlackHole, Peer
from ring import TIMEOUT_S, Board, Databases, Session, healthy, running
from stack import network
from stack.odoo import Odoo
from stack.postgres import Cluster

CLICKS = 40


@pytest.fixture(scope="module")
def crowded(databases: Databases, executable: Path) -> Iterator[Odoo]:
    """An Odoo with two workers, with its sidecar."""
    with running(databases, "crowded", executable=executable, workers=2) as (odoo, _):
        yield odoo


def test_forty_tests_at_once_leave_no_worker_hanging_and_no_record_without_a_result(
    crowded: Odoo, books: Cluster, black_hole: BlackHole
) -> None:
    board = Board(crowded)
    well = healthy(books)
    with Peer() as silent:
        kinds = [
            ("success", well),
            ("timeout", {**well, "port": black_hole.port}),
            ("auth", {**well, "password": "wrong"}),
            ("timeout", {**well, "port": silent.port}),
            ("refused", {**well, "port": network.free_port()}),
        ]
        expected = [kinds[number % len(kinds)] for number in range(CLICKS)]
        ids = board.create_all([{**values, "name": f"Click {number}"} for number, (_, values) in enumerate(expected)])
        with ThreadPoolExecutor(CLICKS) as pool:
            sessions = list(pool.map(lambda _: Session(crowded), range(CLICKS)))
            actions = list(pool.map(Session.test, sessions, ids))
        # With the black holes still unanswered, each worker serves somebody else.
        assert network.answers(f"{crowded.url}/web/health?db_server_status=1")
        records = [board.written(action)[0] for action in actions]

    found = [record["failure_kind"] or record["status"] for record in records]
    assert found == [kind for kind, _ in expected]
    assert crowded.log.read_text().count("timeout (limit_time") == 0


def test_one_worker_that_tests_a_black_hole_is_free_for_its_result(crowded: Odoo, black_hole: BlackHole) -> None:
    crowded.stop()
    crowded.workers = 1
    crowded.start()
    board = Board(crowded)
    endpoint = board.create(port=black_hole.port, username="reader")
    begun = time.monotonic()
    after = board.result(endpoint)
    took = time.monotonic() - begun
    assert after["failure_kind"] == "timeout"
    # A worker that waited for the result that it has to write itself would do so until Odoo ends it, after 120 s.
    assert took < 5 * TIMEOUT_S
