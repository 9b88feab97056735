from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from .common import ConnectionCase, failure, outcome, probe_id


@tagged("post_install", "-at_install")
class TestMonitoring(ConnectionCase):
    def setUp(self):
        super().setUp()
        self.env["insightpulse.connection.endpoint"].search([]).write({"active": False})
        self.env.cr.postcommit.clear()
        self.asked = self.env["insightpulse.connection.endpoint"].with_user(self.sidecar_user)

    def prepared(self, endpoint):
        return self.asked.monitored_endpoints(endpoint.ids)[0]

    def version(self, endpoint):
        rows = self.asked.monitored_versions(0, 100)
        return rows["rules"] + {row[0]: row[2] for row in rows["rows"]}[endpoint.id]

    def window(self, **values):
        return self.env["insightpulse.maintenance.window"].create({"name": "Backup", **values})

    def test_the_sidecar_alone_reads_what_is_monitored(self):
        for user in (self.manager, self.admin, self.employee):
            endpoints = self.Endpoint.with_user(user)
            with self.assertRaises(AccessError):
                endpoints.monitored_versions(0, 10)
            with self.assertRaises(AccessError):
                endpoints.monitored_endpoints([1])

    def test_the_list_comes_in_pages_and_without_what_is_archived(self):
        endpoints = self.Endpoint.concat(*[self.create_endpoint(name=f"Books {number}") for number in range(5)])
        endpoints[1].active = False
        page = self.asked.monitored_versions(0, 3)
        self.assertEqual(page["database"], self.env["ir.config_parameter"].sudo().get_param("database.uuid"))
        self.assertEqual([row[0] for row in page["rows"]], (endpoints[0] + endpoints[2] + endpoints[3]).ids)
        page = self.asked.monitored_versions(page["rows"][-1][0], 3)
        self.assertEqual([row[:2] for row in page["rows"]], [[endpoints[4].id, endpoints[4].uuid]])
        self.assertEqual(self.asked.monitored_endpoints(endpoints[1].ids), [])

    def test_an_endpoint_has_what_its_schedule_needs(self):
        agency = self.env.ref("insightpulse_connection_manager.agency_rim")
        endpoint = self.create_endpoint(agency_id=agency.id, interval_s=10, is_paused=True)
        self.apply(failure(endpoint, 3))
        prepared = self.prepared(endpoint)
        expected = {
            "interval_s": 10,
            "agency": agency.id,
            "is_paused": True,
            "windows": [],
            "status": "failed",
            "last_probe": probe_id(3),
            "version": self.version(endpoint),
        }
        self.assertEqual({name: prepared[name] for name in expected}, expected)
        self.assertNotIn("timeout_ms", prepared)

    def test_the_settings_count_where_a_record_says_nothing(self):
        endpoints = self.create_endpoint() + self.create_endpoint(interval_s=10)
        before = self.version(endpoints[0])
        settings = self.env["res.config.settings"].create({"insightpulse_interval_s": 90})
        settings.execute()
        self.assertEqual([self.prepared(endpoint)["interval_s"] for endpoint in endpoints], [90, 10])
        self.assertNotEqual(self.version(endpoints[0]), before)
        settings = self.env["res.config.settings"].create({"insightpulse_interval_s": 1})
        with self.assertRaises(ValidationError):
            settings.execute()

    def test_monitoring_can_be_switched_off_for_all(self):
        endpoint = self.create_endpoint()
        self.env["res.config.settings"].create({"insightpulse_monitoring": False}).execute()
        self.assertEqual(self.asked.monitored_versions(0, 10)["rows"], [])
        self.assertEqual(self.asked.monitored_endpoints(endpoint.ids), [])
        self.assertEqual(endpoint.monitoring, "off")
        self.env["res.config.settings"].create({}).execute()
        self.assertFalse(self.env["insightpulse.connection.endpoint"]._is_monitoring_on())

    def test_whatever_the_sidecar_has_to_read_again_changes_the_version(self):
        endpoint = self.create_endpoint()
        agency = self.env.ref("insightpulse_connection_manager.agency_rim")
        seen = {self.version(endpoint)}
        changes = [
            lambda: endpoint.write({"password": "another"}),
            lambda: endpoint.write({"agency_id": agency.id}),
            lambda: endpoint.write({"base_url": "other.example"}),
            lambda: self.window(agency_ids=agency.ids),
            lambda: self.env["insightpulse.maintenance.window"].search([]).unlink(),
        ]
        # The list without a window is the one of before: what is the same need not be read.
        for change in changes[:-1]:
            change()
            seen.add(self.version(endpoint))
        self.assertEqual(len(seen), len(changes))
        before = self.version(endpoint)
        self.apply(outcome(endpoint))
        self.assertEqual(self.version(endpoint), before, "a result changes nothing that has to be read")

    def test_the_sidecar_is_told_what_changed_after_the_commit_and_once(self):
        endpoints = self.create_endpoint() + self.create_endpoint(name="More")
        endpoints[0].write({"base_url": "other.example"})
        (payload,) = self.told_changed()
        self.assertEqual((payload["changed"], payload["all"]), (sorted(endpoints.ids), False))
        self.assertEqual(payload["database_name"], self.env.cr.dbname)

    def test_what_the_sidecar_need_not_know_is_not_told(self):
        endpoint = self.create_endpoint()
        self.env.cr.postcommit.clear()
        endpoint.write({"sequence": 7})
        endpoint.message_post(body="Nothing happened.")
        self.assertFalse(self.env.cr.postcommit.data.get("insightpulse.changed"))

    def test_a_sidecar_that_is_away_keeps_nobody_waiting(self):
        self.set_up_sidecar("http://127.0.0.1:9")
        self.create_endpoint()
        begun = datetime.now()
        self.env.cr.postcommit.run()
        self.assertLess(datetime.now() - begun, timedelta(milliseconds=500))

    def test_a_cadence_that_makes_no_sense_is_refused(self):
        for values in ({"interval_s": 1}, {"timeout_ms": 99}, {"failure_threshold": 101}, {"success_threshold": -1}):
            with self.assertRaises(ValidationError), self.cr.savepoint():
                self.create_endpoint(**values)

    def test_pausing_and_resuming(self):
        endpoint = self.create_endpoint()
        endpoint.action_pause()
        self.assertEqual((endpoint.is_paused, endpoint.monitoring), (True, "paused"))
        endpoint.action_resume()
        self.assertEqual((endpoint.is_paused, endpoint.monitoring), (False, "on"))
        with self.assertRaises(AccessError):
            endpoint.with_user(self.employee).action_pause()

    def test_what_nobody_tests_any_more_is_said_to_be_old(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint, checked_at="2026-11-22T13:00:00Z"))
        for moment, expected in (("2026-11-22 13:04:00", "on"), ("2026-11-22 13:06:00", "silent")):
            with freeze_time(moment):
                endpoint.invalidate_recordset(["monitoring"])
                self.assertEqual(endpoint.monitoring, expected, moment)

    # Maintenance windows

    def test_a_window_of_once_is_sent_to_whom_it_is_about(self):
        endpoint, other = self.create_endpoint(), self.create_endpoint(name="Other")
        times = {"starts_at": "2026-11-28 22:00:00", "ends_at": "2026-11-29 02:00:00"}
        self.window(endpoint_ids=endpoint.ids, **times)
        expected = {"kind": "once", "starts_at": "2026-11-28T22:00:00Z", "ends_at": "2026-11-29T02:00:00Z"}
        self.assertEqual(self.prepared(endpoint)["windows"], [expected])
        self.assertEqual(self.prepared(other)["windows"], [])
        with freeze_time("2026-11-28 23:00:00"):
            self.assertEqual((endpoint + other).mapped("monitoring"), ["maintenance", "on"])

    def test_a_weekly_window_goes_by_its_own_clock(self):
        agency = self.env.ref("insightpulse_connection_manager.agency_rim")
        endpoint = self.create_endpoint(agency_id=agency.id)
        window = self.window(
            repeat="weekly",
            sunday=False,
            saturday=True,
            starts_hour=22.5,
            hours=4,
            tz="Asia/Manila",
            agency_ids=agency.ids,
        )
        expected = {"kind": "weekly", "weekdays": [5], "starts": "22:30", "minutes": 240, "tz": "Asia/Manila"}
        self.assertEqual(self.prepared(endpoint)["windows"], [expected])
        # Saturday, 22:30 in Manila is 14:30 UTC.
        for moment, is_open in (
            ("2026-11-28 14:29:59", False),
            ("2026-11-28 14:30:00", True),
            ("2026-11-28 18:29:59", True),
            ("2026-11-28 18:30:00", False),
        ):
            self.assertEqual(window._covers(fields.Datetime.to_datetime(moment)), is_open, moment)

    def test_a_window_begins_once_when_a_clock_goes_back_and_an_hour_later_when_it_goes_forward(self):
        # As the test of this name in the sidecar's windows.rs has them.
        for starts_hour, moments in (
            # 02:00 comes twice on 2026-10-25: at 00:00 and at 01:00 UTC.
            (2.0, (("2026-10-25 00:30:00", True), ("2026-10-25 01:30:00", False))),
            # 02:30 does not come on 2026-03-29, when 01:00 UTC is 03:00.
            (2.5, (("2026-03-29 01:00:00", False), ("2026-03-29 01:30:00", True))),
        ):
            window = self.window(repeat="weekly", starts_hour=starts_hour, hours=1, tz="Europe/Berlin", is_for_all=True)
            for moment, is_open in moments:
                self.assertEqual(window._covers(fields.Datetime.to_datetime(moment)), is_open, moment)

    def test_a_window_of_all_connections_is_one_of_its_company(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        endpoint, theirs = self.create_endpoint(), self.create_endpoint(name="Theirs")
        theirs.sudo().company_id = company
        self.window(is_for_all=True)
        self.assertEqual(len(self.prepared(endpoint)["windows"]), 1)
        self.assertEqual(self.prepared(theirs)["windows"], [])

    def test_an_administrator_alone_makes_windows_of_all_companies(self):
        windows = self.env["insightpulse.maintenance.window"]
        values = {"name": "All", "is_for_all": True, "company_id": False}
        with self.assertRaises(AccessError):
            windows.with_user(self.manager).create(values)
        shared = windows.with_user(self.admin).create(values)
        own = windows.with_user(self.manager).create({"name": "Own", "is_for_all": True})
        for act in (
            lambda: own.company_id.id and own.write({"company_id": False}),
            lambda: shared.with_user(self.manager).write({"name": "Mine"}),
            lambda: shared.with_user(self.manager).unlink(),
        ):
            with self.assertRaises(AccessError):
                act()

    def test_a_window_that_makes_no_sense_is_refused(self):
        endpoint = self.create_endpoint()
        for values in (
            {"endpoint_ids": endpoint.ids, "starts_at": "2026-11-28 22:00:00", "ends_at": "2026-11-28 22:00:00"},
            {"endpoint_ids": endpoint.ids, "repeat": "weekly", "sunday": False},
            {"endpoint_ids": endpoint.ids, "repeat": "weekly", "hours": 0},
            {"endpoint_ids": endpoint.ids, "repeat": "weekly", "starts_hour": 24},
            {},
        ):
            with self.assertRaises(ValidationError), self.cr.savepoint():
                self.window(**values)

    def test_a_change_of_a_window_is_told(self):
        endpoint = self.create_endpoint()
        window = self.window(endpoint_ids=endpoint.ids)
        self.env.cr.postcommit.clear()
        window.name = "Another"
        (payload,) = self.told_changed()
        self.assertTrue(payload["all"])
