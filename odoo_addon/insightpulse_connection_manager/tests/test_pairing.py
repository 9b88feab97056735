import logging
from datetime import datetime, timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import file_open

from odoo.addons.insightpulse_connection_manager import exceptions

from .common import CANARY, ConnectionCase

LOGGER = "odoo.addons.insightpulse_connection_manager"


@tagged("post_install", "-at_install")
class TestPairing(ConnectionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Sidecar = cls.env["insightpulse.sidecar"]
        cls.system = cls.env.ref("base.user_admin")

    def pair(self, code="ABCDE-FGHJK"):
        self.Sidecar.with_user(self.system)._pair(self.sidecar.url + "/", "http://odoo:8069", code)

    def parameter(self, name):
        return self.Sidecar._parameter(f"insightpulse.{name}")

    def actions(self):
        entries = self.env["insightpulse.audit.entry"].search([], order="id desc", limit=1)
        return [(entry.action, entry.login) for entry in entries]

    def key_is_valid(self, key):
        return self.env["res.users.apikeys"]._check_credentials(scope="rpc", key=key) == self.sidecar_user.id

    def test_a_code_and_a_key_go_out_and_a_token_is_kept(self):
        self.pair(" abcde fghjk ")
        (call,) = self.sidecar.calls
        self.assertNotIn("Authorization", call.headers)
        self.assertEqual(
            {name: call.payload[name] for name in ("code", "database", "database_name", "odoo_url", "login")},
            {
                "code": "ABCDEFGHJK",
                "database": self.Sidecar._database_uuid(),
                "database_name": self.env.cr.dbname,
                "odoo_url": "http://odoo:8069",
                "login": "insightpulse_sidecar",
            },
        )
        self.assertTrue(self.key_is_valid(call.payload["api_key"]))
        self.assertRegex(call.payload["api_key_expires_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(self.parameter("sidecar_token"), "a-token-of-the-sidecar")
        self.assertEqual(self.parameter("sidecar_url"), self.sidecar.url)
        self.assertEqual(self.parameter("paired_database_uuid"), self.Sidecar._database_uuid())
        self.assertEqual(self.actions(), [("pair", "admin")])

    def test_the_key_lives_as_long_as_its_group_allows(self):
        group = self.env.ref("insightpulse_connection_manager.group_connection_sidecar")
        group.api_key_duration = 7
        self.pair()
        expires_at = datetime.fromisoformat(self.sidecar.calls[-1].payload["api_key_expires_at"][:-1])
        life = expires_at - fields.Datetime.now()
        self.assertTrue(timedelta(days=6, hours=23) < life <= timedelta(days=7), life)

    def test_pairing_again_voids_the_key_of_before(self):
        self.pair()
        self.pair()
        first, second = (call.payload["api_key"] for call in self.sidecar.calls)
        self.assertFalse(self.key_is_valid(first))
        self.assertTrue(self.key_is_valid(second))

    def test_a_refused_code_changes_nothing_and_says_where_to_get_another(self):
        self.pair()
        key, token = self.sidecar.calls[-1].payload["api_key"], self.parameter("sidecar_token")
        problem = {"code": "code_refused", "title": "t", "detail": "d"}
        self.sidecar.answers["/v1/pair"] = lambda payload: (403, problem)
        with self.assertRaisesRegex(UserError, "insightpulse pair") as refused, self.assertLogs(LOGGER):
            self.pair(CANARY)
        self.assertNotIn(CANARY, str(refused.exception))
        self.assertTrue(self.key_is_valid(key))
        self.assertEqual(self.parameter("sidecar_token"), token)
        self.sidecar.answers["/v1/pair"] = lambda payload: (429, {**problem, "code": "too_many_attempts"})
        with self.assertRaisesRegex(UserError, "Wait a minute"), self.assertLogs(LOGGER):
            self.pair()
        self.sidecar.answers["/v1/pair"] = lambda payload: (200, {"token": 5})
        with self.assertRaises(exceptions.SidecarAnswerInvalid):
            self.pair()

    def test_only_a_system_administrator_pairs_and_unpairs(self):
        for user in (self.admin, self.manager, self.employee, self.sidecar_user):
            sidecar = self.Sidecar.with_user(user)
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                sidecar._pair(self.sidecar.url, "http://odoo:8069", "x")
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                sidecar._unpair()
        with self.assertRaises(AccessError):
            self.env["insightpulse.sidecar.pairing"].with_user(self.admin).create({"code": "x"})
        self.assertFalse(self.sidecar.calls)

    def test_an_address_has_to_be_one(self):
        for url in ("", False, "sidecar", "ftp://sidecar", "http://user:word@host", "unix://host/x"):
            with self.subTest(url=url), self.assertRaises(ValidationError):
                self.Sidecar.with_user(self.system)._pair(url, "http://odoo:8069", "x")
        with self.assertRaises(ValidationError):
            self.Sidecar.with_user(self.system)._pair(self.sidecar.url, "unix:///odoo.sock", "x")

    def test_the_dialog_pairs_and_keeps_neither_code_nor_key(self):
        wizard = Form(self.env["insightpulse.sidecar.pairing"].with_user(self.system))
        wizard.sidecar_url, wizard.odoo_url, wizard.code = self.sidecar.url, "http://odoo:8069", CANARY
        with self.assertLogs(level=logging.DEBUG) as logs:
            action = wizard.save().action_pair()
        self.assertEqual(action["params"]["type"], "success")
        self.env.flush_all()
        self.env.cr.execute("SELECT string_agg(wizard::text, '') FROM insightpulse_sidecar_pairing wizard")
        stored = self.env.cr.fetchone()[0]
        key = self.sidecar.calls[-1].payload["api_key"]
        for secret in (CANARY.upper(), CANARY, key, "a-token-of-the-sidecar"):
            self.assertNotIn(secret, stored)
        # Odoo's log of statements has what is written by them: the code, which is used, and the token, which it keeps.
        own = [line for line in logs.output if ":odoo.sql_db:" not in line]
        for secret in (CANARY.upper(), CANARY, "a-token-of-the-sidecar"):
            self.assertNotIn(secret, "\n".join(own))
        self.assertNotIn(key, "\n".join(logs.output))

    def test_unpairing_removes_token_and_keys_and_tells_the_sidecar(self):
        self.pair()
        key = self.sidecar.calls[-1].payload["api_key"]
        action = self.env["res.config.settings"].with_user(self.system).create({}).action_insightpulse_unpair()
        self.assertEqual(action["params"]["type"], "success")
        self.assertEqual(self.sidecar.calls[-1].route, "/v1/unpair")
        self.assertFalse(self.key_is_valid(key))
        self.assertFalse(self.parameter("sidecar_token"))
        self.assertEqual(self.Sidecar._pairing_state(), "none")
        self.assertEqual(self.actions(), [("unpair", "admin")])
        with self.assertRaisesRegex(exceptions.SidecarNotSetUp, "Pair with a sidecar"):
            self.create_endpoint(password="x")

    def test_unpairing_from_a_sidecar_that_is_away_says_what_is_left_to_do(self):
        self.pair()
        self.set_up_sidecar("http://127.0.0.1:9")
        settings = self.env["res.config.settings"].with_user(self.system).create({})
        with self.assertLogs(LOGGER):
            action = settings.action_insightpulse_unpair()
        self.assertEqual(action["params"]["type"], "warning")
        self.assertIn("insightpulse pair remove", action["params"]["message"])
        self.assertFalse(self.parameter("sidecar_token"))

    def test_the_sidecars_user_alone_renews_its_key(self):
        self.pair()
        old = self.sidecar.calls[-1].payload["api_key"]
        renewed = self.Sidecar.with_user(self.sidecar_user).renew_api_key()
        self.assertTrue(self.key_is_valid(renewed["api_key"]))
        self.assertTrue(self.key_is_valid(old), "it is valid until the new one has arrived")
        self.Sidecar.with_user(self.sidecar_user).retire_older_api_keys()
        self.assertTrue(self.key_is_valid(renewed["api_key"]))
        self.assertFalse(self.key_is_valid(old))
        for user in (self.system, self.admin, self.manager, self.employee):
            for method in ("renew_api_key", "retire_older_api_keys"):
                with self.subTest(user=user.login, method=method), self.assertRaises(AccessError):
                    getattr(self.Sidecar.with_user(user), method)()


@tagged("post_install", "-at_install")
class TestCopies(ConnectionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Sidecar = cls.env["insightpulse.sidecar"]
        cls.parameters = cls.env["ir.config_parameter"].sudo()

    def become_a_copy(self):
        """As Odoo's own duplication does: another uuid, and all else as it was."""
        original = self.Sidecar._database_uuid()
        self.parameters.set_param("insightpulse.secrets_database_uuid", original)
        self.parameters.set_param("database.uuid", "00000000-0000-4000-8000-0000000000c0")
        return original

    def test_a_copy_asks_the_originals_sidecar_for_nothing(self):
        endpoint = self.create_endpoint(password="x")
        self.become_a_copy()
        self.sidecar.calls.clear()
        attempts = (
            endpoint.action_test_connection,
            lambda: endpoint.write({"password": "y"}),
            lambda: endpoint.render_config("uri"),
            lambda: endpoint.with_user(self.admin).render_config("uri", reveal=True),
            self.Sidecar._check,
        )
        for attempt in attempts:
            with self.assertRaisesRegex(exceptions.SidecarOfAnotherDatabase, "This database is a copy"):
                attempt()
        self.assertFalse(self.sidecar.calls)
        self.assertEqual(self.Sidecar._pairing_state(), "copy")

    def test_unpairing_a_copy_leaves_the_originals_pairing_alone(self):
        self.become_a_copy()
        self.sidecar.calls.clear()
        settings = self.env["res.config.settings"].with_user(self.env.ref("base.user_admin")).create({})
        action = settings.action_insightpulse_unpair()
        self.assertEqual(action["params"]["type"], "success")
        self.assertFalse(self.sidecar.calls)
        self.assertEqual(self.Sidecar._pairing_state(), "none")

    def test_settings_of_a_copy_say_whose_the_secrets_are(self):
        self.create_endpoint(password="x", api_key="y")
        original = self.become_a_copy()
        settings = self.env["res.config.settings"].create({})
        self.assertEqual(
            (settings.insightpulse_pairing, settings.insightpulse_foreign_database),
            ("copy", original),
        )
        self.assertEqual(settings.insightpulse_foreign_secrets, 2)

    def test_carrying_over_seals_all_secrets_anew_and_is_logged(self):
        endpoint = self.create_endpoint(password="x", api_key="y")
        archived = self.create_endpoint(name="Old", password="x", active=False)
        original = self.become_a_copy()
        self.set_up_sidecar(self.sidecar.url)
        tokens = [endpoint.sudo().password_token, archived.sudo().password_token]
        self.sidecar.calls.clear()
        unopened = self.env["insightpulse.connection.endpoint"].with_user(self.admin)._carry_over_secrets()
        self.assertFalse(unopened)
        (payload,) = self.sidecar.payloads("/v1/rebind")
        self.assertEqual((payload["from_database"], len(payload["items"])), (original, 3))
        self.assertNotIn(endpoint.sudo().password_token, tokens)
        self.assertNotIn(archived.sudo().password_token, tokens)
        self.assertFalse(self.Sidecar._foreign_secrets_database())
        entry = self.env["insightpulse.audit.entry"].search([("action", "=", "carry_over")])
        self.assertEqual(entry.login, self.admin.login)
        self.assertIn(original, entry.detail)

    def test_what_does_not_open_is_left_and_named(self):
        good = self.create_endpoint(name="Good", password="x")
        bad = self.create_endpoint(name="Bad", password="x")
        self.become_a_copy()
        self.set_up_sidecar(self.sidecar.url)
        kept = bad.sudo().password_token
        self.sidecar.answers["/v1/rebind"] = lambda payload: (
            200,
            {
                "results": [
                    {"token": None, "error": "No."}
                    if item["to"]["name"] == "Bad"
                    else {"token": "ip1.k.z", "error": None}
                    for item in payload["items"]
                ]
            },
        )
        settings = self.env["res.config.settings"].with_user(self.env.ref("base.user_admin")).create({})
        action = settings.action_insightpulse_carry_over()
        self.assertEqual(action["params"]["type"], "warning")
        self.assertIn("Bad", action["params"]["message"])
        self.assertNotIn("Good", action["params"]["message"])
        self.assertEqual((good.sudo().password_token, bad.sudo().password_token), ("ip1.k.z", kept))

    def test_without_the_sidecars_leave_the_message_says_how_to_get_it(self):
        self.create_endpoint(password="x")
        original = self.become_a_copy()
        self.set_up_sidecar(self.sidecar.url)
        detail = f"run `insightpulse pair --carry-over-from {original}`"
        problem = {"code": "carry_over_not_permitted", "title": "t", "detail": detail}
        self.sidecar.answers["/v1/rebind"] = lambda payload: (403, problem)
        with self.assertRaisesRegex(UserError, f"--carry-over-from {original}"), self.assertLogs(LOGGER):
            self.env["insightpulse.connection.endpoint"].with_user(self.admin)._carry_over_secrets()

    def test_a_manager_carries_nothing_over(self):
        self.become_a_copy()
        with self.assertRaises(AccessError):
            self.Endpoint._carry_over_secrets()

    def test_a_neutralized_copy_is_cut_off(self):
        self.create_endpoint(password="x")
        self.become_a_copy()
        self.Sidecar._new_api_key()
        with file_open("insightpulse_connection_manager/data/neutralize.sql") as file:
            self.env.cr.execute(file.read())
        self.env.registry.clear_cache()
        self.env.invalidate_all()
        self.assertEqual(self.Sidecar._pairing_state(), "none")
        self.assertFalse(self.env["res.users.apikeys"].search([("user_id", "=", self.sidecar_user.id)]))
        self.assertEqual(self.Sidecar._parameter("insightpulse.monitoring"), "False")
        self.assertFalse(self.Sidecar._parameter("insightpulse.webhook_url"))
        settings = self.env["res.config.settings"].create({})
        self.assertTrue(settings.insightpulse_is_neutralized)
        self.assertTrue(settings.insightpulse_foreign_database)
        self.Sidecar.with_user(self.env.ref("base.user_admin"))._pair(self.sidecar.url, "http://odoo:8069", "x")
        self.assertFalse(self.env["res.config.settings"].create({}).insightpulse_is_neutralized)
