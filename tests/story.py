"""Endpoints that go up and down, what has happened to each, and what Odoo was told of it."""

import random
from typing import Any

from ring import Board, wait_until
from stack.odoo import Odoo
from switchboard import Switchboard

EVENT = "insightpulse.connection.event"
INTERVAL_S = 5
VALUES = {"connection_type": "api", "interval_s": INTERVAL_S, "failure_threshold": 2, "success_threshold": 2}


class Story:
    """Each endpoint is a path of a switchboard's, tested every five seconds."""

    def __init__(self, odoo: Odoo, switchboard: Switchboard, endpoints: int, seed: str) -> None:
        self.odoo, self.switchboard, self.seed = odoo, switchboard, seed
        self.board = Board(odoo)
        self.random = random.Random(seed)
        self.ids = self.board.create_all(
            [
                {**VALUES, "name": f"Endpoint {n}", "base_url": switchboard.url(n), "is_paused": False}
                for n in range(endpoints)
            ]
        )
        # What has to have happened to each, in its order.
        self.truth = [["success"] for _ in self.ids]

    def flip(self) -> None:
        """Takes about half of the endpoints down, or brings them up again."""
        for number, truth in enumerate(self.truth):
            if self.random.random() < 0.5:
                self.switchboard.down ^= {number}
                truth.append("failed" if number in self.switchboard.down else "success")

    def settle(self, within: float) -> None:
        """Waits until every endpoint is shown as it is."""
        wait_until(self._is_settled, f"every endpoint is shown as it is (seed {self.seed})", within)

    def told(self, order: str = "date, id") -> list[list[str]]:
        """What Odoo was told of each endpoint, in its order."""
        events = self.odoo.call(
            EVENT,
            "search_read",
            [[["endpoint_id", "in", self.ids]]],
            {"fields": ["endpoint_id", "from_status", "to_status"], "order": order},
        )
        told: dict[int, list[str]] = {one: [] for one in self.ids}
        # That one has become steady is no change.
        for event in (event for event in events if event["from_status"] != event["to_status"]):
            told[event["endpoint_id"][0]].append(event["to_status"])
        return [told[one] for one in self.ids]

    def news(self) -> set[str]:
        """The ids of the events that people, and a webhook, hear of."""
        of_ours = ["endpoint_id", "in", self.ids]
        fields = ["uuid", "kind", "from_status", "is_flapping"]
        events = self.odoo.call(EVENT, "search_read", [[of_ours]], {"fields": fields})
        return {
            event["uuid"]
            for event in events
            if event["kind"] != "transition" or (event["from_status"] and not event["is_flapping"])
        }

    def read(self, field: str) -> list[Any]:
        records = self.board.call("read", self.ids, [field])
        return [record[field] for record in sorted(records, key=lambda record: self.ids.index(record["id"]))]

    def _is_settled(self) -> bool:
        try:
            return self.read("status") == [truth[-1] for truth in self.truth]
        except Exception:  # Odoo may be away.
            return False
