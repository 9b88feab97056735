"""Servers that nobody wants to meet: black holes, mutes, and one that collects passwords."""

import contextlib
import errno
import socket
import struct
import threading
from types import TracebackType

HOST = "127.0.0.1"


class BlackHole:
    """A port that never answers a SYN, as behind a firewall that drops: its backlog is full."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0), backlog=0)
        self.port: int = self._listener.getsockname()[1]
        self._fillers = []
        while not self._is_full():
            assert len(self._fillers) < 64, "the kernel takes connections without end"

    def _is_full(self) -> bool:
        filler = socket.socket()
        filler.settimeout(0.2)
        self._fillers.append(filler)
        try:
            filler.connect((HOST, self.port))
        except TimeoutError:
            return True
        return False

    def __enter__(self) -> "BlackHole":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for filler in self._fillers:
            filler.close()
        self._listener.close()


class Peer:
    """A listener that accepts every connection, and keeps what it was sent."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.received: list[bytes] = []
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def connections(self) -> int:
        return len(self._connections)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                assert error.errno in (errno.EBADF, errno.EINVAL), error
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve_safely, args=(connection,), daemon=True).start()

    def _serve_safely(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.serve(connection)

    def serve(self, connection: socket.socket) -> None:
        """Says nothing, and listens for as long as the other side is there."""
        while data := connection.recv(4096):
            self.received.append(data)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        # Wakes up the thread that waits in accept, which close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()


class PasswordThief(Peer):
    """Offers no TLS and asks for the password in the clear, as PostgreSQL's protocol allows a server to."""

    _NO_TLS = b"N"
    _CLEARTEXT_PASSWORD_PLEASE = struct.pack("!cII", b"R", 8, 3)
    _SSL_REQUEST = struct.pack("!II", 8, 80877103)

    def serve(self, connection: socket.socket) -> None:
        while data := connection.recv(4096):
            self.received.append(data)
            connection.sendall(self._NO_TLS if data == self._SSL_REQUEST else self._CLEARTEXT_PASSWORD_PLEASE)
