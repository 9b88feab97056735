"""The schedule at a thousand, ten thousand and thirty thousand endpoints a minute, beside a bare loop of the same
connections; and a batch of results beside as many calls of `write`."""

import json
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from playwright.sync_api import sync_playwright
from ring import CHECKOUT, MODEL, Board, Databases, running
from stack.console import step
from stack.odoo import Odoo
from switchboard import Switchboard

SIZES = (1_000, 10_000, 30_000)
# Three minutes; less shows less.
SECONDS = int(os.environ.get("BENCH_SECONDS") or 180)
WRITES = 1_000
ROUNDS = 3
CARDS = 200
LIVE_SECONDS = 30
_PACE = CHECKOUT / "target/release/examples/pace"


def measure_schedule() -> None:
    build = ["cargo", "build", "--release", "--package", "insightpulse-monitor", "--example", "pace"]
    with step("The schedule, to be measured"):
        subprocess.run([*build, "--quiet"], cwd=CHECKOUT, check=True)
    with subprocess.Popen([_PACE, "serve"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            ports = server.stdout.readline().split()
            runs = []
            for size in SIZES:
                with step(f"{size} endpoints a minute for {SECONDS} s, by the schedule and by a bare loop"):
                    runs.append((_run("monitor", size, ports), _run("bare", size, ports)))
        finally:
            server.kill()
    print(f"\none test a minute each, {SECONDS} s, one in twenty in a black hole, beside a bare loop")
    for ours, bare in runs:
        cores = (ours["cpu_s"] - bare["cpu_s"]) / ours["seconds"]
        print(
            f"  {ours['endpoints']:>6} endpoints  {ours['tests']:>6} tests   "
            f"late p50 {ours['late_p50_ms']:.1f}, p99 {ours['late_p99_ms']:.1f}, most {ours['late_max_ms']:.1f} ms "
            f"(bare p99 {bare['late_p99_ms']:.1f})   "
            f"CPU {ours['cpu_s']:.1f} s beside {bare['cpu_s']:.1f} s: ratio {ours['cpu_s'] / bare['cpu_s']:.2f}, "
            f"{cores:.3f} cores more   memory {ours['memory_mib']:.1f} MiB beside {bare['memory_mib']:.1f}"
        )
    (small, _), (large, _) = runs[0], runs[-1]
    print(
        f"  {large['endpoints'] / small['endpoints']:.0f} times the endpoints cost "
        f"{large['cpu_s'] / small['cpu_s']:.1f} times the CPU"
    )


def _run(mode: str, size: int, ports: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [_PACE, mode, str(size), str(SECONDS), *ports], check=True, capture_output=True, text=True, timeout=SECONDS + 60
    )
    return json.loads(done.stdout)


def measure_write_back(odoo: Odoo, board: Board, sidecar_key: str) -> None:
    """A thousand results in two calls, beside a thousand calls of `write`, over JSON-RPC to the same Odoo."""
    ids = board.create_all([{"name": f"Written {number}", "is_paused": True} for number in range(WRITES)])
    records = {record["id"]: record for record in board.call("read", ids, ["uuid", "revision"])}
    ours, theirs = [], []
    for number in range(ROUNDS):
        results = [_result(records[one], number * WRITES + index) for index, one in enumerate(ids)]
        begun = time.perf_counter()
        for half in (results[: WRITES // 2], results[WRITES // 2 :]):
            receipt = odoo.call(
                MODEL, "apply_probe_results", [half], login="insightpulse_sidecar", password=sidecar_key
            )
            assert len(receipt["applied"]) == len(half), receipt["ignored"][:3]
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        for one in ids:
            board.call("write", [one], {"sequence": number + 1})
        theirs.append(time.perf_counter() - begun)
    middle = statistics.median(theirs) / statistics.median(ours)
    print(
        f"\n{WRITES} results written back (n = {ROUNDS}, in turns): {statistics.median(ours) * 1000:.0f} ms beside "
        f"{statistics.median(theirs) * 1000:.0f} ms of {WRITES} calls of write: {middle:.0f} times as fast"
    )


def _result(record: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "id": record["id"],
        "record": record["uuid"],
        "revision": record["revision"],
        "probe": str(UUID(int=(0x0190_0000_0000 + number) << 80 | 0x7 << 76 | 0x8 << 60)),
        "status": "success",
        "latency_ms": 12.5,
        "phases": {"connect_ms": 2.5, "login_ms": 10.0},
        "server_version": "15.18",
        "active_connections": 4,
        "max_connections": 100,
        "checked_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "tallies": [
            {
                "day": time.strftime("%Y-%m-%d", time.gmtime()),
                "probes": 1,
                "failures": 0,
                "observed_s": 30.0,
                "up_s": 30.0,
                "latency_sum_ms": 12.5,
                "latency_max_ms": 12.5,
            }
        ],
    }


def measure_live(databases: Databases, executable: Path) -> None:
    """What others wait for Odoo, with two workers, while a browser shows two hundred cards that are tested every five
    seconds; beside the same with monitoring switched off."""
    with (
        Switchboard() as switchboard,
        running(databases, "live", executable=executable, workers=2) as (odoo, _sidecar),
        sync_playwright() as playwright,
    ):
        values = {"connection_type": "api", "interval_s": 5, "is_paused": False}
        board = Board(odoo)
        board.create_all([{**values, "name": f"Card {n}", "base_url": switchboard.url(n)} for n in range(CARDS)])
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{odoo.url}/odoo")
        page.get_by_label("Email").fill("admin")
        page.get_by_label("Password", exact=True).fill("admin")
        page.get_by_role("button", name="Log in").click()
        page.locator(".o_main_navbar").wait_for(timeout=120_000)
        page.goto(f"{odoo.url}/odoo/connections")
        page.locator(".o_insightpulse_card").first.wait_for(timeout=60_000)
        # The pager's limit; all cards are to be on the page.
        page.locator(".o_pager_value").click()
        page.locator(".o_pager_value").fill(f"1-{CARDS + 5}")
        page.keyboard.press("Enter")
        page.wait_for_function(f"document.querySelectorAll('.o_insightpulse_card').length >= {CARDS}")
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(2):
            for is_on in (True, False):
                settings = odoo.call("res.config.settings", "create", [[{"insightpulse_monitoring": is_on}]])
                odoo.call("res.config.settings", "set_values", [settings])
                time.sleep(10)
                ends = time.monotonic() + LIVE_SECONDS
                while time.monotonic() < ends:
                    begun = time.perf_counter()
                    board.call("search_read", [], ["name", "status"], limit=80)
                    seconds[is_on].append(time.perf_counter() - begun)
                    time.sleep(0.1)
        browser.close()
    with_it, without = (statistics.median(seconds[is_on]) * 1000 for is_on in (True, False))
    print(
        f"\n{CARDS} live cards, two workers (n = {len(seconds[True])}, in turns): a request takes {with_it:.1f} ms beside "
        f"{without:.1f} ms without monitoring: ratio {with_it / without:.2f}"
    )
