"""What a staging copy cannot do, a restored backup can, and an administrator may on purpose."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ring import Board, Databases, healthy, refused, running
from stack import files
from stack.odoo import Odoo
from stack.postgres import Cluster
from stack.sidecar import Sidecar

WIZARD = "insightpulse.sidecar.pairing"


class Production:
    """An Odoo with a secret, its sidecar, and copies that Odoo itself makes of it."""

    def __init__(self, odoo: Odoo, sidecar: Sidecar, books: Cluster) -> None:
        self.odoo, self.sidecar = odoo, sidecar
        self.endpoint = Board(odoo).create(**healthy(books, name="Books"))
        assert Board(odoo).result(self.endpoint)["status"] == "success"

    def copy(self, name: str, *options: str) -> Odoo:
        """Duplicates the database as Odoo does, and starts with the copy beside the original."""
        self.odoo.stop()
        copy = Odoo(self.odoo.directory, self.odoo.cluster, database=name, port=self.odoo.port)
        copy.command("db", "duplicate", *options, self.odoo.database, name)
        self.odoo.extra_args[-1] += f",{name}"
        self.odoo.start()
        self.sidecar.wait_until_ready()
        return copy

    def requests(self) -> int:
        """How many requests have reached the sidecar."""
        return self.sidecar.log.read_text(errors="replace").count("HTTP request{")


def pair(copy: Odoo, sidecar: Sidecar, *options: str) -> None:
    code = sidecar.run("pair", "--quiet", *options, "--config", sidecar.config_file).strip()
    wizard = copy.call(WIZARD, "create", [{"sidecar_url": sidecar.url, "odoo_url": copy.url, "code": code}])
    copy.call(WIZARD, "action_pair", [[wizard]])
    sidecar.wait_until_ready()


@pytest.fixture(scope="module")
def production(databases: Databases, executable: Path, books: Cluster) -> Iterator[Production]:
    with running(databases, "production", executable=executable) as (odoo, sidecar):
        yield Production(odoo, sidecar, books)


@pytest.fixture(scope="module")
def staging(production: Production) -> Odoo:
    return production.copy("staging")


def only_books(board: Board) -> int:
    (endpoint,) = board.call("search", [["name", "=", "Books"]])
    return endpoint


def test_a_copy_says_that_it_is_one_and_asks_nothing_of_the_originals_sidecar(
    production: Production, staging: Odoo
) -> None:
    board = Board(staging)
    endpoint = only_books(board)
    before = production.requests()
    for call in (
        lambda: board.test(endpoint),
        lambda: board.call("write", [endpoint], {"password": "x"}),
        lambda: Board(staging, "admin").call("render_config", [endpoint], "env", reveal=True),
    ):
        message = refused(call).message
        assert "copy" in message, message
        assert "Pair with a sidecar" in message, message
    assert production.requests() == before
    assert Board(production.odoo).result(production.endpoint)["status"] == "success"


def test_a_copy_that_is_paired_cannot_open_the_originals_secrets_and_says_so(
    production: Production, staging: Odoo
) -> None:
    pair(staging, production.sidecar)
    board = Board(staging)
    after = board.result(only_books(board))
    assert after["failure_kind"] == "secret_unreadable"
    assert "another server, record, field or database" in after["failure_message"]
    error = refused(lambda: carry_over(staging))
    assert "--carry-over-from" in error.message
    assert production.odoo.parameter("database.uuid") in error.message


def carry_over(copy: Odoo) -> Any:
    settings = copy.call("res.config.settings", "create", [{}])
    return copy.call("res.config.settings", "action_insightpulse_carry_over", [[settings]])


def test_an_administrator_carries_the_secrets_over_in_one_logged_step(production: Production, staging: Odoo) -> None:
    pair(staging, production.sidecar, "--carry-over-from", production.odoo.parameter("database.uuid"))
    carry_over(staging)
    board = Board(staging)
    assert board.result(only_books(board))["status"] == "success"
    entries = staging.call("insightpulse.audit.entry", "search_read", [[["action", "=", "carry_over"]], ["login"]])
    assert [entry["login"] for entry in entries] == ["admin"]
    assert Board(production.odoo).result(production.endpoint)["status"] == "success"


def test_a_neutralized_copy_has_no_way_to_the_sidecar(production: Production) -> None:
    webhook = {"insightpulse_webhook_url": "https://hooks.example.com/x", "insightpulse_webhook_secret": "s" * 32}
    production.odoo.call("res.config.settings", "create", [webhook])
    assert production.odoo.parameter("insightpulse.webhook_token")
    copy = production.copy("neutral", "--neutralize")
    assert copy.parameter("insightpulse.sidecar_token") == ""
    keys = (
        "SELECT count(*) FROM res_users_apikeys k JOIN res_users u ON u.id = user_id WHERE login LIKE 'insightpulse%'"
    )
    assert copy.cluster.query(keys, database=copy.database) == "0"
    board = Board(copy)
    assert "Pair with a sidecar" in refused(lambda: board.test(only_books(board))).message
    names = ("monitoring", "webhook_url", "webhook_token", "neutralized")
    parameters = {name: copy.parameter(f"insightpulse.{name}") for name in names}
    assert parameters == {"monitoring": "False", "webhook_url": "", "webhook_token": "", "neutralized": "True"}


def manage(odoo: Odoo, action: str, backup: bytes | None = None, **values: str) -> bytes:
    """What Odoo's own page for databases does."""
    values["master_pwd"] = files.kept_secret(odoo.directory / "master.password")
    file = {"backup_file": backup} if backup else None
    url = f"{odoo.url}/web/database/{action}"
    answer = requests.post(url, data=values, files=file, timeout=300, allow_redirects=False)
    answer.raise_for_status()
    _page, _, error = answer.text[:50_000].partition("alert-danger")
    assert not error, error[:200]
    return answer.content


def test_a_restored_backup_works(production: Production, books: Cluster) -> None:
    odoo = production.odoo
    board, name = Board(odoo), odoo.database
    backup = manage(odoo, "backup", name=name, backup_format="zip")
    assert backup.startswith(b"PK")
    lost = board.create(**healthy(books, name="Made after the backup"))
    manage(odoo, "drop", name=name)
    manage(odoo, "restore", name=name, copy="false", backup=backup)
    production.sidecar.wait_until_ready()
    assert board.call("search", [["id", "=", lost]]) == []
    assert board.result(production.endpoint)["status"] == "success"
    after = board.create(**healthy(books, name="Made after it was restored"))
    assert board.result(after)["status"] == "success"
