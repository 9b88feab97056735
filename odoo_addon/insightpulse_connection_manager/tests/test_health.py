import xmlrpc.client

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools.translate import CodeTranslations, code_translations

from odoo.addons.insightpulse_connection_manager.tools.failure_texts import ADVICE, REASONS

from .common import ConnectionCase, failure, outcome

REFUSED = {
    "reason": "password_refused",
    "values": {"place": "db.example:5432", "user": "reader"},
    "said": "28P01: no",
}
FACTS = {
    "reserved_connections": 3,
    "in_recovery": True,
    "replica_lag_s": 1.25,
    "database_bytes": 7_800_000,
    "certificate_expires_at": "2027-01-31T12:00:00Z",
    "tls_version": "TLSv1.3",
    "parts": ["database", "rest"],
}


@tagged("post_install", "-at_install")
class TestHealth(ConnectionCase):
    def explained(self, *explanations, **values):
        endpoint = self.create_endpoint()
        self.apply(failure(endpoint, explanations=list(explanations), **values))
        return endpoint

    def test_a_failure_is_told_with_its_values_and_the_servers_words_as_such(self):
        endpoint = self.explained(REFUSED)
        self.assertEqual(
            endpoint.failure_message,
            "db.example:5432 refused the password of the user “reader”. The server said: “28P01: no”.",
        )
        self.assertEqual(endpoint.failure_advice, "Check the user name, and type the password or key again.")

    def test_a_failure_is_told_in_the_readers_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        module = "insightpulse_connection_manager"
        french = {
            REASONS["password_refused"]._source: "%(place)s refuse le mot de passe de « %(user)s ».",
            ADVICE["auth"]._source: "Retapez le mot de passe.",
        }
        key = (module, "fr_FR")
        before = code_translations.python_translations.get(key)
        code_translations.python_translations[key] = french
        if before is None:
            self.addCleanup(code_translations.python_translations.pop, key)
        else:
            self.addCleanup(code_translations.python_translations.__setitem__, key, before)
        self.assertIsInstance(code_translations, CodeTranslations)
        endpoint = self.explained({**REFUSED, "said": None})
        self.assertIn("refused the password", endpoint.failure_message)
        read = endpoint.with_context(lang="fr_FR")
        self.assertEqual(read.failure_message, "db.example:5432 refuse le mot de passe de « reader ».")
        self.assertEqual(read.failure_advice, "Retapez le mot de passe.")

    def test_a_part_is_named(self):
        key = {"reason": "key_refused", "values": {"place": "x:443"}, "part": "rest"}
        self.assertEqual(self.explained(key).failure_message, "REST: x:443 refused the key.")

    def test_several_reasons_are_several_sentences(self):
        slow = {"reason": "slow", "values": {"latency": "900", "threshold": "500"}}
        lag = {"reason": "replica_lag", "values": {"seconds": "90", "threshold": "60"}}
        endpoint = self.explained(slow, lag)
        self.assertTrue(
            endpoint.failure_message.startswith("It took 900 ms, and more than 500 ms is slow. The replica")
        )

    def test_what_a_newer_sidecar_says_is_told_as_it_says_it(self):
        for explanation in (
            {"reason": "of_next_year", "values": {}},
            {"reason": "password_refused", "values": {"host": "x"}},
        ):
            endpoint = self.explained(explanation)
            self.assertEqual(endpoint.failure_message, "The server refuses the password")

    def test_a_percent_sign_in_a_value_is_one(self):
        values = {"place": "100%(user)s", "user": "%s"}
        endpoint = self.explained({"reason": "user_unknown", "values": values})
        self.assertEqual(endpoint.failure_message, "100%(user)s does not know the user “%s”.")

    def test_every_sentence_can_be_written(self):
        for name, template in {**REASONS, **ADVICE}.items():
            written = str(template) % _Everything()
            self.assertTrue(written and "%(" not in written, name)

    def test_a_failure_is_found_by_what_was_said(self):
        endpoint = self.explained(REFUSED)
        found = self.Endpoint.search([("failure_message", "ilike", "refuses the pass")])
        self.assertEqual(found, endpoint)

    def test_what_was_learned_is_shown(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint, facts=FACTS))
        self.assertRecordValues(
            endpoint,
            [
                {
                    "reserved_connections": 3,
                    "replication": "A replica, 1.2 s behind",
                    "database_size": "7.44 Mb",
                    "tls_version": "TLSv1.3",
                    "parts_answering": "Database, REST",
                    "certificate_expires_at": fields.Datetime.to_datetime("2027-01-31 12:00:00"),
                    "http_status": False,
                }
            ],
        )
        self.apply(failure(endpoint, 2))
        self.assertFalse(endpoint.tls_version or endpoint.certificate_expires_at or endpoint.facts)

    def test_none_is_told_from_not_known(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint, facts={"databases": 0}))
        self.assertEqual((endpoint.databases_count, endpoint.tools_count), ("0", False))

    def test_what_no_sidecar_sends_is_refused(self):
        endpoint = self.create_endpoint()
        for values in (
            {"facts": [7]},
            {"facts": {"tools": -1}},
            {"facts": {"tools": True}},
            {"facts": {"server_name": 7}},
            {"facts": {"parts": ["attic"]}},
            {"facts": {"replica_lag_s": "1"}},
            {"facts": {"certificate_expires_at": "soon"}},
            {"explanations": {"reason": "slow"}},
            {"explanations": [7]},
            {"explanations": [{"reason": "A B", "values": {}}]},
            {"explanations": [{"reason": "slow", "values": []}]},
            {"explanations": [{"reason": "slow", "values": {"latency": 7}}]},
            {"explanations": [{"reason": "slow", "values": {}, "part": "attic"}]},
            {"explanations": [{"reason": "slow", "values": {}}] * 21},
        ):
            with self.subTest(values=values), self.assertRaises(ValidationError):
                self.apply(outcome(endpoint, **values))
        self.assertEqual(endpoint.status, "draft")

    def test_what_was_learned_can_be_read_over_xml_rpc(self):
        endpoint = self.explained(REFUSED)
        self.apply(outcome(endpoint, 2, facts={"database_bytes": 2**40}, explanations=[{**REFUSED, "said": None}]))
        values = endpoint.read(["facts", "explanations"])[0]
        self.assertIn("1099511627776", xmlrpc.client.dumps((values,), allow_none=False))
        self.assertEqual(endpoint.database_size, "1.00 Tb")

    def test_what_is_unprintable_is_taken_out(self):
        endpoint = self.create_endpoint()
        self.apply(outcome(endpoint, facts={"server_name": "a\u202eb\x1b[31m"}))
        self.assertEqual(endpoint.server_name, "ab[31m")


class _Everything(dict):
    """Has a value for every name."""

    def __missing__(self, name):
        return name
