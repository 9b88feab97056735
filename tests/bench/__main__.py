"""`make bench`: Test beside a plain psycopg2.connect to the same server, the vault beside Fernet, probes beside pgbench
and blackbox_exporter, the schedule beside a bare loop, results beside `write`, a `.env` beside the seed's loop."""

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import env_files
import monitoring
import probes
import psycopg2
import vault
from peers import BlackHole
from ring import Board, Cluster, Databases, Session, api_key, healthy, running
from stack import sidecar
from stack.console import step

CLICKS = 60
SWEEPS = 2
ENDPOINTS = 200
# libpq knows no shorter one.
TIMEOUT_S = 2


def main() -> None:
    vault.measure()
    monitoring.measure_schedule()
    with tempfile.TemporaryDirectory(prefix="insightpulse-bench-") as folder:
        # PostgreSQL's user has to get there.
        Path(folder).chmod(0o755)
        probes.measure(Path(folder))
    with tempfile.TemporaryDirectory(prefix="insightpulse-bench-") as folder, contextlib.ExitStack() as stack:
        directory = Path(folder)
        with step("Odoo, its sidecar and a PostgreSQL to test"):
            executable = sidecar.build(directory / "build.log")
            cluster, books = Cluster(directory / "postgres"), Cluster(directory / "books")
            for server in (cluster, books):
                stack.callback(server.stop)
                server.start()
            books.ensure_role("reader")
            books.query("CREATE DATABASE books OWNER reader")
            databases = Databases(directory, cluster)
            odoo, own_sidecar = stack.enter_context(running(databases, "bench", executable=executable))
            board, session = Board(odoo), Session(odoo)
            black_hole = stack.enter_context(BlackHole())
        with step(f"{CLICKS} Tests of one endpoint"):
            clicks = time_clicks(board, session, books)
        with step(f"{SWEEPS} sweeps of {ENDPOINTS} endpoints, a tenth of them in a black hole"):
            sweeps = time_sweeps(board, session, books, black_hole)
        with step(f"{monitoring.CARDS} live cards"):
            monitoring.measure_live(databases, executable)
        monitoring.measure_write_back(odoo, board, api_key(odoo, "insightpulse_sidecar"))
        # It begins with an empty board, and so comes last.
        env_files.measure(odoo, own_sidecar, board)
    show("one healthy PostgreSQL", *clicks)
    show(f"{ENDPOINTS} endpoints, {ENDPOINTS // 10} in a black hole, timeout {TIMEOUT_S} s", *sweeps)


def time_clicks(board: Board, session: Session, books: Cluster) -> tuple[list[float], list[float]]:
    """Seconds that a click's call to Odoo takes, in and out, and seconds of a plain connection."""
    endpoint = board.create(**healthy(books))
    ours, theirs = [], []
    for number in range(-5, CLICKS):
        took, action = timed(lambda: session.test(endpoint))
        # The result on its way to Odoo would be in the other one's way.
        board.written(action)
        connecting, _ = timed(lambda: connect(books, books.port))
        # What comes first warms both up.
        if number >= 0:
            assert action["params"]["type"] == "success", action
            ours.append(took)
            theirs.append(connecting)
    return ours, theirs


def time_sweeps(
    board: Board, session: Session, books: Cluster, black_hole: BlackHole
) -> tuple[list[float], list[float]]:
    """Seconds until the results of all are in Odoo, and seconds of a loop over the same."""
    ports = [black_hole.port if number % 10 == 0 else books.port for number in range(ENDPOINTS)]
    ids = board.create_all([healthy(books, name=f"Sweep {number}", port=port) for number, port in enumerate(ports)])
    ours, theirs = [], []

    def sweep() -> None:
        records = board.written(session.test(*ids))
        assert [record["status"] for record in records].count("success") == ENDPOINTS - ENDPOINTS // 10

    def loop() -> None:
        for port in ports:
            with contextlib.suppress(psycopg2.OperationalError):
                connect(books, port)

    for _ in range(SWEEPS):
        ours.append(timed(sweep)[0])
        theirs.append(timed(loop)[0])
    return ours, theirs


def connect(books: Cluster, port: int) -> None:
    psycopg2.connect(
        host=books.host,
        port=port,
        dbname="books",
        user="reader",
        password=books.password("reader"),
        connect_timeout=TIMEOUT_S,
    ).close()


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    value = call()
    return time.perf_counter() - begun, value


def show(title: str, ours: list[float], theirs: list[float]) -> None:
    """One table: the median of each, its spread, and how many times the one is the other."""
    print(f"\n{title} (n = {len(ours)}, in turns)")
    for name, seconds in (("Test in Odoo", ours), ("psycopg2.connect", theirs)):
        middle, least, most = statistics.median(seconds), min(seconds), max(seconds)
        print(f"  {name:<18} median {middle * 1000:>9.1f} ms   {least * 1000:.1f} to {most * 1000:.1f} ms")
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"  {'ratio':<18} {ratio:.2f}" + (f"   ({1 / ratio:.1f} times as fast)" if ratio < 1 else ""))


if __name__ == "__main__":
    main()
