import json
from unittest.mock import patch

from odoo.exceptions import ConcurrencyError
from odoo.tests import HttpCase, tagged

from odoo.addons.insightpulse_connection_manager.models.connection_endpoint_probing import (
    ConnectionEndpointProbing,
)

from .common import CANARY, ConnectionMixin, outcome


@tagged("post_install", "-at_install")
class TestWeb(ConnectionMixin, HttpCase):
    def call(self, method, *args, **kwargs):
        params = {"model": "insightpulse.connection.endpoint", "method": method, "args": args, "kwargs": kwargs}
        response = self.url_open(
            f"/web/dataset/call_kw/insightpulse.connection.endpoint/{method}",
            data=json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}),
            headers={"Content-Type": "application/json"},
        )
        return response.json()

    def test_a_request_that_odoo_runs_again_keeps_its_id(self):
        endpoint = self.create_endpoint()
        self.authenticate("ip_manager", "ip_manager")
        real, conflicts = ConnectionEndpointProbing._notify_one, iter([True])

        def conflict_once(records, results):
            if next(conflicts, False):
                raise ConcurrencyError("a conflict")
            return real(records, results)

        with (
            patch.object(ConnectionEndpointProbing, "_notify_one", conflict_once),
            patch("odoo.service.model.time.sleep"),
        ):
            answer = self.call("action_test_connection", endpoint.ids)
        self.assertEqual(answer["result"]["params"]["type"], "info")
        first, second = self.sidecar.payloads("/v1/probes")
        self.assertEqual(first["request"], second["request"])

    def test_two_clicks_are_two_requests(self):
        endpoint = self.create_endpoint()
        self.authenticate("ip_manager", "ip_manager")
        for _click in range(2):
            self.call("action_test_connection", endpoint.ids)
        first, second = self.sidecar.payloads("/v1/probes")
        self.assertNotEqual(first["request"], second["request"])

    def test_an_error_of_the_sidecar_reaches_the_browser_as_a_message(self):
        endpoint = self.create_endpoint()
        self.set_up_sidecar("http://127.0.0.1:9")
        self.authenticate("ip_manager", "ip_manager")
        with self.assertLogs("odoo.addons.insightpulse_connection_manager"):
            error = self.call("write", endpoint.ids, {"password": CANARY})["error"]
        self.assertIn("does not answer", error["data"]["message"])
        self.assertEqual(error["data"]["context"]["exception_class"], "insightpulse_connection_manager.SidecarError")
        self.assertNotIn(CANARY, json.dumps(error))

    def test_saving_a_form_sends_no_health_and_reads_a_mask(self):
        endpoint = self.create_endpoint(password=CANARY)
        self.authenticate("ip_manager", "ip_manager")
        specification = {"name": {}, "password": {}, "status": {}}
        saved = self.call("web_save", endpoint.ids, {"name": "Saved"}, specification=specification)["result"][0]
        self.assertEqual((saved["name"], saved["password"], saved["status"]), ("Saved", "••••••••", "draft"))

    def test_private_methods_are_out_of_reach(self):
        endpoint = self.create_endpoint()
        self.authenticate("admin", "admin")
        for method in ("_write_protected", "_apply_outcomes", "_prepare_endpoints", "_seal_secrets"):
            self.assertIn("error", self.call(method, endpoint.ids, {"status": "success"}))
        self.assertEqual(endpoint.status, "draft")

    def test_javascript(self):
        """Run the suite below static/tests, and no other addon's."""
        suite = 0
        for character in "@insightpulse_connection_manager":
            suite = (suite * 31 + ord(character)) & 0xFFFFFFFF  # hoot's own hash
        self.browser_js(
            f"/web/tests?headless&loglevel=2&preset=desktop&timeout=15000&id={suite:08x}",
            "",
            "",
            login="admin",
            timeout=600,
            success_signal="[HOOT] Test suite succeeded",
            error_checker=lambda message: "[HOOT]" not in message,
        )

    def test_the_board_shows_cards_and_test_tells_the_result(self):
        self.env["insightpulse.connection.endpoint"].search([]).unlink()
        endpoint = self.create_endpoint()
        self.sidecar.outcomes["Books"] = outcome(endpoint)
        self.browser_js(
            "/odoo/connections",
            """
            (async () => {
                const found = async (selector, text = "") => {
                    for (let tries = 0; tries < 100; tries++) {
                        const elements = [...document.querySelectorAll(selector)];
                        const element = elements.find((el) => el.textContent.includes(text));
                        if (element) {
                            return element;
                        }
                        await new Promise((resolve) => setTimeout(resolve, 50));
                    }
                    throw new Error(`no ${selector} with ${text}`);
                };
                await found(".o_insightpulse_card .o_insightpulse_status_draft", "Not tested");
                (await found(".o_insightpulse_card .o_insightpulse_test")).click();
                await found(".o_notification", "Connected to Books in 12 ms (15.18)");
                console.log("test successful");
            })();
            """,
            ready="Boolean(document.querySelector('.o_insightpulse_card'))",
            login="ip_manager",
        )
