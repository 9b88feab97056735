"""Kinds of systems, from the click in Odoo to the card: what somebody types for each arrives at its probe."""

from pathlib import Path
from typing import Any

import pytest
from ring import Board
from systems.certificates import Authority
from systems.mariadb import MariaDB
from systems.mcp import Modern
from systems.nginx import Nginx, header_key, json_body
from systems.postgres import Postgres


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def result_of(board: Board, **values: Any) -> dict[str, Any]:
    return board.result(board.create(name=values["connection_type"], **values))


def test_mariadb_with_an_authority_of_its_own(board: Board, authority: Authority, tmp_path: Path) -> None:
    with MariaDB(tmp_path / "mariadb", password="it's a $ecret", tls=authority.server()) as server:
        login = {"connection_type": "mysql", "base_url": server.host, "port": server.port, "username": "app"}
        login |= {"database_name": "app", "password": "it's a $ecret", "tls_mode": "verify-full"}
        after = result_of(board, **login, tls_authority=authority.certificate.read_text())
        assert after["status"] == "success", after["failure_message"]
        assert after["server_version"].endswith("-MariaDB")
        assert (after["tls_version"], after["max_connections"]) == ("TLSv1.3", 151)
        assert after["certificate_expires_at"]
        # Whom nobody here knows.
        after = result_of(board, **login)
        assert (after["status"], after["failure_kind"]) == ("failed", "certificate")


def test_a_private_key_that_is_sealed_logs_in(board: Board, authority: Authority, tmp_path: Path) -> None:
    rules = ["host all postgres 127.0.0.1/32 scram-sha-256", "hostssl all all 127.0.0.1/32 cert"]
    with Postgres(tmp_path / "pg", tls=authority.server(), client_ca=authority.certificate, hba=rules) as cluster:
        identity = authority.client("app")
        login = {"connection_type": "postgresql", "base_url": cluster.host, "port": cluster.port, "username": "app"}
        login |= {"database_name": "app", "tls_mode": "verify-full", "tls_authority": authority.certificate.read_text()}
        after = result_of(
            board, **login, client_certificate=identity.certificate.read_text(), client_key=identity.key.read_text()
        )
        assert after["status"] == "success", after["failure_message"]
        assert after["client_key"] == "••••••••"
        after = result_of(board, **login)
        assert (after["status"], after["failure_kind"]) == ("failed", "client_certificate")


def test_mcp_with_a_token(board: Board, tmp_path: Path) -> None:
    with Modern(tmp_path / "mcp", token="right-token") as server:
        after = result_of(board, connection_type="mcp", base_url=server.url, api_key="right-token")
        assert after["status"] == "success", after["failure_message"]
        assert (after["tools_count"], after["protocol"]) == ("2", "2026-07-28")
        after = result_of(board, connection_type="mcp", base_url=server.url, api_key="wrong-token")
        assert (after["status"], after["failure_kind"]) == ("failed", "auth")


def test_an_api_with_what_it_should_answer(board: Board, authority: Authority, tmp_path: Path) -> None:
    locations = [json_body("/health", {"status": "ok"}), header_key("/key", "X-Tax-Key", "right-key")]
    with Nginx(tmp_path / "nginx", locations, tls=authority.server()) as nginx:
        common = {"connection_type": "api", "tls_authority": authority.certificate.read_text()}
        health = {**common, "base_url": f"{nginx.url}/health", "expected_path": "$.status"}
        after = result_of(board, **health, expected_text="ok")
        assert after["status"] == "success", after["failure_message"]
        assert (after["http_status"], after["protocol"]) == ("200", "HTTP/1.1")
        after = result_of(board, **health, expected_text="down")
        assert (after["status"], after["failure_kind"]) == ("failed", "unexpected_answer")
        # Nobody reads an answer through an expectation.
        assert "“down” is not what its JSON has at $.status." in after["failure_message"]
        keyed = {**common, "base_url": f"{nginx.url}/key", "sign_in": "header", "key_header": "X-Tax-Key"}
        assert result_of(board, **keyed, api_key="right-key")["status"] == "success"
        assert result_of(board, **keyed, api_key="wrong-key")["failure_kind"] == "auth"
        after = result_of(board, **keyed, api_key="right-key", slow_ms=1, certificate_days=60)
        assert (after["status"], after["failure_kind"]) == ("degraded", "certificate_expiring")
