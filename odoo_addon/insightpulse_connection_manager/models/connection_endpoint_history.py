import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from ..exceptions import SidecarError
from .connection_endpoint import AGENCY_GROUP

RANGES = {"24h": 1, "7d": 7, "30d": 30, "90d": 90}
EVENTS_SHOWN = 50
EVENTS_ON_DASHBOARD = 20


class ConnectionEndpointHistory(models.Model):
    """Knows how connections have been: from the sidecar's samples, and day by day from its reports."""

    _inherit = "insightpulse.connection.endpoint"

    @api.model
    def _apply_tallies(self, tallies):
        """Add sums to the days of endpoints, by one statement.

        What is there already is updated by itself: an INSERT that comes upon a row has used up an id of 2^31 all the
        same, and ten thousand connections would have used up all of them within half a year. Nobody else can have made
        the row meanwhile: the endpoints' own rows are locked, since the same transaction has just written them.
        """
        if not tallies:
            return
        self.env.execute_query(
            SQL(
                """
                WITH tally AS (
                     SELECT *
                       FROM jsonb_to_recordset(%(tallies)s::jsonb)
                            AS tally(endpoint_id int4, day date, probes int4, failures int4, observed_s float8,
                                     up_s float8, latency_sum_ms float8, latency_max_ms float8)
                ), known AS (
                     UPDATE insightpulse_connection_day AS known
                        SET probes = known.probes + tally.probes,
                            failures = known.failures + tally.failures,
                            observed_s = known.observed_s + tally.observed_s,
                            up_s = known.up_s + tally.up_s,
                            latency_sum_ms = known.latency_sum_ms + tally.latency_sum_ms,
                            latency_max_ms = greatest(known.latency_max_ms, tally.latency_max_ms),
                            latency_ms = (known.latency_sum_ms + tally.latency_sum_ms)
                                / NULLIF(known.probes + tally.probes - known.failures - tally.failures, 0),
                            down_minutes = (known.observed_s + tally.observed_s - known.up_s - tally.up_s) / 60,
                            uptime = 100 * (known.up_s + tally.up_s)
                                / NULLIF(known.observed_s + tally.observed_s, 0)
                       FROM tally
                      WHERE known.endpoint_id = tally.endpoint_id AND known.day = tally.day
                  RETURNING known.endpoint_id, known.day
                ), made AS (
                     INSERT INTO insightpulse_connection_day
                            (endpoint_id, agency_id, company_id, day, probes, failures, observed_s, up_s,
                             latency_sum_ms, latency_max_ms, latency_ms, down_minutes, uptime)
                     SELECT endpoint.id, endpoint.agency_id, endpoint.company_id, tally.day,
                            tally.probes, tally.failures, tally.observed_s, tally.up_s,
                            tally.latency_sum_ms, tally.latency_max_ms,
                            tally.latency_sum_ms / NULLIF(tally.probes - tally.failures, 0),
                            (tally.observed_s - tally.up_s) / 60,
                            100 * tally.up_s / NULLIF(tally.observed_s, 0)
                       FROM tally
                       JOIN %(table)s AS endpoint ON endpoint.id = tally.endpoint_id
                      WHERE NOT EXISTS (SELECT FROM known
                                         WHERE known.endpoint_id = tally.endpoint_id AND known.day = tally.day)
                )
                SELECT count(*) FROM known
                """,
                table=SQL.identifier(self._table),
                tallies=json.dumps(tallies),
            )
        )
        self.env["insightpulse.connection.day"].invalidate_model(flush=False)

    def get_health_history(self, range):  # noqa: A002 (the name that the sidecar has for it)
        """Return how this endpoint has been in one of the ranges 24h, 7d, 30d and 90d.

        :return: ``{"step_s", "points", "uptime", "events", "source"}``; `source` is "sidecar", or "days" when the
            sidecar cannot be asked and Odoo's own sums stand in
        """
        self._check_group(AGENCY_GROUP)
        self.ensure_one()
        self.check_access("read")
        if range not in RANGES:
            raise ValidationError(self.env._("A range is one of %(ranges)s.", ranges=", ".join(RANGES)))
        try:
            history = {**self.env["insightpulse.sidecar"]._history(self.uuid, range), "source": "sidecar"}
        except SidecarError:
            history = {"step_s": 86_400, "points": [], "uptime": [], "source": "days"}
        if not history["points"]:
            history.update(self._history_of_days(range), source="days")
        days = self._uptime_of_days()
        known = {uptime["range"]: uptime.get("share") for uptime in history["uptime"]}
        history["uptime"] = [
            {"range": name, "share": known.get(name) if known.get(name) is not None else days[name]} for name in RANGES
        ]
        history["points"] = [
            {name: False if value is None else value for name, value in point.items()} for point in history["points"]
        ]
        history["events"] = self._read_events(
            [("endpoint_id", "=", self.id), ("date", ">=", fields.Datetime.now() - timedelta(days=RANGES[range]))],
            EVENTS_SHOWN,
        )
        return history

    def _history_of_days(self, range):  # noqa: A002
        since = fields.Date.today() - timedelta(days=RANGES[range])
        days = self.env["insightpulse.connection.day"].search(
            [("endpoint_id", "=", self.id), ("day", ">=", since)], order="day"
        )
        return {
            "step_s": 86_400,
            "points": [
                {
                    "at": f"{day.day}T00:00:00Z",
                    "probes": day.probes,
                    "failures": day.failures,
                    "latency_ms": day.latency_ms or False,
                    "latency_max_ms": day.latency_max_ms or False,
                }
                for day in days
            ],
        }

    def _uptime_of_days(self):
        """Return the share of time that these endpoints answered, by range; False where nothing is known.

        False and not None, here and below, since Odoo's XML-RPC has no way to write that.
        """
        shares = {}
        domain = [("endpoint_id", "in", self.ids)]
        for name, days in RANGES.items():
            since = fields.Date.today() - timedelta(days=days - 1)
            ((observed, up),) = self.env["insightpulse.connection.day"]._read_group(
                [*domain, ("day", ">=", since)], [], ["observed_s:sum", "up_s:sum"]
            )
            shares[name] = min(up / observed, 1.0) if observed else False
        return shares

    @api.model
    def _read_events(self, domain, limit):
        events = self.env["insightpulse.connection.event"].search(domain, limit=limit)
        return [
            {
                "id": event.id,
                "endpoint": event.endpoint_id.id,
                "name": event.endpoint_id.name,
                "date": fields.Datetime.to_string(event.date),
                "kind": event.kind,
                "from": event.from_status,
                "to": event.to_status,
                "reason": event.reason,
            }
            for event in events
        ]

    @api.model
    def get_connection_health_dashboard(self):
        """Add how the endpoints have been, and what happened last."""
        dashboard = super().get_connection_health_dashboard()
        endpoints = self.search([])  # pylint: disable=no-search-all
        monitoring = endpoints.mapped("monitoring")
        return {
            **dashboard,
            "uptime": endpoints._uptime_of_days(),
            "flapping": sum(endpoints.mapped("is_flapping")),
            "paused": monitoring.count("paused"),
            "maintenance": monitoring.count("maintenance"),
            "silent": monitoring.count("silent"),
            "events": self._read_events([], EVENTS_ON_DASHBOARD),
        }
