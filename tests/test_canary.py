"""Secrets go in by every way there is, and come out nowhere: a search through all that is stored, logged and read."""

import base64
import json
import secrets
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from canary import canary, found_in
from ring import (
    METRICS_TOKEN,
    MODEL,
    Board,
    Databases,
    Session,
    add_manager,
    api_key,
    configure,
    dump,
    healthy,
    json2,
    pair,
    refused,
)
from stack import network
from stack.odoo import Odoo, OdooError
from stack.postgres import Cluster
from stack.sidecar import Sidecar

MASK = "••••••••"
READ_WAYS = ["password", "api_key"]


class Nest:
    """An Odoo that says all it can, with its sidecar, and what was put into them."""

    def __init__(self, odoo: Odoo, sidecar: Sidecar) -> None:
        self.odoo, self.sidecar = odoo, sidecar
        self.manager, self.admin = Board(odoo), Board(odoo, "admin")
        self.canaries: dict[str, str] = {}
        self.errors: list[str] = []
        self.api_key = api_key(odoo, "manager")

    def new(self, way: str) -> dict[str, str]:
        """A password and a key that nobody else has."""
        return {name: self.canaries.setdefault(f"{name} by {way}", canary(way)) for name in ("password", "api_key")}

    def refuse(self, call: Callable[[], Any]) -> None:
        self.errors.append(refused(call).message)

    def json2(self, method: str, **arguments: Any) -> Any:
        return json2(self.odoo, self.api_key, MODEL, method, **arguments)

    def xml(self, method: str, *args: Any, **kwargs: Any) -> Any:
        models = xmlrpc.client.ServerProxy(f"{self.odoo.url}/xmlrpc/2/object", allow_none=True)
        common = xmlrpc.client.ServerProxy(f"{self.odoo.url}/xmlrpc/2/common")
        uid = common.authenticate(self.odoo.database, "manager", "manager", {})
        return models.execute_kw(self.odoo.database, uid, "manager", MODEL, method, list(args), kwargs)


@pytest.fixture(scope="module")
def nest(databases: Databases, executable: Path) -> Iterator[Nest]:
    odoo = databases.odoo("canary")
    odoo.extra_args.append("--log-level=debug")
    sidecar = Sidecar(odoo.directory.with_name("canary_sidecar"), executable=executable)
    configure(sidecar)
    try:
        odoo.start()
        add_manager(odoo, "base.group_allow_export")
        pair(odoo, sidecar)
        yield Nest(odoo, sidecar)
    finally:
        sidecar.stop()
        odoo.stop()


@pytest.fixture(scope="module")
def filled(nest: Nest, books: Cluster) -> Nest:
    """After secrets went in by every way, some of them in vain."""
    well = healthy(books)
    manager, admin = nest.manager, nest.admin

    created = manager.create(**{**well, **nest.new("JSON-RPC create"), "name": canary_name("visible")})
    manager.call("write", [created], nest.new("JSON-RPC write"))
    nest.xml("create", [{**named("XML-RPC"), **nest.new("XML-RPC create")}])
    nest.json2("create", vals_list=[{**named("JSON-2"), **nest.new("JSON-2 create")}])
    nest.json2("write", ids=[created], vals=nest.new("JSON-2 write"))
    session = Session(nest.odoo)
    session.call("web_save", [], {**named("web client"), **nest.new("form")}, specification={"password": {}})
    session.call("onchange", [], {**named("typing"), **nest.new("onchange")}, ["name"], {"name": {}, "password": {}})

    # Tested: right, wrong, and by a server that says it back.
    right = nest.canaries["password that logs in"] = canary("right")
    books.query(f"CREATE ROLE canary LOGIN PASSWORD '{right}'")
    tested = manager.create(**{**well, "username": "canary", "password": right})
    assert manager.result(tested)["status"] == "success"
    manager.call("write", [tested], {"password": nest.new("wrong")["password"]})
    assert manager.result(tested)["failure_kind"] == "auth"

    # Moved, copied, revealed.
    moved = manager.create(**{**well, **nest.new("rebind")})
    admin.call("rebind", [moved], {"base_url": "moved.example"})
    manager.call("copy", [created])
    shown = admin.call("render_config", [moved], "env", reveal=True)["content"]
    assert found_in(shown, nest.canaries["password by rebind"]), "an administrator is not shown the secret"

    # Refused, each for a reason of its own.
    nest.refuse(lambda: manager.call("write", [created], {"password": MASK + nest.new("mask and more")["password"]}))
    nest.refuse(lambda: manager.call("write", [created], {"password": nest.new("long")["password"] * 9000}))
    nest.refuse(lambda: manager.call("write", [created], {"password": [nest.new("list")["password"]]}))
    nest.refuse(lambda: manager.create(base_url=f"user:{nest.new('server')['password']}@db.example"))
    nest.refuse(lambda: manager.create(port=99999, **nest.new("bad port")))
    nest.refuse(lambda: manager.call("write", [created], {"password_token": nest.new("token")["password"]}))
    loaded = manager.call("load", ["name", "password"], [["By load", nest.new("load")["password"]]])
    assert loaded["ids"] is False
    nest.errors.append(str(loaded["messages"]))
    import_file(nest, nest.new("file")["password"])
    wrong_address = ("ir.config_parameter", "set_param")
    before = nest.odoo.call("ir.config_parameter", "get_param", ["insightpulse.sidecar_url"])
    nest.odoo.call(*wrong_address, ["insightpulse.sidecar_url", f"http://127.0.0.1:{network.free_port()}"])
    nest.refuse(lambda: manager.call("write", [created], nest.new("unsealed")))
    nest.odoo.call(*wrong_address, ["insightpulse.sidecar_url", before])
    return nest


def canary_name(text: str) -> str:
    return f"{text}-{secrets.token_hex(8)}"


def named(name: str) -> dict[str, Any]:
    return {"name": name, "connection_type": "postgresql", "base_url": "db.example", "username": "reader"}


def import_file(nest: Nest, secret: str) -> None:
    """As the import screen does with a file that has a column of passwords."""
    file = base64.b64encode(f"name,password\nBy file,{secret}\n".encode()).decode()
    call = nest.odoo.call
    values = {"res_model": MODEL, "file": file, "file_name": "secrets.csv", "file_type": "text/csv"}
    wizard = call("base_import.import", "create", [values])
    options = {"quoting": '"', "separator": ",", "has_headers": True, "encoding": "utf-8"}
    preview = call("base_import.import", "parse_preview", [[wizard], options])
    nest.errors.append(preview["error"])


def check(nest: Nest, where: str, text: str) -> None:
    for way, secret in nest.canaries.items():
        found = found_in(text, secret)
        assert not found, f"{where} has the {way}"


def test_odoos_database_has_no_secret(filled: Nest, cluster: Cluster) -> None:
    text = dump(cluster, filled.odoo.database)
    name = filled.manager.call("search_read", [["name", "like", "visible-"]], ["name"])[0]["name"]
    assert name in text, "the dump lacks what was saved"
    check(filled, "Odoo's database", text)


def test_odoos_files_and_the_sidecars_store_have_no_secret(filled: Nest) -> None:
    files = [path for folder in (filled.odoo.directory, filled.sidecar.directory) for path in folder.rglob("*")]
    files = [path for path in files if path.is_file()]
    assert any(path.name == "pairings.json" for path in files)
    for path in files:
        check(filled, path.name, path.read_bytes().decode(errors="replace"))


def test_no_log_has_a_secret_even_at_debug(filled: Nest, cluster: Cluster) -> None:
    for log in (filled.odoo.log, filled.sidecar.log, cluster.log):
        check(filled, log.name, log.read_text(errors="replace"))
    assert " DEBUG " in filled.odoo.log.read_text(errors="replace")
    assert "DEBUG" in filled.sidecar.log.read_text(errors="replace")


def test_no_error_has_a_secret(filled: Nest) -> None:
    assert len(filled.errors) >= 9
    for error in filled.errors:
        check(filled, "an error", error)


def test_the_metrics_have_no_secret(filled: Nest) -> None:
    request = urllib.request.Request(
        f"{filled.sidecar.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}
    )
    with network.opener().open(request, timeout=10) as answer:
        text = answer.read().decode()
    assert "insightpulse_requests_total" in text
    check(filled, "/metrics", text)


def test_the_bus_and_the_audit_log_have_no_secret(filled: Nest, cluster: Cluster) -> None:
    for table in ("bus_bus", "insightpulse_audit_entry"):
        rows = cluster.query(f"SELECT row_to_json(t) FROM {table} t", database=filled.odoo.database)
        assert rows, f"{table} is empty"
        check(filled, table, rows)


def reads(nest: Nest, call: Callable[..., Any]) -> dict[str, Any]:
    """All that somebody can ask for who may only read, over one protocol."""
    ids = call("search", domain=[])
    names = list(call("fields_get"))
    return {
        "read": call("read", ids=ids),
        "search_read": call("search_read", domain=[], fields=names),
        "web_search_read": call("web_search_read", domain=[], specification={name: {} for name in READ_WAYS}),
        "export_data": call("export_data", ids=ids, fields_to_export=["name", "base_url", "password", "api_key"]),
        "copy_data": call("copy_data", ids=ids),
        "default_get": call("default_get", fields=names),
        "name_search": call("name_search", name=""),
        "env": call("generate_env_file"),
        "dashboard": call("get_connection_health_dashboard"),
        **{kind: call("render_config", ids=ids, format=kind) for kind in ("uri", "env", "compose")},
    }


def test_a_manager_reads_no_secret_over_any_protocol(filled: Nest) -> None:
    def positional(call: Callable[..., Any]) -> Callable[..., Any]:
        def with_ids(method: str, ids: list[int] | None = None, **kwargs: Any) -> Any:
            return call(method, *([ids] if ids is not None else []), **kwargs)

        return with_ids

    session = Session(filled.odoo)
    protocols = {
        "JSON-RPC": positional(filled.manager.call),
        "XML-RPC": positional(filled.xml),
        "JSON-2": filled.json2,
        "the web client": positional(session.call),
    }
    for protocol, call in protocols.items():
        for what, answer in reads(filled, call).items():
            check(filled, f"{what} over {protocol}", json.dumps(answer, ensure_ascii=False, default=str))
    masked = [record["password"] for record in filled.manager.call("search_read", [], ["password"])]
    assert set(masked) == {MASK, False}


def test_a_secret_cannot_be_found_by_searching_for_it(filled: Nest) -> None:
    """Else somebody who may not read it could guess it letter by letter."""
    for name in ("password", "api_key", "password_token", "api_key_token"):
        for operator in ("=", "like", "=like", ">"):
            try:
                found = filled.manager.call("search", [[name, operator, "ip1.%"]])
            except OdooError as error:
                assert error.name in ("odoo.exceptions.AccessError", "builtins.ValueError", "odoo.exceptions.UserError")
            else:
                assert found in ([], filled.manager.call("search", [])), f"{name} {operator}"


def test_writing_the_mask_back_changes_nothing_and_an_empty_value_clears(filled: Nest, books: Cluster) -> None:
    board = filled.manager
    endpoint = board.create(**healthy(books))
    board.call("write", [endpoint], {"name": "Mask", "password": MASK})
    assert board.result(endpoint)["status"] == "success"
    board.call("write", [endpoint], {"password": ""})
    assert board.read(endpoint)["password"] is False
