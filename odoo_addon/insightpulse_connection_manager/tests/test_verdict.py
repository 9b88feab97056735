from contextlib import contextmanager

from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.insightpulse_connection_manager.models.connection_endpoint import PROTECTED_FIELDS

from .common import CANARY, ConnectionCase, failure, outcome

EMPTY = {
    "status": "draft",
    "latency_ms": 0,
    "phases": False,
    "server_version": False,
    "active_connections": 0,
    "max_connections": 0,
    "last_checked_at": False,
    "failure_kind": False,
    "failure_message": False,
    "failure_advice": False,
    "last_probe_id": False,
}


@tagged("post_install", "-at_install")
class TestVerdict(ConnectionCase):
    def health(self, endpoint):
        return endpoint.read(list(EMPTY), load=None)[0] | {"id": None}

    def test_a_change_of_what_was_probed_withdraws_the_verdict(self):
        changes = (
            {"connection_type": "supabase"},
            {"base_url": "other.example"},
            {"port": 6432},
            {"tls_mode": "require"},
            {"username": "writer"},
            {"database_name": "ledger"},
            {"password": CANARY},
            {"api_key": CANARY},
        )
        for change in changes:
            with self.subTest(change=list(change)):
                endpoint = self.create_endpoint()
                self.apply(outcome(endpoint))
                self.assertEqual(endpoint.status, "success")
                endpoint.write(change)
                self.assertEqual(self.health(endpoint), EMPTY | {"id": None})
                self.assertEqual(endpoint.revision, 2)

    def test_clearing_a_secret_withdraws_the_verdict(self):
        endpoint = self.create_endpoint(password=CANARY)
        self.apply(failure(endpoint))
        endpoint.write({"password": False})
        self.assertEqual((endpoint.status, endpoint.failure_message), ("draft", False))

    def test_a_change_of_anything_else_keeps_the_verdict(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint))
        endpoint.write({"name": "Ledger", "sequence": 1, "active": False, "password": False, "base_url": "db.example"})
        self.assertEqual((endpoint.status, endpoint.revision), ("success", 1))

    def test_the_verdict_goes_by_the_statement_that_changes_the_record(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint))
        queries = []
        with contextmanager(self._patchExecute)(queries):
            endpoint.write({"database_name": "ledger"})
        (update,) = (query for query in queries if "UPDATE" in query)
        self.assertIn("database_name", update)
        self.assertIn("status", update)

    def test_nobody_writes_a_health_or_technical_field(self):
        endpoint = self.create_endpoint()
        for name in sorted(PROTECTED_FIELDS):
            for records in (endpoint, endpoint.with_user(self.admin), endpoint.sudo()):
                with self.subTest(field=name, user=records.env.user.login), self.assertRaisesRegex(UserError, name):
                    records.write({name: "success" if name == "status" else False})

    def test_nobody_creates_a_record_with_a_verdict(self):
        for name in sorted(PROTECTED_FIELDS):
            with self.subTest(field=name), self.assertRaisesRegex(UserError, name):
                self.create_endpoint(**{name: "success" if name == "status" else False})

    def test_no_default_brings_a_verdict(self):
        self.env["ir.default"].set(
            "insightpulse.connection.endpoint", "failure_message", "From a default", user_id=self.manager.id
        )
        endpoint = self.Endpoint.with_context(
            default_status="success", default_latency_ms=1, default_uuid="mine", default_revision=9
        ).create({"name": "Books", "connection_type": "api"})
        self.assertEqual(self.health(endpoint), EMPTY | {"id": None})
        self.assertEqual(endpoint.revision, 1)
        self.assertNotEqual(endpoint.uuid, "mine")

    def test_a_copy_has_no_verdict(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint))
        self.assertEqual(self.health(endpoint.copy()), EMPTY | {"id": None})

    def test_a_port_out_of_range_is_refused(self):
        for port in (-1, 65536):
            with self.assertRaisesRegex(UserError, "Books.*port"):
                self.create_endpoint(port=port)

    def test_a_missing_or_malformed_server_can_be_saved(self):
        for base_url in (False, "", "not a host", "http://[::"):
            endpoint = self.create_endpoint(base_url=base_url, port=0)
            self.assertEqual(endpoint.port, 0)

    def test_each_kind_brings_its_port_and_a_typed_one_stays(self):
        expected = {"supabase": 5432, "postgresql": 5432, "odoo": 5432, "superset": 8088, "mcp": 0, "api": 0}
        for kind, port in expected.items():
            endpoint = self.Endpoint.create({"name": kind, "connection_type": kind})
            self.assertEqual((kind, endpoint.port), (kind, port))
        endpoint = self.create_endpoint(port=6432)
        endpoint.connection_type = "superset"
        self.assertEqual(endpoint.port, 6432)

    def test_supabase_requires_tls_unless_told_otherwise(self):
        self.assertEqual(self.create_endpoint().tls_mode, "prefer")
        self.assertEqual(self.create_endpoint(connection_type="supabase").tls_mode, "require")
        self.assertEqual(self.create_endpoint(connection_type="supabase", tls_mode="disable").tls_mode, "disable")

    def test_a_change_of_kind_never_weakens_a_stored_tls_mode(self):
        endpoint = self.create_endpoint(tls_mode="require")
        endpoint.connection_type = "odoo"
        self.assertEqual(endpoint.tls_mode, "require")
