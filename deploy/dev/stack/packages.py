"""Debian packages that the machine itself must have."""

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from . import postgres
from .command import run
from .console import StackError

_CLUSTER_DEFAULTS = Path("/etc/postgresql-common/createcluster.d/insightpulse.conf")
# What Debian's packages ask before they start a service; 101 is a no.
_SERVICE_POLICY = Path("/usr/sbin/policy-rc.d")
_NO_SERVICES = "#!/bin/sh\nexit 101\n"


class Need(NamedTuple):
    """Something that must be there, and the packages that bring it."""

    what: str
    is_there: Callable[[], bool]
    packages: tuple[str, ...]


def program(name: str) -> Path | None:
    """Where a program is; daemons lie in a folder that is in root's PATH alone."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    return Path(found) if found else None


def _has(*programs: str) -> Callable[[], bool]:
    return lambda: all(program(name) is not None for name in programs)


def _has_venv() -> bool:
    # Debian has the module without what it needs to do its work.
    return importlib.util.find_spec("venv") is not None and importlib.util.find_spec("ensurepip") is not None


def _faketime_libraries() -> list[Path]:
    return sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def faketime_library() -> Path:
    """Where the library is that gives a program another clock."""
    return _faketime_libraries()[0]


POSTGRESQL = Need("PostgreSQL's server programs", lambda: postgres.find_bindir() is not None, ("postgresql",))
C_COMPILER = Need("a C compiler", lambda: shutil.which("cc") is not None, ("gcc", "libc6-dev"))
CPP_COMPILER = Need("a C++ compiler", lambda: shutil.which("c++") is not None, ("g++",))
CHROMIUM = Need("Chromium", lambda: shutil.which("chromium") is not None, ("chromium",))
SYSTEMD_ANALYZE = Need("systemd-analyze", lambda: shutil.which("systemd-analyze") is not None, ("systemd",))
FAKETIME = Need("a clock that tests can set", lambda: bool(_faketime_libraries()), ("libfaketime",))
PGBOUNCER = Need("PgBouncer", _has("pgbouncer"), ("pgbouncer",))
# Not mariadb-server, which brings a service, and needs more than it runs.
MARIADB = Need(
    "MariaDB",
    _has("mariadbd", "mariadb-install-db", "mariadb"),
    ("mariadb-server-core", "mariadb-client-core"),
)
NGINX = Need("nginx", _has("nginx"), ("nginx-light",))
BLACKBOX_EXPORTER = Need("blackbox_exporter", _has("prometheus-blackbox-exporter"), ("prometheus-blackbox-exporter",))
IPROUTE = Need("ip, for networks of the tests' own", _has("ip", "unshare"), ("iproute2", "util-linux"))
NODE = Need("Node.js and npm", _has("node", "npm"), ("nodejs", "npm"))
PYTHON_VENV = Need("Python's venv", _has_venv, ("python{}.{}-venv".format(*sys.version_info),))


def ensure(needs: Iterable[Need]) -> list[str]:
    """Installs what is missing, and returns the packages that it installed."""
    missing = [need for need in needs if not need.is_there()]
    packages = [package for need in missing for package in need.packages]
    if not packages:
        return []
    what = ", ".join(need.what for need in missing)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None:
        raise StackError(f"missing: {what}; and there is no apt-get to install it with")
    if os.geteuid() != 0:
        raise StackError(f"missing: {what}; as root, run: {' '.join(install)}")
    with _no_default_cluster(), _no_services():
        try:
            _apt_get(install)
        except StackError:
            # The lists of packages may be old, or not be there at all.
            _apt_get(["apt-get", "update"])
            _apt_get(install)
    if still := [need.what for need in missing if not need.is_there()]:
        raise StackError(f"{', '.join(packages)} did not bring {', '.join(still)} for {sys.executable}")
    return packages


def _apt_get(command: list[str]) -> None:
    run(
        [*command, "--quiet", "--option=DPkg::Lock::Timeout=300"],
        purpose="install Debian packages",
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )


@contextlib.contextmanager
def _no_default_cluster() -> Iterator[None]:
    """Keeps Debian from making and starting a cluster of its own when PostgreSQL is installed."""
    folder = _CLUSTER_DEFAULTS.parent
    made = [path for path in (folder.parent, folder) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    _CLUSTER_DEFAULTS.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        _CLUSTER_DEFAULTS.unlink()
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Keeps packages from starting services: the servers that are wanted are started by ourselves, as ourselves."""
    if _SERVICE_POLICY.exists():
        # It is the machine's own, which knows better: that of a container says no, too.
        yield
        return
    _SERVICE_POLICY.write_text(_NO_SERVICES)
    _SERVICE_POLICY.chmod(0o755)
    try:
        yield
    finally:
        _SERVICE_POLICY.unlink()
