"""An HTTP server with many paths, each of which is well or not as a test wants."""

import contextlib
from collections import Counter

from http_server import HttpServer, QuietHandler


class Switchboard(HttpServer):
    """Answers `/n` with 200, or with 503 while `n` is in `down`; counts who asked."""

    def __init__(self) -> None:
        self.down: set[int] = set()
        self.asked: Counter[int] = Counter()
        board = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802 (the standard library's name)
                number = int(self.path.strip("/") or 0)
                board.asked[number] += 1
                body = b"down" if number in board.down else b"ok"
                with contextlib.suppress(OSError):
                    self.send_response(503 if number in board.down else 200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

        super().__init__(Handler)

    def url(self, number: int) -> str:
        return f"{self.root}/{number}"
