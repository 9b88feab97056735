"""What a webhook tells: each message is remembered, or refused while nobody listens."""

import base64
import contextlib
import hashlib
import hmac
import json
from typing import Any

from http_server import HttpServer, QuietHandler

SECRET = "a secret of the receiver's own"


class Receiver(HttpServer):
    """Checks signatures as <https://www.standardwebhooks.com> says."""

    def __init__(self) -> None:
        self.is_deaf = False
        # By id, each with what it said; and how many were signed by somebody else.
        self.messages: dict[str, dict[str, Any]] = {}
        self.forged = 0
        receiver = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:  # noqa: N802 (the standard library's name)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with contextlib.suppress(OSError):
                    self.send_response(503 if receiver.is_deaf else receiver.take(dict(self.headers.items()), body))
                    self.send_header("Content-Length", "0")
                    self.end_headers()

        super().__init__(Handler)

    @property
    def settings(self) -> dict[str, str]:
        """What to save in Odoo's Settings."""
        url = f"{self.root}/hook"
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
