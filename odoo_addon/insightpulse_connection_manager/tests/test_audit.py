from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from .common import CANARY, ConnectionCase


@tagged("post_install", "-at_install")
class TestAudit(ConnectionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Entries = cls.env["insightpulse.audit.entry"]

    def logged(self, action="pair"):
        self.Entries._log(action, detail="before")
        return self.Entries.search([("action", "=", action)], limit=1)

    def test_nobody_writes_or_deletes_an_entry(self):
        entry = self.logged()
        values = {"action": "pair", "date": fields.Datetime.now(), "detail": "forged"}
        for user in (self.env.ref("base.user_root"), self.env.ref("base.user_admin"), self.admin, self.manager):
            for sudo in (False, True):
                entries = entry.with_user(user).sudo(sudo)
                attempts = {
                    "create": lambda entries=entries: entries.create(values),
                    "write": lambda entries=entries: entries.write({"detail": "forged"}),
                    "assign": lambda entries=entries: setattr(entries, "detail", "forged"),
                    "web_save": lambda entries=entries: entries.web_save({"detail": "forged"}, {}),
                    "unlink": lambda entries=entries: entries.unlink(),
                    "copy": lambda entries=entries: entries.copy(),
                    "name_create": lambda entries=entries: entries.name_create("pair"),
                }
                for name, attempt in attempts.items():
                    with self.subTest(user=user.login, sudo=sudo, attempt=name):
                        with self.assertRaises(UserError):
                            attempt()
                        self.env.invalidate_all()
                        self.assertEqual(entry.detail, "before")
                loaded = entries.load(["action", "date", "detail"], [["pair", "2026-01-01", "forged"]])
                self.assertFalse(loaded["ids"])
        self.assertFalse(self.Entries.search([("detail", "=", "forged")]))

    def test_administrators_read_the_entries_of_their_companies(self):
        entry = self.logged()
        self.assertEqual(entry.with_user(self.admin).read(["detail"])[0]["detail"], "before")
        for user in (self.manager, self.employee, self.sidecar_user):
            with self.assertRaises(AccessError):
                entry.with_user(user).read(["detail"])
        company = self.env["res.company"].create({"name": "Elsewhere"})
        self.Entries.with_company(company)._log("unpair")
        self.assertFalse(self.Entries.with_user(self.admin).search([("action", "=", "unpair")]))

    def test_an_entry_outlives_its_record_and_its_user(self):
        endpoint = self.create_endpoint(password="x")
        endpoint.with_user(self.admin).unlink()
        entry = self.Entries.search([("action", "=", "secret_set")], limit=1)
        self.assertEqual((entry.record_name, entry.login), ("Books", self.manager.login))
        self.assertEqual(entry.display_name, "Secret set: Books")

    def test_secrets_that_are_set_and_cleared_are_logged_without_them(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        endpoint.write({"password": False})
        endpoint.write({"base_url": "new.example"})
        entries = self.Entries.search([("res_id", "=", endpoint.id)], order="id")
        self.assertEqual(
            [(entry.action, entry.detail) for entry in entries],
            [("secret_set", "password, api_key"), ("secret_cleared", "password"), ("secret_cleared", "api_key")],
        )
        self.env.cr.execute("SELECT string_agg(entry::text, '') FROM insightpulse_audit_entry entry")
        self.assertNotIn(CANARY, self.env.cr.fetchone()[0])

    def test_many_secrets_cost_one_statement(self):
        values = {"connection_type": "api", "base_url": "https://api.example", "password": "x"}
        self.Endpoint.create([{**values, "name": f"Many {number}"} for number in range(50)])
        self.assertEqual(self.Entries.search_count([("action", "=", "secret_set")]), 50)

    def test_a_refused_attempt_is_logged_once_a_minute(self):
        endpoint = self.create_endpoint()
        for _attempt in range(3):
            error = None
            try:
                endpoint.with_user(self.manager).check_access("unlink")
            except AccessError as caught:
                error = caught
            self.assertTrue(error)
        entry = self.Entries.search([("action", "=", "denied")])
        self.assertEqual((entry.login, entry.res_id), (self.manager.login, endpoint.id))
        self.assertIn("unlink", entry.detail)

    def test_what_is_older_than_the_retention_is_forgotten(self):
        old, new = self.logged(), self.logged("unpair")
        self.env.cr.execute(
            "UPDATE insightpulse_audit_entry SET date = %s WHERE id = %s",
            [fields.Datetime.now() - timedelta(days=731), old.id],
        )
        self.Entries._gc_entries()
        self.assertEqual((old | new).exists(), new)

    def test_retention_is_a_setting_with_a_least_and_its_change_is_logged(self):
        settings = self.env["res.config.settings"].with_user(self.env.ref("base.user_admin"))
        with self.assertRaisesRegex(ValidationError, "at least 30 days"):
            settings.create({"insightpulse_audit_retention_days": 7}).execute()
        settings.create({"insightpulse_audit_retention_days": 90}).execute()
        self.assertEqual(self.Entries._retention_days(), 90)
        self.assertEqual(self.Entries.search([("action", "=", "retention")]).detail, "730 → 90")
        settings.create({"insightpulse_audit_retention_days": 0}).execute()
        self.assertEqual(self.Entries._retention_days(), 0)
        old = self.logged()
        self.env.cr.execute("UPDATE insightpulse_audit_entry SET date = '2000-01-01' WHERE id = %s", [old.id])
        self.Entries._gc_entries()
        self.assertTrue(old.exists())
