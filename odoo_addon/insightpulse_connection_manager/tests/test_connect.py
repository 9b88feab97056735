import base64
import io
import zipfile

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from odoo.addons.insightpulse_connection_manager.exceptions import SidecarAnswerInvalid

from .common import CANARY, ConnectionCase


@tagged("post_install", "-at_install")
class TestConnect(ConnectionCase):
    def entries(self):
        return self.env["insightpulse.audit.entry"].sudo().search([("action", "=", "reveal")])

    def unzipped(self, document):
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(document["content"]))) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}

    def test_a_dialog_is_one_request_and_has_placeholders(self):
        endpoint = self.create_endpoint(password="x")
        self.sidecar.calls.clear()
        texts = endpoint.get_connect_texts()
        self.assertEqual([call.route for call in self.sidecar.calls], ["/v1/connect"])
        self.assertEqual((texts["name"], texts["count"], texts["can_reveal"]), ("Books", 1, False))
        self.assertIn("[YOUR-PASSWORD]", texts["formats"][0]["content"])
        self.assertEqual(texts["parameters"][0]["value"], "[YOUR-PASSWORD]")
        self.assertFalse(self.entries())

    def test_an_administrator_reveals_and_it_is_logged(self):
        endpoint = self.create_endpoint(password="x").with_user(self.admin)
        self.assertTrue(endpoint.get_connect_texts()["can_reveal"])
        self.assertIn(CANARY, endpoint.get_connect_texts(reveal=True)["formats"][0]["content"])
        self.assertEqual(
            self.entries().mapped(lambda entry: (entry.login, entry.file_format)), [(self.admin.login, "connect")]
        )

    def test_without_a_secret_there_is_nothing_to_reveal(self):
        endpoint = self.create_endpoint().with_user(self.admin)
        self.assertFalse(endpoint.get_connect_texts()["can_reveal"])

    def test_who_may_not_gets_nothing(self):
        endpoint = self.create_endpoint(password="x")
        stranger = endpoint.with_user(self.employee)
        self.sidecar.calls.clear()
        for attempt in (
            lambda: endpoint.get_connect_texts(reveal=True),
            lambda: endpoint.get_connect_archive(reveal=True),
            stranger.action_connect,
            stranger.get_connect_texts,
            stranger.get_connect_archive,
        ):
            with self.assertRaises(AccessError):
                attempt()
        self.assertFalse(self.sidecar.calls)

    def test_the_dialog_is_opened_for_what_was_selected(self):
        endpoints = self.create_endpoint() + self.create_endpoint(name="More")
        action = endpoints.action_connect()
        self.assertEqual((action["tag"], action["params"]), ("insightpulse_connect", {"ids": endpoints.ids}))
        texts = endpoints.get_connect_texts()
        self.assertEqual((texts["name"], texts["count"]), (False, 2))

    def test_nothing_selected_is_said(self):
        with self.assertRaisesRegex(UserError, "Select the connections"):
            self.Endpoint.get_connect_texts()

    def test_a_format_of_several_files_is_an_archive_of_them(self):
        document = self.create_endpoint().get_connect_archive("superset-database")
        self.assertEqual((document["filename"], document["mimetype"]), ("books.zip", "application/zip"))
        self.assertEqual(
            self.unzipped(document),
            {"books/metadata.yaml": "version: 1.0.0\n", "books/databases/books.yaml": "password: [YOUR-PASSWORD]\n"},
        )

    def test_an_archive_of_many_has_a_folder_for_each_and_is_the_same_each_time(self):
        endpoints = self.create_endpoint() + self.create_endpoint() + self.create_endpoint(name="Größe / ../x")
        document = endpoints.get_connect_archive()
        files = self.unzipped(document)
        self.assertEqual({name.partition("/")[0] for name in files}, {"books", "books-2", "größe-x"})
        self.assertIn("books-2/books.txt", files)
        self.assertFalse([name for name in files if ".." in name or name.startswith("/") or "pgpass" in name])
        self.assertEqual(document, endpoints.get_connect_archive())

    def test_texts_of_one_filename_are_all_in_the_archive(self):
        real = self.sidecar.connect

        def connect(payload):
            status, answer = real(payload)
            uri = answer["formats"][0]
            more = [{**uri, "id": name, "content": f"as {name}"} for name in ("jdbc", "libpq")]
            return status, {**answer, "formats": [uri, *more]}

        self.sidecar.answers["/v1/connect"] = connect
        files = self.unzipped(self.create_endpoint().get_connect_archive())
        self.assertEqual(
            files,
            {"books.txt": "Books: [YOUR-PASSWORD]", "books.jdbc.txt": "as jdbc", "books.libpq.txt": "as libpq"},
        )

    def test_an_answer_of_another_shape_is_none(self):
        endpoint = self.create_endpoint()
        answer = self.sidecar.connect({"endpoints": [{"name": "Books"}], "reveal": False})[1]
        row = answer["formats"][0]
        shapes = (
            {**answer, "tabs": None},
            {**answer, "tabs": [{"id": "string"}]},
            {**answer, "parameters": [{"id": "port", "label": "Port", "value": 5432, "is_secret": False}]},
            {**answer, "parameters": [{"id": "port", "label": "Port", "value": "5432"}]},
            *({**answer, "formats": [{**row, key: 5}]} for key in row),
            *({**answer, "formats": [{**row, "files": [file]}]} for file in (None, {}, {"path": "x", "content": None})),
            {**answer, "formats": [{**row, "left_out": [["Books"]]}]},
        )
        for shape in shapes:
            self.sidecar.answers["/v1/connect"] = lambda payload, shape=shape: (200, shape)
            for call in (endpoint.get_connect_texts, endpoint.get_connect_archive):
                with self.subTest(shape=shape, call=call.__name__), self.assertRaises(SidecarAnswerInvalid):
                    call()

    def test_an_archive_with_secrets_is_logged(self):
        endpoint = self.create_endpoint(password="x").with_user(self.admin)
        files = self.unzipped(endpoint.get_connect_archive("superset-database", reveal=True))
        self.assertIn(CANARY, files["books/databases/books.yaml"])
        self.assertEqual(self.entries().mapped("file_format"), ["superset-database"])

    def test_an_archive_has_an_end(self):
        endpoints = self.Endpoint.create(
            [
                {"name": f"E {number}", "connection_type": "api", "base_url": "https://a.example"}
                for number in range(101)
            ]
        )
        self.sidecar.calls.clear()
        with self.assertRaisesRegex(UserError, "at most 100"):
            endpoints.get_connect_archive()
        self.assertFalse(self.sidecar.calls)
