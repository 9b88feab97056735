"""Who a webhook tells: remembers each message that it took, and takes none while it is deaf."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

SECRET = "a secret of the receiver's own"


class Receiver:
    """Checks signatures as <https://www.standardwebhooks.com> says."""

    def __init__(self) -> None:
        self.is_deaf = False
        # By id, each with what it said; and how many were signed by somebody else.
        self.messages: dict[str, dict[str, Any]] = {}
        self.forged = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802 (the standard library's name)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with contextlib.suppress(OSError):
                    self.send_response(503 if receiver.is_deaf else receiver.take(dict(self.headers.items()), body))
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def settings(self) -> dict[str, str]:
        """What to save in Odoo's Settings."""
        url = f"http://127.0.0.1:{self._server.server_port}/hook"
        return {"insightpulse_webhook_url": url, "insightpulse_webhook_secret": SECRET}

    def take(self, headers: dict[str, str], body: bytes) -> int:
        headers = {name.lower(): value for name, value in headers.items()}
        content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        signature = base64.b64encode(hmac.digest(SECRET.encode(), content, hashlib.sha256)).decode()
        if headers["webhook-signature"] != f"v1,{signature}":
            self.forged += 1
            return 401
        self.messages[headers["webhook-id"]] = json.loads(body)
        return 204

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
