"""The crate `odoo_rpc` on a real Odoo: one list of calls, one expectation, every dialect."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_server import HttpServer, QuietHandler
from ring import CHECKOUT, MANAGER, Board, Databases, api_key, running, wait_until
from stack.odoo import LOGIN, Odoo
from switchboard import Switchboard

EXPECTED = {
    "read": {
        "ok": [
            {
                "name": ' Söphie < & > "quoted" \r\n 🎈 ',
                "color": 11,
                "active": True,
                "partner_latitude": 14.5995,
                "email": "",
                "child_ids": [],
                "parent_id": False,
            }
        ]
    },
    "search_read": {"ok": 11},
    "nothing": {"ok": []},
    "context": {"ok": 1},
    "write": {"ok": True},
    "check": {"ok": True},
    "validation": {"error": "invalid"},
    "missing": {"error": "missing"},
    "no_such_method": {"error": "no_such_method"},
    "no_such_model": {"error": "no_such_method"},
    "create_one": {"ok": 1},
    "private_method": {"error": "forbidden"},
    "server": {"error": "server"},
    "forbidden": {"error": "forbidden"},
    "wrong_key": {"error": "access_denied"},
    "wrong_key_check": {"error": "access_denied"},
    "wrong_database": {"error": "wrong_database"},
    "proxy": {"error": "not_odoo"},
    "nobody": {"error": "unreachable"},
}


@pytest.fixture(scope="module")
def login_page() -> Iterator[str]:
    """A proxy that wants people to log in, and answers everything with that."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 (the standard library's name)
            body = b"<html>Sign in</html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

    with HttpServer(Handler) as server:
        yield server.root


@pytest.fixture(scope="module")
def api_keys(odoo: Odoo) -> dict[str, str]:
    """A key of an administrator and one of a Connection Manager."""
    return {login: api_key(odoo, login) for login in (LOGIN, MANAGER)}


@pytest.mark.parametrize("protocol", ["jsonrpc", "xmlrpc", "json2", "auto"])
def test_every_dialect_gives_the_same_results_and_the_same_errors(
    odoo: Odoo, api_keys: dict[str, str], login_page: str, protocol: str
) -> None:
    environment = {
        **os.environ,
        "ODOO_URL": odoo.url,
        "ODOO_DATABASE": odoo.database,
        "ODOO_LOGIN": LOGIN,
        "ODOO_API_KEY": api_keys[LOGIN],
        "ODOO_WEAK_LOGIN": MANAGER,
        "ODOO_WEAK_API_KEY": api_keys[MANAGER],
        "ODOO_PROXY_URL": login_page,
        "ODOO_PROTOCOL": protocol,
    }
    command = ["cargo", "run", "--quiet", "-p", "insightpulse-odoo-rpc", "--example", "conformance"]
    ended = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == EXPECTED


@pytest.mark.parametrize("protocol", ["xmlrpc", "json2"])
def test_the_sidecar_itself_speaks_every_dialect(databases: Databases, executable: Path, protocol: str) -> None:
    """JSON-RPC is what all other tests have it speak."""
    more = {"odoo": {"protocol": protocol}}
    with (
        Switchboard() as switchboard,
        running(databases, f"speaks_{protocol}", executable=executable, more=more) as (odoo, _sidecar),
    ):
        board = Board(odoo)
        values = {"connection_type": "api", "is_paused": False, "interval_s": 5, "failure_threshold": 1}
        endpoint = board.create(base_url=switchboard.url(1), **values)

        def status() -> str:
            return board.call("read", [endpoint], ["status"])[0]["status"]

        wait_until(lambda: status() == "success", "it is read, tested and told of")
        switchboard.down.add(1)
        wait_until(lambda: status() == "failed", "so is its failure, with an event")
