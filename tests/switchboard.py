"""An HTTP server with many paths, each of which is well or not as a test wants."""

import contextlib
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


class Switchboard:
    """Answers `/n` with 200, or with 503 while `n` is in `down`; counts who asked."""

    def __init__(self) -> None:
        self.down: set[int] = set()
        self.asked: Counter[int] = Counter()
        board = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802 (the standard library's name)
                number = int(self.path.strip("/") or 0)
                board.asked[number] += 1
                body = b"down" if number in board.down else b"ok"
                with contextlib.suppress(OSError):
                    self.send_response(503 if number in board.down else 200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{number}"

    def __enter__(self) -> "Switchboard":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
