from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from .common import CANARY, ConnectionCase, outcome


@tagged("post_install", "-at_install")
class TestRights(ConnectionCase):
    def test_a_manager_reads_creates_and_edits_and_does_not_delete(self):
        endpoint = self.create_endpoint()
        endpoint.write({"name": "Ledger"})
        self.assertEqual(endpoint.read(["name"])[0]["name"], "Ledger")
        with self.assertRaises(AccessError):
            endpoint.unlink()

    def test_an_administrator_deletes_and_keeps_the_agencies(self):
        self.create_endpoint().with_user(self.admin).unlink()
        agency = self.env["insightpulse.agency"].with_user(self.admin).create({"code": "NEW", "name": "New"})
        with self.assertRaises(AccessError):
            agency.with_user(self.manager).write({"name": "Other"})

    def test_an_employee_sees_no_endpoint_and_no_agency(self):
        endpoint = self.create_endpoint()
        for records in (endpoint, self.env["insightpulse.agency"].search([])):
            for operation in ("read", "write", "create", "unlink"):
                self.assertFalse(records.with_user(self.employee).has_access(operation), operation)

    def test_the_menu_is_for_managers(self):
        menu = self.env.ref("insightpulse_connection_manager.menu_root")
        self.assertIn(menu.id, menu.with_user(self.manager)._visible_menu_ids())
        self.assertNotIn(menu.id, menu.with_user(self.employee)._visible_menu_ids())

    def test_a_manager_sees_the_endpoints_of_his_companies_and_the_shared_ones(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        foreigner = new_test_user(
            self.env,
            "ip_foreigner",
            groups="insightpulse_connection_manager.group_connection_manager",
            company_id=company.id,
            company_ids=company.ids,
        )
        endpoint = self.create_endpoint()
        self.assertFalse(endpoint.with_user(foreigner).has_access("read"))
        self.assertFalse(endpoint.with_user(foreigner).search([("id", "=", endpoint.id)]))
        endpoint.company_id = False
        self.assertTrue(endpoint.with_user(foreigner).has_access("write"))

    def test_an_agency_of_another_company_cannot_own_an_endpoint(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        agency = self.env["insightpulse.agency"].create({"code": "FAR", "name": "Far", "company_id": company.id})
        endpoint = self.create_endpoint().sudo()
        with self.assertRaisesRegex(Exception, "Far|FAR|compan"):
            endpoint.agency_id = agency

    def test_the_sidecars_user_reports_and_does_nothing_else_here(self):
        endpoint = self.create_endpoint()
        self.assertEqual(self.apply(outcome(endpoint))["applied"], endpoint.ids)
        as_sidecar = endpoint.with_user(self.sidecar_user)
        for operation in ("read", "write", "create", "unlink"):
            self.assertFalse(as_sidecar.has_access(operation), operation)
        for method in ("generate_env_file", "get_connection_health_dashboard", "action_test_connection"):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(as_sidecar, method)()
        with self.assertRaises(AccessError):
            as_sidecar.render_config("uri")

    def test_the_sidecars_user_may_not_do_more_than_anybody_elsewhere(self):
        """Compared with a user who has no group at all: what Odoo gives to everyone is not ours to take."""
        nobody = new_test_user(self.env, "ip_nobody", groups="base.group_public")
        nobody.group_ids = [(5,)]
        more = []
        for name in self.env:
            model = self.env[name]
            if model._abstract or model._transient:
                continue
            for operation in ("read", "write", "create", "unlink"):
                if model.with_user(self.sidecar_user).has_access(operation) and not model.with_user(nobody).has_access(
                    operation
                ):
                    more.append((name, operation))
        self.assertFalse(more)

    def test_the_sidecars_user_reads_no_partner_user_or_parameter(self):
        for name in ("res.partner", "res.users", "ir.config_parameter", "res.users.apikeys", "res.company"):
            model = self.env[name].with_user(self.sidecar_user)
            with self.subTest(model=name), self.assertRaises(AccessError):
                model.search_read([("id", "!=", self.sidecar_user.id)], ["display_name"])

    def test_the_sidecars_user_has_no_password_and_no_type(self):
        user = self.sidecar_user
        self.env.cr.execute("SELECT password FROM res_users WHERE id = %s", [user.id])
        self.assertFalse(self.env.cr.fetchone()[0])
        self.assertFalse(user._is_internal() or user._is_portal() or user._is_public())
        self.assertEqual(user.all_group_ids, self.env.ref("insightpulse_connection_manager.group_connection_sidecar"))

    def test_the_sidecars_user_does_not_change_itself(self):
        user = self.sidecar_user
        before = user.name, user.email
        for values in ({"name": "Another"}, {"email": "me@example.com"}, {"company_id": user.company_id.id}, {}):
            with self.subTest(values=values), self.assertRaises(AccessError):
                user.with_user(user).write(values)
        self.assertEqual((user.name, user.email), before)
        self.employee.with_user(self.employee).write({"email": "me@example.com"})

    def test_nobody_gives_the_sidecars_user_a_password(self):
        user = self.sidecar_user.with_user(self.env.ref("base.user_admin"))
        wizard = {"user_ids": [Command.create({"user_id": user.id, "new_passwd": CANARY})]}
        ways = {
            "write": lambda: user.write({"password": CANARY}),
            "method": lambda: user._change_password(CANARY),
            "wizard": lambda: user.env["change.password.wizard"].create(wizard).change_password_button(),
        }
        for way, give in ways.items():
            with self.subTest(way=way):
                with self.assertRaises(UserError) as refused:
                    give()
                self.assertIn("no password, but an API key", str(refused.exception))
                self.assertNotIn(CANARY, str(refused.exception))
        self.env.cr.execute("SELECT password FROM res_users WHERE id = %s", [user.id])
        self.assertFalse(self.env.cr.fetchone()[0])
        self.employee.with_user(user.env.user).password = "another one"

    def test_parameters_of_the_sidecar_are_for_system_administrators(self):
        with self.assertRaises(AccessError):
            self.env["ir.config_parameter"].with_user(self.admin).get_param("insightpulse.sidecar_token")

    def test_the_dashboard_counts_what_the_user_may_read(self):
        self.env["insightpulse.connection.endpoint"].search([]).unlink()
        company = self.env["res.company"].create({"name": "Elsewhere"})
        endpoint = self.create_endpoint()
        self.create_endpoint(name="New", connection_type="api")
        self.create_endpoint(name="Theirs").sudo().company_id = company
        self.apply(outcome(endpoint))
        self.assertEqual(
            self.Endpoint.get_connection_health_dashboard(),
            {
                "total": 2,
                "active": 1,
                "degraded": 0,
                "failed": 0,
                "not_tested": 1,
                "by_type": {"supabase": 0, "postgresql": 1, "odoo": 0, "superset": 0, "mcp": 0, "api": 1},
            },
        )
        with self.assertRaises(AccessError):
            self.Endpoint.with_user(self.employee).get_connection_health_dashboard()
