"""A private PostgreSQL cluster in a folder of its own."""

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import files, network, unprivileged
from .command import run
from .console import StackError
from .process import Daemon
from .settings import clean_environment

SUPERUSER = "postgres"
# What fits into the kernel's socket address, less the terminating zero.
_LONGEST_SOCKET_PATH = 107


def find_bindir() -> Path | None:
    """Where PostgreSQL's server programs are: PG_BINDIR, else the newest of Debian's."""
    if own := os.environ.get("PG_BINDIR"):
        if not (Path(own) / "initdb").exists():
            raise StackError(f"PG_BINDIR={own} has no initdb")
        return Path(own)
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: [int(number) for number in path.parent.name.split(".")])
    in_path = shutil.which("initdb")
    return Path(in_path).resolve().parent if in_path else None


def bindir() -> Path:
    """Where they are, or an error that says how to get them."""
    if (found := find_bindir()) is None:
        raise StackError("PostgreSQL's server programs are missing: install the package postgresql, or set PG_BINDIR")
    return found


class Cluster:
    """One server, its data and its roles' passwords, all below `directory`."""

    def __init__(self, directory: Path, *, port: int = 0, log: Path | None = None) -> None:
        """With port 0 it takes a free one when it first starts."""
        self.directory = directory
        self.host = network.HOST
        self.port = port or network.free_port()
        self.data = directory / "data"
        self._daemon = Daemon("postgres", directory, log or directory / "postgres.log")

    @property
    def bindir(self) -> Path:
        """Where the client programs are."""
        return bindir()

    @property
    def server_bindir(self) -> Path:
        """Where `initdb` and `postgres` are."""
        return self.bindir

    @property
    def log(self) -> Path:
        return self._daemon.log

    def start(self, timeout: float = 60.0) -> bool:
        """Starts the server, initialised if need be; says whether that changed anything."""
        self._initialise()
        command = self._command()
        version = files.digest(*map(str, command))
        if self._daemon.is_running() and self._daemon.version() == version:
            self._daemon.wait_until(self.is_healthy, timeout)
            return False
        self.stop()
        network.require_free(self.port, "PG_PORT")
        self._daemon.start(command, env=clean_environment(), cwd=self.data, version=version)
        self._daemon.wait_until(self.is_healthy, timeout)
        return True

    def stop(self) -> bool:
        """Stops the server and ends its sessions; says whether it was running."""
        return self._daemon.stop(signal.SIGINT)

    def kill(self) -> None:
        """Ends the server at once, with nothing finished."""
        self._daemon.kill()

    def is_running(self) -> bool:
        return self._daemon.is_running()

    def is_healthy(self) -> bool:
        """Whether the server answers a query."""
        try:
            return self.query("SELECT 1") == "1"
        except StackError:
            return False

    def query(self, sql: str, *, database: str = "postgres", role: str = SUPERUSER) -> str:
        """Runs SQL and returns the rows that it gave, as psql prints them without alignment."""
        return run(
            [
                *(self.bindir / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
                *("--set=ON_ERROR_STOP=1", "--host", self.host, "--port", str(self.port)),
                *("--username", role, "--dbname", database),
            ],
            purpose=f"ask PostgreSQL's database {database}",
            # A password in the arguments would be there for every user of the machine to see.
            env={**clean_environment(), "PGPASSWORD": self.password(role), "PGCONNECT_TIMEOUT": "5"},
            stdin=sql,
        ).strip()

    def password(self, role: str = SUPERUSER) -> str:
        """The password of a role; one is made up for a role that has none."""
        return files.kept_secret(self.directory / f"{role}.password")

    def ensure_role(self, role: str) -> None:
        """Makes a role that may log in and make databases, if it is not there."""
        if self.query(f"SELECT 1 FROM pg_roles WHERE rolname = {_literal(role)}"):
            return
        self.query(f"CREATE ROLE {_identifier(role)} LOGIN CREATEDB PASSWORD {_literal(self.password(role))}")

    def has_database(self, name: str) -> bool:
        return bool(self.query(f"SELECT 1 FROM pg_database WHERE datname = {_literal(name)}"))

    def drop_database(self, name: str) -> None:
        """Drops a database if it is there, with its sessions."""
        self.query(f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")

    def rename_database(self, name: str, new_name: str) -> None:
        """Renames a database, and ends its sessions: an Odoo looks after every database that it sees."""
        self.query(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {_literal(name)};"
            f"ALTER DATABASE {_identifier(name)} RENAME TO {_identifier(new_name)};"
        )

    def _initialise(self) -> None:
        """Makes the data directory in one step that either is done or not."""
        if self.data.exists():
            if not (self.directory / f"{SUPERUSER}.password").exists():
                raise StackError(
                    f"the superuser's password of the cluster in {self.directory} is lost: "
                    "remove that folder, and with it the databases"
                )
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        partial = self.directory / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "data").mkdir(parents=True, mode=0o700)
        pwfile = partial / "pwfile"
        files.write_private(pwfile, self.password())
        for path in (partial, partial / "data", pwfile):
            unprivileged.own(path)
        run(
            [
                *unprivileged.prefix(partial),
                *(self.server_bindir / "initdb", "--pgdata", partial / "data", "--username", SUPERUSER),
                *("--auth=scram-sha-256", "--pwfile", pwfile, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            purpose="make a PostgreSQL cluster",
            cwd=partial,
        )
        (partial / "data").rename(self.data)
        shutil.rmtree(partial)

    def _settings(self) -> Mapping[str, str | int | Path]:
        return {
            "listen_addresses": self.host,
            "port": self.port,
            "unix_socket_directories": self._socket_dir(),
            # Nothing here outlives the machine's next crash: the databases are made again instead.
            "fsync": "off",
            "max_connections": 200,
        }

    def _command(self) -> Sequence[str | Path]:
        options = [f"--{name}={value}" for name, value in self._settings().items()]
        return [*unprivileged.prefix(self.data), self.server_bindir / "postgres", "-D", self.data, *options]

    def _socket_dir(self) -> str:
        """Where the socket is, or nowhere if its path would be too long for the kernel."""
        path = self.data / f".s.PGSQL.{self.port}"
        return str(self.data) if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH else ""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
