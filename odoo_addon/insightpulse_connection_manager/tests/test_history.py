from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from .common import ConnectionCase, event, failure, outcome, tally


@tagged("post_install", "-at_install")
class TestHistory(ConnectionCase):
    def setUp(self):
        super().setUp()
        self.endpoint = self.create_endpoint()
        self.today = fields.Date.to_string(fields.Date.today())

    def days(self):
        return self.env["insightpulse.connection.day"].search([("endpoint_id", "=", self.endpoint.id)], order="day")

    def test_sums_add_up_to_one_row_for_each_day(self):
        self.apply(outcome(self.endpoint, 1, tallies=[tally()]))
        self.apply(outcome(self.endpoint, 2, tallies=[tally(failures=0, up_s=120.0, latency_max_ms=50.0)]))
        self.apply(outcome(self.endpoint, 3, tallies=[tally(day="2026-11-23")]))
        self.assertRecordValues(
            self.days(),
            [
                {
                    "day": fields.Date.to_date("2026-11-22"),
                    "probes": 8,
                    "failures": 1,
                    "uptime": 87.5,
                    "down_minutes": 0.5,
                    "latency_ms": 60 / 7,
                    "latency_max_ms": 50.0,
                },
                {
                    "day": fields.Date.to_date("2026-11-23"),
                    "probes": 4,
                    "failures": 1,
                    "uptime": 75.0,
                    "down_minutes": 0.5,
                    "latency_ms": 10.0,
                    "latency_max_ms": 20.0,
                },
            ],
        )

    def test_a_report_that_comes_again_is_counted_once(self):
        report = outcome(self.endpoint, 1, tallies=[tally()])
        self.apply(report)
        self.apply(report)
        self.assertEqual(self.days().mapped("probes"), [4])

    def test_a_day_uses_up_one_id_however_often_it_is_added_to(self):
        self.apply(outcome(self.endpoint, 1, tallies=[tally()]))
        for number in range(2, 12):
            self.apply(outcome(self.endpoint, number, tallies=[tally()]))
        self.apply(outcome(self.endpoint, 12, tallies=[tally(day="2026-11-23")]))
        first, second = self.days()
        self.assertEqual((first.probes, second.id - first.id), (44, 1))

    def test_a_day_of_failures_alone_has_no_latency(self):
        nothing = {"latency_sum_ms": 0.0, "latency_max_ms": 0.0}
        self.apply(failure(self.endpoint, 1, tallies=[tally(probes=2, failures=2, up_s=0.0, **nothing)]))
        self.assertEqual(self.days().mapped(lambda day: (day.uptime, day.latency_ms)), [(0.0, 0.0)])

    def test_sums_that_make_no_sense_are_refused(self):
        for wrong in ({"probes": -1}, {"day": "tomorrow"}, {"up_s": float("nan")}, {"observed_s": "much"}):
            with self.assertRaises(ValidationError):
                self.apply(outcome(self.endpoint, 1, tallies=[tally(**wrong)]))

    def test_the_form_asks_the_sidecar_and_adds_the_events(self):
        now = fields.Datetime.now()
        self.apply(failure(self.endpoint, 1, events=[event(at=now.isoformat() + "Z")]))
        history = self.endpoint.get_health_history("24h")
        self.assertEqual((history["step_s"], history["source"]), (900, "sidecar"))
        self.assertEqual(history["uptime"][0], {"range": "24h", "share": 0.75})
        (shown,) = history["events"]
        self.assertEqual((shown["to"], shown["reason"]), ("failed", "The server refuses the password"))
        (call,) = [call for call in self.sidecar.calls if call.route.startswith("/v1/history")]
        self.assertIn(f"record={self.endpoint.uuid}", call.route)

    def test_without_a_sidecar_the_days_stand_in(self):
        self.apply(outcome(self.endpoint, 1, tallies=[tally(day=self.today)]))
        self.sidecar.answers["/v1/history"] = lambda payload: (503, "gone")
        history = self.endpoint.get_health_history("7d")
        self.assertEqual((history["source"], history["points"][0]["probes"]), ("days", 4))
        self.assertEqual(
            {one["range"]: one["share"] for one in history["uptime"]}, dict.fromkeys(("24h", "7d", "30d", "90d"), 0.75)
        )

    def test_history_is_for_who_may_read_the_record(self):
        with self.assertRaises(AccessError):
            self.endpoint.with_user(self.employee).get_health_history("24h")
        with self.assertRaises(ValidationError):
            self.endpoint.get_health_history("a year")

    def test_the_dashboard_has_uptime_and_events(self):
        self.env["insightpulse.connection.endpoint"].search([("id", "!=", self.endpoint.id)]).write({"active": False})
        self.apply(failure(self.endpoint, 1, events=[event()], tallies=[tally(day=self.today)]))
        dashboard = self.Endpoint.get_connection_health_dashboard()
        self.assertEqual((dashboard["failed"], dashboard["uptime"]["30d"]), (1, 0.75))
        self.assertEqual(dashboard["events"][0]["name"], "Books")

    def test_what_is_older_than_the_retention_is_forgotten(self):
        old = fields.Date.to_string(fields.Date.today() - timedelta(days=500))
        self.apply(failure(self.endpoint, 1, events=[event()], tallies=[tally(day=old), tally(day=self.today)]))
        self.env["insightpulse.connection.event"].sudo().search([]).date = f"{old} 00:00:00"
        self.env.flush_all()
        self.env["insightpulse.connection.day"]._gc_days()
        self.env["insightpulse.connection.event"]._gc_events()
        self.env.invalidate_all()
        self.assertEqual(self.days().mapped("day"), [fields.Date.today()])
        self.assertFalse(self.env["insightpulse.connection.event"].search([("endpoint_id", "=", self.endpoint.id)]))
