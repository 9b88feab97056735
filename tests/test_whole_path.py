"""One click, from Odoo through the sidecar to a server and back, over JSON-RPC as a Connection Manager."""

import ast
import time
from typing import Any
from xml.etree import ElementTree

import psycopg2
import psycopg2.extensions
import pytest
from canary import canary
from peers import BlackHole, PasswordThief, Peer
from ring import MODEL, TIMEOUT_S, Board, healthy, refused, wait_until
from stack import network
from stack.odoo import Odoo
from stack.postgres import Cluster
from stack.sidecar import Sidecar

# What a probe may change of a record.
HEALTH = {
    "status",
    "latency_ms",
    "phases",
    "server_version",
    "active_connections",
    "max_connections",
    "last_checked_at",
    "failure_kind",
    "failure_message",
    "failure_advice",
    "failure_text",
    "failure_hint",
    "explanations",
    "facts",
    "certificate_expires_at",
    "last_probe_id",
    "status_since",
    "event_ids",
    # Of the facts
    "database_size",
    "reserved_connections",
    "parts_answering",
    "replication",
    "tls_version",
}


def without_health(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in HEALTH}


def fails(board: Board, kind: str, says: str, advises: str, **values: Any) -> dict[str, Any]:
    """Tests such an endpoint, which must fail in that way and keep all that is not its health."""
    endpoint = board.create(**values)
    before = board.read(endpoint)
    after = board.result(endpoint)
    assert (after["status"], after["failure_kind"]) == ("failed", kind), after["failure_message"]
    assert says in after["failure_message"]
    assert advises in after["failure_advice"]
    assert after["latency_ms"] == 0
    assert without_health(after) == without_health(before)
    return after


# ---------------------------------------------------------------- a result


def test_a_healthy_server_is_green_with_what_was_measured(board: Board, books: Cluster) -> None:
    after = board.result(board.create(**healthy(books)))
    assert (after["status"], after["failure_kind"], after["failure_message"]) == ("success", False, False)
    # Debian writes its package's version behind PostgreSQL's own.
    assert after["server_version"] == books.query("SHOW server_version").split()[0]
    assert after["max_connections"] == int(books.query("SHOW max_connections"))
    assert 1 <= after["active_connections"] < after["max_connections"]
    assert 0 < after["latency_ms"] < TIMEOUT_S * 1000
    assert set(after["phases"]) >= {"connect_ms", "login_ms", "query_ms"}
    assert sum(after["phases"].values()) == pytest.approx(after["latency_ms"], abs=1.0)


def test_the_click_itself_says_what_a_quick_server_answered(board: Board, books: Cluster) -> None:
    told = board.test(board.create(**healthy(books, name="Quick")))["params"]
    assert told["type"] == "success"
    assert told["message"].startswith("Connected to Quick in ")


def test_odoos_own_card_gets_green_with_the_password_of_odoos_role(odoo: Odoo, board: Board, cluster: Cluster) -> None:
    (endpoint,) = board.call("search", [["connection_type", "=", "odoo"]])
    board.call("write", [endpoint], {"database_name": odoo.database, "password": cluster.password("odoo")})
    after = board.result(endpoint)
    assert after["status"] == "success", after["failure_message"]
    assert after["active_connections"] >= 1


def test_a_red_card_turns_green_again_and_forgets_its_failure(board: Board, books: Cluster) -> None:
    endpoint = board.create(**healthy(books, password="wrong"))
    assert board.result(endpoint)["status"] == "failed"
    board.call("write", [endpoint], {"password": books.password("reader")})
    assert board.read(endpoint)["status"] == "draft"
    after = board.result(endpoint)
    assert (after["status"], after["failure_kind"], after["failure_advice"]) == ("success", False, False)


# ---------------------------------------------------------------- what goes wrong out there


def test_a_wrong_password_is_told_with_the_servers_words(board: Board, books: Cluster) -> None:
    fails(board, "auth", "password authentication failed", "password", **healthy(books, password="wrong"))


def test_a_missing_password_is_told_apart_from_a_wrong_one(board: Board, books: Cluster) -> None:
    fails(board, "auth", "none is stored", "password", **healthy(books, password=False))


def test_a_host_that_no_name_server_knows(board: Board, books: Cluster) -> None:
    fails(board, "dns", "no-such-host.invalid", "spell", **healthy(books, base_url="no-such-host.invalid"))


def test_a_closed_port(board: Board, books: Cluster) -> None:
    fails(board, "refused", "refused", "port", **healthy(books, port=network.free_port()))


def test_a_black_hole(board: Board, books: Cluster, black_hole: BlackHole) -> None:
    fails(
        board, "timeout", "did not accept a connection within 2.0 s", "firewall", **healthy(books, port=black_hole.port)
    )


def test_a_server_that_accepts_and_says_nothing(board: Board, books: Cluster) -> None:
    with Peer() as silent:
        fails(board, "timeout", "accepted the connection, but", "firewall", **healthy(books, port=silent.port))
        assert silent.connections == 1


def test_an_http_server_where_postgresql_should_be(board: Board, books: Cluster, sidecar: Sidecar) -> None:
    fails(board, "not_this_protocol", "PostgreSQL", "port", **healthy(books, port=sidecar.port))


def test_a_database_that_does_not_exist(board: Board, books: Cluster) -> None:
    fails(board, "database_missing", "“no_such_books”", "name", **healthy(books, database_name="no_such_books"))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (False, "missing"),
        ("   ", "missing"),
        ("http://127.0.0.1", "URL"),
        ("db one.example", "not a host name"),
        ("127.0.0.1:5432", "port's own field"),
    ],
)
def test_a_host_that_is_none(board: Board, books: Cluster, address: str | bool, says: str) -> None:
    fails(board, "invalid_endpoint", says, "", **healthy(books, base_url=address))


def test_a_missing_user(board: Board, books: Cluster) -> None:
    fails(board, "invalid_endpoint", "user name is missing", "", **healthy(books, username=False))


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_a_port_that_is_none_is_not_saved(board: Board, books: Cluster, port: int) -> None:
    endpoint = board.create(**healthy(books))
    before = board.read(endpoint)
    assert "1 to 65535" in refused(lambda: board.call("write", [endpoint], {"port": port})).message
    assert board.read(endpoint) == before


def test_without_a_port_the_usual_one_is_tried(board: Board, books: Cluster) -> None:
    after = board.result(board.create(**healthy(books, port=0)))
    # Whether somebody listens there is this machine's business.
    assert after["port"] in (0, 5432)
    assert after["status"] in ("success", "failed")
    assert after["failure_kind"] not in ("invalid_endpoint", "internal")


# ---------------------------------------------------------------- secrets


def test_a_password_is_not_sent_to_another_host_than_it_was_typed_for(board: Board, books: Cluster) -> None:
    secret = canary("stolen")
    with PasswordThief() as first, PasswordThief() as second:
        # With any other mode, it would not be sent to who asks for it unencrypted.
        endpoint = board.create(**healthy(books, port=first.port, password=secret, tls_mode="disable"))
        board.result(endpoint)
        assert secret.encode() in b"".join(first.received), "the thief does not even get what is meant for it"

        board.call("write", [endpoint], {"port": second.port})
        assert board.read(endpoint)["password"] is False
        board.result(endpoint)
        assert second.connections == 1
        assert secret.encode() not in b"".join(second.received)


def test_a_password_is_not_sent_unencrypted_to_who_says_that_there_is_no_tls(board: Board, books: Cluster) -> None:
    secret = canary("overheard")
    with PasswordThief() as thief:
        after = board.result(board.create(**healthy(books, port=thief.port, password=secret)))
        assert (after["status"], after["failure_kind"]) == ("failed", "auth_method")
        assert secret.encode() not in b"".join(thief.received)


def test_a_token_that_was_copied_into_another_record_opens_nothing(
    odoo: Odoo, board: Board, cluster: Cluster, books: Cluster
) -> None:
    with PasswordThief() as thief:
        owner = board.create(**healthy(books, port=thief.port))
        other = board.create(**healthy(books, port=thief.port, password=False))
        cluster.query(
            f"UPDATE insightpulse_connection_endpoint SET password_token = "
            f"(SELECT password_token FROM insightpulse_connection_endpoint WHERE id = {owner}) WHERE id = {other}",
            database=odoo.database,
        )
        after = board.result(other)
        assert (after["status"], after["failure_kind"]) == ("failed", "secret_unreadable")
        assert "again" in after["failure_advice"]
        assert thief.connections == 0


# ---------------------------------------------------------------- configurations


def test_a_copied_connection_string_works_once_its_placeholder_is_replaced(board: Board, books: Cluster) -> None:
    endpoint = board.create(**healthy(books))
    document = board.call("render_config", [endpoint], "uri")
    assert set(document) == {"filename", "mimetype", "content"}
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(document["content"].strip())
    uri = document["content"].strip().replace("[YOUR-PASSWORD]", books.password("reader"))
    connection = psycopg2.connect(uri)
    assert connection.info.dbname == "books"
    connection.close()


def test_the_env_file_has_every_connection_that_the_user_may_read(board: Board, books: Cluster) -> None:
    board.create(**healthy(books, name="One for the env file"))
    text = board.call("generate_env_file")
    assert f"ONE_FOR_THE_ENV_FILE_URL=postgresql://reader:[YOUR-PASSWORD]@127.0.0.1:{books.port}/books" in text
    assert "SUPABASE_PRODUCTION_URL=" in text
    assert books.password("reader") not in text


# ---------------------------------------------------------------- finding them again


def test_every_filter_of_the_search_panel_finds_what_it_says(board: Board) -> None:
    views = board.call("get_views", [[False, "search"]])
    search = ElementTree.fromstring(views["views"]["search"]["arch"])
    domains = {
        # What the browser knows of who looks is nothing that a literal has.
        node.get("name"): ast.literal_eval(node.get("domain").replace("uid", "0"))
        for node in search.iter("filter")
        if node.get("domain")
    }
    for name, domain in domains.items():
        records = board.call("search_read", domain, ["status", "connection_type", "agency_id"])
        for record in records:
            assert name in (record["status"], record["connection_type"]) or name in ("no_agency", "archived", "paused")
    statuses, kinds = (
        ("failed", "degraded", "success", "draft"),
        ("supabase", "postgresql", "odoo", "superset", "mcp", "api"),
    )
    for names in (statuses, kinds):
        assert sum(board.call("search_count", domains[name]) for name in names) == board.call("search_count", [])


def test_every_group_by_counts_every_endpoint_once(board: Board) -> None:
    views = board.call("get_views", [[False, "search"]])
    search = ElementTree.fromstring(views["views"]["search"]["arch"])
    fields = [
        ast.literal_eval(node.get("context"))["group_by"] for node in search.iter("filter") if node.get("context")
    ]
    assert {"status", "connection_type", "agency_id"} <= set(fields)
    for field in fields:
        groups = board.call("formatted_read_group", [], [field], ["__count"])
        assert sum(group["__count"] for group in groups) == board.call("search_count", [])


def test_the_dashboard_counts_what_the_list_shows(board: Board) -> None:
    dashboard = board.call("get_connection_health_dashboard")
    statuses = {"active": "success", "failed": "failed", "degraded": "degraded", "not_tested": "draft"}
    for name, status in statuses.items():
        assert dashboard[name] == board.call("search_count", [["status", "=", status]]), name
    assert dashboard["total"] == sum(dashboard[name] for name in statuses) == sum(dashboard["by_type"].values())
    assert dashboard["active"] > 0
    assert dashboard["failed"] > 0


@pytest.mark.parametrize("login", ["manager", "admin"])
def test_results_are_written_by_the_sidecar_alone(odoo: Odoo, board: Board, books: Cluster, login: str) -> None:
    endpoint = board.read(board.create(**healthy(books)))
    forged = {
        "id": endpoint["id"],
        "record": endpoint["uuid"],
        "revision": endpoint["revision"],
        "probe": "ffffffff-ffff-7fff-bfff-ffffffffffff",
        "status": "success",
        "checked_at": "2026-11-22T13:00:00Z",
    }
    error = refused(lambda: Board(odoo, login).call("apply_probe_results", [forged]))
    assert error.name == "odoo.exceptions.AccessError"
    assert board.read(endpoint["id"]) == endpoint


# ---------------------------------------------------------------- many at once


def test_two_hundred_with_a_tenth_in_a_black_hole_take_one_timeout(
    board: Board, books: Cluster, black_hole: BlackHole
) -> None:
    ids = board.create_all(
        [
            # On a busy machine, two hundred at once may be slow.
            healthy(
                books, name=f"Sweep {number}", slow_ms=-1, **({"port": black_hole.port} if number % 10 == 0 else {})
            )
            for number in range(200)
        ]
    )
    begun = time.monotonic()
    action = board.test(*ids)
    testing = {probe["id"] for probe in action["params"]["next"]["params"]["probes"] if probe["testing"]}
    assert set(ids[::10]) <= testing, "the click has waited for a black hole"
    records = board.written(action)
    took = time.monotonic() - begun
    results = {record["id"]: record["failure_kind"] or record["status"] for record in records}
    assert results == {one: "timeout" if place % 10 == 0 else "success" for place, one in enumerate(ids)}
    # One after the other, the black holes alone would take twenty timeouts.
    assert took < 3 * TIMEOUT_S


# ---------------------------------------------------------------- the sidecar is missing


def unreachable(odoo: Odoo) -> Any:
    """Within it, Odoo looks for its sidecar where nobody listens."""
    return parameter(odoo, "insightpulse.sidecar_url", f"http://127.0.0.1:{network.free_port()}")


class parameter:  # noqa: N801 (reads as what it does: `with parameter(…):`)
    """Sets a system parameter, and puts back what was there."""

    def __init__(self, odoo: Odoo, key: str, value: str) -> None:
        self.odoo, self.key, self.value = odoo, key, value

    def __enter__(self) -> None:
        self.before = self.odoo.call("ir.config_parameter", "get_param", [self.key])
        self.odoo.call("ir.config_parameter", "set_param", [self.key, self.value])

    def __exit__(self, *error: object) -> None:
        self.odoo.call("ir.config_parameter", "set_param", [self.key, self.before])


def stays_as_it_was(board: Board, endpoint: int, says: str, advises: str) -> None:
    """Test and a new password are refused with that message, and change nothing."""
    before = board.read(endpoint)
    for call in (
        lambda: board.test(endpoint),
        lambda: board.call("write", [endpoint], {"name": "New", "password": "x"}),
    ):
        message = refused(call).message
        assert says in message
        assert advises in message
    for name in ("connection_string", "env_vars", "docker_compose"):
        # These come from the sidecar, and are left out without it.
        before.pop(name)
    after = board.read(endpoint)
    assert {name: after[name] for name in before} == before


def test_a_sidecar_that_is_down_is_told_and_nothing_is_lost(sidecar: Sidecar, board: Board, books: Cluster) -> None:
    endpoint = board.create(**healthy(books))
    board.result(endpoint)
    sidecar.stop()
    try:
        stays_as_it_was(board, endpoint, "does not answer at http://127.0.0.1:", "Start it")
    finally:
        sidecar.start()
    assert board.result(endpoint)["status"] == "success"


def test_a_sidecar_that_does_not_know_odoos_token_is_told(odoo: Odoo, board: Board, books: Cluster) -> None:
    endpoint = board.create(**healthy(books))
    with parameter(odoo, "insightpulse.sidecar_token", "x" * 40):
        stays_as_it_was(board, endpoint, "does not accept Odoo's token", "Settings")
    assert board.result(endpoint)["status"] == "success"


@pytest.fixture(scope="module")
def without_sidecar(odoo: Odoo) -> Board:
    """The board of another database on the same server, which nobody has set a sidecar up for."""
    other = Odoo(odoo.directory, odoo.cluster, database="without_sidecar", port=odoo.port)
    return Board(other, "admin")


def test_without_any_sidecar_the_records_are_there(without_sidecar: Board) -> None:
    records = without_sidecar.call("search_read", [], [])
    assert len(records) == 5
    for record in records:
        assert record["status"] == "draft"
        assert record["connection_string"] is False


def test_without_any_sidecar_test_says_what_is_missing(without_sidecar: Board) -> None:
    (endpoint,) = without_sidecar.call("search", [["connection_type", "=", "odoo"]])
    stays_as_it_was(without_sidecar, endpoint, "not paired", "Settings → InsightPulse → Pair with a sidecar")


def test_a_copied_database_does_not_speak_through_the_originals_sidecar(odoo: Odoo, without_sidecar: Board) -> None:
    (endpoint,) = without_sidecar.call("search", [["connection_type", "=", "odoo"]])
    get_param = ("ir.config_parameter", "get_param")
    token, url = (odoo.call(*get_param, [f"insightpulse.sidecar_{name}"]) for name in ("token", "url"))
    copy = without_sidecar.odoo
    with parameter(copy, "insightpulse.sidecar_token", token), parameter(copy, "insightpulse.sidecar_url", url):
        stays_as_it_was(without_sidecar, endpoint, "This database is a copy", "Pair with a sidecar")
        # Nor does the sidecar believe one that says otherwise.
        own = copy.parameter("database.uuid")
        with parameter(copy, "insightpulse.paired_database_uuid", own):
            stays_as_it_was(without_sidecar, endpoint, "token belongs to another database", "Pair with a sidecar")


# ---------------------------------------------------------------- stops in between


def probes_ended(sidecar: Sidecar, endpoint: int) -> int:
    lines = sidecar.log.read_text(errors="replace").splitlines()
    return sum("Probed" in line and f"endpoint.id={endpoint} " in line for line in lines)


def test_a_result_that_comes_while_odoo_is_stopped_is_written_once_it_is_back(
    odoo: Odoo, sidecar: Sidecar, board: Board, books: Cluster, black_hole: BlackHole
) -> None:
    endpoint = board.create(**healthy(books, port=black_hole.port))
    action = board.test(endpoint)
    odoo.stop()
    try:
        wait_until(lambda: probes_ended(sidecar, endpoint) == 1, "the probe's end")
        assert status(odoo, endpoint) == "draft"
    finally:
        odoo.start()
    (after,) = board.written(action)
    assert after["failure_kind"] == "timeout"


def test_results_survive_a_restart_of_the_sidecar(
    odoo: Odoo, sidecar: Sidecar, board: Board, books: Cluster, black_hole: BlackHole
) -> None:
    endpoint = board.create(**healthy(books, port=black_hole.port))
    action = board.test(endpoint)
    odoo.stop()
    try:
        # It finishes the probe under way, and keeps the result that Odoo does not take.
        sidecar.stop()
        assert probes_ended(sidecar, endpoint) == 1
        assert status(odoo, endpoint) == "draft"
        sidecar.start(wait_for_odoo=False)
    finally:
        odoo.start()
    (after,) = board.written(action)
    assert after["failure_kind"] == "timeout"
    wait_until(sidecar.is_ready, "the sidecar finds Odoo again")


def status(odoo: Odoo, endpoint: int) -> str:
    table = MODEL.replace(".", "_")
    return odoo.cluster.query(f"SELECT status FROM {table} WHERE id = {endpoint}", database=odoo.database)
