"""Odoo and the sidecar come to trust each other by a code, keep that up, and end it at once."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ring import Board, Databases, healthy, pair, refused, running, wait_until
from stack import network
from stack.odoo import Odoo
from stack.postgres import Cluster
from stack.sidecar import Sidecar

WIZARD = "insightpulse.sidecar.pairing"


@pytest.fixture(scope="module")
def pair_of(databases: Databases, executable: Path) -> Iterator[tuple[Odoo, Sidecar]]:
    with running(databases, "paired", "also_paired", executable=executable) as both:
        yield both


@pytest.fixture
def odoo(pair_of: tuple[Odoo, Sidecar]) -> Odoo:
    return pair_of[0]


@pytest.fixture
def sidecar(pair_of: tuple[Odoo, Sidecar]) -> Sidecar:
    return pair_of[1]


def enter(odoo: Odoo, sidecar: Sidecar, code: str, **values: Any) -> Any:
    wizard = odoo.call(WIZARD, "create", [{"sidecar_url": sidecar.url, "odoo_url": odoo.url, "code": code, **values}])
    return odoo.call(WIZARD, "action_pair", [[wizard]])


def code(sidecar: Sidecar) -> str:
    return sidecar.run("pair", "--quiet", "--config", sidecar.config_file).strip()


def api_keys(odoo: Odoo) -> list[str]:
    return odoo.cluster.query(
        "SELECT k.id FROM res_users_apikeys k JOIN res_users u ON u.id = k.user_id "
        "WHERE u.login = 'insightpulse_sidecar' ORDER BY k.id",
        database=odoo.database,
    ).split()


def status(sidecar: Sidecar, token: str, database: str) -> int:
    request = urllib.request.Request(
        f"{sidecar.url}/v1/status",
        json.dumps({"database": database}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        return network.opener().open(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def test_codes_that_are_wrong_or_used_are_refused_in_the_same_words(odoo: Odoo, sidecar: Sidecar) -> None:
    used = code(sidecar)
    enter(odoo, sidecar, used)
    token = odoo.parameter("insightpulse.sidecar_token")
    messages = {refused(lambda given=given: enter(odoo, sidecar, given)).message for given in (used, "ZZZZZ-ZZZZZ")}
    assert len(messages) == 1, messages
    assert "insightpulse pair" in messages.pop()
    # And what was there before goes on.
    assert odoo.parameter("insightpulse.sidecar_token") == token
    assert len(api_keys(odoo)) == 1
    sidecar.wait_until_ready()
    odoo.call("res.config.settings", "action_insightpulse_check", [settings(odoo)])


def settings(odoo: Odoo) -> list[int]:
    return [odoo.call("res.config.settings", "create", [{}])]


def test_a_code_is_not_left_in_odoos_database(odoo: Odoo, sidecar: Sidecar) -> None:
    given = code(sidecar)
    enter(odoo, sidecar, given)
    table = WIZARD.replace(".", "_")
    rows = odoo.cluster.query(f"SELECT row_to_json(t) FROM {table} t", database=odoo.database)
    assert given not in rows and given.replace("-", "") not in rows


def test_the_api_key_is_renewed_in_time_by_itself(odoo: Odoo, sidecar: Sidecar) -> None:
    (before,) = api_keys(odoo)
    path = sidecar.directory / "pairings.json"
    pairings = json.loads(path.read_text())
    (own,) = (pairing for pairing in pairings if pairing["database_name"] == odoo.database)
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    own.update(api_key_since="2020-01-01T00:00:00Z", api_key_expires_at=soon)
    path.write_text(json.dumps(pairings))
    # It looks every half minute.
    (after,) = wait_until(
        lambda: api_keys(odoo) != [before] and len(api_keys(odoo)) == 1 and api_keys(odoo), "a key", 90
    )
    assert after != before
    assert json.loads(path.read_text())[0]["api_key_expires_at"] > soon
    sidecar.stop()
    sidecar.start()
    days = odoo.cluster.query(
        f"SELECT round(extract(epoch FROM expiration_date - now()) / 86400) FROM res_users_apikeys WHERE id = {after}",
        database=odoo.database,
    )
    assert int(days) == 365


def test_one_sidecar_serves_two_databases_apart(odoo: Odoo, sidecar: Sidecar, books: Cluster) -> None:
    other = Odoo(odoo.directory, odoo.cluster, database="also_paired", port=odoo.port)
    enter(other, sidecar, code(sidecar))
    wait_until(sidecar.is_ready, "the sidecar takes results to both")
    boards = [Board(odoo, "admin"), Board(other, "admin")]
    ids = [board.create(**healthy(books, name=board.odoo.database)) for board in boards]
    for board, endpoint in zip(boards, ids, strict=True):
        assert board.result(endpoint)["status"] == "success"
    tokens = [board.odoo.parameter("insightpulse.sidecar_token") for board in boards]
    uuids = [board.odoo.parameter("database.uuid") for board in boards]
    statuses = [status(sidecar, token, uuid) for token in tokens for uuid in uuids]
    assert statuses == [200, 409, 409, 200]
    # A token of the one in the other's record does not open.
    sealed = odoo.cluster.query(
        f"SELECT password_token FROM insightpulse_connection_endpoint WHERE id = {ids[0]}", database=odoo.database
    )
    odoo.cluster.query(
        f"UPDATE insightpulse_connection_endpoint SET password_token = '{sealed}', uuid = (SELECT uuid FROM "
        f"insightpulse_connection_endpoint WHERE id = {ids[1]}) WHERE id = {ids[1]}",
        database=other.database,
    )
    assert boards[1].result(ids[1])["failure_kind"] == "secret_unreadable"


def test_unpairing_counts_at_once_on_both_sides(odoo: Odoo, sidecar: Sidecar, books: Cluster) -> None:
    token, uuid = (odoo.parameter(f"{name}") for name in ("insightpulse.sidecar_token", "database.uuid"))
    assert status(sidecar, token, uuid) == 200
    odoo.call("res.config.settings", "action_insightpulse_unpair", [settings(odoo)])
    assert status(sidecar, token, uuid) == 401
    assert api_keys(odoo) == []
    assert odoo.parameter("insightpulse.sidecar_token") == ""
    board = Board(odoo)
    message = refused(lambda: board.create(**healthy(books))).message
    assert "Pair with a sidecar" in message
    pair(odoo, sidecar)
    assert board.result(board.create(**healthy(books)))["status"] == "success"


def test_a_pairing_that_the_sidecar_ended_is_told_in_odoo(odoo: Odoo, sidecar: Sidecar, books: Cluster) -> None:
    board = Board(odoo)
    endpoint = board.create(**healthy(books))
    sidecar.run("pair", "remove", odoo.database, "--config", sidecar.config_file)
    message = refused(lambda: board.test(endpoint)).message
    assert "Pair with a sidecar" in message, message
    pair(odoo, sidecar)
    assert board.result(endpoint)["status"] == "success"


def test_only_a_system_administrator_pairs(odoo: Odoo, sidecar: Sidecar) -> None:
    values = {"sidecar_url": sidecar.url, "odoo_url": odoo.url, "code": "AAAAA-AAAAA"}
    error = refused(lambda: odoo.call(WIZARD, "create", [values], login="manager", password="manager"))
    assert error.name == "odoo.exceptions.AccessError"
