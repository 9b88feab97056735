from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged

from .common import CANARY, ConnectionCase, outcome


@tagged("post_install", "-at_install")
class TestRebind(ConnectionCase):
    def entries(self, action):
        return self.env["insightpulse.audit.entry"].search([("action", "=", action)])

    def test_an_administrator_moves_an_endpoint_with_its_secrets(self):
        endpoint = self.create_endpoint(password="x", api_key="y").with_user(self.admin)
        self.apply(outcome(endpoint))
        before, revision = endpoint.sudo().password_token, endpoint.revision
        self.sidecar.calls.clear()
        endpoint.rebind({"base_url": "new.example", "port": 6432})
        (payload,) = self.sidecar.payloads("/v1/rebind")
        places = [(item["field"], item["from"]["base_url"], item["to"]["base_url"]) for item in payload["items"]]
        self.assertEqual(places, [(name, "db.example", "new.example") for name in ("password", "api_key")])
        self.assertEqual((endpoint.base_url, endpoint.port, endpoint.username), ("new.example", 6432, "reader"))
        self.assertNotEqual(endpoint.sudo().password_token, before)
        self.assertTrue(endpoint.password and endpoint.api_key)
        self.assertEqual((endpoint.status, endpoint.revision), ("draft", revision + 1))
        entry = self.entries("rebind")
        self.assertEqual((entry.login, entry.res_id), (self.admin.login, endpoint.id))
        self.assertIn("db.example", entry.detail)
        self.assertIn("new.example", entry.detail)
        self.assertFalse(self.entries("secret_cleared"))

    def test_a_manager_does_not(self):
        endpoint = self.create_endpoint(password="x")
        for attempt in (lambda: endpoint.rebind({"base_url": "evil.example"}), endpoint.action_rebind):
            with self.assertRaises(AccessError):
                attempt()
        self.assertEqual(endpoint.base_url, "db.example")

    def test_no_context_from_outside_keeps_a_secret(self):
        for marker in (True, "REBINDING", {}, []):
            endpoint = self.create_endpoint(password="x")
            endpoint = endpoint.with_context(insightpulse_rebinding=marker, insightpulse_losing=marker)
            endpoint.write({"base_url": "evil.example"})
            self.assertFalse(endpoint.password)

    def test_a_secret_that_does_not_open_stops_the_move(self):
        endpoint = self.create_endpoint(password="x").with_user(self.admin)
        self.sidecar.answers["/v1/rebind"] = lambda payload: (200, {"results": [{"token": None, "error": "Not here."}]})
        with self.assertRaises(UserError) as refused:
            endpoint.rebind({"base_url": "new.example"})
        self.assertIn("Not here.", str(refused.exception))
        self.assertEqual(endpoint.base_url, "db.example")
        self.assertFalse(self.entries("rebind"))

    def test_only_a_destination_is_moved(self):
        endpoint = self.create_endpoint(password="x").with_user(self.admin)
        for vals in ({"name": "x"}, {"password": "x"}, {"password_token": "x"}, {"company_id": False}):
            with self.assertRaises(ValidationError):
                endpoint.rebind(vals)
        with self.assertRaisesRegex(ValidationError, "looks as if it had a password"):
            endpoint.rebind({"base_url": f"user:{CANARY}@new.example"})

    def test_without_secrets_it_is_a_plain_move(self):
        endpoint = self.create_endpoint().with_user(self.admin)
        endpoint.rebind({"base_url": "new.example"})
        self.assertEqual(endpoint.base_url, "new.example")
        self.assertFalse(self.sidecar.payloads("/v1/rebind"))

    def test_the_dialog_begins_with_what_is_there(self):
        endpoint = self.create_endpoint(password="x").with_user(self.admin)
        action = endpoint.action_rebind()
        wizard = Form(self.env[action["res_model"]].with_user(self.admin).with_context(**action["context"]))
        self.assertEqual((wizard.base_url, wizard.port, wizard.username), ("db.example", 5432, "reader"))
        wizard.base_url = "new.example"
        wizard.save().action_move()
        self.assertEqual(endpoint.base_url, "new.example")
        self.assertTrue(endpoint.password)

    def test_an_import_says_before_it_saves_which_secrets_it_costs(self):
        endpoint = self.create_endpoint(password="x")
        kept = self.create_endpoint(name="Kept", password="x")
        ids = [record.sudo().export_data(["id"])["datas"][0][0] for record in (endpoint, kept)]
        result = self.Endpoint.load(
            ["id", "base_url", "name"], [[ids[0], "new.example", "Books"], [ids[1], "db.example", "Kept more"]]
        )
        (message,) = result["messages"]
        self.assertEqual(message["type"], "warning")
        self.assertIn("Books", message["message"])
        self.assertNotIn("Kept", message["message"])
        self.assertFalse(endpoint.password)
        self.assertTrue(kept.password)

    def test_another_module_that_copies_gets_no_secret(self):
        endpoint = self.create_endpoint(password="x", api_key="y")
        for copy in (endpoint.copy(), endpoint.sudo().copy({"base_url": "evil.example"}), endpoint.copy({"name": "x"})):
            self.assertEqual((copy.password, copy.api_key), (False, False))
        self.assertFalse({"password", "api_key", "password_token", "uuid"} & set(endpoint.copy_data()[0]))


@tagged("post_install", "-at_install")
class TestReveal(ConnectionCase):
    def entries(self, action):
        return self.env["insightpulse.audit.entry"].search([("action", "=", action)])

    def test_an_administrator_sees_the_secrets_and_it_is_logged(self):
        endpoints = (self.create_endpoint(password="x") + self.create_endpoint(name="More")).with_user(self.admin)
        self.assertIn(CANARY, endpoints.render_config("env", reveal=True)["content"])
        entries = self.entries("reveal")
        self.assertEqual(set(entries.mapped("record_name")), {"Books", "More"})
        self.assertEqual(set(entries.mapped("file_format")), {"env"})
        self.assertEqual(set(entries.mapped("login")), {self.admin.login})

    def test_what_is_not_revealed_is_not_logged(self):
        endpoint = self.create_endpoint(password="x").with_user(self.admin)
        self.assertNotIn(CANARY, endpoint.render_config("env")["content"])
        self.assertFalse(self.entries("reveal"))

    def test_a_manager_sees_nothing_and_is_logged(self):
        endpoint = self.create_endpoint(password="x")
        self.sidecar.calls.clear()
        for attempt in (
            lambda: endpoint.render_config("env", reveal=True),
            lambda: endpoint.get_connect_texts(reveal=True),
        ):
            self.assertTrue(self.is_refused(attempt))
        self.assertFalse(self.sidecar.calls)
        self.assertEqual(self.entries("denied").mapped("login"), [self.manager.login])

    def is_refused(self, attempt):
        """Unlike assertRaises, this does not roll back: an entry is written apart only outside of tests."""
        try:
            attempt()
        except AccessError:
            return True
        return False

    def test_an_administrator_of_another_company_sees_nothing(self):
        endpoint = self.create_endpoint(password="x")
        company = self.env["res.company"].create({"name": "Elsewhere"})
        endpoint.sudo().company_id = company
        self.sidecar.calls.clear()
        with self.assertRaises(AccessError):
            endpoint.with_user(self.admin).render_config("env", reveal=True)
        self.assertFalse(self.sidecar.calls)

    def test_code_of_another_module_gets_a_secret_by_its_right_and_is_logged(self):
        endpoint = self.create_endpoint(password="x").with_user(self.admin)
        self.assertEqual(endpoint._get_secret("password"), CANARY)
        self.assertEqual(
            (self.entries("secret_read").login, self.entries("secret_read").detail), (self.admin.login, "password")
        )
        # A scheduled job answers for itself, and the log says whose job it was.
        self.assertEqual(endpoint.with_user(self.manager).sudo()._get_secret("api_key"), CANARY)
        self.assertIn(self.manager.login, self.entries("secret_read").mapped("login"))

    def test_code_of_another_module_gets_nothing_without_a_right(self):
        endpoint = self.create_endpoint(password="x")
        self.sidecar.calls.clear()
        with self.assertRaises(AccessError):
            endpoint._get_secret("password")
        with self.assertRaises(ValidationError):
            endpoint.sudo()._get_secret("name")
        self.assertFalse(self.sidecar.calls)

    def test_a_secret_that_does_not_open_is_explained_to_that_code(self):
        endpoint = self.create_endpoint(password="x").sudo()
        self.sidecar.answers["/v1/open"] = lambda payload: (200, {"results": [{"secret": None, "error": "Not here."}]})
        with self.assertRaisesRegex(UserError, "Books: Not here."):
            endpoint._get_secret("password")
        self.sidecar.answers["/v1/open"] = lambda payload: (200, {"results": [{"secret": None, "error": None}]})
        self.assertFalse(endpoint._get_secret("api_key"))


@tagged("post_install", "-at_install")
class TestKeys(ConnectionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.AsSidecar = cls.env["insightpulse.connection.endpoint"].with_user(cls.sidecar_user)

    def sealed(self, key, number):
        """Endpoints whose password is sealed with that key."""
        self.sidecar.answers["/v1/seal"] = lambda payload: (
            200,
            {"tokens": [f"ip1.{key}.token{item['endpoint']['record'].replace('-', '')}" for item in payload["items"]]},
        )
        values = {"connection_type": "postgresql", "base_url": "db.example", "password": "x"}
        return self.Endpoint.create([{**values, "name": f"{key} {place}"} for place in range(number)])

    def test_what_another_key_sealed_is_read_in_pages(self):
        old, new = self.sealed("k-old", 5), self.sealed("k-new", 2)
        old[0].active = False
        old[1].sudo().company_id = self.env["res.company"].create({"name": "Elsewhere"})
        first = self.AsSidecar.sealed_secrets(0, 3, "k-new")
        self.assertEqual([endpoint["id"] for endpoint in first], old.ids[:3])
        rest = self.AsSidecar.sealed_secrets(first[-1]["id"], 3, "k-new")
        self.assertEqual([endpoint["id"] for endpoint in rest], old.ids[3:])
        self.assertEqual(self.AsSidecar.sealed_secrets(rest[-1]["id"], 3, "k-new"), [])
        everything = self.AsSidecar.sealed_secrets(0, 1000, False)
        self.assertEqual([endpoint["id"] for endpoint in everything], sorted(old.ids + new.ids))
        self.assertEqual(first[0]["password"], old[0].sudo().password_token)

    def test_tokens_are_counted_by_key(self):
        self.sealed("k-old", 3)
        self.sealed("k-new", 2)
        self.assertEqual(self.AsSidecar.count_sealed_secrets(), {"k-old": 3, "k-new": 2})

    def test_a_token_is_exchanged_only_for_the_one_that_was_read(self):
        endpoint, changed = self.sealed("k-old", 2)
        self.apply(outcome(endpoint))
        items = [
            {
                "id": record.id,
                "field": "password",
                "old": record.sudo().password_token,
                "new": f"ip1.k-new.n{record.id}",
            }
            for record in (endpoint, changed)
        ]
        self.sealed("k-other", 0)
        changed.write({"password": "y"})
        before = (endpoint.revision, endpoint.status, endpoint.write_date)
        self.assertEqual(self.AsSidecar.apply_resealed(items), {"changed": 1, "skipped": 1})
        self.assertEqual(endpoint.sudo().password_token, f"ip1.k-new.n{endpoint.id}")
        self.assertTrue(changed.sudo().password_token.startswith("ip1.k-other."))
        self.assertEqual((endpoint.revision, endpoint.status, endpoint.write_date), before)
        entry = self.env["insightpulse.audit.entry"].search([("action", "=", "reseal")])
        self.assertEqual(entry.detail, "1: k-old → k-new")
        self.assertEqual(self.AsSidecar.apply_resealed(items)["changed"], 0)

    def test_what_is_no_token_is_refused(self):
        endpoint = self.sealed("k-old", 1)
        item = {"id": endpoint.id, "field": "password", "old": endpoint.sudo().password_token, "new": "ip1.k-new.x"}
        for broken in (
            {**item, "new": "plaintext"},
            {**item, "new": ""},
            {**item, "field": "name"},
            {**item, "id": "1"},
            {**item, "old": None},
            "item",
        ):
            with self.subTest(item=broken), self.assertRaises(ValidationError):
                self.AsSidecar.apply_resealed([broken])
        with self.assertRaises(ValidationError):
            self.AsSidecar.sealed_secrets(0, 10, "%' OR 1=1 --")

    def test_nobody_else_asks_for_tokens(self):
        for user in (self.manager, self.admin, self.employee, self.env.ref("base.user_admin")):
            endpoints = self.Endpoint.with_user(user)
            for ask in (
                lambda endpoints=endpoints: endpoints.sealed_secrets(0, 10, False),
                lambda endpoints=endpoints: endpoints.apply_resealed([]),
                lambda endpoints=endpoints: endpoints.count_sealed_secrets(),
            ):
                with self.subTest(user=user.login), self.assertRaises(AccessError):
                    ask()
