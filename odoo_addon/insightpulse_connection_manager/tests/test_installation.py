from odoo.tests import TransactionCase, tagged

from odoo.addons.insightpulse_connection_manager.hooks import post_init_hook, uninstall_hook

PREFIX = "insightpulse_connection_manager"


@tagged("post_install", "-at_install")
class TestInstallation(TransactionCase):
    def test_the_eight_agencies_are_there(self):
        codes = {"RIM", "CKVC", "BOM", "JPAL", "JLI", "JAP", "LAS", "RMQB"}
        self.assertLessEqual(codes, set(self.env["insightpulse.agency"].search([]).mapped("code")))

    def test_the_default_endpoints_have_their_external_ids_and_no_secret(self):
        kinds = {
            "endpoint_supabase_prod": "supabase",
            "endpoint_odoo_db": "odoo",
            "endpoint_superset": "superset",
            "endpoint_mcp_notion": "mcp",
            "endpoint_bir_portal": "api",
        }
        for name, kind in kinds.items():
            endpoint = self.env.ref(f"{PREFIX}.{name}")
            self.assertEqual((name, endpoint.connection_type), (name, kind))
            self.assertFalse(endpoint.password or endpoint.api_key)

    def test_the_odoo_endpoint_is_the_database_of_this_odoo(self):
        endpoint = self.env.ref(f"{PREFIX}.endpoint_odoo_db")
        endpoint.write({"base_url": "elsewhere", "database_name": "another"})
        post_init_hook(self.env)
        server = self.env.cr.connection.info
        self.assertEqual(
            (endpoint.database_name, endpoint.username, endpoint.port),
            (self.env.cr.dbname, server.user, server.port),
        )
        self.assertFalse(endpoint.base_url.startswith("/"))

    def test_the_administrator_is_a_connection_administrator(self):
        for name in ("base.user_admin", "base.user_root"):
            self.assertTrue(self.env.ref(name).has_group(f"{PREFIX}.group_connection_admin"))

    def test_every_view_of_every_model_is_drawn(self):
        views = {
            "insightpulse.connection.endpoint": ("kanban", "list", "form", "search"),
            "insightpulse.agency": ("list", "search"),
            "insightpulse.audit.entry": ("list", "form", "search"),
            "insightpulse.sidecar.pairing": ("form",),
            "insightpulse.connection.rebind": ("form",),
            "res.config.settings": ("form",),
        }
        admin = self.env.ref("base.user_admin")
        for model, kinds in views.items():
            result = self.env[model].with_user(admin).get_views([(False, kind) for kind in kinds])
            self.assertEqual(set(result["views"]), set(kinds))

    def test_uninstalling_removes_what_has_no_external_id(self):
        self.env["ir.config_parameter"].set_param("insightpulse.sidecar_token", "x" * 40)
        self.env["ir.filters"].create(
            {"name": "Mine", "model_id": "insightpulse.connection.endpoint", "user_ids": False}
        )
        endpoint = self.env.ref(f"{PREFIX}.endpoint_odoo_db")
        self.env["ir.attachment"].create({"name": "note", "res_model": endpoint._name, "res_id": endpoint.id})
        uninstall_hook(self.env)
        self.assertFalse(self.env["ir.config_parameter"].search_count([("key", "=like", "insightpulse.%")]))
        self.assertFalse(self.env["ir.filters"].search_count([("model_id", "=like", "insightpulse.%")]))
        self.assertFalse(self.env["ir.attachment"].search_count([("res_model", "=like", "insightpulse.%")]))
