import logging
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.service.model import call_kw
from odoo.tests import Form, tagged

from odoo.addons.insightpulse_connection_manager.exceptions import SidecarUnreachable
from odoo.addons.insightpulse_connection_manager.models.connection_endpoint import (
    SECRET_BYTES,
    SECRET_MASK,
    TEXT_LENGTHS,
)

from .common import CANARY, ConnectionCase


@tagged("post_install", "-at_install")
class TestSecrets(ConnectionCase):
    def tokens(self, endpoint):
        endpoint = endpoint.sudo()
        return endpoint.password_token, endpoint.api_key_token

    def test_a_secret_is_stored_sealed_and_never_in_plaintext(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        endpoint.write({"password": CANARY + "2"})
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT endpoint::text FROM insightpulse_connection_endpoint endpoint WHERE id = %s", [endpoint.id]
        )
        row = self.env.cr.fetchone()[0]
        self.assertNotIn(CANARY, row)
        self.assertEqual(row.count("ip1.test."), 2)

    def test_a_password_in_the_address_is_refused_and_not_repeated(self):
        everywhere = (
            f"https://me:{CANARY}@api.example.com/v1",
            f"me:{CANARY}@db.example.com",
            f"//:{CANARY}@db",
            f"postgresql://u:{CANARY}/ss@db",
            f"u:{CANARY}#x@db",
            f"u:{CANARY}?x@db",
            f"https://u:p/{CANARY}@host/",
            f"https:/u:{CANARY}@host",
            f"https:\\\\u:{CANARY}@host",
            f"https://{CANARY}@host/",
            f"https://u%3a{CANARY}@host/",
            f"password={CANARY} host=db",
            f"host=db PASSWORD = '{CANARY}'",
            f"https://api/?token={CANARY}",
        )
        for address in everywhere:
            for kind in dict(self.Endpoint._fields["connection_type"].selection):
                with self.subTest(address=address, kind=kind):
                    self.check_address_refused(address, kind)

    def test_a_key_in_the_addresss_query_is_refused_and_not_repeated(self):
        for key in (
            *("token", "access_token", "accessToken", "key", "api_key", "apikey", "X-API-Key", "password", "passwd"),
            *("pwd", "secret", "client_secret", "sig", "signature", "X-Amz-Signature", "TOKEN"),
        ):
            for before in ("https://api.example.com/v1?", "https://api.example.com/v1?page=2&", "api.example.com/#"):
                with self.subTest(key=key, before=before):
                    self.check_address_refused(f"{before}{key}={CANARY}", "api")

    def check_address_refused(self, address, kind):
        with self.assertRaisesRegex(ValidationError, "looks as if it had a password") as refused:
            self.create_endpoint(base_url=address, connection_type=kind)
        self.assertNotIn(CANARY, str(refused.exception))

    def test_an_address_without_a_password_is_saved_even_when_it_makes_no_sense(self):
        addresses = {
            "postgresql": (
                "db.example.com:5432",
                "::1",
                "[::1]:5432",
                "postgresql://db.example.com/books",
                "/var/run/postgresql",
                "not a host!",
                "  db.example.com ",
            ),
            "api": (
                "https://api.example.com:8443/v1?at=a@b",
                "https://api.example.com/v1?monkey=1&design=2&page=3",
                "https://api.example.com/v1/keys/tokens",
                "https://social.example.com/%40me",
                "not a host!",
                "https:/api",
                " api.example.com ",
            ),
        }
        for kind, values in addresses.items():
            for address in values:
                with self.subTest(address=address):
                    endpoint = self.create_endpoint(base_url=address, connection_type=kind)
                    self.assertEqual(endpoint.base_url.strip(), address.strip())

    def test_a_kind_to_which_the_address_looks_like_a_password_is_refused(self):
        endpoint = self.create_endpoint(connection_type="api", base_url="https://api.example.com/v1?at=a@b")
        with self.assertRaises(ValidationError):
            endpoint.connection_type = "postgresql"

    def test_a_text_that_is_too_long_is_refused_and_not_cut(self):
        for name, most in TEXT_LENGTHS.items():
            with self.subTest(field=name):
                endpoint = self.create_endpoint(**{name: "x" * most})
                self.assertEqual(len(endpoint[name]), most)
                with self.assertRaisesRegex(ValidationError, f"at most {most} characters fit"):
                    endpoint.write({name: "x" * (most + 1)})

    def test_a_secret_that_is_too_long_is_refused_before_it_is_sent(self):
        endpoint = self.create_endpoint(password="é" * (SECRET_BYTES // 2))
        self.sidecar.calls.clear()
        for write in (
            lambda secret: endpoint.write({"api_key": secret}),
            lambda key: self.create_endpoint(api_key=key),
        ):
            with self.assertRaisesRegex(ValidationError, "64 KiB"):
                write("é" * (SECRET_BYTES // 2) + "x")
        self.assertFalse(self.sidecar.calls)

    def test_a_secret_that_was_typed_for_another_server_is_refused(self):
        endpoint = self.create_endpoint()
        seen = endpoint.revision
        endpoint.write({"base_url": "evil.example"})
        for name in ("password", "api_key"):
            with self.assertRaisesRegex(UserError, "changed by someone else") as refused:
                endpoint.with_user(self.admin).write({name: CANARY, "revision_seen": seen})
            self.assertNotIn(CANARY, str(refused.exception))
        self.assertFalse(self.sidecar.payloads("/v1/seal"))
        self.assertEqual(self.tokens(endpoint), (False, False))

    def test_a_form_that_shows_what_is_stored_may_save_again_and_again(self):
        endpoint = self.create_endpoint()
        specification = {"password": {}, "revision": {}, "revision_seen": {}}
        seen = endpoint.revision
        for secret in (CANARY, CANARY + "2"):
            values = {"base_url": f"{secret}.example", "password": secret, "revision_seen": seen}
            (saved,) = endpoint.web_save(values, specification)
            self.assertEqual((saved["password"], saved["revision_seen"]), (SECRET_MASK, 0))
            self.assertGreater(saved["revision"], seen)
            seen = saved["revision"]
        self.assertEqual(len(self.sidecar.payloads("/v1/seal")), 2)

    def test_what_a_form_has_seen_matters_to_new_secrets_only(self):
        endpoint = self.create_endpoint(password=CANARY, revision_seen=9)
        endpoint.write({"name": "Renamed", "password": SECRET_MASK, "revision_seen": 9})
        self.assertEqual((endpoint.name, endpoint.password), ("Renamed", SECRET_MASK))
        endpoint.write({"password": False, "revision_seen": 9})
        self.assertFalse(endpoint.password)
        endpoint.write({"password": CANARY, "revision_seen": 0})
        self.assertEqual(endpoint.password, SECRET_MASK)

    def test_a_secret_reads_as_a_mask_for_everybody(self):
        endpoint = self.create_endpoint(password=CANARY)
        for user in (self.manager, self.admin, self.env.ref("base.user_admin")):
            values = endpoint.with_user(user).read(["password", "api_key"])[0]
            self.assertEqual((values["password"], values["api_key"]), (SECRET_MASK, False))
        self.assertEqual(endpoint.sudo().password, SECRET_MASK)

    def test_an_export_has_the_mask(self):
        endpoint = self.create_endpoint(password=CANARY)
        endpoint = endpoint.with_user(self.env.ref("base.user_admin"))
        self.assertEqual(endpoint.export_data(["name", "password"])["datas"], [["Books", SECRET_MASK]])

    def test_nobody_reads_a_token(self):
        endpoint = self.create_endpoint(password=CANARY)
        for user in (self.admin, self.env.ref("base.user_admin")):
            with self.assertRaises(AccessError):
                endpoint.with_user(user).read(["password_token"])
            with self.assertRaises(AccessError):
                endpoint.with_user(user).search([("password_token", "like", "ip1")])

    def test_nobody_writes_a_token(self):
        endpoint = self.create_endpoint()
        with self.assertRaises(UserError):
            endpoint.with_user(self.admin).write({"password_token": "ip1.of.another"})
        with self.assertRaises(UserError):
            self.create_endpoint(password_token="ip1.of.another")
        with self.assertRaises(AccessError):
            self.Endpoint.with_context(default_password_token="ip1.of.another").create(
                {"name": "A", "connection_type": "api"}
            )

    def test_writing_the_mask_back_changes_nothing(self):
        endpoint = self.create_endpoint(password=CANARY)
        before = self.tokens(endpoint), endpoint.revision
        endpoint.write({"password": SECRET_MASK, "api_key": False, "name": "Books of today"})
        self.assertEqual((self.tokens(endpoint), endpoint.revision), before)

    def test_the_mask_creates_no_secret(self):
        self.assertFalse(self.create_endpoint(password=SECRET_MASK).password)

    def test_an_amended_mask_is_refused(self):
        endpoint = self.create_endpoint(password=CANARY)
        with self.assertRaises(ValidationError):
            endpoint.write({"password": SECRET_MASK + "more"})

    def test_an_empty_value_clears(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        endpoint.write({"password": ""})
        self.assertEqual((endpoint.password, endpoint.api_key), (False, SECRET_MASK))

    def test_a_secret_keeps_its_blanks(self):
        self.create_endpoint(password=" pass word ")
        self.assertEqual(self.sidecar.payloads("/v1/seal")[0]["items"][0]["secret"], " pass word ")

    def test_a_batch_is_sealed_by_one_call(self):
        self.Endpoint.create(
            [
                {"name": f"Books {number}", "connection_type": "postgresql", "password": f"{CANARY}{number}"}
                for number in range(20)
            ]
        )
        (payload,) = self.sidecar.payloads("/v1/seal")
        self.assertEqual([item["secret"] for item in payload["items"]], [f"{CANARY}{number}" for number in range(20)])

    def test_one_password_for_many_is_sealed_for_each(self):
        endpoints = self.create_endpoint() + self.create_endpoint(name="More books")
        endpoints.write({"password": CANARY})
        (payload,) = self.sidecar.payloads("/v1/seal")
        self.assertEqual([item["endpoint"]["record"] for item in payload["items"]], endpoints.mapped("uuid"))

    def test_a_secret_is_sealed_for_the_destination_that_is_stored(self):
        endpoint = self.create_endpoint()
        endpoint.write({"base_url": "other.example", "port": 6432, "username": "writer", "password": CANARY})
        (payload,) = self.sidecar.payloads("/v1/seal")
        (item,) = payload["items"]
        self.assertEqual(item["field"], "password")
        self.assertEqual(payload["database"], self.env["ir.config_parameter"].sudo().get_param("database.uuid"))
        bound = ("record", "kind", "base_url", "port", "tls_mode", "username")
        sealed_for = {key: item["endpoint"][key] for key in bound}
        self.assertEqual(
            sealed_for,
            {
                "record": endpoint.uuid,
                "kind": "postgresql",
                "base_url": "other.example",
                "port": 6432,
                "tls_mode": "prefer",
                "username": "writer",
            },
        )

    def test_changing_the_destination_clears_all_secrets(self):
        changes = {
            "connection_type": "supabase",
            "base_url": "evil.example",
            "port": 6432,
            "tls_mode": "disable",
            "username": "postgres",
            "web_url": "https://evil.example",
            "tls_authority": "-----BEGIN CERTIFICATE-----\nof another\n-----END CERTIFICATE-----",
        }
        for name, value in changes.items():
            with self.subTest(field=name):
                endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
                endpoint.write({name: value})
                self.assertEqual(self.tokens(endpoint), (False, False))

    def test_an_import_that_changes_the_destination_clears_the_secret(self):
        endpoint = self.create_endpoint(password=CANARY)
        result = self.Endpoint.load([".id", "base_url"], [[str(endpoint.id), "evil.example"]])
        self.assertEqual(result["ids"], endpoint.ids)
        self.assertEqual([message["type"] for message in result["messages"]], ["warning"])
        self.assertFalse(endpoint.password)

    def test_odoos_log_of_calls_leaves_the_arguments_out(self):
        values = {"name": "Logged", "connection_type": "api", "password": CANARY}
        with self.assertLogs("odoo.service.model", "DEBUG") as logs:
            call_kw(self.Endpoint, "create", [[values]], {})
            call_kw(self.env["base_import.import"], "create", [[{"file": CANARY}]], {})
            call_kw(self.env["res.partner"], "search", [[("name", "=", "told")]], {})
        self.assertNotIn(CANARY, "".join(logs.output))
        self.assertIn("insightpulse.connection.endpoint().create(…)", logs.output[0])
        self.assertIn("told", logs.output[-1])

    def test_an_import_takes_no_secret(self):
        for column in ("password", "api_key", "password/.id"):
            result = self.Endpoint.load(["name", "connection_type", column], [["Imported", "api", CANARY]])
            self.assertFalse(result["ids"])
            self.assertIn("cannot come from a file", result["messages"][0]["message"])
            self.assertNotIn(CANARY, str(result))
        self.assertFalse(self.Endpoint.search([("name", "=", "Imported")]))
        self.assertFalse(self.sidecar.calls)

    def preview(self, content, lang=None, **options):
        importer = self.env["base_import.import"].with_user(self.manager).with_context(lang=lang)
        importer = importer.create({"res_model": self.Endpoint._name, "file": content, "file_type": "text/csv"})
        options = {"quoting": '"', "separator": "", "has_headers": True, **options}
        return importer.parse_preview(options), importer

    def test_a_file_with_a_column_of_secrets_is_not_kept(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        field = self.env["ir.model.fields"]._get(self.Endpoint._name, "password")
        field.with_context(lang="fr_FR").field_description = "Mot de passe"
        for header in ("password", "PASSWORD", "Api Key", "api_key", "API-Key", " Password ", "mot de passe"):
            for separator in (",", ";"):
                content = f"name{separator}{header}\nBooks{separator}{CANARY}\n".encode()
                for options in ({}, {"has_headers": False}, {"separator": ","}):
                    with self.subTest(content=content, options=options):
                        answer, importer = self.preview(content, lang="fr_FR", **options)
                        self.assertEqual(list(answer), ["error"])
                        self.assertIn("cannot come from a file", answer["error"])
                        self.assertFalse(importer.file)

    def test_other_files_are_imported_as_ever_and_offer_no_secret(self):
        answer, importer = self.preview(b"name,connection_type,base_url\nImported,api,https://api.example\n")
        offered = {field["name"] for field in answer["fields"]}
        self.assertIn("base_url", offered)
        self.assertTrue(offered.isdisjoint({"password", "api_key", "revision_seen"}))
        self.assertTrue(importer.file)
        columns = ["name", "connection_type", "base_url"]
        result = importer.execute_import(columns, columns, {"quoting": '"', "separator": ",", "has_headers": True})
        self.assertEqual(self.Endpoint.browse(result["ids"]).name, "Imported")
        tree = self.env["base_import.import"].get_fields_tree("res.users")
        self.assertIn("password", {field["name"] for field in tree})

    def test_a_file_that_cannot_be_read_is_explained_by_odoo(self):
        answer, _importer = self.preview(b"\xff\xfe\x00", encoding="utf-8")
        self.assertNotIn("cannot come from a file", answer["error"])

    def test_a_secret_has_no_default(self):
        defaults = self.env["ir.default"]
        for name in ("password", "api_key"):
            with self.assertRaisesRegex(ValidationError, "have no default") as refused:
                defaults.with_user(self.manager).set(self.Endpoint._name, name, CANARY, user_id=True)
            self.assertNotIn(CANARY, str(refused.exception))
        defaults.set(self.Endpoint._name, "username", "reader")
        default = defaults.search([("field_id.model", "=", self.Endpoint._name)])
        with self.assertRaisesRegex(ValidationError, "have no default"):
            default.field_id = self.env["ir.model.fields"]._get(self.Endpoint._name, "password")

    def test_changing_the_destination_keeps_the_secret_of_the_same_write_only(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        endpoint.write({"base_url": "other.example", "password": CANARY})
        self.assertEqual((endpoint.password, endpoint.api_key), (SECRET_MASK, False))

    def test_the_mask_does_not_carry_a_secret_to_another_destination(self):
        endpoint = self.create_endpoint(password=CANARY)
        endpoint.write({"base_url": "evil.example", "password": SECRET_MASK})
        self.assertFalse(endpoint.password)

    def test_writing_the_same_destination_keeps_the_secret(self):
        endpoint = self.create_endpoint(password=CANARY, username="")
        endpoint.write({"base_url": "db.example", "port": 5432, "username": False, "connection_type": "postgresql"})
        self.assertEqual(endpoint.password, SECRET_MASK)

    def test_changing_something_else_keeps_the_secret(self):
        endpoint = self.create_endpoint(password=CANARY)
        endpoint.write({"name": "Ledger", "database_name": "ledger", "sequence": 3, "active": False})
        self.assertEqual(endpoint.password, SECRET_MASK)

    def test_a_copy_has_no_secret_and_a_name_of_its_own_in_the_binding(self):
        endpoint = self.create_endpoint(password=CANARY, api_key=CANARY)
        copy = endpoint.copy()
        self.assertEqual(self.tokens(copy), (False, False))
        self.assertNotEqual(copy.uuid, endpoint.uuid)

    def test_without_the_sidecar_a_secret_is_not_saved_and_the_record_stays(self):
        endpoint = self.create_endpoint(password=CANARY)
        token = self.tokens(endpoint)
        self.set_up_sidecar("http://127.0.0.1:9")
        with self.assertRaises(SidecarUnreachable), self.assertLogs("odoo.addons.insightpulse_connection_manager"):
            with self.env.cr.savepoint():
                endpoint.write({"password": CANARY, "name": "Lost books"})
        self.assertEqual((self.tokens(endpoint), endpoint.name), (token, "Books"))

    def test_a_secret_is_in_no_log_and_no_error(self):
        endpoint = self.create_endpoint()
        answers = (
            (400, {"code": "malformed_body", "title": "Bad Request", "detail": "no"}),
            (500, b"not JSON " + CANARY.encode()),
            (200, {"tokens": [CANARY, CANARY]}),
        )
        for answer in answers:
            self.sidecar.answers["/v1/seal"] = lambda payload, answer=answer: answer
            with self.assertLogs(level=logging.DEBUG) as logs, self.assertRaises(UserError) as raised:
                logging.getLogger("odoo.addons.insightpulse_connection_manager").debug("assertLogs wants a line")
                endpoint.write({"password": CANARY})
            self.assertNotIn(CANARY, "\n".join(logs.output))
            self.assertNotIn(CANARY, str(raised.exception))

    def test_who_may_not_write_gets_nothing_sealed(self):
        endpoint = self.create_endpoint()
        with self.assertRaises(AccessError):
            endpoint.with_user(self.employee).write({"password": CANARY})
        self.assertFalse(self.sidecar.calls)

    def test_two_records_in_one_write_are_judged_apart(self):
        stays = self.create_endpoint(password=CANARY, base_url="same.example")
        moves = self.create_endpoint(password=CANARY, base_url="other.example")
        (stays + moves).write({"base_url": "same.example"})
        self.assertEqual((stays.password, moves.password), (SECRET_MASK, False))

    def test_the_form_warns_before_a_destination_change_removes_a_secret(self):
        endpoint = self.create_endpoint(password=CANARY)
        with patch("odoo.tests.form._logger") as logger, Form(endpoint) as form:
            form.name = "Renamed"
            self.assertFalse(logger.getChild.called)
            form.base_url = "other.example"
            (warning,) = logger.getChild("onchange").warning.call_args_list
            self.assertIn("Password", warning.args[1]["message"])
        self.assertFalse(endpoint.password)

    def test_the_form_does_not_warn_when_the_secret_is_typed_again(self):
        endpoint = self.create_endpoint(password=CANARY)
        with patch("odoo.tests.form._logger") as logger, Form(endpoint) as form:
            form.password = CANARY
            form.base_url = "other.example"
            self.assertFalse(logger.getChild.called)
        self.assertEqual(endpoint.password, SECRET_MASK)

    def test_the_form_creates_an_endpoint_with_a_secret(self):
        with Form(self.Endpoint) as form:
            form.name = "Typed"
            form.connection_type = "supabase"
            form.base_url = "db.example"
            form.password = CANARY
        endpoint = form.record
        self.assertEqual((endpoint.port, endpoint.tls_mode, endpoint.password), (5432, "require", SECRET_MASK))
