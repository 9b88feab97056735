import time
from types import SimpleNamespace
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import SQL

from odoo.addons.insightpulse_connection_manager.exceptions import SidecarAnswerInvalid
from odoo.addons.insightpulse_connection_manager.models import sidecar as sidecar_module

from .common import CANARY, ConnectionCase, outcome, probe_id


@tagged("post_install", "-at_install")
class TestActionTestConnection(ConnectionCase):
    def press_test(self, endpoints):
        action = endpoints.action_test_connection()
        self.assertEqual((action["type"], action["tag"]), ("ir.actions.client", "display_notification"))
        return action["params"]

    def test_all_selected_go_by_one_call_as_they_are_stored(self):
        endpoints = self.create_endpoint(password=CANARY) + self.create_endpoint(name="Bare", base_url=False, port=0)
        self.press_test(endpoints)
        (payload,) = self.sidecar.payloads("/v1/probes")
        first, second = payload["endpoints"]
        self.assertEqual(payload["wait_ms"], 300)
        self.assertEqual(first["password"], endpoints[0].sudo().password_token)
        self.assertEqual(
            second,
            {
                "id": endpoints[1].id,
                "record": endpoints[1].uuid,
                "revision": 1,
                "name": "Bare",
                "kind": "postgresql",
                "base_url": None,
                "port": None,
                "tls_mode": "prefer",
                "username": "reader",
                "database_name": "books",
                "password": None,
                "api_key": None,
                "client_key": None,
            },
        )

    def test_the_click_writes_nothing(self):
        endpoint = self.create_endpoint()
        self.sidecar.outcomes["Books"] = outcome(endpoint)
        self.env.flush_all()
        version = "SELECT ctid FROM insightpulse_connection_endpoint WHERE id = %s"
        before = self.env.execute_query(SQL(version, endpoint.id))
        self.press_test(endpoint)
        self.env.flush_all()
        self.assertEqual(self.env.execute_query(SQL(version, endpoint.id)), before)
        self.assertEqual(endpoint.status, "draft")

    def test_a_success_says_how_fast_and_which_version(self):
        endpoint = self.create_endpoint()
        self.sidecar.outcomes["Books"] = outcome(endpoint)
        params = self.press_test(endpoint)
        self.assertEqual((params["type"], params["message"]), ("success", "Connected to Books in 12 ms (15.18)"))
        self.assertFalse(params.get("sticky"))

    def test_a_failure_says_what_happened_and_what_to_do_and_stays(self):
        self.sidecar.outcomes["Books"] = {
            "status": "failed",
            "failure_message": "The server refuses the password",
            "failure_advice": "Type it again",
        }
        params = self.press_test(self.create_endpoint())
        self.assertEqual(
            (params["type"], params["sticky"], params["title"], params["message"]),
            ("danger", True, "Books failed", "The server refuses the password. Type it again."),
        )

    def test_a_degraded_one_is_a_warning_with_its_reason(self):
        self.sidecar.outcomes["Books"] = {"status": "degraded", "latency_ms": 2000, "failure_message": "It is slow"}
        params = self.press_test(self.create_endpoint())
        self.assertEqual((params["type"], params["message"]), ("warning", "It is slow."))

    def test_a_slow_one_is_announced_and_followed(self):
        endpoint = self.create_endpoint()
        params = self.press_test(endpoint)
        self.assertEqual((params["type"], params["message"]), ("info", "Testing Books …"))
        (probe,) = params["next"]["params"]["probes"]
        self.assertEqual(params["next"]["tag"], "insightpulse_follow_probes")
        self.assertEqual((probe["id"], probe["revision"], probe["testing"]), (endpoint.id, 1, True))

    def test_many_are_told_as_a_count(self):
        names = ("Well", "Slow", "Down", "Late")
        statuses = {"Well": "success", "Slow": "degraded", "Down": "failed"}
        self.sidecar.outcomes.update({name: {"status": status} for name, status in statuses.items()})
        params = self.press_test(self.Endpoint.create([{"name": name, "connection_type": "api"} for name in names]))
        self.assertEqual(params["title"], "4 connections tested")
        self.assertEqual(params["message"], "1 connected, 1 degraded, 1 failed, 1 still being tested")
        self.assertEqual(params["type"], "danger")

    def test_every_test_is_a_new_request(self):
        endpoint = self.create_endpoint()
        self.press_test(endpoint)
        self.press_test(endpoint)
        first, second = self.sidecar.payloads("/v1/probes")
        self.assertNotEqual(first["request"], second["request"])

    def test_within_one_http_request_the_same_test_keeps_its_id_and_another_does_not(self):
        endpoint, other = self.create_endpoint(), self.create_endpoint(name="More books")
        with patch.object(sidecar_module, "request", SimpleNamespace()):
            for endpoints in (endpoint, endpoint, other, endpoint + other):
                self.press_test(endpoints)
            endpoint.write({"database_name": "ledger"})
            self.press_test(endpoint)
        ids = [payload["request"] for payload in self.sidecar.payloads("/v1/probes")]
        self.assertEqual(ids[0], ids[1])
        self.assertEqual(len(set(ids)), 4)

    def test_the_wait_is_a_setting_within_bounds(self):
        endpoint = self.create_endpoint()
        for value, wait_ms in (("50", 50), ("99999", 5000), ("-1", 0), ("soon", 300)):
            self.env["ir.config_parameter"].set_param("insightpulse.sidecar_wait_ms", value)
            self.press_test(endpoint)
            self.assertEqual(self.sidecar.payloads("/v1/probes")[-1]["wait_ms"], wait_ms)

    def test_a_sidecar_that_hangs_holds_a_worker_for_no_more_than_agreed(self):
        endpoint = self.create_endpoint()
        self.env["ir.config_parameter"].set_param("insightpulse.sidecar_wait_ms", "0")
        self.sidecar.answers["/v1/probes"] = lambda payload: time.sleep(6) or (200, {"results": []})
        started = time.monotonic()
        with self.assertRaises(UserError), self.assertLogs("odoo.addons.insightpulse_connection_manager"):
            self.press_test(endpoint)
        self.assertLess(time.monotonic() - started, 4)

    def test_a_hostile_servers_text_reaches_the_toast_cut_and_clean(self):
        endpoint = self.create_endpoint()
        hostile = "a\x00b\x1b[31m\u202ec" + "x" * 250_000
        answers = (
            {"status": "failed", "failure_kind": "auth", "failure_message": hostile, "failure_advice": hostile},
            {"status": "degraded", "failure_message": hostile, "failure_advice": hostile, "server_version": hostile},
            {"status": "success", "server_version": hostile},
        )
        for answer in answers:
            self.sidecar.outcomes["Books"] = answer
            with self.subTest(status=answer["status"]):
                toast = str(self.press_test(endpoint))
                self.assertIn("ab[31mcxx", toast)
                self.assertLess(len(toast), 3000)
                for sign in ("\\x00", "\\x1b", "\\u202e", "\x00", "\x1b", "\u202e"):
                    self.assertNotIn(sign, toast)

    def test_an_answer_about_something_else_is_refused(self):
        endpoint = self.create_endpoint()
        good = {"id": endpoint.id, "probe": probe_id(1), "state": "testing"}
        done = {**good, "state": "done", "status": "success"}
        for results in (
            None,
            [],
            [good, good],
            ["text"],
            [{**good, "id": 0}],
            [{**good, "probe": None}],
            [{**good, "probe": "no UUID"}],
            [{**good, "state": []}],
            [{**good, "state": "dreaming"}],
            [{**good, "state": "done"}],
            [{**done, "status": "draft"}],
            [{**done, "status": []}],
            [{**done, "latency_ms": "12"}],
            [{**done, "latency_ms": 1e300}],
            [{**done, "server_version": ["15"]}],
            [{**done, "failure_kind": "<b>"}],
        ):
            self.sidecar.answers["/v1/probes"] = lambda payload, results=results: (200, {"results": results})
            with self.subTest(results=results), self.assertRaises(SidecarAnswerInvalid):
                self.press_test(endpoint)

    def test_the_rights_come_before_the_sidecar(self):
        endpoint = self.create_endpoint()
        for user in (self.employee, self.sidecar_user):
            with self.assertRaises(AccessError):
                endpoint.with_user(user).action_test_connection()
        self.assertFalse(self.sidecar.calls)

    def test_another_companys_endpoint_cannot_be_tested(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        endpoint = self.create_endpoint().sudo()
        endpoint.company_id = company
        with self.assertRaises(AccessError):
            endpoint.with_user(self.manager).action_test_connection()
        self.assertFalse(self.sidecar.calls)

    def test_nothing_selected_is_said(self):
        with self.assertRaises(UserError):
            self.Endpoint.action_test_connection()
