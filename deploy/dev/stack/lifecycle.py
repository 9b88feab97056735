"""`make up` and `make down`: from nothing to a healthy stack, and back."""

import contextlib
import shutil
from collections.abc import Iterator

from . import downloads, files, network, odoo_package, packages, pairing, sidecar
from . import odoo as odoo_server
from .console import StackError, step
from .odoo import Odoo, OdooError
from .postgres import Cluster
from .settings import ADDON, ADDONS, Settings, odoo_bin
from .sidecar import Sidecar

_STATE_BYTES = 400 << 20
_CACHE_BYTES = 3 << 30


class Stack:
    """The three servers of one STATE_DIR."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        state, log = settings.state_dir, settings.state_dir / "log"
        self.cluster = Cluster(state / "postgres", port=settings.pg_port, log=log / "postgres.log")
        self.odoo = Odoo(
            state / "odoo",
            self.cluster,
            database=settings.odoo_db,
            port=settings.odoo_port,
            log=log / "odoo.log",
        )
        self.sidecar = Sidecar(state / "sidecar", port=settings.sidecar_port, log=log / "sidecar.log")

    def up(self) -> None:
        """Brings everything up that is not; changes nothing when all of it is."""
        files.make_writable(self.settings.state_dir, 0 if self.cluster.is_running() else _STATE_BYTES)
        with self._locked():
            self._require_ports()
            get_machine_ready()
            with step("Odoo 19") as current:
                current.note = odoo_server.get()
            with step("Building the sidecar"):
                sidecar.build(self.settings.state_dir / "log/build.log")
            with step("PostgreSQL") as current:
                current.note = _started(self.cluster.start(), self.settings.pg_port)
            with step(f"Database {self.settings.odoo_db}") as current:
                current.note = self._prepare_database()
            with step("Odoo's server") as current:
                current.note = _started(self.odoo.start(), self.settings.odoo_port)
            with step("The sidecar's server") as current:
                # The databases of this stack are on this machine.
                self.sidecar.configure({"egress": {"allow_loopback": True}})
                current.note = _started(self.sidecar.start(wait_for_odoo=False), self.settings.sidecar_port)
            with step("Trust between Odoo and the sidecar") as current:
                current.note = self._pair()
            with step("Password of Odoo's own database, for its card") as current:
                current.note = self._give_password()

    def down(self) -> None:
        """Stops what `up` started, as far as it still runs."""
        if not self.settings.state_dir.exists():
            return
        with self._locked():
            for what, server in (("The sidecar", self.sidecar), ("Odoo", self.odoo), ("PostgreSQL", self.cluster)):
                with step(f"Stopping {what}") as current:
                    current.note = "stopped" if server.stop() else "was not running"

    def status(self) -> dict[str, str]:
        """What each server is doing."""
        servers = (
            ("PostgreSQL", self.cluster, self.cluster.is_healthy),
            ("Odoo", self.odoo, self.odoo.is_healthy),
            ("sidecar", self.sidecar, self.sidecar.is_ready),
        )
        return {
            name: "stopped" if not server.is_running() else "healthy" if is_healthy() else "not healthy"
            for name, server, is_healthy in servers
        }

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        def say_so() -> None:
            print(f"==> Waiting for another run in {self.settings.state_dir}", flush=True)

        with files.locked(self.settings.state_dir / ".lock", on_wait=say_so):
            yield

    def _require_ports(self) -> None:
        """Fails early, before anything is downloaded or built, when a port is another's."""
        for server, port, variable in (
            (self.cluster, self.settings.pg_port, "PG_PORT"),
            (self.odoo, self.settings.odoo_port, "ODOO_PORT"),
            (self.sidecar, self.settings.sidecar_port, "SIDECAR_PORT"),
        ):
            # One that runs may still listen on a port of an earlier run: its start looks at that.
            if not server.is_running():
                network.require_free(port, variable)

    def _prepare_database(self) -> str:
        """Makes the database, or brings the addon in it up to date with its source."""
        addon = files.digest(ADDONS / ADDON)
        installed = self.odoo.directory / f"{self.settings.odoo_db}.addon"
        done = ""
        if not self.odoo.has_database():
            self.odoo.stop()
            self.odoo.create_database()
            done = "made, "
        if not self.odoo.has_module(ADDON):
            self.odoo.stop()
            self.odoo.install(ADDON)
            done += "addon installed"
        elif not installed.exists() or installed.read_text() != addon:
            self.odoo.stop()
            self.odoo.upgrade(ADDON)
            done = "addon upgraded"
        else:
            return "up to date"
        installed.write_text(addon)
        return done

    def _pair(self) -> str:
        if pairing.is_paired(self.odoo, self.sidecar):
            self.sidecar.wait_until_ready()
            return "is there"
        try:
            pairing.pair(self.odoo, self.sidecar)
        except OdooError as error:
            if error.name == "odoo.exceptions.AccessDenied":
                raise StackError(
                    "Odoo and the sidecar are not paired, and admin has another password now: run "
                    f"{self.sidecar.executable} pair --config {self.sidecar.config_file}, and enter the code "
                    "in Odoo under Settings, InsightPulse, Pair with a sidecar"
                ) from None
            raise
        self.sidecar.wait_until_ready()
        return "made"

    def _give_password(self) -> str:
        """Lets the card of Odoo's own database log in there, unless its user has set a password."""
        reference = [["module", "=", ADDON], ["name", "=", "endpoint_odoo_db"]]
        try:
            found = self.odoo.call("ir.model.data", "search_read", [reference, ["res_id"]])
            ids = [item["res_id"] for item in found]
            cards = self.odoo.call(
                "insightpulse.connection.endpoint", "search_read", [[["id", "in", ids]], ["password"]]
            )
            if not cards:
                return "the card is gone"
            if cards[0]["password"]:
                return "is there"
            password = self.cluster.password(odoo_server.ROLE)
            self.odoo.call("insightpulse.connection.endpoint", "write", [ids, {"password": password}])
        except OdooError as error:
            if error.name == "odoo.exceptions.AccessDenied":
                return "left alone, since admin has another password now"
            raise
        return "given"


def get_machine_ready() -> None:
    """Sees to what the machine itself must have, before anything is made."""
    with step("Packages of this machine") as current:
        if shutil.which("cargo") is None:
            raise StackError("Rust is missing: install it with rustup, so that cargo is in PATH")
        needs = [packages.C_COMPILER, packages.POSTGRESQL]
        if not odoo_bin():
            needs.append(packages.PYTHON_VENV)
        installed = packages.ensure(needs)
        current.note = f"installed {' '.join(installed)}" if installed else "all there"
    if not odoo_bin() and not odoo_package.is_unpacked():
        files.make_writable(downloads.cache_dir(), _CACHE_BYTES)
        with step("Downloading Odoo 19"):
            odoo_package.unpacked()


def _started(has_changed: bool, port: int) -> str:
    return f"started on port {port}" if has_changed else f"runs on port {port}"
