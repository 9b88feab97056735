import logging
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged

from odoo.addons.insightpulse_connection_manager.exceptions import SidecarUnreachable
from odoo.addons.insightpulse_connection_manager.models.connection_endpoint import SECRET_MASK

from .common import CANARY, ConnectionCase


@tagged("post_install", "-at_install")
class TestSecrets(ConnectionCase):
    def tokens(self, endpoint):
        endpoint = endpoint.sudo()
        return endpoint.password_token, endpoint.api_key_token

    def test_a_secret_is_stored_sealed_and_never_in_plaintext(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        endpoint.write({"password": CANARY + "2"})
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT endpoint::text FROM insightpulse_connection_endpoint endpoint WHERE id = %s", [endpoint.id]
        )
        row = self.env.cr.fetchone()[0]
        self.assertNotIn(CANARY, row)
        self.assertEqual(row.count("ip1.test."), 2)

    def test_a_password_in_the_address_is_refused_and_not_repeated(self):
        for address in (f"https://me:{CANARY}@api.example.com/v1", f"me:{CANARY}@db.example.com", f"//:{CANARY}@db"):
            with self.assertRaisesRegex(ValidationError, "has a password in it") as refused:
                self.create_endpoint(base_url=address)
            self.assertNotIn(CANARY, str(refused.exception))
        for address in ("https://api.example.com:8443/v1?at=a@b", "db.example.com:5432", "::1", "me@db"):
            self.assertEqual(self.create_endpoint(base_url=address).base_url, address)

    def test_a_secret_reads_as_a_mask_for_everybody(self):
        endpoint = self.create_endpoint(password=CANARY)
        for user in (self.manager, self.admin, self.env.ref("base.user_admin")):
            values = endpoint.with_user(user).read(["password", "api_key"])[0]
            self.assertEqual((values["password"], values["api_key"]), (SECRET_MASK, False))
        self.assertEqual(endpoint.sudo().password, SECRET_MASK)

    def test_an_export_has_the_mask(self):
        endpoint = self.create_endpoint(password=CANARY)
        endpoint = endpoint.with_user(self.env.ref("base.user_admin"))
        self.assertEqual(endpoint.export_data(["name", "password"])["datas"], [["Books", SECRET_MASK]])

    def test_nobody_reads_a_token(self):
        endpoint = self.create_endpoint(password=CANARY)
        for user in (self.admin, self.env.ref("base.user_admin")):
            with self.assertRaises(AccessError):
                endpoint.with_user(user).read(["password_token"])
            with self.assertRaises(AccessError):
                endpoint.with_user(user).search([("password_token", "like", "ip1")])

    def test_nobody_writes_a_token(self):
        endpoint = self.create_endpoint()
        with self.assertRaises(UserError):
            endpoint.with_user(self.admin).write({"password_token": "ip1.of.another"})
        with self.assertRaises(UserError):
            self.create_endpoint(password_token="ip1.of.another")
        with self.assertRaises(AccessError):
            self.Endpoint.with_context(default_password_token="ip1.of.another").create(
                {"name": "A", "connection_type": "api"}
            )

    def test_writing_the_mask_back_changes_nothing(self):
        endpoint = self.create_endpoint(password=CANARY)
        before = self.tokens(endpoint), endpoint.revision
        endpoint.write({"password": SECRET_MASK, "api_key": False, "name": "Books of today"})
        self.assertEqual((self.tokens(endpoint), endpoint.revision), before)

    def test_the_mask_creates_no_secret(self):
        self.assertFalse(self.create_endpoint(password=SECRET_MASK).password)

    def test_an_amended_mask_is_refused(self):
        endpoint = self.create_endpoint(password=CANARY)
        with self.assertRaises(ValidationError):
            endpoint.write({"password": SECRET_MASK + "more"})

    def test_an_empty_value_clears(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        endpoint.write({"password": ""})
        self.assertEqual((endpoint.password, endpoint.api_key), (False, SECRET_MASK))

    def test_a_secret_keeps_its_blanks(self):
        self.create_endpoint(password=" pass word ")
        self.assertEqual(self.sidecar.payloads("/v1/seal")[0]["items"][0]["secret"], " pass word ")

    def test_a_batch_is_sealed_by_one_call(self):
        self.Endpoint.create(
            [
                {"name": f"Books {number}", "connection_type": "postgresql", "password": f"{CANARY}{number}"}
                for number in range(20)
            ]
        )
        (payload,) = self.sidecar.payloads("/v1/seal")
        self.assertEqual([item["secret"] for item in payload["items"]], [f"{CANARY}{number}" for number in range(20)])

    def test_one_password_for_many_is_sealed_for_each(self):
        endpoints = self.create_endpoint() + self.create_endpoint(name="More books")
        endpoints.write({"password": CANARY})
        (payload,) = self.sidecar.payloads("/v1/seal")
        self.assertEqual([item["endpoint"]["record"] for item in payload["items"]], endpoints.mapped("uuid"))

    def test_a_secret_is_sealed_for_the_destination_that_is_stored(self):
        endpoint = self.create_endpoint()
        endpoint.write({"base_url": "other.example", "port": 6432, "username": "writer", "password": CANARY})
        (payload,) = self.sidecar.payloads("/v1/seal")
        (item,) = payload["items"]
        self.assertEqual(item["field"], "password")
        self.assertEqual(payload["database"], self.env["ir.config_parameter"].sudo().get_param("database.uuid"))
        bound = ("record", "kind", "base_url", "port", "tls_mode", "username")
        sealed_for = {key: item["endpoint"][key] for key in bound}
        self.assertEqual(
            sealed_for,
            {
                "record": endpoint.uuid,
                "kind": "postgresql",
                "base_url": "other.example",
                "port": 6432,
                "tls_mode": "prefer",
                "username": "writer",
            },
        )

    def test_changing_the_destination_clears_all_secrets(self):
        changes = {
            "connection_type": "supabase",
            "base_url": "evil.example",
            "port": 6432,
            "tls_mode": "disable",
            "username": "postgres",
        }
        for name, value in changes.items():
            with self.subTest(field=name):
                endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
                endpoint.write({name: value})
                self.assertEqual(self.tokens(endpoint), (False, False))

    def test_an_import_that_changes_the_destination_clears_the_secret(self):
        endpoint = self.create_endpoint(password=CANARY)
        result = self.Endpoint.load([".id", "base_url"], [[str(endpoint.id), "evil.example"]])
        self.assertEqual((result["ids"], result["messages"]), (endpoint.ids, []))
        self.assertFalse(endpoint.password)

    def test_changing_the_destination_keeps_the_secret_of_the_same_write_only(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        endpoint.write({"base_url": "other.example", "password": CANARY})
        self.assertEqual((endpoint.password, endpoint.api_key), (SECRET_MASK, False))

    def test_the_mask_does_not_carry_a_secret_to_another_destination(self):
        endpoint = self.create_endpoint(password=CANARY)
        endpoint.write({"base_url": "evil.example", "password": SECRET_MASK})
        self.assertFalse(endpoint.password)

    def test_writing_the_same_destination_keeps_the_secret(self):
        endpoint = self.create_endpoint(password=CANARY, username="")
        endpoint.write({"base_url": "db.example", "port": 5432, "username": False, "connection_type": "postgresql"})
        self.assertEqual(endpoint.password, SECRET_MASK)

    def test_changing_something_else_keeps_the_secret(self):
        endpoint = self.create_endpoint(password=CANARY)
        endpoint.write({"name": "Ledger", "database_name": "ledger", "sequence": 3, "active": False})
        self.assertEqual(endpoint.password, SECRET_MASK)

    def test_a_copy_has_no_secret_and_a_name_of_its_own_in_the_binding(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        copy = endpoint.copy()
        self.assertEqual(self.tokens(copy), (False, False))
        self.assertNotEqual(copy.uuid, endpoint.uuid)

    def test_without_the_sidecar_a_secret_is_not_saved_and_the_record_stays(self):
        endpoint = self.create_endpoint(password=CANARY)
        token = self.tokens(endpoint)
        self.set_up_sidecar("http://127.0.0.1:9")
        with self.assertRaises(SidecarUnreachable), self.assertLogs("odoo.addons.insightpulse_connection_manager"):
            with self.env.cr.savepoint():
                endpoint.write({"password": CANARY, "name": "Lost books"})
        self.assertEqual((self.tokens(endpoint), endpoint.name), (token, "Books"))

    def test_a_secret_is_in_no_log_and_no_error(self):
        endpoint = self.create_endpoint()
        answers = (
            (400, {"code": "malformed_body", "title": "Bad Request", "detail": "no"}),
            (500, b"not JSON " + CANARY.encode()),
            (200, {"tokens": [CANARY, CANARY]}),
        )
        for answer in answers:
            self.sidecar.answers["/v1/seal"] = lambda payload, answer=answer: answer
            with self.assertLogs(level=logging.DEBUG) as logs, self.assertRaises(UserError) as raised:
                logging.getLogger("odoo.addons.insightpulse_connection_manager").debug("assertLogs wants a line")
                endpoint.write({"password": CANARY})
            self.assertNotIn(CANARY, "\n".join(logs.output))
            self.assertNotIn(CANARY, str(raised.exception))

    def test_who_may_not_write_gets_nothing_sealed(self):
        endpoint = self.create_endpoint()
        with self.assertRaises(AccessError):
            endpoint.with_user(self.employee).write({"password": CANARY})
        self.assertFalse(self.sidecar.calls)

    def test_two_records_in_one_write_are_judged_apart(self):
        stays = self.create_endpoint(password=CANARY, base_url="same.example")
        moves = self.create_endpoint(password=CANARY, base_url="other.example")
        (stays + moves).write({"base_url": "same.example"})
        self.assertEqual((stays.password, moves.password), (SECRET_MASK, False))

    def test_the_form_warns_before_a_destination_change_removes_a_secret(self):
        endpoint = self.create_endpoint(password=CANARY)
        with patch("odoo.tests.form._logger") as logger, Form(endpoint) as form:
            form.name = "Renamed"
            self.assertFalse(logger.getChild.called)
            form.base_url = "other.example"
            (warning,) = logger.getChild("onchange").warning.call_args_list
            self.assertIn("Password", warning.args[1]["message"])
        self.assertFalse(endpoint.password)

    def test_the_form_does_not_warn_when_the_secret_is_typed_again(self):
        endpoint = self.create_endpoint(password=CANARY)
        with patch("odoo.tests.form._logger") as logger, Form(endpoint) as form:
            form.password = CANARY
            form.base_url = "other.example"
            self.assertFalse(logger.getChild.called)
        self.assertEqual(endpoint.password, SECRET_MASK)

    def test_the_form_creates_an_endpoint_with_a_secret(self):
        with Form(self.Endpoint) as form:
            form.name = "Typed"
            form.connection_type = "supabase"
            form.base_url = "db.example"
            form.password = CANARY
        endpoint = form.record
        self.assertEqual((endpoint.port, endpoint.tls_mode, endpoint.password), (5432, "require", SECRET_MASK))
