"""PgBouncer in front of a PostgreSQL server."""

import contextlib
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from stack import network

from .certificates import Identity
from .server import UnprivilegedServer, installed

_SSL_REQUEST = struct.pack("!II", 8, 80877103)


class PgBouncer(UnprivilegedServer):
    """Knows the users that it is given by name and password, for its clients and towards the server.

    `auth` is what it asks clients for: "plain" is a password in the clear. With `tls`, clients must
    use it, unless `settings` say another `client_tls_sslmode`.
    """

    name = "pgbouncer"

    def __init__(
        self,
        directory: Path,
        server: tuple[str, int],
        users: Mapping[str, str],
        *,
        pool_mode: Literal["session", "transaction", "statement"] = "transaction",
        auth: Literal["scram-sha-256", "md5", "plain"] = "scram-sha-256",
        tls: Identity | None = None,
        settings: Mapping[str, str | int] | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(directory, port=port)
        self._server = server
        self._users = users
        self._tls = tls
        self._settings = {"pool_mode": pool_mode, "auth_type": auth, **(settings or {})}

    def prepare(self) -> None:
        super().prepare()
        host, port = self._server
        settings: dict[str, str | int | Path] = {
            "listen_addr": self.host,
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_file": self.write("users.txt", "".join(map(_user_line, self._users.items()))),
        }
        if self._tls:
            kept = self.keep(self._tls)
            settings["client_tls_sslmode"] = "require"
            settings["client_tls_cert_file"] = kept.certificate
            settings["client_tls_key_file"] = kept.key
        lines = ["[databases]", f"* = host={host} port={port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in (settings | self._settings).items()]
        self.write("pgbouncer.ini", "\n".join(lines) + "\n")

    def command(self) -> Sequence[str | Path]:
        return [*self.as_user(), installed("pgbouncer"), self.directory / "pgbouncer.ini"]

    def answers(self) -> bool:
        """Whether it says if it has TLS, which it does before it needs its server."""
        with contextlib.suppress(OSError):
            with socket.create_connection((network.HOST, self.port), timeout=2) as connection:
                connection.sendall(_SSL_REQUEST)
                return connection.recv(1) in (b"S", b"N")
        return False


def _user_line(user: tuple[str, str]) -> str:
    name, password = (text.replace('"', '""') for text in user)
    return f'"{name}" "{password}"\n'
