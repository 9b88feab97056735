"""The snippets of each language that is on this machine, run against real servers by users with hostile passwords."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from formats import documents, snippets
from systems.certificates import Authority
from systems.mariadb import MariaDB
from systems.postgres import Postgres

# What each has of quotes, escapes, variables, and what ends or begins something.
USERS = {
    'o\'reader "x"': "p@ss/w:rd #1 %40 $HOME",
    "söphie;--": "' OR \"1\"='1' \\ ${HOME} `id` é🦀",
}
MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")


@pytest.fixture(scope="module", autouse=True)
def _program() -> None:
    documents.build()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres"), tls=authority.server()) as server:
        for user, password in USERS.items():
            name, text = user.replace('"', '""'), password.replace("'", "''")
            server.query(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{text}'")
            server.query(f'CREATE DATABASE "{name} db" OWNER "{name}"')
        yield server


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[MariaDB]:
    with MariaDB(tmp_path_factory.mktemp("mariadb"), tls=authority.server()) as server:
        for user, password in USERS.items():
            name, text = (part.replace("\\", "\\\\").replace("'", "\\'") for part in (user, password))
            server.sql(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{text}'")
            server.sql(f"GRANT ALL ON app.* TO '{name}'@'%'")
        yield server


def snippet(file_format: str, kind: str, port: int, user: str, mode: str, authority: Authority, folder: Path) -> str:
    """What the record's snippet prints, in a folder where the record's authority is saved as its name says."""
    record: dict[str, Any] = {
        "kind": kind,
        "base_url": "localhost",
        "port": port,
        "tls_mode": mode,
        "username": user,
        "database_name": f"{user} db" if kind == "postgresql" else "app",
        "password": USERS[user],
    }
    if mode.startswith("verify"):
        record["tls_authority"] = authority.certificate.read_text()
        (folder / "books-ca.pem").write_text(record["tls_authority"])
    (document,) = documents.write(file_format, [record])
    return snippets.run(file_format, document.text, folder)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("file_format", ["psql", "python", "sqlalchemy", "node"])
def test_a_snippet_logs_in_to_postgresql(
    file_format: str, user: str, mode: str, postgres: Postgres, authority: Authority, tmp_path: Path
) -> None:
    assert "PostgreSQL 1" in snippet(file_format, "postgresql", postgres.port, user, mode, authority, tmp_path)


@pytest.mark.parametrize("user", USERS)
def test_an_exported_url_logs_in_to_postgresql(
    user: str, postgres: Postgres, authority: Authority, tmp_path: Path
) -> None:
    assert "PostgreSQL 1" in snippet("env-export", "postgresql", postgres.port, user, "require", authority, tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("file_format", "user"), [*product(["python", "node"], USERS), ("sqlalchemy", next(iter(USERS)))]
)
def test_a_snippet_logs_in_to_mariadb(
    file_format: str, user: str, mode: str, mariadb: MariaDB, authority: Authority, tmp_path: Path
) -> None:
    assert "MariaDB" in snippet(file_format, "mysql", mariadb.port, user, mode, authority, tmp_path)


def test_what_pymysql_would_encode_wrongly_is_refused() -> None:
    record = {"kind": "mysql", "base_url": "localhost", "username": "u", "password": "é"}
    for file_format in ("sqlalchemy", "superset-database"):
        (document,) = documents.write(file_format, [record])
        assert document.error is not None and "PyMySQL" in document.error


# To build one takes seconds, so each user and each way to TLS once.
@pytest.mark.parametrize(("user", "mode"), [*zip(USERS, ("prefer", "verify-full"), strict=True)])
def test_rusts_snippet_logs_in(
    user: str, mode: str, postgres: Postgres, mariadb: MariaDB, authority: Authority, tmp_path: Path
) -> None:
    assert "PostgreSQL 1" in snippet("rust", "postgresql", postgres.port, user, mode, authority, tmp_path)
    assert "MariaDB" in snippet("rust", "mysql", mariadb.port, user, mode, authority, tmp_path)


@pytest.mark.parametrize(("kind", "says"), [("postgresql", "password"), ("mysql", "denied")])
def test_a_wrong_password_is_refused_by_the_same_snippet(
    kind: str, says: str, postgres: Postgres, mariadb: MariaDB, tmp_path: Path
) -> None:
    """That the servers ask for a password at all, without which the others would show nothing."""
    user = next(iter(USERS))
    port = postgres.port if kind == "postgresql" else mariadb.port
    record = {"kind": kind, "base_url": "localhost", "port": port, "tls_mode": "prefer", "username": user}
    (document,) = documents.write("python", [{**record, "database_name": "app", "password": "[YOUR-PASSWORD]"}])
    with pytest.raises(AssertionError, match=says):
        snippets.run("python", document.text, tmp_path)


def test_without_an_authority_to_trust_a_servers_own_certificate_is_refused(
    postgres: Postgres, mariadb: MariaDB, tmp_path: Path
) -> None:
    """That `verify-full` verifies: the machine knows nothing of the authority of these tests."""
    user = next(iter(USERS))
    for kind, port in (("postgresql", postgres.port), ("mysql", mariadb.port)):
        record = {"kind": kind, "base_url": "localhost", "port": port, "tls_mode": "verify-full", "username": user}
        for file_format in ("python", "node"):
            (document,) = documents.write(file_format, [{**record, "database_name": "app", "password": USERS[user]}])
            with pytest.raises(AssertionError, match=r"(?i)certificate|self-signed|local issuer"):
                snippets.run(file_format, document.text, tmp_path)
