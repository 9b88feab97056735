"""What nobody presses: endpoints that are tested all the time, on a real Odoo with a real sidecar."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from ring import MODEL, Board, wait_until
from stack.odoo import Odoo
from stack.sidecar import Sidecar
from switchboard import Switchboard

EVENT, ACTIVITY = "insightpulse.connection.event", "mail.activity"
INTERVAL_S = 5


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    with Switchboard() as switchboard:
        yield switchboard


class Watched:
    """One endpoint that is monitored, and what Odoo has about it."""

    number = 0

    def __init__(self, board: Board, switchboard: Switchboard, **values: Any) -> None:
        Watched.number += 1
        self.number = Watched.number
        self.board, self.switchboard = board, switchboard
        usual = {
            "name": f"Watched {self.number}",
            "connection_type": "api",
            "base_url": switchboard.url(self.number),
            "is_paused": False,
            "interval_s": INTERVAL_S,
            "failure_threshold": 2,
        }
        self.id = board.create(**{**usual, **values})

    def __getitem__(self, name: str) -> Any:
        return self.board.call("read", [self.id], [name])[0][name]

    def becomes(self, status: str) -> None:
        wait_until(lambda: self["status"] == status, f"{self['name']} becomes {status}")

    def break_down(self) -> None:
        self.switchboard.down.add(self.number)

    def mend(self) -> None:
        self.switchboard.down.discard(self.number)

    def asked(self) -> int:
        return self.switchboard.asked[self.number]

    def events(self) -> list[str]:
        domain = [["endpoint_id", "=", self.id]]
        events = self.board.odoo.call(EVENT, "search_read", [domain], {"fields": ["to_status"], "order": "date, id"})
        return [event["to_status"] for event in events]

    def notes(self) -> list[str]:
        domain = [["model", "=", MODEL], ["res_id", "=", self.id], ["subject", "!=", False]]
        notes = self.board.odoo.call("mail.message", "search_read", [domain], {"fields": ["subject"], "order": "id"})
        return [note["subject"] for note in notes]

    def activities(self) -> int:
        domain = [["res_model", "=", MODEL], ["res_id", "=", self.id]]
        return self.board.odoo.call(ACTIVITY, "search_count", [domain])


def test_what_is_made_is_tested_by_itself(board: Board, switchboard: Switchboard) -> None:
    watched = Watched(board, switchboard)
    watched.becomes("success")
    assert (watched["monitoring"], watched.events(), watched.notes()) == ("on", ["success"], [])
    before = watched.asked()
    wait_until(lambda: watched.asked() >= before + 2, "it is tested again and again")


def test_what_breaks_is_red_and_told_once_and_a_recovery_closes_it(board: Board, switchboard: Switchboard) -> None:
    watched = Watched(board, switchboard)
    watched.becomes("success")
    watched.break_down()
    watched.becomes("failed")
    name = watched["name"]
    wait_until(lambda: watched.notes() == [f"{name}: Failed"], "it is told")
    wait_until(lambda: watched.activities() == 1, "who is responsible has something to do")
    assert watched["failure_kind"] == "unhealthy"
    time.sleep(2 * INTERVAL_S)
    assert (watched.events(), watched.notes()) == (["success", "failed"], [f"{name}: Failed"])
    watched.mend()
    watched.becomes("success")
    wait_until(lambda: watched.activities() == 0, "nothing is left to do")
    assert watched.notes() == [f"{name}: Failed", f"{name}: Connected"]


def test_one_failure_alone_is_shown_as_that(board: Board, switchboard: Switchboard) -> None:
    watched = Watched(board, switchboard, failure_threshold=100)
    watched.becomes("success")
    watched.break_down()
    wait_until(lambda: watched["unconfirmed"], "the failure is shown")
    assert watched["status"] == "success"
    assert watched["unconfirmed"].startswith("Does not answer:")
    watched.mend()
    wait_until(lambda: not watched["unconfirmed"], "it is over")
    assert watched.events() == ["success"]


def test_what_rests_is_left_alone_and_resumed_at_once(board: Board, odoo: Odoo, switchboard: Switchboard) -> None:
    paused, kept = Watched(board, switchboard), Watched(board, switchboard)
    for watched in (paused, kept):
        watched.becomes("success")
    board.call("action_pause", [paused.id])
    values = {
        "name": "Backup",
        "endpoint_ids": [[6, 0, [kept.id]]],
        "starts_at": "2026-01-01 00:00:00",
        "ends_at": "2099-01-01 00:00:00",
    }
    (window,) = odoo.call("insightpulse.maintenance.window", "create", [[values]])
    time.sleep(2)
    assert (paused["monitoring"], kept["monitoring"]) == ("paused", "maintenance")
    before = (paused.asked(), kept.asked())
    for watched in (paused, kept):
        watched.break_down()
    time.sleep(2 * INTERVAL_S)
    assert (paused.asked(), kept.asked()) == before
    odoo.call("insightpulse.maintenance.window", "unlink", [[window]])
    board.call("action_resume", [paused.id])
    for watched in (paused, kept):
        watched.becomes("failed")


def test_a_sidecar_that_was_away_goes_on_where_it_was(board: Board, sidecar: Sidecar, switchboard: Switchboard) -> None:
    watched, other = Watched(board, switchboard), Watched(board, switchboard)
    for one in (watched, other):
        one.becomes("success")
    sidecar.stop()
    try:
        watched.break_down()
        board.odoo.call(MODEL, "unlink", [[other.id]])
        late = Watched(board, switchboard)
    finally:
        sidecar.start()
    watched.becomes("failed")
    late.becomes("success")
    assert watched.events() == ["success", "failed"]
    asked = other.asked()
    time.sleep(INTERVAL_S + 1)
    assert other.asked() == asked


def test_the_form_has_the_sidecars_history(board: Board, switchboard: Switchboard) -> None:
    watched = Watched(board, switchboard)
    watched.becomes("success")
    wait_until(lambda: watched.asked() >= 3, "there is something to tell")
    history = board.call("get_health_history", [watched.id], "24h")
    assert history["source"] == "sidecar"
    assert history["points"][-1]["probes"] >= 2
    assert [event["to"] for event in history["events"]] == ["success"]
    wait_until(lambda: board.call("get_health_history", [watched.id], "24h")["uptime"][0]["share"] == 1.0, "uptime")
