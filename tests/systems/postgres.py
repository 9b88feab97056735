"""A PostgreSQL that offers what a test asks for: TLS, rules of access, settings, a role and a database `app`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from stack import unprivileged
from stack.postgres import Cluster

from .certificates import Identity

ROLE = "app"
DATABASE = "app"


class Postgres(Cluster):
    """One with SCRAM passwords; that of `app` is `password("app")`, that of the superuser `password()`.

    With `tls` it offers that. `client_ca` is whose certificates of clients it takes. `hba` are lines that
    stand before those of its own `pg_hba.conf`: `hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        tls: Identity | None = None,
        client_ca: Path | None = None,
        hba: Sequence[str] = (),
        settings: Mapping[str, str | int] | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(directory, port=port)
        self._tls = tls
        self._client_ca = client_ca
        self._hba = hba
        self._own_settings = settings or {}

    def __enter__(self) -> Self:
        try:
            self.start()
            self.make_app()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def make_app(self) -> None:
        """Makes the role and the database `app`, if they are not there."""
        self.ensure_role(ROLE)
        if not self.has_database(DATABASE):
            self.query(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")

    def _settings(self) -> Mapping[str, str | int | Path]:
        settings = {**super()._settings()}
        if self._tls:
            settings |= {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
        if self._client_ca:
            settings["ssl_ca_file"] = "client-ca.crt"
        return settings | self._own_settings

    def _initialise(self) -> None:
        is_new = not self.data.exists()
        super()._initialise()
        if self._tls:
            self._keep("server.crt", self._tls.certificate.read_text())
            self._keep("server.key", self._tls.key.read_text())
        if self._client_ca:
            self._keep("client-ca.crt", self._client_ca.read_text())
        if is_new and self._hba:
            rules = self.data / "pg_hba.conf"
            rules.write_text("\n".join([*self._hba, rules.read_text()]))

    def _keep(self, name: str, text: str) -> None:
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        unprivileged.own(path)
