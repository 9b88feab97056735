"""One `.env` of ten thousand endpoints beside the seed's loop in Python over the same records, and what a call costs."""

import json
import statistics
import subprocess
import time
import urllib.request

from ring import CHECKOUT, METRICS_TOKEN, Board
from stack.odoo import Odoo
from stack.sidecar import Sidecar

ENDPOINTS = 10_000
CALLED = 1_000
ROUNDS = 5
_BUILD = ("cargo", "build", "--release", "--quiet", "--package", "insightpulse-render", "--example", "env_file")

# The seed's Example 3. Its secrets are stored as they are, and what it computes of each record is computed in place;
# for these stand fields of ours that cost the same to read.
_LOOP = """
import json, time
Endpoint = env["insightpulse.connection.endpoint"]
took = []
for _ in range(7):
    env.invalidate_all()
    begun = time.perf_counter()
    env_content = "# InsightPulse AI - Connection Configuration\\n# Auto-generated from Connection Manager\\n\\n"
    for conn in Endpoint.search([]):
        safe_name = conn.name.upper().replace(" ", "_").replace("-", "_")
        connection_string = (
            f"postgresql://{conn.username}:{conn.uuid}@{conn.base_url}:{conn.port}/{conn.database_name}"
        )
        env_content += f"# {conn.name}\\n"
        env_content += f"{safe_name}_URL={connection_string}\\n"
        env_content += f"{safe_name}_USER={conn.username}\\n"
        env_content += f"{safe_name}_PASSWORD={conn.uuid}\\n"
        if conn.web_url:
            env_content += f"{safe_name}_API_KEY={conn.web_url}\\n"
        env_content += "\\n"
    took.append(time.perf_counter() - begun)
print("TOOK " + json.dumps(took))
"""
_PREPARED = """
import json
print("PREPARED " + json.dumps(env["insightpulse.connection.endpoint"].search([])._prepare_endpoints()))
"""


def measure(odoo: Odoo, sidecar: Sidecar, board: Board) -> None:
    """Prints both comparisons, and how many requests a call is."""
    subprocess.run(_BUILD, cwd=CHECKOUT, check=True)
    admin = Board(odoo, "admin")
    admin.call("unlink", admin.call("search", []))
    ids = []
    for start in range(0, ENDPOINTS, 2000):
        values = [_values(number) for number in range(start, start + 2000)]
        ids += board.create_all(values)
    prepared = _printed(odoo, _PREPARED, "PREPARED")
    example = CHECKOUT / "target/release/examples/env_file"
    done = subprocess.run([example], input=prepared, check=True, capture_output=True, text=True)
    ours = list(map(float, done.stdout.split()))
    theirs = json.loads(_printed(odoo, _LOOP, "TOOK"))
    print(f"\n{ENDPOINTS:,} endpoints to one .env (n = {len(ours)} passes)")
    show(("inside the sidecar", ours), ("the seed's loop", theirs))

    calls = []
    before = requests(sidecar)
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        document = board.call("render_config", ids[:CALLED], "env")
        calls.append(time.perf_counter() - begun)
        assert document["content"].count("_URL=") == CALLED
    print(f"\nrender_config of {CALLED:,} records over JSON-RPC (n = {ROUNDS})")
    print(f"  HTTP requests to the sidecar for each call: {(requests(sidecar) - before) / ROUNDS:g}")
    # The loop over as many records, by what each took.
    show(("render_config", calls), ("the seed's loop", [took * CALLED / ENDPOINTS for took in theirs]))


def _values(number: int) -> dict[str, object]:
    return {
        "name": f"RIM - Database {number}",
        "base_url": f"db{number}.example.com",
        "port": 5432,
        "database_name": f"rim_{number}",
        "username": "postgres",
        "password": "p@ss/w:rd #1",
    }


def _printed(odoo: Odoo, script: str, mark: str) -> str:
    (line,) = [line for line in odoo.shell(script).splitlines() if line.startswith(mark)]
    return line.removeprefix(mark).strip()


def requests(sidecar: Sidecar) -> float:
    """How many renderings the sidecar has answered."""
    asked = urllib.request.Request(f"{sidecar.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if "/v1/render" in line and not line.startswith("#"))


def show(ours: tuple[str, list[float]], theirs: tuple[str, list[float]]) -> None:
    medians = []
    for name, seconds in (ours, theirs):
        medians.append(statistics.median(seconds))
        print(
            f"  {name:<20} median {medians[-1] * 1000:>9.2f} ms   {min(seconds) * 1000:.2f} to {max(seconds) * 1000:.2f} ms"
        )
    print(f"  {'ratio':<20} {medians[0] / medians[1]:.4f}   ({medians[1] / medians[0]:.0f} times as fast)")
