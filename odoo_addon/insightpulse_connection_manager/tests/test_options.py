from odoo.exceptions import ValidationError
from odoo.tests import tagged

from .common import CANARY, ConnectionCase, outcome

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
PRIVATE = "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----"


@tagged("post_install", "-at_install")
class TestOptions(ConnectionCase):
    def prepared(self, endpoint):
        (prepared,) = endpoint._prepare_endpoints()
        return prepared

    def test_what_is_not_said_is_left_to_the_sidecar(self):
        prepared = self.prepared(self.create_endpoint())
        names = ("web_url", "tls_authority", "sign_in", "expected_status", "slow_ms", "replica_lag_s", "client_key")
        self.assertEqual({name: prepared.get(name) for name in names}, dict.fromkeys(names))

    def test_a_limit_of_zero_is_the_usual_and_of_minus_one_is_none(self):
        prepared = self.prepared(self.create_endpoint(slow_ms=250, certificate_days=-1))
        self.assertEqual((prepared["slow_ms"], prepared["certificate_days"]), (250, 0))
        self.assertNotIn("connections_percent", prepared)

    def test_a_limit_that_is_none_is_refused(self):
        for values in ({"slow_ms": -2}, {"connections_percent": 101}, {"replica_lag_s": 2_000_000}):
            with self.subTest(values=values), self.assertRaises(ValidationError):
                self.create_endpoint(**values)

    def test_a_private_key_among_the_certificates_is_refused_and_not_repeated(self):
        for name in ("tls_authority", "client_certificate"):
            with self.subTest(field=name), self.assertRaises(ValidationError) as caught:
                self.create_endpoint(**{name: f"{PEM}\n{PRIVATE}"})
            self.assertNotIn("MHcC", str(caught.exception))

    def test_a_key_in_the_web_address_is_refused(self):
        with self.assertRaises(ValidationError):
            self.create_endpoint(connection_type="supabase", web_url=f"https://x.example/?apikey={CANARY}")

    def test_only_kinds_with_a_second_half_send_its_address(self):
        values = {"web_url": "https://x.example"}
        for kind, sent in (
            ("supabase", True),
            ("odoo", True),
            ("postgresql", False),
            ("mysql", False),
            ("mongodb", False),
        ):
            prepared = self.prepared(self.create_endpoint(connection_type=kind, **values))
            self.assertEqual("web_url" in prepared, sent, kind)

    def test_a_private_key_is_a_secret(self):
        endpoint = self.create_endpoint(client_certificate=PEM, client_key=PRIVATE)
        self.assertEqual(endpoint.client_key, "••••••••")
        (payload,) = self.sidecar.payloads("/v1/seal")
        self.assertEqual([item["field"] for item in payload["items"]], ["client_key"])
        self.assertEqual(payload["items"][0]["secret"], PRIVATE)
        self.env.cr.execute("SELECT * FROM insightpulse_connection_endpoint WHERE id = %s", [endpoint.id])
        self.assertNotIn("MHcC", str(self.env.cr.fetchall()))
        self.assertTrue(self.prepared(endpoint)["client_key"].startswith("ip1."))

    def test_changing_what_is_expected_withdraws_the_verdict(self):
        changes = {
            "expected_status": "204",
            "expected_text": "ok",
            "sign_in": "none",
            "slow_ms": 5,
            "is_replica": True,
            "client_certificate": PEM,
        }
        for name, value in changes.items():
            with self.subTest(field=name):
                endpoint = self.create_endpoint(password=CANARY)
                self.apply(outcome(endpoint))
                endpoint.write({name: value})
                self.assertEqual(endpoint.status, "draft")
                self.assertTrue(endpoint.password, "a secret stays where its destination is the same")
