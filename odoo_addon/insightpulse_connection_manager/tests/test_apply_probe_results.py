import json

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from odoo.addons.insightpulse_connection_manager.tools.probe_outcome import OUTCOMES_MAX

from .common import ConnectionCase, failure, outcome, probe_id


@tagged("post_install", "-at_install")
class TestApplyProbeResults(ConnectionCase):
    def test_a_success_is_written(self):
        endpoint = self.create_endpoint()
        result = self.apply(outcome(endpoint))
        self.assertEqual(result, {"applied": endpoint.ids, "ignored": []})
        self.assertRecordValues(
            endpoint,
            [
                {
                    "status": "success",
                    "latency_ms": 12.4,
                    "phases": {"connect_ms": 0.2, "login_ms": 3.0},
                    "server_version": "15.18",
                    "active_connections": 4,
                    "max_connections": 100,
                    "last_checked_at": fields.Datetime.to_datetime("2026-11-22 13:00:00"),
                    "failure_kind": False,
                    "failure_message": False,
                    "failure_advice": False,
                    "last_probe_id": probe_id(1),
                }
            ],
        )

    def test_a_failure_takes_the_place_of_a_success(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint))
        self.apply(failure(endpoint, 2))
        self.assertRecordValues(
            endpoint,
            [
                {
                    "status": "failed",
                    "latency_ms": 0,
                    "server_version": False,
                    "max_connections": 0,
                    "failure_kind": "auth",
                    "failure_message": "The server refuses the password",
                    "failure_advice": "Type it again",
                }
            ],
        )

    def test_what_answers_again_is_shown_as_failed_until_that_is_confirmed(self):
        endpoint = self.create_endpoint()
        self.apply(failure(endpoint))
        again = outcome(endpoint, 2, status="failed", unconfirmed={"count": 1, "needed": 2})
        self.assertEqual(self.apply(again), {"applied": endpoint.ids, "ignored": []})
        self.assertRecordValues(endpoint, [{"status": "failed", "latency_ms": 12.4, "failure_kind": False}])
        self.assertIn("1 of 2", endpoint.unconfirmed)
        with self.assertRaises(ValidationError):
            self.apply(outcome(endpoint, 3, status="failed"))

    def test_the_same_report_twice_changes_nothing_the_second_time(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint))
        self.assertEqual(self.apply(outcome(endpoint)), {"applied": [], "ignored": endpoint.ids})

    def test_an_older_probe_is_ignored(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint, 2))
        self.assertEqual(self.apply(failure(endpoint, 1)), {"applied": [], "ignored": endpoint.ids})
        self.assertEqual(endpoint.status, "success")

    def test_the_newest_of_one_batch_wins(self):
        endpoint = self.create_endpoint()
        for numbers in ((1, 2), (4, 3)):
            results = {number: outcome(endpoint, number, active_connections=number) for number in numbers}
            self.assertEqual(self.apply(*results.values()), {"applied": endpoint.ids, "ignored": []})
            self.assertEqual(endpoint.active_connections, max(numbers))

    def test_a_probe_of_what_the_record_was_before_is_ignored(self):
        endpoint = self.create_endpoint()
        stale = outcome(endpoint)
        endpoint.write({"base_url": "other.example"})
        self.assertEqual(self.apply(stale), {"applied": [], "ignored": endpoint.ids})
        self.assertEqual(endpoint.status, "draft")

    def test_a_result_for_another_record_of_the_same_id_is_ignored(self):
        endpoint = self.create_endpoint()
        other = outcome(endpoint, record="00000000-0000-4000-8000-000000000000")
        self.assertEqual(self.apply(other), {"applied": [], "ignored": endpoint.ids})

    def test_a_result_for_a_deleted_record_is_ignored(self):
        endpoint = self.create_endpoint()
        result = outcome(endpoint)
        endpoint.sudo().unlink()
        self.assertEqual(self.apply(result), {"applied": [], "ignored": [result["id"]]})

    def test_an_archived_endpoint_takes_its_result(self):
        endpoint = self.create_endpoint(active=False)
        self.assertEqual(self.apply(outcome(endpoint))["applied"], endpoint.ids)

    def test_an_empty_batch_is_fine(self):
        self.assertEqual(self.apply(), {"applied": [], "ignored": []})

    def test_a_report_is_not_a_change_by_somebody(self):
        endpoint = self.create_endpoint()
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE insightpulse_connection_endpoint SET write_date = '2020-01-01', write_uid = %s WHERE id = %s",
            [self.admin.id, endpoint.id],
        )
        endpoint.invalidate_recordset()
        self.apply(outcome(endpoint))
        self.assertEqual(str(endpoint.write_date), "2020-01-01 00:00:00")
        self.assertEqual(endpoint.write_uid, self.admin)

    def test_nobody_but_the_sidecar_reports(self):
        endpoint = self.create_endpoint()
        for user in (self.manager, self.admin, self.employee, self.env.ref("base.user_admin")):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                endpoint.with_user(user).apply_probe_results([outcome(endpoint)])
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                endpoint.with_user(user).apply_probe_results("garbage is not looked at before the rights are")

    def test_a_batch_costs_the_same_statements_whatever_its_size(self):
        endpoints = self.Endpoint.create(
            [{"name": f"Books {number}", "connection_type": "postgresql"} for number in range(510)]
        )
        batches = [[outcome(endpoint) for endpoint in part] for part in (endpoints[:10], endpoints[10:])]
        self.apply(outcome(self.create_endpoint()))  # fills the caches of rights
        self.env.cr.precommit.run()
        counts = []
        for batch in batches:
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.apply(*batch)
            self.env.cr.precommit.run()
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(counts[0], counts[1])
        self.assertLessEqual(counts[0], 6)
        self.assertEqual(set(endpoints.mapped("status")), {"success"})

    def test_one_message_says_which_endpoints_changed_and_nothing_more(self):
        endpoints = self.create_endpoint() + self.create_endpoint(name="More books")
        self.env.cr.precommit.run()
        self.env["bus.bus"].search([]).unlink()
        self.apply(*[failure(endpoint) for endpoint in endpoints])
        self.env.cr.precommit.run()
        message = self.env["bus.bus"].search([])
        channel = [self.env.cr.dbname, "res.company", self.env.company.id, "insightpulse"]
        self.assertEqual(json.loads(message.channel), channel)
        self.assertEqual(
            json.loads(message.message),
            {"type": "insightpulse.endpoint/changed", "payload": {"ids": endpoints.ids}},
        )

    def test_an_ignored_report_sends_no_message(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint))
        self.env.cr.precommit.run()
        self.env["bus.bus"].search([]).unlink()
        self.apply(outcome(endpoint))
        self.env.cr.precommit.run()
        self.assertFalse(self.env["bus.bus"].search_count([]))

    def test_what_no_sidecar_sends_is_refused_whole(self):
        endpoint = self.create_endpoint()
        malformed = (
            {"status": "draft"},
            {"status": None},
            {"status": ["success"]},
            {"id": "1"},
            {"id": True},
            {"id": 2**40},
            {"record": "no uuid"},
            {"record": None},
            {"revision": None},
            {"probe": "newest"},
            {"probe": None},
            {"latency_ms": -1},
            {"latency_ms": float("nan")},
            {"latency_ms": "12"},
            {"active_connections": -1},
            {"active_connections": 1.5},
            {"max_connections": 2**31},
            {"server_version": 15},
            {"failure_kind": "No Kind"},
            {"failure_message": ["a", "list"]},
            {"phases": ["connect"]},
            {"phases": {"Not A Phase": 1}},
            {"phases": {"connect_ms": "1"}},
            {"phases": {f"phase_{number}_ms": 1 for number in range(17)}},
            {"checked_at": None},
            {"checked_at": "yesterday"},
            {"checked_at": "0001-01-01T00:00:00Z"},
            {"status": "failed", "failure_kind": None},
        )
        for values in malformed:
            with self.subTest(values=values), self.assertRaises(ValidationError):
                self.apply(outcome(self.create_endpoint()), {**outcome(endpoint), **values})
        for results in (None, {}, "text", [None], [[]], [outcome(endpoint)] * (OUTCOMES_MAX + 1)):
            with self.subTest(results=type(results)), self.assertRaises(ValidationError):
                self.Endpoint.with_user(self.sidecar_user).apply_probe_results(results)
        self.assertEqual(endpoint.status, "draft")

    def test_long_and_hostile_texts_are_cut_and_cleaned(self):
        endpoint = self.create_endpoint()
        self.apply(
            failure(endpoint, failure_message="a\x00b\x1b[31m\u202ec\n" + "x" * 9000, server_version="\x00" + "9" * 500)
        )
        self.assertEqual(endpoint.failure_message[:8], "ab[31mc\n")
        self.assertEqual(len(endpoint.failure_message), 1000)
        self.assertEqual(len(endpoint.server_version), 128)

    def test_a_time_of_any_zone_is_stored_in_utc(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint, checked_at="2026-11-22T21:00:00.999999999+08:00"))
        self.assertEqual(str(endpoint.last_checked_at), "2026-11-22 13:00:00")
