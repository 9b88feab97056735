from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.insightpulse_connection_manager.exceptions import SidecarAnswerInvalid, SidecarProblem

from .common import CANARY, ConnectionCase

FOUND = {
    "name": "Books",
    "kind": "postgresql",
    "base_url": "db.example",
    "port": 5433,
    "username": "reader",
    "database_name": "books",
    "password": CANARY,
    "api_key": None,
}


@tagged("post_install", "-at_install")
class TestPaste(ConnectionCase):
    def answer(self, *connections, variables=()):
        self.sidecar.answers["/v1/parse"] = lambda payload: (
            200,
            {"connections": list(connections), "variables": list(variables)},
        )

    def test_the_first_connection_becomes_the_values_of_a_record(self):
        self.answer(FOUND, {"kind": "mcp"})
        values = self.Endpoint.parse_connection_string("postgresql://…")
        expected = {**FOUND, "connection_type": "postgresql"}
        del expected["kind"], expected["api_key"]
        self.assertEqual(values, expected)
        endpoint = self.Endpoint.create(values)
        self.assertEqual((endpoint.port, endpoint.password), (5433, "••••••••"))

    def test_all_connections_can_be_had(self):
        self.answer(FOUND, {"kind": "mcp", "base_url": "https://mcp.example"})
        self.assertEqual(
            self.Endpoint.parse_connection_strings("…")[1],
            {"connection_type": "mcp", "base_url": "https://mcp.example"},
        )

    def test_what_this_addon_does_not_know_is_left_out(self):
        self.answer({"kind": "quantum", "uuid": "x", "status": "success", "name": "Books"})
        self.assertEqual(self.Endpoint.parse_connection_string("…"), {"name": "Books"})

    def test_a_text_without_a_connection_says_so(self):
        self.answer(variables=[["RIM", CANARY]])
        with self.assertRaisesRegex(UserError, "tells of no connection"):
            self.Endpoint.parse_connection_string("RIM=…")
        for text in ("", "  \n", None, 7, [CANARY]):
            with self.subTest(text=text), self.assertRaisesRegex(ValidationError, "Paste a connection string"):
                self.Endpoint.parse_connection_string(text)

    def test_an_unreadable_text_gets_the_sidecars_sentence(self):
        problem = {"code": "unreadable_text", "title": "Unreadable", "detail": "This is neither a URI nor a file."}
        self.sidecar.answers["/v1/parse"] = lambda payload: (422, problem)
        with (
            self.assertLogs("odoo.addons.insightpulse_connection_manager", "WARNING") as logs,
            self.assertRaisesRegex(SidecarProblem, "^This is neither a URI nor a file.$"),
        ):
            self.Endpoint.parse_connection_string(CANARY)
        self.assertNotIn(CANARY, str(logs.output))

    def test_an_answer_of_another_shape_is_refused(self):
        for answer in ({}, {"connections": [1], "variables": []}, {"connections": [], "variables": [["a"]]}):
            self.sidecar.answers["/v1/parse"] = lambda payload, answer=answer: (200, answer)
            with self.subTest(answer=answer), self.assertRaises(SidecarAnswerInvalid):
                self.Endpoint.parse_connection_string("…")

    def test_an_employee_is_refused_before_anything_is_asked(self):
        for method in ("parse_connection_string", "parse_connection_strings"):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(self.Endpoint.with_user(self.employee), method)(CANARY)
        self.assertFalse(self.sidecar.calls)

    def test_a_paste_puts_no_port_in_the_place_of_the_one_that_it_has(self):
        """As the browser does: the kind first, then the rest."""
        specification = {name: {} for name in ("connection_type", "port", "tls_mode", "base_url")}
        values = self.Endpoint.onchange({}, [], specification)["value"]
        values |= {"connection_type": "mysql"}
        values |= self.Endpoint.onchange(values, ["connection_type"], specification)["value"]
        self.assertEqual(values["port"], 3306)
        values |= {"port": 5432, "base_url": "db.example"}
        values |= self.Endpoint.onchange(values, ["port", "base_url"], specification)["value"]
        self.assertEqual((values["port"], values["connection_type"]), (5432, "mysql"))
