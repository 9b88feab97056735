"""Real servers for the tests of the whole: databases made from templates, an Odoo with its sidecar, its users."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "deploy/dev"))

from stack import network, pairing  # noqa: E402
from stack.odoo import ROLE, Odoo, OdooError  # noqa: E402
from stack.postgres import Cluster  # noqa: E402
from stack.settings import ADDON, Settings  # noqa: E402
from stack.sidecar import Sidecar  # noqa: E402

MODEL = "insightpulse.connection.endpoint"
MANAGER = "manager"
# A probe's timeout in these tests: long enough for a healthy server on a busy machine, short enough to wait for.
TIMEOUT_S = 2.0
# What Prometheus would show.
METRICS_TOKEN = "the-metrics-token-of-these-tests-0123456789"
# For what has no bound of its own, on a machine that does other things too.
PATIENCE_S = 30.0


def state_dir() -> Path:
    """The folder of the stack that these tests were run for; nothing of them is there but screenshots and logs."""
    return Settings.from_environment().state_dir


def wait_until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE_S) -> Any:
    """Returns what the condition returns, once that is true."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s in vain: {what}"
        time.sleep(0.05)
    return value


class Databases:
    """Makes databases of Odoo by copying, since initialising one takes ten times as long."""

    def __init__(self, directory: Path, cluster: Cluster) -> None:
        self._directory = directory
        self._cluster = cluster
        self._templates: dict[str, Odoo] = {}

    def odoo(self, name: str, *neighbours: str, installed: bool = True, workers: int = 0) -> Odoo:
        """An Odoo, not started, with a database of its own; `installed` says whether the addon is in it.

        It serves that database and its neighbours, which are like it, and leaves those of other tests alone.
        """
        served = ("--database", ",".join((name, *neighbours)))
        odoo = Odoo(self._directory / name, self._cluster, database=name, workers=workers, extra_args=served)
        for database in (name, *neighbours):
            self._copy(odoo, database, installed=installed)
        return odoo

    def _copy(self, odoo: Odoo, database: str, *, installed: bool) -> None:
        """Gives that Odoo a database, with a uuid of its own."""
        template = self._template(installed)
        files = template.directory / "data/filestore" / template.database
        if files.exists():
            shutil.copytree(files, odoo.directory / "data/filestore" / database)
        self._cluster.query(f'CREATE DATABASE "{database}" TEMPLATE "{template.database}" OWNER "{ROLE}"')
        self._cluster.query(
            "UPDATE ir_config_parameter SET value = gen_random_uuid() WHERE key = 'database.uuid'",
            database=database,
        )

    def _template(self, installed: bool) -> Odoo:
        name = "template_addon" if installed else "template_base"
        if name not in self._templates:
            odoo = Odoo(self._directory / name, self._cluster, database=name)
            if installed:
                self._copy(odoo, name, installed=False)
                odoo.install(ADDON)
            else:
                odoo.create_database()
            # A session in it would keep it from being copied.
            self._cluster.query(f'ALTER DATABASE "{name}" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false')
            self._templates[name] = odoo
        return self._templates[name]


def configure(sidecar: Sidecar, timeout_s: float = TIMEOUT_S, more: dict[str, Any] | None = None) -> None:
    """Writes the configuration that tests want, and what one of them wants beside it."""
    sidecar.configure(
        {
            **(more or {}),
            "server": {"metrics_token": METRICS_TOKEN},
            "egress": {"allow_loopback": True},
            "probe": {"timeout_ms": int(timeout_s * 1000)},
            # What it would say to somebody who looks for a fault: the tests look there for secrets.
            "log": {"filter": "debug,h2=info,hyper=info,mio=info"},
        },
    )


def pair(odoo: Odoo, sidecar: Sidecar) -> None:
    """Starts the sidecar and pairs it with a running Odoo, as `make up` does."""
    sidecar.start(wait_for_odoo=False)
    pairing.pair(odoo, sidecar)
    sidecar.wait_until_ready()


def new_store(cluster: Cluster) -> dict[str, Any]:
    """Makes an empty database for a sidecar; returns the table of its configuration that names it."""
    cluster.ensure_role("sidecar")
    cluster.query("CREATE DATABASE sidecar OWNER sidecar")
    login = f"sidecar:{cluster.password('sidecar')}"
    return {"url": f"postgresql://{login}@{cluster.host}:{cluster.port}/sidecar?sslmode=disable"}


def add_manager(odoo: Odoo, *more: str) -> None:
    """Adds a user who has the right of a Connection Manager, and those of `more` groups but no other."""
    names = [f"{ADDON}.group_connection_manager", *more]
    groups = [odoo.call("ir.model.data", "search_read", [_external(name), ["res_id"]])[0]["res_id"] for name in names]
    user = {"name": "Mia Manager", "login": MANAGER, "password": MANAGER, "group_ids": [[6, 0, groups]]}
    odoo.call("res.users", "create", [user])


def _external(name: str) -> list[Any]:
    module, _, local = name.partition(".")
    return [["module", "=", module], ["name", "=", local]]


@contextlib.contextmanager
def running(
    databases: Databases,
    name: str,
    *neighbours: str,
    executable: Path,
    workers: int = 0,
    more: dict[str, Any] | None = None,
) -> Iterator[tuple[Odoo, Sidecar]]:
    """An Odoo with the addon, a Connection Manager and a sidecar, as `make up` starts them."""
    odoo = databases.odoo(name, *neighbours, workers=workers)
    sidecar = Sidecar(odoo.directory.with_name(f"{name}_sidecar"), executable=executable)
    configure(sidecar, more=more)
    try:
        odoo.start()
        add_manager(odoo)
        pair(odoo, sidecar)
        yield odoo, sidecar
    finally:
        sidecar.stop()
        odoo.stop()


def dump(cluster: Cluster, database: str) -> str:
    """Everything that is in a database, as SQL."""
    server = ["--host", cluster.host, "--port", str(cluster.port), "--username", "postgres"]
    environment = {"PGPASSWORD": cluster.password(), "PATH": os.environ["PATH"]}
    command = [cluster.bindir / "pg_dump", *server, database]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def healthy(books: Cluster, **values: Any) -> dict[str, Any]:
    """An endpoint that is well: the database `books`, as its reader."""
    return {
        "port": books.port,
        "database_name": "books",
        "username": "reader",
        "password": books.password("reader"),
        **values,
    }


class Board:
    """What somebody does with endpoints, over JSON-RPC."""

    def __init__(self, odoo: Odoo, login: str = MANAGER) -> None:
        self.odoo = odoo
        self.login = login

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.odoo.call(MODEL, method, args, kwargs, login=self.login, password=self.login)

    def create(self, **values: Any) -> int:
        return self.create_all([values])[0]

    def create_all(self, values: Sequence[dict[str, Any]]) -> list[int]:
        # What is tested by hand is left alone by the schedule, which has tests of its own.
        usual = {"name": "Books", "connection_type": "postgresql", "base_url": "127.0.0.1", "is_paused": True}
        return self.call("create", [{**usual, **one} for one in values])

    def read(self, endpoint_id: int) -> dict[str, Any]:
        return self.call("read", [endpoint_id])[0]

    def test(self, *ids: int) -> dict[str, Any]:
        """Presses Test; returns what the browser is told to do."""
        return self.call("action_test_connection", list(ids))

    def result(self, endpoint_id: int) -> dict[str, Any]:
        """Presses Test, and returns the record once the result of this very test is written back."""
        return self.written(self.test(endpoint_id))[0]

    def written(self, action: dict[str, Any], timeout: float = PATIENCE_S) -> list[dict[str, Any]]:
        """The records of a test once all of its results, or newer ones, are in Odoo."""
        probes = {probe["id"]: probe["probe"] for probe in action["params"]["next"]["params"]["probes"]}

        def are_there() -> bool:
            known = self.call("read", list(probes), ["last_probe_id"])
            return all((record["last_probe_id"] or "") >= probes[record["id"]] for record in known)

        wait_until(are_there, f"results of {len(probes)} probes", timeout)
        return self.call("read", list(probes))


class Session:
    """A browser's session, as far as its calls go."""

    def __init__(self, odoo: Odoo, login: str = MANAGER) -> None:
        self._url = odoo.url
        self._cookie = ""
        self._post("/web/session/authenticate", {"db": odoo.database, "login": login, "password": login})

    def test(self, *ids: int) -> dict[str, Any]:
        return self.call("action_test_connection", list(ids))

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        params = {"model": MODEL, "method": method, "args": list(args), "kwargs": kwargs}
        return self._post(f"/web/dataset/call_kw/{MODEL}/{method}", params)

    def _post(self, path: str, params: dict[str, Any]) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode()
        headers = {"Content-Type": "application/json", "Cookie": self._cookie}
        request = urllib.request.Request(self._url + path, body, headers)
        with self._open(request) as response:
            if cookie := response.headers.get("Set-Cookie"):
                self._cookie = cookie.partition(";")[0]
            answer = json.load(response)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    @staticmethod
    def _open(request: urllib.request.Request) -> Any:
        """Sends it again when it got no further than the kernel, as a proxy in front of Odoo does.

        With two workers, Odoo lets 16 connections wait to be accepted; Linux may reset those beyond.
        """
        for _ in range(5):
            try:
                return network.opener().open(request, timeout=60)
            except OSError as error:
                if not isinstance(getattr(error, "reason", error), ConnectionResetError):
                    raise
        raise AssertionError(f"{request.full_url} was reset five times")


def api_key(odoo: Odoo, login: str) -> str:
    """A new API key of a user."""
    script = f"""
from datetime import datetime, timedelta
user = env["res.users"].search([("login", "=", {login!r})])
keys = env["res.users.apikeys"].with_user(user).sudo()
key = keys._generate("rpc", "tests", datetime.now() + timedelta(hours=3))
env.cr.commit()
print(key)
"""
    return odoo.shell(script).splitlines()[-1]


def json2(odoo: Odoo, api_key: str, model: str, method: str, **arguments: Any) -> Any:
    """Calls a method over JSON-2."""
    headers = {
        "Authorization": f"bearer {api_key}",
        "Content-Type": "application/json",
        "X-Odoo-Database": odoo.database,
    }
    request = urllib.request.Request(f"{odoo.url}/json/2/{model}/{method}", json.dumps(arguments).encode(), headers)
    try:
        with network.opener().open(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        body = json.load(error)
        raise OdooError(body["name"], body["message"]) from None


def refused(call: Callable[[], Any]) -> OdooError:
    """The error that a call is refused with."""
    try:
        answer = call()
    except OdooError as error:
        return error
    raise AssertionError(f"it was not refused, but answered {answer!r}")
