"""Each real system that probes can be tested against starts here, answers, and ends."""

import http.client
import json
import socket
import ssl
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from stack.console import StackError
from systems import nginx, pgbench
from systems.blackbox import Blackbox
from systems.certificates import Authority, Identity, self_signed
from systems.mariadb import MariaDB
from systems.mcp import TOOLS, Everything, Modern
from systems.pgbouncer import PgBouncer
from systems.postgres import Postgres
from systems.postgres17 import Postgres17
from systems.replica import primary_and_replica
from systems.server import Server
from systems.superset import Superset

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "tests", "version": "1"},
    },
}
MCP_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


class Answer:
    """The status, headers and body of an HTTP answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def event(self) -> Any:
        """The message in an event stream, which may begin with an event of nothing."""
        lines = [line.removeprefix("data:").strip() for line in self.body.decode().splitlines()]
        return next(json.loads(line) for line in lines if line.startswith("{"))


def ask(
    server: Server,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    if tls:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            server.host, server.port, timeout=20, context=tls
        )
    else:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json", **(headers or {})})
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def test_pgbouncer_lets_those_in_that_it_knows(postgres: Postgres, tmp_path: Path, authority: Authority):
    users = {"app": postgres.password("app")}
    with PgBouncer(tmp_path / "bouncer", (postgres.host, postgres.port), users, tls=authority.server()) as bouncer:
        where = {"host": bouncer.host, "port": bouncer.port, "user": "app", "dbname": "app"}
        with psycopg2.connect(
            **where, password=users["app"], sslmode="verify-full", sslrootcert=authority.certificate
        ) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_user")
                assert cursor.fetchone() == ("app",)
        connection.close()
        with pytest.raises(psycopg2.OperationalError, match="SASL authentication failed"):
            psycopg2.connect(**where, password="wrong", sslmode="require")
        with pytest.raises(psycopg2.OperationalError, match="SSL required"):
            psycopg2.connect(**where, password=users["app"], sslmode="disable")
    assert not bouncer.is_running()


@pytest.mark.parametrize("auth", ["scram-sha-256", "md5", "plain"])
def test_pgbouncer_asks_for_a_password_as_it_is_told(postgres: Postgres, tmp_path: Path, auth: Any):
    users = {"app": postgres.password("app")}
    server = (postgres.host, postgres.port)
    with PgBouncer(tmp_path / "bouncer", server, users, auth=auth, pool_mode="session") as bouncer:
        rate = pgbench.transactions_per_second(
            postgres, role="app", database="app", seconds=1, host=bouncer.host, port=bouncer.port
        )
    assert rate > 0


def test_postgresql_17_answers_over_tls(tmp_path: Path, authority: Authority):
    rules = ["hostssl all app 127.0.0.1/32 scram-sha-256 clientcert=verify-full", "host all app all reject"]
    with Postgres17(
        tmp_path / "postgres", tls=authority.server(), client_ca=authority.certificate, hba=rules
    ) as server:
        assert server.query("SHOW server_version").startswith("17.")
        assert server.query("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'app'") == "t"
        client = authority.client("app")
        connection = psycopg2.connect(
            host="localhost",
            hostaddr=server.host,
            port=server.port,
            user="app",
            dbname="app",
            password=server.password("app"),
            sslmode="verify-full",
            sslrootcert=authority.certificate,
            sslcert=client.certificate,
            sslkey=client.key,
        )
        assert connection.info.ssl_in_use
        connection.close()
        with pytest.raises(StackError, match="client certificate"):
            server.query("SELECT 1", role="app", database="app")


def test_a_replica_follows_its_primary_and_takes_no_writes(tmp_path: Path):
    with primary_and_replica(tmp_path) as (primary, replica):
        primary.query("CREATE TABLE books (title text); INSERT INTO books VALUES ('Emma')", role="app", database="app")
        replica.catch_up()
        assert replica.query("SELECT title FROM books", role="app", database="app") == "Emma"
        assert replica.query("SELECT pg_is_in_recovery()") == "t"
        with pytest.raises(StackError, match="read-only"):
            replica.query("DELETE FROM books", role="app", database="app")


def test_mariadb_answers_its_own_client(tmp_path: Path, authority: Authority):
    with MariaDB(tmp_path / "mariadb", password="it's a \\secret", tls=authority.server(), require_tls=True) as server:
        assert server.sql("SELECT version()").startswith("10.11.")
        assert server.sql("SELECT current_user()", user="app") == "app@%"
        assert server.sql("SHOW STATUS LIKE 'Ssl_version'", user="app").endswith("TLSv1.3")
        with pytest.raises(StackError, match="1044"):
            server.sql("SELECT 1", user="app", database="secrets")
    assert not server.is_running()
    # It keeps what it had.
    with MariaDB(tmp_path / "mariadb", password="another") as server:
        assert server.sql("SELECT 1", user="app") == "1"


def test_nginx_answers_as_it_is_told(tmp_path: Path):
    locations = [
        nginx.static("/health"),
        nginx.json_body("/status", {"status": 'it\'s "up"'}),
        nginx.static("/down", "sorry", status=503),
        nginx.redirect("/moved", "http://127.0.0.1/there"),
        nginx.basic_auth("/basic", "reader", "pass:word"),
        nginx.bearer("/bearer", "the-token"),
        nginx.header_key("/key", "X-Api-Key", "the-key"),
    ]
    with nginx.Nginx(tmp_path / "nginx", locations) as server:

        def get(path: str, **headers: str) -> tuple[int, bytes]:
            answer = ask(server, "GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            return answer.status, answer.body

        assert get("/health") == (200, b"OK")
        assert get("/status") == (200, b'{"status": "it\'s \\"up\\""}')
        assert get("/down") == (503, b"sorry")
        assert ask(server, "GET", "/moved").headers["Location"] == "http://127.0.0.1/there"
        assert ask(server, "GET", "/basic").headers["WWW-Authenticate"] == 'Basic realm="tests"'
        assert get("/basic", Authorization="Basic cmVhZGVyOnBhc3M6d29yZA==") == (200, b"OK")
        assert get("/basic", Authorization="Basic cmVhZGVyOndyb25n")[0] == 401
        assert get("/bearer", Authorization="Bearer the-token") == (200, b"OK")
        assert get("/bearer", Authorization="Bearer another")[0] == 401
        assert get("/key", X_API_Key="the-key") == (200, b"OK")
        assert get("/key")[0] == 401
        assert get("/elsewhere")[0] == 404
        assert server.requests[:2] == ["GET /health 200", "GET /status 200"]


def test_nginx_gives_tls_to_a_server_without(tmp_path: Path, authority: Authority, trusting: ssl.SSLContext):
    with nginx.Nginx(tmp_path / "plain", [nginx.static("/health")]) as plain:
        with nginx.Nginx(tmp_path / "front", [nginx.proxy("/", plain.url)], tls=authority.server()) as front:
            assert ask(front, "GET", "/health", tls=trusting).body == b"OK"


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda authority, folder: authority.expired(), "certificate has expired"),
        (lambda authority, folder: authority.not_yet_valid(), "certificate is not yet valid"),
        (lambda authority, folder: authority.for_another_name(), "IP address mismatch"),
        (lambda authority, folder: self_signed(folder), "self-signed certificate"),
        (lambda authority, folder: Authority(folder, "Another").server(), "unable to get local issuer"),
    ],
    ids=["expired", "not-yet-valid", "another-name", "self-signed", "another-authority"],
)
def test_bad_certificates_are_bad_each_in_its_way(
    tmp_path: Path,
    authority: Authority,
    trusting: ssl.SSLContext,
    make: Callable[[Authority, Path], Identity],
    complaint: str,
):
    identity = make(authority, tmp_path / "certificates")
    with nginx.Nginx(tmp_path / "nginx", [nginx.static("/")], tls=identity) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
            ask(server, "GET", "/", tls=trusting)


def test_superset_knows_its_administrator(tmp_path: Path):
    with Superset(tmp_path / "superset", user="ada", password="the-password") as server:
        assert ask(server, "GET", "/health").body == b"OK"
        login = {"username": "ada", "password": "the-password", "provider": "db", "refresh": False}
        answer = ask(server, "POST", "/api/v1/security/login", login)
        assert answer.status == 200, answer.body
        bearer = {"Authorization": f"Bearer {json.loads(answer.body)['access_token']}"}
        assert ask(server, "GET", "/api/v1/database/", headers=bearer).status == 200
        assert ask(server, "POST", "/api/v1/security/login", {**login, "password": "wrong"}).status == 401
        assert ask(server, "GET", "/api/v1/database/").status == 401


def check_mcp_session(server: Server, **headers: str) -> set[str]:
    """Opens a session of the older generation, as its clients do; returns the names of the tools."""
    headers = {**MCP_HEADERS, **headers}
    answer = ask(server, "POST", "/mcp", INITIALIZE, headers)
    assert answer.status == 200, answer.body
    assert "serverInfo" in answer.event()["result"]
    headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert ask(server, "POST", "/mcp", initialized, headers).status == 202
    listed = ask(server, "POST", "/mcp", {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, headers).event()
    assert ask(server, "DELETE", "/mcp", headers=headers).status == 200
    return {tool["name"] for tool in listed["result"]["tools"]}


def test_the_older_mcp_server_has_tools(tmp_path: Path):
    with Everything(tmp_path / "mcp") as server:
        assert len(check_mcp_session(server)) > 2
        assert listens_on(server.port) == {"127.0.0.1"}


def test_the_older_mcp_server_answers_on_a_stream(tmp_path: Path):
    with Everything(tmp_path / "mcp", mode="sse") as server:
        stream = http.client.HTTPConnection(server.host, server.port, timeout=20)
        stream.request("GET", "/sse")
        events = stream.getresponse()
        assert events.readline() == b"event: endpoint\n"
        endpoint = events.readline().removeprefix(b"data: ").strip().decode()
        assert ask(server, "POST", endpoint, INITIALIZE).status == 202
        lines = iter(events.readline, b"")
        answer = next(line for line in lines if b"serverInfo" in line)
        assert json.loads(answer.removeprefix(b"data: "))["id"] == 1
        stream.close()
        assert listens_on(server.port) == {"127.0.0.1"}


def test_the_newer_mcp_server_has_tools_in_both_generations(tmp_path: Path):
    with Modern(tmp_path / "mcp") as server:
        assert check_mcp_session(server) == set(TOOLS)
        found = discover(server)
        assert found.status == 200, found.body


def test_a_guarded_mcp_server_takes_no_other_token(tmp_path: Path):
    with Modern(tmp_path / "mcp", token="the-token") as server:
        assert check_mcp_session(server, Authorization="Bearer the-token") == set(TOOLS)
        assert discover(server, Authorization="Bearer the-token").status == 200
        assert discover(server, Authorization="Bearer another").status == 401
        assert discover(server).status == 401


def discover(server: Server, **headers: str) -> Answer:
    """Asks as a client of 2026-07-28 does."""
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    request = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}}
    about = {"MCP-Protocol-Version": version, "Mcp-Method": "server/discover"}
    return ask(server, "POST", "/mcp", request, {**MCP_HEADERS, **about, **headers})


def test_blackbox_exporter_probes(tmp_path: Path):
    with nginx.Nginx(tmp_path / "nginx", [nginx.static("/health")]) as target:
        with Blackbox(tmp_path / "blackbox") as server:
            assert server.probe(f"{target.url}/health")["probe_success"] == 1
            assert server.probe(f"{target.url}/elsewhere")["probe_success"] == 0
            assert server.probe(f"{target.host}:{target.port}", "tcp_connect")["probe_success"] == 1
            with pytest.raises(urllib.error.HTTPError):
                server.probe(target.url, "no_such_module")


def test_a_server_that_cannot_start_says_why_and_is_gone(tmp_path: Path):
    server = nginx.Nginx(tmp_path / "nginx", [nginx.Location("/", "no_such_directive;")])
    with pytest.raises(StackError, match='unknown directive "no_such_directive"'):
        server.start()
    assert not server.is_running()


def test_a_port_is_free_once_its_server_has_ended(tmp_path: Path):
    with nginx.Nginx(tmp_path / "nginx", []) as server:
        assert listens_on(server.port) == {"127.0.0.1"}
    assert listens_on(server.port) == set()


def listens_on(port: int) -> set[str]:
    """The addresses at which somebody listens on that port."""
    addresses = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, _, number = line.split()[1].partition(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
                addresses.add(socket.inet_ntop(family, b"".join(words)))
    return addresses
