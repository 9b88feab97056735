"""What is written for Superset, a real Superset imports as its interface does, and reaches the database with it."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from ring import Board, healthy
from stack.odoo import Odoo
from stack.postgres import Cluster
from systems.superset import Superset

# Somebody's password in Superset.
PASSWORD = "the administrator's"


class Desk:
    """Somebody who works with Superset, over its API."""

    def __init__(self, superset: Superset) -> None:
        self._url = f"{superset.url}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False
        login = {"username": superset.user, "password": superset.password, "provider": "db", "refresh": True}
        token = self.call("POST", "/security/login", json=login)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["X-CSRFToken"] = self.call("GET", "/security/csrf_token/")["result"]
        self._session.headers["Referer"] = superset.url

    def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = self._session.request(method, self._url + path, timeout=60, **more)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Superset(tmp_path_factory.mktemp("superset"), password=PASSWORD) as superset:
        yield Desk(superset)


def test_superset_imports_the_archive_and_asks_the_database(
    desk: Desk, odoo: Odoo, board: Board, books: Cluster
) -> None:
    endpoint = board.create(**healthy(books, name="Books of Superset"))
    admin = Board(odoo, "admin")
    archive = admin.call("get_connect_archive", [endpoint], "superset-database", True)
    assert archive["filename"] == "books-of-superset.zip"
    bundle = ("books.zip", base64.b64decode(archive["content"]), archive["mimetype"])
    assert desk.call("POST", "/database/import/", files={"formData": bundle})["message"] == "OK"
    (database,) = desk.call("GET", "/database/")["result"]
    assert (database["database_name"], database["uuid"]) == ("Books of Superset", admin.read(endpoint)["uuid"])
    # It logs in for this.
    schemas = desk.call("GET", f"/database/{database['id']}/schemas/?q=(force:!t)")["result"]
    assert "public" in schemas


def test_the_uri_alone_does_not_have_the_password(board: Board, books: Cluster) -> None:
    endpoint = board.create(**healthy(books, name="Books of Superset, hidden"))
    content = board.call("render_config", [endpoint], "superset-database")["content"]
    assert "[YOUR-PASSWORD]" in content
    assert books.password("reader") not in content
