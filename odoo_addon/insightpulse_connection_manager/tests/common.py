"""A listener in the sidecar's place, to see what Odoo sends and to answer as no sidecar would.

What the real sidecar does with it is tested elsewhere, with the real sidecar.
"""

import json
import threading
import time
from collections import namedtuple
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch
from uuid import UUID, uuid4

import requests

from odoo.tests import TransactionCase, new_test_user

from odoo.addons.insightpulse_connection_manager.models.audit_entry import AuditEntry
from odoo.addons.insightpulse_connection_manager.models.sidecar import Sidecar

TOKEN = "a-token-of-the-tests-that-is-long-enough"
CANARY = "canary-0b7f4e5d"

Call = namedtuple("Call", "route headers payload")
real_send = requests.Session.send


class FakeSidecar:
    """Answers each route by a function of the payload, or with raw ``(status, body)``."""

    def __init__(self):
        self.calls = []
        self.answers = {
            "/v1/seal": self.seal,
            "/v1/probes": self.probe,
            "/v1/render": self.render,
            "/v1/connect": self.connect,
            "/v1/status": lambda payload: (200, {"odoo": None}),
            "/v1/pair": lambda payload: (200, {"token": "a-token-of-the-sidecar"}),
            "/v1/unpair": lambda payload: (200, {}),
            "/v1/rebind": self.rebind,
            "/v1/open": self.open,
            "/v1/endpoints": lambda payload: (202, {}),
            "/v1/history": self.history,
            "/v1/alerts": lambda payload: (200, {"sent": True, "error": None}),
        }
        self.outcomes = {}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802 (the standard library's name)
                fake._handle(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def payloads(self, route):
        return [call.payload for call in self.calls if call.route == route]

    def seal(self, payload):
        return 200, {"tokens": [f"ip1.test.{uuid4().hex}" for _item in payload["items"]]}

    def rebind(self, payload):
        return 200, {"results": [{"token": f"ip1.test.{uuid4().hex}", "error": None} for _item in payload["items"]]}

    def open(self, payload):
        return 200, {"results": [{"secret": CANARY, "error": None} for _item in payload["items"]]}

    def probe(self, payload):
        results = []
        for endpoint in payload["endpoints"]:
            outcome = self.outcomes.get(endpoint["name"])
            result = {"id": endpoint["id"], "probe": probe_id(len(self.calls))}
            results.append({**result, "state": "done", **outcome} if outcome else {**result, "state": "testing"})
        return 200, {"results": results}

    def history(self, payload):
        points = [{"at": "2026-11-22T13:00:00Z", "probes": 4, "failures": 1, "latency_ms": 2.5, "latency_max_ms": 9}]
        return 200, {"step_s": 900, "points": points, "uptime": [{"range": "24h", "share": 0.75}]}

    def render(self, payload):
        endpoints = payload["endpoints"]
        texts = [f"{payload['format']} of {endpoint['name']}" for endpoint in endpoints]
        if payload["reveal"]:
            texts = [f"{text} with {CANARY}" for text in texts]
        if payload["combine"]:
            texts, endpoints = ["\n".join(texts)], [{"id": None}]
        return 200, {
            "documents": [
                {"id": endpoint["id"], "filename": "file.txt", "mimetype": "text/plain", "content": text}
                for endpoint, text in zip(endpoints, texts, strict=True)
            ]
        }

    def connect(self, payload):
        names = [endpoint["name"] for endpoint in payload["endpoints"]]
        secret = CANARY if payload["reveal"] else "[YOUR-PASSWORD]"
        row = {
            "tab": "string",
            "language": "text",
            "mimetype": "text/plain",
            "error": None,
            "left_out": [],
            "files": None,
        }
        formats = [
            {**row, "id": "uri", "label": "URI", "filename": "books.txt", "content": f"{', '.join(names)}: {secret}"},
            {**row, "id": "pgpass", "label": ".pgpass", "filename": "", "content": "", "error": "It does not fit."},
            {
                **row,
                "id": "superset-database",
                "label": "Superset",
                "filename": "books.superset.yaml",
                "content": "uuid: 1\n",
                "files": [
                    {"path": "books/metadata.yaml", "content": "version: 1.0.0\n"},
                    {"path": "books/databases/books.yaml", "content": f"password: {secret}\n"},
                ],
            },
        ]
        parameter = {"id": "password", "label": "Password", "value": secret, "is_secret": True}
        return 200, {
            "tabs": [{"id": "string", "label": "Connection string"}],
            "formats": formats,
            "parameters": [parameter] if len(names) == 1 else [],
        }

    def _handle(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        payload = json.loads(handler.rfile.read(length)) if length else None
        self.calls.append(Call(handler.path, dict(handler.headers), payload))
        status, body = self.answers[handler.path.partition("?")[0]](payload)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body)))
            if status == 307:
                handler.send_header("Location", f"{self.url}/v1/seal?redirected")
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            return  # Odoo did not wait


def probe_id(number):
    """Return an id such as the sidecar's: a greater number is a newer probe."""
    return str(UUID(int=(0x0190_0000_0000 + number) << 80 | 0x7 << 76 | 0x8 << 60))


def outcome(endpoint, number=1, **values):
    """Return what the sidecar reports of an endpoint that is well."""
    return {
        "id": endpoint.id,
        "record": endpoint.uuid,
        "revision": endpoint.revision,
        "probe": probe_id(number),
        "status": "success",
        "latency_ms": 12.4,
        "phases": {"connect_ms": 0.2, "login_ms": 3.0},
        "server_version": "15.18",
        "active_connections": 4,
        "max_connections": 100,
        "failure_kind": None,
        "failure_message": None,
        "failure_advice": None,
        "checked_at": "2026-11-22T13:00:00.123456Z",
        **values,
    }


def failure(endpoint, number=1, **values):
    """Return what the sidecar reports of an endpoint that refuses its password."""
    return outcome(
        endpoint,
        number,
        **{
            "status": "failed",
            "latency_ms": None,
            "server_version": None,
            "active_connections": None,
            "max_connections": None,
            "failure_kind": "auth",
            "failure_message": "The server refuses the password",
            "failure_advice": "Type it again",
            **values,
        },
    )


def event(number=1, **values):
    """Return an event as the sidecar reports it: of a connection that was well and refuses its password."""
    return {
        "id": probe_id(1000 + number),
        "at": "2026-11-22T13:00:00.123456Z",
        "kind": "transition",
        "from": "success",
        "to": "failed",
        "is_flapping": False,
        "failure_kind": "auth",
        "failure_message": "The server refuses the password",
        "failure_advice": "Type it again",
        "explanations": [],
        **values,
    }


def tally(**values):
    """Return the sums of one day as the sidecar reports them."""
    return {
        "day": "2026-11-22",
        "probes": 4,
        "failures": 1,
        "observed_s": 120.0,
        "up_s": 90.0,
        "latency_sum_ms": 30.0,
        "latency_max_ms": 20.0,
        **values,
    }


class ConnectionMixin:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        prefix = "insightpulse_connection_manager"
        cls.manager = new_test_user(cls.env, "ip_manager", groups=f"{prefix}.group_connection_manager")
        cls.admin = new_test_user(cls.env, "ip_admin", groups=f"{prefix}.group_connection_admin")
        cls.employee = new_test_user(cls.env, "ip_employee", groups="base.group_user")
        cls.sidecar_user = cls.env.ref(f"{prefix}.user_sidecar")
        cls.Endpoint = cls.env["insightpulse.connection.endpoint"].with_user(cls.manager)
        cls.sidecar = FakeSidecar()
        cls.addClassCleanup(cls.sidecar.stop)
        cls.startClassPatcher(patch.object(Sidecar, "_refuse_under_tests", lambda self: None))
        # Users of a test's open transaction are unknown to any other.
        cls.startClassPatcher(patch.object(AuditEntry, "_apart", lambda self: nullcontext(self)))
        cls.set_up_sidecar(cls.sidecar.url)

    def setUp(self):
        super().setUp()
        self.sidecar.calls.clear()
        answers, outcomes = dict(self.sidecar.answers), dict(self.sidecar.outcomes)
        self.addCleanup(self.sidecar.answers.update, answers)
        self.addCleanup(self.sidecar.outcomes.update, outcomes)
        self.addCleanup(self.sidecar.outcomes.clear)

    @classmethod
    def set_up_sidecar(cls, url, token=TOKEN):
        parameters = cls.env["ir.config_parameter"].sudo()
        parameters.set_param("insightpulse.sidecar_url", url)
        parameters.set_param("insightpulse.sidecar_token", token)
        parameters.set_param("insightpulse.paired_database_uuid", parameters.get_param("database.uuid"))

    @classmethod
    def _request_handler(cls, session, request, /, **kwargs):
        if cls.is_sidecars(request.url):
            # Odoo's own handler does not know about two timeouts, which are what some tests are about.
            return real_send(session, request, **kwargs)
        return super()._request_handler(session, request, **kwargs)

    @classmethod
    def is_sidecars(cls, url):
        address = cls.env["ir.config_parameter"].sudo().get_param("insightpulse.sidecar_url")
        if (address or "").startswith("unix://"):
            address = "http://localhost/v1/"
        return bool(address) and url.startswith(address)

    def create_endpoint(self, **values):
        return self.Endpoint.create(
            {
                "name": "Books",
                "connection_type": "postgresql",
                "base_url": "db.example",
                "database_name": "books",
                "username": "reader",
                **values,
            }
        )

    def told_changed(self):
        """Commit as far as a test does, and return what the sidecar is told of changes then."""
        self.env.flush_all()
        self.sidecar.calls.clear()
        self.env.cr.postcommit.run()
        deadline = time.monotonic() + 10
        while not self.sidecar.payloads("/v1/endpoints") and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.sidecar.payloads("/v1/endpoints")

    def apply(self, *outcomes):
        endpoints = self.env["insightpulse.connection.endpoint"].with_user(self.sidecar_user)
        return endpoints.apply_probe_results(list(outcomes))


class ConnectionCase(ConnectionMixin, TransactionCase):
    pass
