import os
import socket
import socketserver
import tempfile
import threading
import time
from unittest.mock import patch

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.insightpulse_connection_manager import exceptions
from odoo.addons.insightpulse_connection_manager.models import sidecar as sidecar_module

from .common import TOKEN, ConnectionCase

LOGGER = "odoo.addons.insightpulse_connection_manager"


@tagged("post_install", "-at_install")
class TestSidecar(ConnectionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Sidecar = cls.env["insightpulse.sidecar"]
        cls.system = cls.env.ref("base.user_admin")

    def ask(self):
        return self.Sidecar.with_user(self.manager)._seal([{"field": "password", "secret": "x", "endpoint": {}}])

    def answer(self, status, body):
        self.sidecar.answers["/v1/seal"] = lambda payload: (status, body)

    def test_the_token_goes_in_a_header_and_the_database_in_the_body(self):
        self.ask()
        (call,) = self.sidecar.calls
        self.assertEqual(call.headers["Authorization"], f"Bearer {TOKEN}")
        self.assertEqual(call.payload["database"], self.Sidecar._database_uuid())

    def test_without_address_or_token_it_says_how_to_set_up(self):
        for name in ("insightpulse.sidecar_url", "insightpulse.sidecar_token"):
            value = self.env["ir.config_parameter"].get_param(name)
            self.env["ir.config_parameter"].set_param(name, False)
            with self.assertRaisesRegex(exceptions.SidecarNotSetUp, "Pair with a sidecar"):
                self.ask()
            self.env["ir.config_parameter"].set_param(name, value)

    def test_a_sidecar_that_is_down_is_unreachable(self):
        self.set_up_sidecar("http://127.0.0.1:9")
        with self.assertRaisesRegex(exceptions.SidecarUnreachable, "127.0.0.1:9"), self.assertLogs(LOGGER):
            self.ask()

    def test_a_black_hole_is_given_up_after_a_second(self):
        with socket.socket() as black_hole:
            # A full queue of connections: further ones are neither taken nor refused.
            black_hole.bind(("127.0.0.1", 0))
            black_hole.listen(0)
            address = black_hole.getsockname()
            fillers = [socket.socket() for _number in range(8)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            self.set_up_sidecar(f"http://127.0.0.1:{address[1]}")
            started = time.monotonic()
            with self.assertRaises(exceptions.SidecarUnreachable), self.assertLogs(LOGGER):
                self.ask()
            self.assertLess(time.monotonic() - started, 2.5)
            for filler in fillers:
                filler.close()

    def test_a_sidecar_that_trickles_is_given_up(self):
        for framing, piece in ((b"Transfer-Encoding: chunked", b"1\r\n \r\n"), (b"Content-Length: 9999", b" ")):
            with self.subTest(framing=framing):
                self.check_trickle(framing, piece)

    def check_trickle(self, framing, piece):
        listener = socket.create_server(("127.0.0.1", 0))

        def trickle():
            connection, _address = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % framing)
                try:
                    for _tenth in range(100):
                        connection.sendall(piece)
                        time.sleep(0.1)
                except OSError:
                    return

        threading.Thread(target=trickle, daemon=True).start()
        self.set_up_sidecar(f"http://127.0.0.1:{listener.getsockname()[1]}")
        started = time.monotonic()
        with listener, self.assertRaises(exceptions.SidecarUnreachable), self.assertLogs(LOGGER):
            self.ask()
        self.assertLess(time.monotonic() - started, 5)

    def test_a_wrong_token_says_who_can_mend_it(self):
        self.answer(401, {"code": "unauthorized", "title": "Unauthorized", "detail": "token"})
        with self.assertRaisesRegex(exceptions.SidecarTokenRefused, "token"):
            self.ask()

    def test_a_problem_keeps_its_code_and_its_detail(self):
        self.answer(413, {"code": "body_too_large", "title": "Too large", "detail": "4 MiB at most"})
        with self.assertRaisesRegex(exceptions.SidecarProblem, "4 MiB at most") as raised, self.assertLogs(LOGGER):
            self.ask()
        self.assertEqual(raised.exception.code, "body_too_large")

    def test_a_copied_database_is_told_so(self):
        self.answer(409, {"code": "wrong_database", "title": "Wrong database", "detail": "no"})
        with self.assertRaisesRegex(exceptions.SidecarProblem, "copy"), self.assertLogs(LOGGER):
            self.ask()

    def test_garbage_is_not_a_sidecar(self):
        answers = (
            (200, b"<html>It works!</html>"),
            (200, b""),
            (200, b"[]"),
            (200, b"\xff\xfe"),
            (200, b'{"tokens": "no list"}'),
            (200, {}),
            (200, {"tokens": []}),
            (200, {"tokens": [None]}),
            (200, {"tokens": [""]}),
            (404, b"not found"),
            (500, {"error": "no problem document"}),
            (502, {"code": 5, "detail": []}),
        )
        for status, body in answers:
            self.answer(status, body)
            with self.subTest(status=status, body=body), self.assertRaises(exceptions.SidecarAnswerInvalid):
                self.ask()

    def test_an_answer_that_breaks_off_is_no_answer(self):
        def break_off(payload):
            return 200, b'{"tokens": ["ip1"'

        self.sidecar.answers["/v1/seal"] = break_off
        with self.assertRaises(exceptions.SidecarAnswerInvalid):
            self.ask()

    def test_an_endless_answer_is_cut(self):
        self.answer(200, b'{"tokens": ["ip1"]}' + b" " * 5000)
        self.assertEqual(self.ask(), ["ip1"])
        with patch.object(sidecar_module, "ANSWER_BYTES", 1000), self.assertRaises(exceptions.SidecarAnswerInvalid):
            self.ask()

    def test_a_redirect_is_not_followed(self):
        self.answer(307, {"tokens": ["ip1"]})
        with self.assertRaises(exceptions.SidecarAnswerInvalid):
            self.ask()
        self.assertEqual(len(self.sidecar.calls), 1)

    def test_a_proxy_of_the_environment_does_not_get_the_token(self):
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9") | {"no_proxy": "", "NO_PROXY": ""}
        with patch.dict(os.environ, proxies):
            self.ask()
        self.assertEqual(len(self.sidecar.calls), 1)

    def test_errors_of_the_sidecar_are_shown_as_messages(self):
        for name in ("SidecarNotSetUp", "SidecarUnreachable", "SidecarTokenRefused", "SidecarAnswerInvalid"):
            error = getattr(exceptions, name)("What to do")
            self.assertIsInstance(error, UserError)
            self.assertEqual(error.context["exception_class"], "insightpulse_connection_manager.SidecarError")

    def test_the_sidecar_is_left_alone_under_tests(self):
        sidecar_class = type(self.Sidecar)
        with patch.object(sidecar_class, "_refuse_under_tests", REFUSE), self.assertRaises(UserError):
            self.ask()
        self.assertFalse(self.sidecar.calls)

    def test_check_passes_when_both_directions_work(self):
        action = self.env["res.config.settings"].with_user(self.system).create({}).action_insightpulse_check()
        self.assertEqual(action["params"]["type"], "success")
        self.assertEqual({call.route for call in self.sidecar.calls}, {"/v1/status"})

    def test_check_says_why_the_sidecar_cannot_write_back(self):
        self.sidecar.answers["/v1/status"] = lambda payload: (200, {"odoo": "wrong API key"})
        with self.assertRaisesRegex(exceptions.SidecarProblem, "wrong API key"):
            self.Sidecar._check()
        self.sidecar.answers["/v1/status"] = lambda payload: (200, {})
        with self.assertRaisesRegex(exceptions.SidecarProblem, "does not say why"):
            self.Sidecar._check()

    def test_a_unix_socket_is_spoken_to(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/sidecar.sock"
            with socketserver.UnixStreamServer(path, UnixAnswer) as server:
                threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
                self.set_up_sidecar(f"unix://{path}")
                try:
                    self.assertEqual(self.ask(), ["ip1.k-1.over-the-socket"])
                finally:
                    server.shutdown()
            with self.assertRaisesRegex(exceptions.SidecarUnreachable, "unix:///"), self.assertLogs(LOGGER):
                self.ask()

    def test_settings_save_a_tidy_address_and_refuse_none(self):
        settings = self.env["res.config.settings"].with_user(self.system)
        settings.create({"insightpulse_sidecar_url": " http://sidecar:8787/ "}).execute()
        self.assertEqual(self.env["ir.config_parameter"].get_param("insightpulse.sidecar_url"), "http://sidecar:8787")
        settings.create({"insightpulse_sidecar_url": "unix:///run/sidecar.sock"}).execute()
        self.assertEqual(self.Sidecar._parameter("insightpulse.sidecar_url"), "unix:///run/sidecar.sock")
        for url in (
            "sidecar",
            "ftp://sidecar",
            "http://",
            "http://user:word@host",
            "http://host:port",
            "http://h?q=1",
            "unix://host/path",
            "unix:relative",
            "file:///etc/passwd",
        ):
            with self.subTest(url=url), self.assertRaises(ValidationError):
                settings.create({"insightpulse_sidecar_url": url}).execute()


class UnixAnswer(socketserver.StreamRequestHandler):
    """Answers whatever comes as a sidecar would that has sealed one secret."""

    def handle(self):
        length = 0
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        self.rfile.read(length)
        body = b'{"tokens": ["ip1.k-1.over-the-socket"]}'
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        self.wfile.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


# What the cases of this addon patch away
REFUSE = sidecar_module.Sidecar._refuse_under_tests
