"""What `insightpulse probe` says of real systems: well, with a wrong secret, stopped, with an expired certificate."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest
from probing import Prober
from ring import wait_until
from stack.odoo import Odoo
from stack.postgres import Cluster
from systems.certificates import Authority, Identity, self_signed
from systems.mariadb import MariaDB
from systems.mcp import Everything, Modern
from systems.nginx import Nginx, basic_auth, bearer, header_key, json_body, proxy, redirect, static
from systems.pgbouncer import PgBouncer
from systems.postgres import Postgres
from systems.postgres17 import Postgres17
from systems.replica import primary_and_replica
from systems.superset import Superset

PASSWORD = "it's a p@ss/w#rd: ß €"
EXPIRED = "failed: certificate_expired: The certificate of ADDRESS has expired."


@pytest.fixture
def probe(executable: Path, tmp_path: Path) -> Prober:
    return Prober(executable, tmp_path / "probe")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def of_postgres(cluster: Cluster, **changes: object) -> dict[str, object]:
    """A login that works; `password` is what is changed most."""
    kind = {"kind": "postgresql", "server": cluster.host, "port": cluster.port}
    return {**kind, "user": "app", "database": "app", "password": cluster.password("app"), **changes}


# PostgreSQL


@pytest.mark.parametrize("version", [Postgres, Postgres17])
def test_postgresql(probe: Prober, authority: Authority, tmp_path: Path, version: type[Postgres]) -> None:
    with version(tmp_path / "postgres", tls=authority.server()) as cluster:
        asked = of_postgres(cluster, tls_mode="verify-full", tls_authority_file=authority.certificate)
        said, row = probe(**asked)
        assert said == "success"
        assert list(row["phases"]) == ["resolve_ms", "connect_ms", "tls_ms", "login_ms", "query_ms"]
        assert sum(row["phases"].values()) == pytest.approx(row["latency_ms"], abs=0.001)
        assert row["server_version"] == cluster.query("SHOW server_version").split()[0]
        assert row["max_connections"] == 200
        assert row["active_connections"] >= 1
        facts = row["facts"]
        assert (facts["in_recovery"], facts["tls_version"]) == (False, "TLSv1.3")
        assert facts["reserved_connections"] == 3
        assert facts["database_bytes"] > 1_000_000
        assert 28 < days_until(facts["certificate_expires_at"]) < 31

        assert probe(**asked | {"password": "wrong"}).said.startswith(
            "failed: auth: ADDRESS refused the password of the user “app”."
        )
        assert probe(**asked | {"database": "none"}).said.startswith("failed: database_missing: ")
        assert probe(**asked | {"server": "localhost", "tls_mode": "verify-ca"}).said == "success"
        assert probe(**asked | {"certificate_days": 40}).said == (
            "degraded: certificate_expiring: The server's certificate expires in 30 days."
        )
    assert probe(**asked).said == "failed: refused: ADDRESS refused the connection."


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (Authority.expired, EXPIRED),
        (Authority.not_yet_valid, "failed: certificate: The certificate of ADDRESS is not valid yet."),
        (Authority.for_another_name, "failed: certificate: The certificate of ADDRESS is for another host name."),
    ],
)
def test_a_certificate_that_is_not_right(
    probe: Prober, authority: Authority, tmp_path: Path, shown: Callable[[Authority], Identity], said: str
) -> None:
    with Postgres(tmp_path / "postgres", tls=shown(authority)) as cluster:
        asked = of_postgres(cluster, tls_authority_file=authority.certificate)
        assert probe(**asked | {"tls_mode": "verify-full"}).said == said
        # As libpq: with an authority of one's own, `require` is `verify-ca`.
        asked_less = probe(**asked | {"tls_mode": "require"}).said
        assert asked_less == ("success" if "name" in said else said)


def test_a_self_signed_certificate_is_believed_by_who_was_given_it(probe: Prober, tmp_path: Path) -> None:
    own = self_signed(tmp_path / "own")
    with Postgres(tmp_path / "postgres", tls=own) as cluster:
        asked = of_postgres(cluster, tls_mode="verify-full")
        assert probe(**asked).said.startswith("failed: certificate: ")
        assert probe(**asked, tls_authority_file=own.certificate).said == "success"
        other = self_signed(tmp_path / "other")
        assert probe(**asked, tls_authority_file=other.certificate).said.startswith("failed: certificate: ")


def test_a_client_certificate(probe: Prober, authority: Authority, tmp_path: Path) -> None:
    rules = ["hostssl all all 127.0.0.1/32 cert"]
    with Postgres(
        tmp_path / "postgres",
        tls=authority.server(),
        client_ca=authority.certificate,
        hba=["host all postgres 127.0.0.1/32 scram-sha-256", *rules],
    ) as cluster:
        cluster.ensure_role("app")
        own, others = authority.client("app"), authority.client("somebody")
        asked = of_postgres(cluster, tls_mode="verify-full", tls_authority_file=authority.certificate, password=None)

        def shown(identity: Identity) -> dict[str, object]:
            return {"client_certificate_file": identity.certificate, "client_key_file": identity.key}

        assert probe(**asked, **shown(own)).said == "success"
        assert probe(**asked).said.startswith(
            "failed: client_certificate: ADDRESS wants a client certificate, and none"
        )
        assert probe(**asked, **shown(others)).said.startswith("failed: ")
        mixed = Identity(own.certificate, others.key)
        assert probe(**asked, **shown(mixed)).said.startswith("failed: invalid_endpoint: The client certificate and")
        assert probe(**asked, client_certificate_file=own.certificate).said.startswith("failed: invalid_endpoint: ")
        stranger = Authority(tmp_path / "stranger").client("app")
        assert probe(**asked, **shown(stranger)).said.startswith("failed: client_certificate: ")


def test_a_replica(probe: Prober, tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, replica):
        asked = of_postgres(replica)
        assert probe(**asked).said == (
            "degraded: in_recovery: ADDRESS is a replica: it is in recovery, and takes no writes."
        )
        said, row = probe(**asked, is_replica=True)
        assert said == "success"
        assert (row["facts"]["in_recovery"], row["facts"]["replica_lag_s"]) == (True, 0)
        # It has received what it is kept from replaying.
        primary.query("CREATE TABLE before AS SELECT 1")
        replica.catch_up()
        replica.query("SELECT pg_wal_replay_pause()")
        primary.query("CREATE TABLE t AS SELECT 1")
        wait_for(lambda: replica.query("SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()") == "t")
        wait_for(lambda: probe(**asked, is_replica=True, replica_lag_s=1).said.startswith("degraded: replica_lag: "))
        replica.query("SELECT pg_wal_replay_resume()")
        wait_for(lambda: probe(**asked, is_replica=True, replica_lag_s=1).said == "success")
        primary.stop()
        wait_for(lambda: replica.query("SELECT count(*) FROM pg_stat_wal_receiver") == "0")
        assert probe(**asked, is_replica=True).said.startswith("degraded: replica_lag: ")


def test_a_full_server_and_one_that_is_nearly_full(probe: Prober, tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres", settings={"max_connections": 10}) as cluster:
        asked = of_postgres(cluster)
        login = {"host": cluster.host, "port": cluster.port, "user": "app", "dbname": "app"}
        held = [psycopg2.connect(**login, password=cluster.password("app")) for _ in range(6)]
        assert probe(**asked, connections_percent=50).said.startswith("degraded: connections_high: ")
        held += [psycopg2.connect(**login, password=cluster.password("app"))]
        assert probe(**asked).said.startswith("failed: too_many_connections: ADDRESS has no connection free.")
        for connection in held:
            connection.close()


# PgBouncer


@pytest.mark.parametrize("auth", ["scram-sha-256", "md5", "plain"])
def test_pgbouncer_in_transaction_mode(probe: Prober, authority: Authority, tmp_path: Path, auth: str) -> None:
    with Postgres(tmp_path / "postgres") as cluster:
        users = {"app": cluster.password("app")}
        behind = (cluster.host, cluster.port)
        with PgBouncer(tmp_path / "pgbouncer", behind, users, auth=auth, tls=authority.server()) as pooler:
            asked = of_postgres(
                cluster, port=pooler.port, tls_mode="verify-full", tls_authority_file=authority.certificate
            )
            for _ in range(3):
                said, row = probe(**asked)
                assert said == "success"
            assert row["max_connections"] == 200
            assert probe(**asked | {"password": "wrong"}).said.startswith("failed: auth: ADDRESS refused the password")
            assert probe(**asked | {"user": "nobody"}).said.startswith("failed: auth: ")
            assert probe(**asked | {"database": "none"}).said.startswith("failed: database_missing: ")
            cluster.stop()
            # It waits for its server for as long as its own setting says; the deadline is ours.
            assert probe(**asked, timeout=3).said.startswith(("failed: timeout: ", "failed: unhealthy: "))
        assert probe(**asked).said.startswith("failed: refused: ")
        expired = PgBouncer(tmp_path / "expired", behind, users, tls=authority.expired())
        with expired:
            assert probe(**asked | {"port": expired.port}).said == EXPIRED


def test_a_full_pooler(probe: Prober, tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres") as cluster:
        behind, users = (cluster.host, cluster.port), {"app": cluster.password("app")}
        with PgBouncer(tmp_path / "pgbouncer", behind, users, settings={"max_client_conn": 2}) as pooler:
            login = {"host": pooler.host, "port": pooler.port, "user": "app", "dbname": "app"}
            held = [psycopg2.connect(**login, password=users["app"]) for _ in range(2)]
            said = probe(**of_postgres(cluster, port=pooler.port)).said
            assert said.startswith("failed: too_many_connections: "), said
            for connection in held:
                connection.close()


def test_supabases_poolers(probe: Prober, tmp_path: Path) -> None:
    """Its user is `postgres.<ref>`; its database part is PostgreSQL and a pooler, and no more can be had here."""
    user = "postgres.abcdefghijklmnopqrst"
    for pool_mode in ("session", "transaction"):
        with Postgres(tmp_path / f"{pool_mode}-postgres") as cluster:
            cluster.query(f"CREATE ROLE \"{user}\" LOGIN PASSWORD 'secret-1'")
            pooler = PgBouncer(
                tmp_path / pool_mode, (cluster.host, cluster.port), {user: "secret-1"}, pool_mode=pool_mode
            )
            with pooler:
                asked = {
                    "kind": "supabase",
                    "server": pooler.host,
                    "port": pooler.port,
                    "user": user,
                    "database": "app",
                }
                asked |= {"tls_mode": "prefer", "password": "secret-1"}
                assert probe(**asked).said == "success"
                assert probe(**asked | {"user": "postgres.other"}).said.startswith("failed: auth: ")


# MariaDB


def test_mariadb(probe: Prober, authority: Authority, tmp_path: Path) -> None:
    server = MariaDB(tmp_path / "mariadb", password=PASSWORD, tls=authority.server())
    with server:
        asked = {"kind": "mysql", "server": server.host, "port": server.port, "user": "app", "database": "app"}
        asked |= {"password": PASSWORD, "tls_mode": "verify-full", "tls_authority_file": authority.certificate}
        said, row = probe(**asked)
        assert said == "success"
        assert row["server_version"] == server.sql("SELECT VERSION()").split("-MariaDB")[0] + "-MariaDB"
        assert row["max_connections"] == int(server.sql("SELECT @@max_connections"))
        assert row["active_connections"] >= 1
        assert list(row["phases"]) == ["resolve_ms", "connect_ms", "tls_ms", "login_ms", "query_ms"]
        assert sum(row["phases"].values()) == pytest.approx(row["latency_ms"], abs=0.001)
        assert row["facts"]["tls_version"] == "TLSv1.3"
        for mode in ("disable", "prefer", "require", "verify-ca"):
            assert probe(**asked | {"tls_mode": mode}).said == "success", mode
        assert probe(**asked | {"password": "wrong"}).said.startswith("failed: auth: ADDRESS refused the password")
        assert probe(**asked | {"password": None}).said.startswith("failed: auth: ADDRESS wants a password")
        assert probe(**asked | {"database": "none"}).said.startswith("failed: forbidden: ")
        root = asked | {"user": "root", "password": server.password("root")}
        assert probe(**root | {"database": "none"}).said.startswith("failed: database_missing: ")
    assert probe(**asked).said.startswith("failed: refused: ")


def test_mariadb_that_is_full_or_shows_an_expired_certificate(
    probe: Prober, authority: Authority, tmp_path: Path
) -> None:
    server = MariaDB(tmp_path / "mariadb", password=PASSWORD, tls=authority.expired(), require_tls=True)
    with server:
        asked = {"kind": "mysql", "server": server.host, "port": server.port, "user": "app", "database": "app"}
        asked |= {"password": PASSWORD, "tls_authority_file": authority.certificate}
        assert probe(**asked, tls_mode="verify-full").said == EXPIRED
        # It says no more than that.
        assert probe(**asked, tls_mode="disable").said.startswith("failed: auth: ADDRESS refused the password")
        server.sql("SET GLOBAL max_connections = 10")
        # Who does not verify is told all the same.
        said = probe(**asked, tls_mode="prefer", connections_percent=5).said
        assert said.startswith("degraded: certificate_expired: ") and "connections are in use" in said


# Odoo


def test_odoo(probe: Prober, authority: Authority, odoo: Odoo, cluster: Cluster, tmp_path: Path) -> None:
    role = "odoo_reader"
    cluster.ensure_role(role)
    asked = {"kind": "odoo", "server": cluster.host, "port": cluster.port, "user": role, "database": odoo.database}
    asked |= {"password": cluster.password(role), "web_url": odoo.url}
    said, row = probe(**asked)
    assert said == "success"
    assert row["facts"]["odoo_version"].startswith("19")
    assert row["facts"]["parts"] == ["database", "web"]
    key = new_api_key(odoo)
    assert probe(**asked, api_key=key).said == "success"
    assert probe(**asked, api_key="0" * 40).said.startswith("failed: auth: Web: ")
    said = probe(**asked | {"database": "postgres"}).said
    assert said.startswith("failed: database_missing: Web: "), said
    assert probe(**asked | {"web_url": "http://127.0.0.1:1"}).said.startswith("failed: refused: Web: ")
    for shown, expected in (
        (authority.server(), "success"),
        (authority.expired(), "failed: certificate_expired: Web: "),
    ):
        with Nginx(tmp_path / shown.certificate.stem, [proxy("/", odoo.url)], tls=shown) as nginx:
            said = probe(**asked | {"web_url": nginx.url}, tls_authority_file=authority.certificate).said
            assert said.startswith(expected)
    assert probe(**asked | {"password": "wrong"}).said.startswith("failed: auth: Database: ")


def new_api_key(odoo: Odoo) -> str:
    script = (
        "from datetime import datetime, timedelta\n"
        "user = env.ref('base.user_admin')\n"
        "key = env['res.users.apikeys'].with_user(user).sudo()._generate('rpc', 'probe', datetime.now() + timedelta(days=1))\n"
        "env.cr.commit()\n"
        "print('KEY', key)\n"
    )
    return odoo.shell(script).split("KEY ")[1].split()[0]


# Superset


@pytest.fixture(scope="module")
def superset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    with Superset(tmp_path_factory.mktemp("superset"), password=PASSWORD) as server:
        yield server


def test_superset(probe: Prober, superset: Superset) -> None:
    asked = {"kind": "superset", "server": superset.url, "user": superset.user, "password": PASSWORD}
    said, row = probe(**asked)
    assert said == "success"
    assert row["server_version"] == "6.1.0"
    assert row["facts"]["databases"] == 0
    assert probe(**asked | {"password": "wrong"}).said == (
        "failed: auth: ADDRESS refused the password of the user “admin”."
    )
    assert probe(kind="superset", server=superset.url).said == "success"


def test_superset_behind_an_expired_certificate_and_below_a_path(
    probe: Prober, superset: Superset, authority: Authority, tmp_path: Path
) -> None:
    asked = {"user": superset.user, "password": PASSWORD, "tls_authority_file": authority.certificate}
    for shown, expected in ((authority.server(), "success"), (authority.expired(), EXPIRED)):
        with Nginx(tmp_path / shown.certificate.stem, [proxy("/", superset.url)], tls=shown) as nginx:
            assert probe(kind="superset", server=nginx.url, **asked).said == expected


def test_superset_that_is_stopped(probe: Prober, tmp_path: Path) -> None:
    with Superset(tmp_path / "superset", password=PASSWORD) as server:
        asked = {"kind": "superset", "server": server.url, "user": server.user, "password": PASSWORD}
    assert probe(**asked).said == "failed: refused: ADDRESS refused the connection."


# MCP


def test_mcp_of_2026(probe: Prober, tmp_path: Path) -> None:
    with Modern(tmp_path / "mcp") as server:
        said, row = probe(kind="mcp", server=server.url)
        assert said == "success"
        assert row["facts"]["protocol"] == "2026-07-28"
        assert row["facts"]["tools"] == 2
        assert row["facts"]["server_name"]
        assert probe(kind="mcp", server=f"http://{server.host}:{server.port}/other").said.startswith("failed: ")
    assert probe(kind="mcp", server=server.url).said.startswith("failed: refused: ")


def test_mcp_with_a_token(probe: Prober, tmp_path: Path) -> None:
    with Modern(tmp_path / "mcp", token="right-token") as server:
        asked = {"kind": "mcp", "server": server.url}
        assert probe(**asked, api_key="right-token").said == "success"
        assert probe(**asked, api_key="wrong-token").said.startswith("failed: auth: ")
        assert probe(**asked).said.startswith("failed: auth: ")


@pytest.mark.parametrize("mode", ["streamableHttp", "sse"])
def test_mcp_of_the_older_generations(probe: Prober, tmp_path: Path, mode: str) -> None:
    with Everything(tmp_path / "mcp", mode=mode) as server:
        said, row = probe(kind="mcp", server=server.url)
        assert said == "success"
        assert row["facts"]["tools"] > 5
        assert row["facts"]["protocol"] == ("2025-11-25" if mode == "streamableHttp" else row["facts"]["protocol"])
        assert row["facts"]["server_name"] == "mcp-servers/everything"
    assert probe(kind="mcp", server=server.url).said.startswith("failed: refused: ")


def test_mcp_behind_an_expired_certificate_and_one_that_deletes_its_session(
    probe: Prober, authority: Authority, tmp_path: Path
) -> None:
    with Everything(tmp_path / "mcp") as server:
        behind = f"http://{server.host}:{server.port}"
        for shown, expected in ((authority.server(), "success"), (authority.expired(), EXPIRED)):
            with Nginx(tmp_path / shown.certificate.stem, [proxy("/", behind)], tls=shown) as nginx:
                url = f"{nginx.url}/mcp"
                assert probe(kind="mcp", server=url, tls_authority_file=authority.certificate).said == expected
                if expected == "success":
                    # nginx writes it down after it has answered.
                    wait_until(lambda: "DELETE /mcp 200" in nginx.requests, "the session is deleted")


# An API


def test_an_api(probe: Prober, authority: Authority, tmp_path: Path) -> None:
    locations = [
        static("/ok"),
        static("/teapot", "short and stout", status=418),
        json_body("/health", {"status": "ok", "checks": [{"up": True}]}),
        basic_auth("/basic", "me", PASSWORD),
        bearer("/bearer", "right-token"),
        header_key("/key", "X-Api-Key", "right-token"),
        redirect("/moved", "/ok"),
        redirect("/elsewhere", "https://elsewhere.example/?token=x"),
    ]
    with Nginx(tmp_path / "nginx", locations, tls=authority.server()) as nginx:

        def asked(path: str, **fields: object) -> str:
            nonlocal row
            said, row = probe(kind="api", server=nginx.url + path, tls_authority_file=authority.certificate, **fields)
            return said

        row: dict = {}
        assert asked("/ok") == "success"
        facts = row["facts"]
        assert (facts["http_status"], facts["protocol"], facts["body_bytes"]) == (200, "HTTP/1.1", 2)
        assert 28 < days_until(facts["certificate_expires_at"]) < 31
        assert asked("/teapot").startswith("failed: unexpected_answer: ADDRESS answered HTTP 418")
        assert asked("/teapot", expected_status="418", expected_text="stout") == "success"
        assert asked("/health", expected_path="$.checks[0].up", expected_text="true") == "success"
        assert asked("/health", expected_path="$.status", expected_text="down").startswith(
            "failed: unexpected_answer: "
        )
        assert asked("/basic", user="me", password=PASSWORD) == "success"
        assert asked("/basic", user="me", password="wrong").startswith("failed: auth: ")
        assert asked("/bearer", api_key="right-token") == "success"
        assert asked("/bearer", api_key="wrong-token").startswith("failed: auth: ")
        assert asked("/bearer").startswith("failed: auth: ADDRESS answered HTTP 401: it wants a user or a key")
        assert asked("/key", api_key="right-token", sign_in="header") == "success"
        assert asked("/key", api_key="right-token").startswith("failed: auth: ")
        assert asked("/moved").startswith("failed: redirected: ")
        assert asked("/elsewhere") == (
            "failed: redirected: ADDRESS answered with a redirect (HTTP 302) to https://elsewhere.example/, "
            "which is not followed."
        )
        assert asked("/none").startswith("failed: unexpected_answer: ADDRESS answered HTTP 404")
    assert asked("/ok").startswith("failed: refused: ")
    with Nginx(tmp_path / "expired", [static("/")], tls=authority.expired()) as nginx:
        assert asked("/") == EXPIRED


def days_until(timestamp: str) -> float:
    moment = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    return (moment - datetime.now(UTC)).total_seconds() / 86400


def wait_for(condition: Callable[[], bool]) -> None:
    wait_until(condition, "what the test waits for")
