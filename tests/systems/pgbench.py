"""pgbench, for figures to compare with."""

import re
import tempfile
from pathlib import Path

from stack.command import run
from stack.postgres import Cluster
from stack.settings import clean_environment


def transactions_per_second(
    cluster: Cluster,
    *,
    role: str,
    database: str,
    sql: str = "SELECT 1;",
    clients: int = 1,
    seconds: int = 2,
    connect_each: bool = True,
    host: str = "",
    port: int = 0,
) -> float:
    """How often one second sees this SQL done; on a connection of its own each time, unless `connect_each` is false.

    Another `host` or `port` is that of a pooler in front of the cluster.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.sql"
        script.write_text(sql)
        output = run(
            [
                *(cluster.bindir / "pgbench", "--no-vacuum", "--file", script, "--time", str(seconds)),
                *("--client", str(clients), *(["--connect"] if connect_each else [])),
                *("--host", host or cluster.host, "--port", str(port or cluster.port), "--username", role, database),
            ],
            purpose="run pgbench",
            env={**clean_environment(), "PGPASSWORD": cluster.password(role)},
        )
    found = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
    assert found, output
    return float(found[1])
