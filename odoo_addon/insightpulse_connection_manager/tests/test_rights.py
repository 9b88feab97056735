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
        dashboard = self.Endpoint.get_connection_health_dashboard()
        self.assertLessEqual({"uptime", "flapping", "paused", "maintenance", "silent", "events"}, dashboard.keys())
        self.assertEqual(
            {name: dashboard[name] for name in ("total", "active", "degraded", "failed", "not_tested", "by_type")},
            {
                "total": 2,
                "active": 1,
                "degraded": 0,
                "failed": 0,
                "not_tested": 1,
                "by_type": {
                    "supabase": 0,
                    "postgresql": 1,
                    "odoo": 0,
                    "superset": 0,
                    "mcp": 0,
                    "api": 1,
                    "mysql": 0,
                    "mongodb": 0,
                },
            },
        )
        with self.assertRaises(AccessError):
            self.Endpoint.with_user(self.employee).get_connection_health_dashboard()


@tagged("post_install", "-at_install")
class TestAgencies(ConnectionCase):
    """People of one agency work with its endpoints, and with no other."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        group = "insightpulse_connection_manager.group_connection_agency"
        cls.person = new_test_user(cls.env, "ip_person", groups=group)
        cls.own, cls.other = cls.env["insightpulse.agency"].create(
            [{"code": "OWN", "name": "Own"}, {"code": "OTH", "name": "Other"}]
        )
        cls.own.member_ids = cls.person
        cls.AsPerson = cls.env["insightpulse.connection.endpoint"].with_user(cls.person)

    def values(self, **values):
        return {"name": "Mine", "connection_type": "api", "base_url": "https://api.example", **values}

    def test_they_see_their_agencys_endpoints_and_no_others(self):
        mine = self.create_endpoint(agency_id=self.own.id)
        theirs, nobodys = self.create_endpoint(agency_id=self.other.id), self.create_endpoint()
        self.assertEqual(self.AsPerson.search([("id", "in", (mine | theirs | nobodys).ids)]), mine)
        self.assertEqual(self.env["insightpulse.agency"].with_user(self.person).search([]), self.own)
        for endpoint in (theirs, nobodys):
            for operation in ("read", "write", "unlink"):
                self.assertFalse(endpoint.with_user(self.person).has_access(operation))
        self.assertTrue(mine.with_user(self.person).has_access("write"))

    def test_what_they_create_is_their_agencys(self):
        endpoint = self.AsPerson.create(self.values(password="x"))
        self.assertEqual(endpoint.agency_id, self.own)
        self.assertEqual(endpoint.password, "••••••••")
        for agency in (self.other.id, False):
            with self.assertRaises(AccessError):
                self.AsPerson.create(self.values(agency_id=agency))

    def test_who_is_in_no_agency_is_told_whom_to_ask(self):
        self.own.member_ids = False
        with self.assertRaisesRegex(UserError, "Configuration → Agencies"):
            self.AsPerson.create(self.values())

    def test_they_hand_no_endpoint_away_and_take_none(self):
        mine = self.create_endpoint(agency_id=self.own.id).with_user(self.person)
        theirs = self.create_endpoint(agency_id=self.other.id).with_user(self.person)
        for agency in (self.other.id, False):
            with self.assertRaises(AccessError):
                mine.write({"agency_id": agency})
            self.assertEqual(mine.agency_id, self.own)
        with self.assertRaises(AccessError):
            theirs.write({"agency_id": self.own.id})
        loaded = self.AsPerson.load([".id", "agency_id/.id"], [[str(mine.id), str(self.other.id)]])
        self.assertFalse(loaded["ids"])
        # Nor by making themselves members.
        with self.assertRaises(AccessError):
            self.other.with_user(self.person).write({"member_ids": [Command.link(self.person.id)]})

    def test_who_joins_or_leaves_an_agency_does_so_at_once(self):
        theirs = self.create_endpoint(agency_id=self.other.id).with_user(self.person)
        self.assertFalse(theirs.has_access("read"))
        self.other.with_user(self.admin).member_ids = [Command.link(self.person.id)]
        self.assertTrue(theirs.has_access("read"))
        # Of two agencies none is the usual one.
        self.assertFalse(self.AsPerson.default_get(["agency_id"]).get("agency_id"))
        self.other.with_user(self.admin).member_ids = [Command.unlink(self.person.id)]
        self.assertFalse(theirs.has_access("read"))

    def test_they_reveal_nothing_even_of_their_own(self):
        mine = self.create_endpoint(agency_id=self.own.id, password="x").with_user(self.person)
        for attempt in (
            lambda: mine.render_config("env", reveal=True),
            lambda: mine.rebind({"base_url": "evil.example"}),
            lambda: mine._get_secret("password"),
            mine.unlink,
        ):
            with self.assertRaises(AccessError):
                attempt()

    def test_agencies_share_no_export(self):
        self.create_endpoint(agency_id=self.own.id)
        self.create_endpoint(agency_id=self.other.id, name="Theirs")
        self.assertNotIn("Theirs", self.AsPerson.generate_env_file())
        total = self.AsPerson.get_connection_health_dashboard()["total"]
        self.assertEqual(total, self.AsPerson.search_count([]))
