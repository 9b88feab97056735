"""`make soak`: a sidecar with its store tests a hundred endpoints a second, some of which come and go, and nothing of
it may grow: memory, open files, connections to its store and to Odoo."""

import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ring import Board, Cluster, Databases, add_manager, configure, new_store, pair
from stack import sidecar as sidecar_server
from stack.console import StackError, step
from stack.sidecar import Sidecar
from switchboard import Switchboard

SECONDS = int(os.environ.get("SOAK_SECONDS") or 3600)
ENDPOINTS = 500
INTERVAL_S = 5
LOOKS = 60
# What the last quarter may have more than the second one: the first is for warming up.
GROWTH = 1.10
FEW = 8


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="insightpulse-soak-") as folder, contextlib.ExitStack() as stack:
        directory = Path(folder)
        directory.chmod(0o755)
        with step("Odoo, a sidecar and its store"):
            executable = sidecar_server.build(directory / "build.log")
            cluster, store = Cluster(directory / "postgres"), Cluster(directory / "store")
            for server in (cluster, store):
                stack.callback(server.stop)
                server.start()
            odoo = Databases(directory, cluster).odoo("soak")
            stack.callback(odoo.stop)
            odoo.start()
            add_manager(odoo)
            sidecar = Sidecar(directory / "sidecar", executable=executable)
            stack.callback(sidecar.stop)
            configure(sidecar, more={"store": new_store(store)})
            pair(odoo, sidecar)
            switchboard = stack.enter_context(Switchboard())
            values = {"connection_type": "api", "interval_s": INTERVAL_S, "is_paused": False}
            Board(odoo).create_all(
                [{**values, "name": f"Endpoint {n}", "base_url": switchboard.url(n)} for n in range(ENDPOINTS)]
            )
        with step(f"{ENDPOINTS // INTERVAL_S} tests a second for {SECONDS} s") as current:
            looks = []
            for _ in range(LOOKS):
                switchboard.down = {n for n in range(ENDPOINTS) if random.random() < 0.02}
                time.sleep(SECONDS / LOOKS)
                looks.append(look(sidecar, store))
            current.note = f"{sum(switchboard.asked.values())} tests"
    failed = [
        name
        for index, name in enumerate(("memory (KiB)", "files", "sessions of the store"))
        if not flat(name, [one[index] for one in looks])
    ]
    if failed:
        raise StackError(f"it grows: {', '.join(failed)}")


def look(sidecar: Sidecar, store: Cluster) -> tuple[int, int, int]:
    status = Path(f"/proc/{sidecar.pid}/status").read_text()
    memory = int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])
    sessions = int(store.query("SELECT count(*) FROM pg_stat_activity WHERE usename = 'sidecar'"))
    return memory, len(list(Path(f"/proc/{sidecar.pid}/fd").iterdir())), sessions


def flat(name: str, values: list[int]) -> bool:
    """Whether the last quarter is as the second one, in the median; prints both."""
    quarter = len(values) // 4
    early, late = (statistics.median(part) for part in (values[quarter : 2 * quarter], values[-quarter:]))
    print(f"  {name:<24} second quarter {early:.0f}, last {late:.0f}: ratio {late / early:.3f}")
    return late <= early * GROWTH or late - early <= FEW


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(f"error: {error}")
