"""MariaDB with a user `app`, over TCP."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stack import files
from stack.command import run
from stack.console import StackError

from .certificates import Identity
from .server import UnprivilegedServer, installed

USER = "app"
DATABASE = "app"
SUPERUSER = "root"
# What it would take for a server that is to last.
_SMALL = {
    "innodb-buffer-pool-size": "16M",
    "innodb-log-file-size": "8M",
    "innodb-flush-log-at-trx-commit": "0",
    "performance-schema": "OFF",
}


class MariaDB(UnprivilegedServer):
    """A server with a database `app`, all of which its user `app` may change.

    With `tls` it offers that; with `require_tls` it takes nothing else.
    """

    name = "mariadb"
    patience_s = 60.0

    def __init__(
        self,
        directory: Path,
        *,
        password: str = "",
        tls: Identity | None = None,
        require_tls: bool = False,
        settings: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        """Without a password, `app` is given one; see `password`."""
        super().__init__(directory, port=port)
        self._own_password = password
        self._tls = tls
        self._settings = {"require-secure-transport": "ON" if require_tls else "OFF", **(settings or {})}
        self._data = directory / "data"

    def password(self, user: str = USER) -> str:
        if user == USER and self._own_password:
            return self._own_password
        return files.kept_secret(self.directory / f"{user}.password")

    def sql(self, text: str, *, user: str = SUPERUSER, database: str = DATABASE) -> str:
        """Runs SQL and returns the rows that it gave, columns separated by tabs, as MariaDB's client prints them."""
        return run(
            [
                *(installed("mariadb"), "--no-defaults", "--batch", "--skip-column-names"),
                *("--protocol=tcp", "--host", self.host, "--port", str(self.port), "--user", user),
                *(["--ssl"] if self._tls else []),
                database,
            ],
            purpose=f"ask MariaDB's database {database}",
            env={**self.environment(), "MYSQL_PWD": self.password(user)},
            stdin=text,
        ).strip()

    def prepare(self) -> None:
        super().prepare()
        if not self._data.exists():
            self._initialise()
        self.write("users.sql", self._users())

    def command(self) -> Sequence[str | Path]:
        settings: dict[str, str | int | Path] = {
            "datadir": self._data,
            "bind-address": self.host,
            "port": self.port,
            # Within the data directory: a whole path may be too long for the kernel.
            "socket": "mariadb.sock",
            "pid-file": "mariadb.pid",
            "init-file": self.directory / "users.sql",
            **_SMALL,
            **self._settings,
        }
        if self._tls:
            kept = self.keep(self._tls)
            settings |= {"ssl-cert": kept.certificate, "ssl-key": kept.key}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [*self.as_user(), installed("mariadbd"), "--no-defaults", "--skip-name-resolve", *options]

    def answers(self) -> bool:
        try:
            return self.sql("SELECT 1") == "1"
        except StackError:
            return False

    def _initialise(self) -> None:
        run(
            [
                *(*self.as_user(), installed("mariadb-install-db"), "--no-defaults", f"--datadir={self._data}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
                *(f"--{name}={value}" for name, value in _SMALL.items()),
            ],
            purpose="make a MariaDB",
            cwd=self.directory,
        )

    def _users(self) -> str:
        """What it runs whenever it starts: its users, who may come from this machine alone."""
        app, superuser = f"'{USER}'@'%'", f"'{SUPERUSER}'@'127.0.0.1'"
        lines = [
            f"CREATE OR REPLACE USER {superuser} IDENTIFIED BY {_literal(self.password(SUPERUSER))}",
            f"GRANT ALL ON *.* TO {superuser} WITH GRANT OPTION",
            f"CREATE DATABASE IF NOT EXISTS {DATABASE}",
            f"CREATE OR REPLACE USER {app} IDENTIFIED BY {_literal(self.password())}",
            f"GRANT ALL ON {DATABASE}.* TO {app}",
        ]
        return "".join(f"{line};\n" for line in lines)


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
