"""The servers that tests of the whole share. All are real, on free ports, and below one temporary folder."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import BlackHole
from ring import Board, Databases, running, state_dir
from stack import sidecar as sidecar_server
from stack.odoo import Odoo
from stack.postgres import Cluster
from stack.sidecar import Sidecar

# What is quick and tells most comes first, for those who stop at the first failure.
_ORDER = [
    "deploy",
    "test_whole_path",
    "test_formats",
    "test_snippets",
    "test_systems",
    "test_probes",
    "test_kinds",
    "test_cli",
    "test_rpc_dialects",
    "test_superset_import",
    "test_canary",
    "test_keys",
    "test_pairing",
    "test_copies",
    "test_install_uninstall",
    "test_monitoring",
    "test_browser",
    "test_two_workers",
    "test_make_up",
    "test_faults",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(Path(__file__).parent)
        return next((index for index, name in enumerate(_ORDER) if str(path).startswith(name)), len(_ORDER))

    items.sort(key=place)


@pytest.fixture(scope="session")
def directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where all servers have their files. Their logs are kept when a test has failed."""
    with tempfile.TemporaryDirectory(prefix="insightpulse-tests-") as name:
        yield Path(name)
        kept = state_dir() / "test-logs"
        shutil.rmtree(kept, ignore_errors=True)
        if request.session.testsfailed:
            for log in Path(name).rglob("*.log"):
                kept.mkdir(parents=True, exist_ok=True)
                shutil.copy(log, kept / f"{log.parent.name}-{log.name}")


@pytest.fixture(scope="session")
def executable(directory: Path) -> Path:
    """The sidecar's release build, up to date."""
    return sidecar_server.build(directory / "build.log")


@pytest.fixture(scope="session")
def cluster(directory: Path) -> Iterator[Cluster]:
    """Odoo's own PostgreSQL."""
    cluster = Cluster(directory / "postgres")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def databases(directory: Path, cluster: Cluster) -> Databases:
    return Databases(directory, cluster)


@pytest.fixture(scope="session")
def books(directory: Path) -> Iterator[Cluster]:
    """Another PostgreSQL, to be tested, with a role `reader` and a database `books`."""
    cluster = Cluster(directory / "books")
    try:
        cluster.start()
        cluster.ensure_role("reader")
        cluster.query("CREATE DATABASE books OWNER reader")
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def black_hole() -> Iterator[BlackHole]:
    with BlackHole() as hole:
        yield hole


@pytest.fixture(scope="session")
def _whole(databases: Databases, executable: Path) -> Iterator[tuple[Odoo, Sidecar]]:
    with running(databases, "whole", "without_sidecar", executable=executable) as pair:
        yield pair


@pytest.fixture(scope="session")
def odoo(_whole: tuple[Odoo, Sidecar]) -> Odoo:
    """An Odoo with one process, as `make up` has it, with its sidecar."""
    return _whole[0]


@pytest.fixture(scope="session")
def sidecar(_whole: tuple[Odoo, Sidecar]) -> Sidecar:
    return _whole[1]


@pytest.fixture(scope="session")
def board(odoo: Odoo) -> Board:
    """The endpoints, as a Connection Manager without any other right sees them."""
    return Board(odoo)
