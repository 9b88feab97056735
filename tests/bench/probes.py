"""Probes of PostgreSQL beside `pgbench -C`, and of HTTP beside blackbox_exporter: the same servers, in turns."""

import json
import os
import resource
import statistics
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ring import CHECKOUT
from stack.console import step
from systems.blackbox import Blackbox
from systems.nginx import Nginx, static
from systems.pgbench import transactions_per_second
from systems.postgres import DATABASE, ROLE, Postgres

ROUNDS = 5
SECONDS = 3
CLIENTS = (1, 8, 32)
HTTP_CLIENTS = 32
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_RATE = CHECKOUT / "target/release/examples/rate"


class Run(NamedTuple):
    """One pass: probes in a second, and CPU seconds that the client spent on one."""

    rate: float
    cpu_s: float
    memory_kib: float = 0.0


def measure(directory: Path) -> None:
    build = ["cargo", "build", "--release", "--package", "insightpulse-probe", "--example", "rate"]
    with step("The loop of probes"):
        subprocess.run([*build, "--quiet"], cwd=CHECKOUT, check=True)
    with Postgres(directory / "probed") as cluster:
        for clients in CLIENTS:
            ours, theirs = in_turns(partial(probes, cluster, clients), partial(pgbench, cluster, clients))
            show(f"PostgreSQL, SCRAM, {clients} at once", ("probe", ours), ("pgbench -C", theirs))
    with Nginx(directory / "nginx", [static("/")]) as nginx, Blackbox(directory / "blackbox") as blackbox:
        ours, theirs = in_turns(partial(rate, f"{nginx.url}/", HTTP_CLIENTS), partial(asked, blackbox, nginx))
        show(f"HTTP, {HTTP_CLIENTS} at once", ("probe", ours), ("blackbox_exporter", theirs))
        memory = [statistics.median(run.memory_kib for run in runs) for runs in (ours, theirs)]
        print(
            f"  memory     {memory[0] / 1024:>7.1f} MiB beside {memory[1] / 1024:.1f} MiB: ratio {memory[0] / memory[1]:.2f}"
        )


def in_turns(ours: Callable[[], Run], theirs: Callable[[], Run]) -> tuple[list[Run], list[Run]]:
    rounds = [(ours(), theirs()) for _ in range(ROUNDS)]
    return [one for one, _ in rounds], [other for _, other in rounds]


def probes(cluster: Postgres, clients: int) -> Run:
    """Login, and the question of a probe, which is longer than `SELECT 1`."""
    url = f"postgresql://{ROLE}@{cluster.host}:{cluster.port}/{DATABASE}?sslmode=disable"
    return rate(url, clients, password=cluster.password(ROLE))


def rate(url: str, clients: int, password: str = "") -> Run:
    environment = {**os.environ, "PGPASSWORD": password}
    done = subprocess.run(
        [_RATE, url, str(clients), str(SECONDS)], env=environment, check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    return Run(found["probes"] / found["seconds"], found["cpu_seconds"] / found["probes"], found["memory_kib"])


def pgbench(cluster: Postgres, clients: int) -> Run:
    before = children_cpu_s()
    done = transactions_per_second(cluster, role=ROLE, database=DATABASE, clients=clients, seconds=SECONDS)
    # It may take part of a second more than it was told; the rate is its own.
    return Run(done, (children_cpu_s() - before) / (done * SECONDS))


def children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def asked(blackbox: Blackbox, nginx: Nginx) -> Run:
    """As Prometheus asks it: over HTTP, once for each probe. Who asks is our own loop, whose time does not count."""
    before = process_cpu_s(blackbox.pid)
    run = rate(blackbox.probe_url(f"{nginx.url}/"), HTTP_CLIENTS)
    took = process_cpu_s(blackbox.pid) - before
    status = Path(f"/proc/{blackbox.pid}/status").read_text()
    memory = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return Run(run.rate, took / (run.rate * SECONDS), float(memory))


def process_cpu_s(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def show(title: str, ours: tuple[str, list[Run]], theirs: tuple[str, list[Run]]) -> None:
    print(f"\n{title} (n = {ROUNDS} passes of {SECONDS} s, in turns)")
    medians = []
    for name, runs in (ours, theirs):
        rates = [run.rate for run in runs]
        middle, cpu = statistics.median(rates), statistics.median(run.cpu_s for run in runs)
        medians.append((middle, cpu))
        print(
            f"  {name:<18} {middle:>8.0f} a second   {min(rates):.0f} to {max(rates):.0f}   {cpu * 1000:.3f} ms of CPU each"
        )
    (rate_a, cpu_a), (rate_b, cpu_b) = medians
    print(
        f"  ratio              rate {rate_a / rate_b:.2f}, CPU {cpu_a / cpu_b:.3f}, rate for each CPU second {cpu_b / cpu_a:.1f}"
    )
