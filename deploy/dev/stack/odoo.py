"""An Odoo 19 server with its databases, run from Debian's package or from the user's own."""

import configparser
import io
import json
import shutil
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import downloads, files, network, odoo_package
from .command import run, run_logged
from .console import StackError
from .postgres import Cluster
from .process import Daemon
from .settings import ADDONS, clean_environment, odoo_bin

ROLE = "odoo"
LOGIN = PASSWORD = "admin"


class OdooError(StackError):
    """Odoo's answer to a call that failed, with the name of the exception that it raised."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}" if name else message)
        self.name = name
        self.message = message


class Odoo:
    """One server, its configuration and its files, all below `directory`."""

    def __init__(
        self,
        directory: Path,
        cluster: Cluster,
        *,
        database: str = "insightpulse",
        port: int = 0,
        workers: int = 0,
        extra_args: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        """With port 0 it takes a free one. `extra_args` are given to the server as it starts."""
        self.directory = directory
        self.cluster = cluster
        self.database = database
        self.port = port or network.free_port()
        self.workers = workers
        self.extra_args = list(extra_args)
        self._gevent_port = network.free_port() if workers else None
        self._daemon = Daemon("odoo", directory, log or directory / "odoo.log")
        self._user_ids: dict[tuple[str, str], int] = {}

    @property
    def url(self) -> str:
        return f"http://{network.HOST}:{self.port}"

    @property
    def log(self) -> Path:
        return self._daemon.log

    # The server

    def start(self, timeout: float = 90.0) -> bool:
        """Starts the server with its present configuration; says whether that changed anything."""
        self._configure()
        command = [*_command(), "server", "--config", self._config, *self.extra_args]
        version = self._version(command)
        if self._daemon.is_running() and self._daemon.version() == version:
            self._daemon.wait_until(self.is_healthy, timeout)
            return False
        self.stop()
        network.require_free(self.port, "ODOO_PORT")
        self._daemon.start(command, env=_environment(), cwd=self.directory, version=version)
        self._daemon.wait_until(self.is_healthy, timeout)
        return True

    def stop(self) -> bool:
        """Stops the server; says whether it was running."""
        return self._daemon.stop()

    def kill(self) -> None:
        """Ends the server at once, with nothing finished."""
        self._daemon.kill()

    def is_running(self) -> bool:
        return self._daemon.is_running()

    def is_healthy(self) -> bool:
        """Whether the server answers, and has its database server."""
        return network.answers(f"{self.url}/web/health?db_server_status=1")

    def call(
        self,
        model: str,
        method: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        login: str = LOGIN,
        password: str = PASSWORD,
        timeout: float = 60.0,
    ) -> Any:
        """Calls a method over JSON-RPC as that user: `call("res.partner", "read", [[1], ["name"]])`."""
        user_id = self._user_ids.get((login, password))
        if user_id is None:
            user_id = self._rpc("common", "authenticate", [self.database, login, password, {}], timeout)
            if not user_id:
                raise OdooError("odoo.exceptions.AccessDenied", f"the password of {login} is another")
            self._user_ids[login, password] = user_id
        credentials = [self.database, user_id, password]
        return self._rpc("object", "execute_kw", [*credentials, model, method, list(args), dict(kwargs or {})], timeout)

    # Its databases

    def create_database(self) -> None:
        """Makes the database with Odoo's own base and the login admin/admin, as a whole or not at all.

        What a killed run left behind is cleared away first. The database gets its name last, so
        whatever bears that name is whole. Addons are installed later, since they may remember it.
        """
        self._remove_database(self._unfinished)
        self._remove_filestore(self.database)
        self._run("server", *self._for(self._unfinished), "--init", "base,web", "--stop-after-init")
        if (filestore := self._filestore(self._unfinished)).exists():
            filestore.rename(self._filestore(self.database))
        self.cluster.rename_database(self._unfinished, self.database)

    def drop_database(self) -> None:
        self._remove_database(self.database)

    def has_database(self) -> bool:
        return self.cluster.has_database(self.database)

    def install(self, *modules: str) -> None:
        self._run("server", *self._for(self.database), "--init", ",".join(modules), "--stop-after-init")

    def upgrade(self, *modules: str) -> None:
        self._run("server", *self._for(self.database), "--update", ",".join(modules), "--stop-after-init")

    def test(self, module: str) -> bool:
        """Makes the database with the module and runs its tests; says whether Odoo was content.

        What happened stands in the log.
        """
        self._configure()
        database = ("--config", self._config, "--database", self.database)
        tests = ("--init", module, "--test-tags", f"/{module}", "--stop-after-init")
        try:
            self._run("server", *database, *tests, timeout=1800.0)
        except StackError:
            return False
        return True

    def has_module(self, module: str) -> bool:
        """Whether the module is installed in the database, with nothing left to do."""
        state = self.cluster.query(
            f"SELECT state FROM ir_module_module WHERE name = '{module}'", database=self.database
        )
        return state == "installed"

    def parameter(self, key: str) -> str:
        """A system parameter as it is stored, empty when there is none."""
        return self.cluster.query(f"SELECT value FROM ir_config_parameter WHERE key = '{key}'", database=self.database)

    def command(self, command: str, *arguments: str | Path, timeout: float = 600.0) -> None:
        """Runs one of Odoo's other commands, such as `db`, with this server's configuration."""
        self._configure()
        run_logged(
            [*_command(), command, "--config", self._config, *arguments],
            self.log,
            purpose=f"run odoo {command}",
            env=_environment(),
            cwd=self.directory,
            timeout=timeout,
        )

    def shell(self, script: str) -> str:
        """Runs a script in Odoo's shell, with `env`, and returns what it printed."""
        self._configure()
        # Not into the log: what it prints may be a secret.
        return run(
            [*_command(), "shell", *self._for(self.database)],
            purpose="run a script in Odoo's shell",
            env=_environment(),
            cwd=self.directory,
            stdin=script,
        )

    # How it is run

    @property
    def _config(self) -> Path:
        return self.directory / "odoo.conf"

    @property
    def _unfinished(self) -> str:
        return f"{self.database}.unfinished"

    def _for(self, database: str) -> list[str | Path]:
        return ["--config", self._config, "--database", database, "--no-http"]

    def _run(self, *arguments: str | Path, timeout: float = 600.0) -> None:
        self._configure()
        run_logged(
            [*_command(), *arguments],
            self.log,
            purpose=f"prepare Odoo's database {self.database}",
            env=_environment(),
            cwd=self.directory,
            timeout=timeout,
        )

    def _configure(self) -> None:
        """Writes the configuration, and makes the role that it names."""
        self.cluster.ensure_role(ROLE)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        options = {
            "addons_path": ADDONS,
            "admin_passwd": files.kept_secret(self.directory / "master.password"),
            "data_dir": self._data_dir,
            "db_host": self.cluster.host,
            "db_port": self.cluster.port,
            "db_user": ROLE,
            "db_password": self.cluster.password(ROLE),
            "http_interface": network.HOST,
            "http_port": self.port,
            "workers": self.workers,
            # /jsonrpc announces at each call that Odoo 22 will not have it.
            "log_handler": ":INFO,odoo.addons.rpc.controllers.jsonrpc:ERROR",
        }
        if self._gevent_port:
            options["gevent_port"] = self._gevent_port
        config = configparser.RawConfigParser()
        config["options"] = {name: str(value) for name, value in options.items()}
        text = io.StringIO()
        config.write(text)
        files.write_private(self._config, text.getvalue())

    def _version(self, command: Sequence[str | Path]) -> str:
        return files.digest(*map(str, command), self._config, ADDONS)

    @property
    def _data_dir(self) -> Path:
        return self.directory / "data"

    def _filestore(self, database: str) -> Path:
        return self._data_dir / "filestore" / database

    def _remove_filestore(self, database: str) -> None:
        shutil.rmtree(self._filestore(database), ignore_errors=True)

    def _remove_database(self, database: str) -> None:
        self.cluster.drop_database(database)
        self._remove_filestore(database)

    def _rpc(self, service: str, method: str, args: list[Any], timeout: float) -> Any:
        body = {
            "jsonrpc": "2.0",
            "method": "call",
            "id": 1,
            "params": {"service": service, "method": method, "args": args},
        }
        request = urllib.request.Request(
            f"{self.url}/jsonrpc", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with network.opener().open(request, timeout=timeout) as response:
                answer = json.load(response)
        except OSError as error:
            raise OdooError("", f"Odoo at {self.url} does not answer: {error}") from None
        if "error" in answer:
            data = answer["error"].get("data", {})
            raise OdooError(data.get("name", ""), data.get("message") or answer["error"]["message"])
        return answer.get("result")


def get() -> str:
    """Makes sure that an Odoo 19 is there, and says which."""
    version = run([*_command(), "--version"], purpose="run Odoo", env=_environment()).strip()
    if not version.removeprefix("Odoo Server ").startswith("19."):
        raise StackError(f"ODOO_BIN must be an Odoo 19, and is {version!r}")
    return version


def _command() -> list[str | Path]:
    if own := odoo_bin():
        return own
    python = downloads.virtualenv("venv-odoo", downloads.REQUIREMENTS)
    return [python, odoo_package.unpacked() / "usr/bin/odoo"]


def _environment() -> dict[str, str]:
    env = clean_environment()
    if not odoo_bin():
        env["PYTHONPATH"] = str(odoo_package.unpacked() / "usr/lib/python3/dist-packages")
    return env
