from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from odoo.addons.insightpulse_connection_manager.exceptions import SidecarProblem

from .common import ConnectionCase

TEXTS = ("connection_string", "env_vars", "docker_compose")


@tagged("post_install", "-at_install")
class TestConfigurations(ConnectionCase):
    def test_the_three_texts_cost_one_call_each_for_all_records(self):
        endpoints = self.create_endpoint() + self.create_endpoint(name="More books")
        values = endpoints.read(TEXTS)
        self.assertEqual([call.payload["format"] for call in self.sidecar.calls], ["uri", "env", "compose"])
        self.assertFalse(any(call.payload["combine"] for call in self.sidecar.calls))
        self.assertEqual(values[1]["env_vars"], "env of More books")

    def test_the_texts_follow_a_change(self):
        endpoint = self.create_endpoint()
        self.assertEqual(endpoint.connection_string, "uri of Books")
        endpoint.name = "Ledger"
        self.assertEqual(endpoint.connection_string, "uri of Ledger")

    def test_without_a_sidecar_there_are_no_texts_and_no_error(self):
        endpoint = self.create_endpoint()
        self.env["ir.config_parameter"].sudo().set_param("insightpulse.sidecar_url", False)
        self.assertEqual([endpoint[name] for name in TEXTS], [False, False, False])

    def test_a_dead_sidecar_is_asked_once_and_not_three_times(self):
        endpoint = self.create_endpoint()
        self.set_up_sidecar("http://127.0.0.1:9")
        with self.assertLogs("odoo.addons.insightpulse_connection_manager", "WARNING") as logs:
            self.assertEqual([endpoint[name] for name in TEXTS], [False, False, False])
        self.assertEqual(len(logs.output), 1)

    def test_render_config_returns_a_document(self):
        document = self.create_endpoint().render_config("uri")
        self.assertEqual(document, {"filename": "file.txt", "mimetype": "text/plain", "content": "uri of Books"})

    def test_render_config_combines_many(self):
        endpoints = self.create_endpoint() + self.create_endpoint(name="More books")
        self.assertEqual(endpoints.render_config("env")["content"], "env of Books\nenv of More books")

    def test_a_format_that_the_kind_has_no_use_for_says_so(self):
        endpoint = self.create_endpoint()
        problem = {"code": "unknown_format", "title": "Unknown format", "detail": "It has: uri, env"}
        self.sidecar.answers["/v1/render"] = lambda payload: (422, problem)
        with self.assertRaisesRegex(SidecarProblem, "It has: uri, env") as raised:
            endpoint.render_config("mongodb-uri")
        self.assertEqual(raised.exception.code, "unknown_format")

    def test_a_format_is_a_name(self):
        for file_format in (None, "", 5, ["uri"], "x" * 100):
            with self.assertRaises(ValidationError):
                self.create_endpoint().render_config(file_format)
        self.assertFalse(self.sidecar.calls)

    def test_a_manager_may_not_reveal(self):
        with self.assertRaises(AccessError):
            self.create_endpoint().render_config("uri", reveal=True)

    def test_who_may_not_see_an_endpoint_gets_no_configuration(self):
        with self.assertRaises(AccessError):
            self.create_endpoint().with_user(self.employee).render_config("uri")
        self.assertFalse(self.sidecar.calls)

    def test_the_env_file_has_all_that_the_user_may_read_and_nothing_else(self):
        self.env["insightpulse.connection.endpoint"].search([]).unlink()
        company = self.env["res.company"].create({"name": "Elsewhere"})
        self.create_endpoint()
        self.create_endpoint(name="Archived", active=False)
        self.create_endpoint(name="Theirs").sudo().company_id = company
        self.create_endpoint(name="Everybody's", company_id=False)
        self.assertEqual(self.Endpoint.generate_env_file(), "env of Books\nenv of Everybody's")

    def test_the_env_file_of_nothing_is_empty(self):
        self.env["insightpulse.connection.endpoint"].search([]).unlink()
        self.assertEqual(self.Endpoint.generate_env_file(), "")

    def test_the_env_file_is_for_managers(self):
        with self.assertRaises(AccessError):
            self.Endpoint.with_user(self.employee).generate_env_file()
