from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .common import CANARY, ConnectionCase

AGENCY_GROUP = "insightpulse_connection_manager.group_connection_agency"
TEMPLATE = {
    "name": "{agency} Database",
    "connection_type": "postgresql",
    "base_url": "db.example",
    "port": 5432,
    "tls_mode": "require",
    "database_name": "{agency.lower()}_db",
    "username": "postgres",
}


@tagged("post_install", "-at_install")
class TestAgencies(ConnectionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.agencies = cls.env["insightpulse.agency"].create(
            [{"code": "One", "name": "First Agency"}, {"code": "TWO", "name": "Second Agency"}]
        )
        cls.one, cls.two = cls.agencies
        cls.member = new_test_user(cls.env, "ip_member", groups=AGENCY_GROUP)
        cls.one.member_ids = cls.member

    def setUp(self):
        super().setUp()
        self.variables = []
        self.sidecar.answers["/v1/parse"] = lambda payload: (200, {"connections": [], "variables": self.variables})

    def values(self, **values):
        return {
            "template": TEMPLATE,
            "agency_ids": self.agencies.ids,
            "variable": "{AGENCY}_DB_PASSWORD",
            "passwords": {str(agency.id): f"{CANARY}-{agency.code}" for agency in self.agencies},
            **values,
        }

    def template(self, **values):
        return self.values(template={**TEMPLATE, **values})

    def preview(self, values, user=None):
        return self.Endpoint.with_user(user or self.manager).preview_agency_databases(values)

    def create_databases(self, values, user=None):
        action = self.Endpoint.with_user(user or self.manager).create_agency_databases(values)
        return self.Endpoint.search(action["domain"], order="id")

    def problems(self, values):
        return {line["agency"]: line["problem"] for line in self.preview(values)["lines"]}

    def count(self):
        return self.env["insightpulse.connection.endpoint"].with_context(active_test=False).search_count([])

    # Creating

    def test_the_seeds_example_is_one_call_and_one_sealing(self):
        endpoints = self.create_databases(self.values())
        self.assertEqual(endpoints.mapped("name"), ["One Database", "TWO Database"])
        self.assertEqual(endpoints.mapped("database_name"), ["one_db", "two_db"])
        self.assertEqual(endpoints.agency_id, self.agencies)
        self.assertEqual(set(endpoints.mapped("tls_mode")), {"require"})
        (sealed,) = self.sidecar.payloads("/v1/seal")
        places = [(item["secret"], item["endpoint"]["database_name"]) for item in sealed["items"]]
        self.assertEqual(places, [(f"{CANARY}-One", "one_db"), (f"{CANARY}-TWO", "two_db")])

    def test_the_action_opens_what_was_created_on_the_board(self):
        action = self.Endpoint.create_agency_databases(self.values())
        self.assertEqual((action["res_model"], action["views"][0][1]), (self.Endpoint._name, "kanban"))
        # The board's own address would show these alone from then on.
        self.assertNotIn("path", action)
        self.assertEqual(self.Endpoint.search_count(action["domain"]), 2)

    def test_what_is_left_empty_is_the_usual_of_its_kind(self):
        endpoints = self.create_databases(self.template(port=0, tls_mode="", connection_type="mysql"))
        self.assertEqual({(e.port, e.tls_mode) for e in endpoints}, {(3306, "prefer")})

    def test_a_line_that_does_not_fit_keeps_all_from_being_created(self):
        self.create_endpoint(name="TWO Database")
        before = self.count()
        with self.assertRaisesRegex(
            UserError, "No connection was created.*\n\nTWO: There is a connection of this name"
        ):
            self.create_databases(self.values(without_passwords=True))
        self.assertEqual(self.count(), before)
        self.assertFalse(self.sidecar.payloads("/v1/seal"))

    def test_without_a_sidecar_nothing_is_created(self):
        self.set_up_sidecar("http://127.0.0.1:9")
        before = self.count()
        with self.assertLogs("odoo.addons.insightpulse_connection_manager"), self.assertRaises(UserError):
            with self.env.cr.savepoint():
                self.create_databases(self.values())
        self.assertEqual(self.count(), before)

    def test_a_missing_password_has_to_be_meant(self):
        values = self.values(passwords={str(self.one.id): CANARY})
        with self.assertRaisesRegex(UserError, "TWO has no password"):
            self.create_databases(values)
        endpoints = self.create_databases({**values, "without_passwords": True})
        self.assertEqual([bool(endpoint.password) for endpoint in endpoints], [True, False])

    def test_an_agency_of_a_company_gives_it_to_its_database(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        self.manager.company_ids += company
        self.two.company_id = company
        self.Endpoint = self.Endpoint.with_context(allowed_company_ids=(self.env.company + company).ids)
        endpoints = self.create_databases(self.values())
        self.assertEqual(endpoints.mapped("company_id"), self.env.company + company)

    # Patterns

    def test_every_placeholder_stands_for_its_part_of_the_agency(self):
        pattern = "{agency}|{agency_lower}|{agency.lower()}|{agency.lower}|{AGENCY}|{agency_name}"
        lines = self.preview(self.template(name=pattern))["lines"]
        self.assertEqual(lines[0]["name"], "One|one|one|one|ONE|First Agency")

    def test_a_value_is_not_read_as_a_pattern_again(self):
        self.one.name = "{agency} of %(x)s \\1"
        lines = self.preview(self.template(name="{agency_name}"))["lines"]
        self.assertEqual(lines[0]["name"], "{agency} of %(x)s \\1")

    def test_an_unknown_placeholder_is_an_error_of_its_field(self):
        preview = self.preview(self.template(username="{agency.upper()}"))
        self.assertEqual((preview["lines"], list(preview["errors"])), ([], ["username"]))
        self.assertIn("{agency.upper()} stands for nothing", preview["errors"]["username"])
        with self.assertRaisesRegex(UserError, "stands for nothing"):
            self.create_databases(self.template(username="{agency.upper()}"))

    def test_each_value_that_does_not_fit_is_told_by_its_name(self):
        wrong = {"name": " ", "connection_type": "api", "base_url": "", "port": 70000, "tls_mode": "no"}
        preview = self.preview({**self.template(**wrong, database_name=None), "agency_ids": []})
        self.assertEqual(set(preview["errors"]), {*wrong, "database_name", "agency_ids"})

    def test_a_template_sets_no_other_field(self):
        endpoints = self.create_databases(self.template(sequence=1, api_key=CANARY, status="success"))
        self.assertEqual({(e.sequence, e.api_key, e.status) for e in endpoints}, {(100, False, "draft")})

    # The preview

    def test_the_preview_stores_and_seals_nothing_and_tells_no_password(self):
        before = self.count()
        self.variables = [["TWO", f"{CANARY}-text"]]
        preview = self.preview(self.values(passwords={str(self.one.id): CANARY}, passwords_text="…"))
        self.assertEqual(
            preview["lines"][1],
            {
                "agency_id": self.two.id,
                "agency": "TWO",
                "name": "TWO Database",
                "database_name": "two_db",
                "username": "postgres",
                "has_password": True,
                "variable": "TWO",
                "problem": False,
            },
        )
        self.assertNotIn(CANARY, str(preview))
        self.assertEqual(self.count(), before)
        self.assertFalse(self.sidecar.payloads("/v1/seal"))

    def test_a_database_that_has_a_connection_is_a_problem_of_its_line(self):
        self.create_endpoint(name="Old", base_url="DB.example", database_name="one_db", active=False)
        self.create_endpoint(name="Other port", base_url="db.example", database_name="two_db", port=6543)
        problems = self.problems(self.template(port=0))
        self.assertIn("“Old” is to this database already", problems["One"])
        self.assertFalse(problems["TWO"])

    def test_lines_that_are_alike_are_each_others_problem(self):
        for pattern, message in (({"name": "Same"}, "has this name too"), ({"database_name": "same"}, "this database")):
            for problem in self.problems(self.template(**pattern)).values():
                self.assertIn(message, problem)

    def test_what_a_connection_refuses_is_told_in_the_preview(self):
        for problem in self.problems(self.template(base_url="me:pw@db.example")).values():
            self.assertIn("looks as if it had a password", problem)
        problems = self.problems(self.values(passwords={str(self.one.id): "••••••••x"}))
        self.assertIn("has the dots in it", problems["One"])

    # Passwords from a text

    def test_a_text_gives_passwords_by_the_pattern_and_by_the_bare_code(self):
        self.variables = [["one_db_password", "a"], ["two", "b"], ["BOM_DB_PASSWORD", "c"]]
        values = self.values(passwords={}, passwords_text="the text")
        preview = self.preview(values)
        self.assertEqual([line["variable"] for line in preview["lines"]], ["one_db_password", "two"])
        self.assertEqual(preview["unmatched"], ["BOM_DB_PASSWORD"])
        self.create_databases(values)
        (sealed,) = self.sidecar.payloads("/v1/seal")
        self.assertEqual([item["secret"] for item in sealed["items"]], ["a", "b"])
        self.assertEqual(self.sidecar.payloads("/v1/parse")[0]["text"], "the text")

    def test_what_is_typed_comes_before_the_text(self):
        self.variables = [["TWO", "from the text"], ["TWO_DB_PASSWORD", "another"]]
        values = self.values(passwords={str(self.two.id): "typed"}, passwords_text="…", without_passwords=True)
        preview = self.preview(values)
        self.assertEqual([line["has_password"] for line in preview["lines"]], [False, True])
        self.assertEqual(preview["unmatched"], [])
        self.create_databases(values)
        (sealed,) = self.sidecar.payloads("/v1/seal")
        self.assertEqual([item["secret"] for item in sealed["items"]], ["typed"])

    def test_two_passwords_for_one_agency_are_a_problem_and_twice_the_same_is_none(self):
        self.variables = [["ONE", "a"], ["ONE_DB_PASSWORD", "a"], ["TWO", "b"], ["TWO_DB_PASSWORD", "c"]]
        problems = self.problems(self.values(passwords={}, passwords_text="…"))
        self.assertFalse(problems["One"])
        self.assertIn("several passwords for it: TWO, TWO_DB_PASSWORD", problems["TWO"])

    def test_an_empty_value_is_no_password(self):
        self.variables = [["ONE", ""], ["TWO", "b"]]
        preview = self.preview(self.values(passwords={}, passwords_text="…"))
        self.assertEqual([line["has_password"] for line in preview["lines"]], [False, True])

    def test_a_text_that_cannot_be_read_is_an_error_of_the_text(self):
        self.assertIn("no lines", self.preview(self.values(passwords_text="…"))["errors"]["passwords_text"])
        problem = {"code": "unreadable_text", "title": "Unreadable", "detail": "This is neither."}
        self.sidecar.answers["/v1/parse"] = lambda payload: (422, problem)
        with self.assertLogs("odoo.addons.insightpulse_connection_manager", "WARNING"):
            preview = self.preview(self.values(passwords_text=CANARY))
        self.assertEqual(preview["errors"], {"passwords_text": "This is neither."})

    # Rights

    def test_whoever_works_for_one_agency_makes_its_database_and_no_others(self):
        values = self.values(agency_ids=self.one.ids)
        endpoint = self.create_databases(values, self.member)
        self.assertEqual((endpoint.agency_id, endpoint.create_uid), (self.one, self.member))
        for method in ("preview_agency_databases", "create_agency_databases"):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(self.Endpoint.with_user(self.member), method)(self.values())

    def test_nobody_learns_of_another_agencys_connections(self):
        self.create_endpoint(name="One Database", agency_id=self.two.id, base_url="db.example", database_name="one_db")
        (line,) = self.preview(self.values(agency_ids=self.one.ids), self.member)["lines"]
        self.assertFalse(line["problem"])

    def test_an_employee_is_refused_before_anything_is_asked(self):
        for method in ("preview_agency_databases", "create_agency_databases"):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(self.Endpoint.with_user(self.employee), method)(self.values(passwords_text=CANARY))
        self.assertFalse(self.sidecar.calls)

    def test_the_menu_is_for_those_who_may_create(self):
        menu = self.env.ref("insightpulse_connection_manager.menu_agency_databases")
        self.assertIn(menu.id, menu.with_user(self.member)._visible_menu_ids())
        self.assertNotIn(menu.id, menu.with_user(self.employee)._visible_menu_ids())

    # Secrets

    def test_no_password_is_anywhere_in_the_database_or_the_log(self):
        self.variables = [["TWO_DB_PASSWORD", f"{CANARY}-of-the-text"], ["STRAY", f"{CANARY}-stray"]]
        values = self.values(
            passwords={str(self.one.id): f"{CANARY}-typed"}, passwords_text=f"TWO={CANARY}-of-the-text"
        )
        with self.assertLogs(level="DEBUG") as logs:
            self.preview(values)
            self.create_databases(values)
            self.env.flush_all()
        self.assertFalse([line for line in logs.output if CANARY in line])
        self.assertEqual(self.columns_with(CANARY), [])
        self.one.name = CANARY
        self.env.flush_all()
        self.assertIn(("insightpulse_agency", "name"), self.columns_with(CANARY))

    def columns_with(self, text):
        """Return the columns of all tables that have a text in them."""
        self.env.cr.execute(
            """
            SELECT table_name, column_name FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = current_schema AND table_type = 'BASE TABLE'
              AND data_type IN ('character varying', 'text', 'jsonb', 'json', 'bytea')
            """
        )
        found = []
        for table, column in self.env.cr.fetchall():
            self.env.cr.execute(
                f'SELECT 1 FROM "{table}" WHERE "{column}"::text LIKE %s LIMIT 1',
                [f"%{text}%"],
            )
            if self.env.cr.fetchone():
                found.append((table, column))
        return found
