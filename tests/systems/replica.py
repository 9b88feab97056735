"""A PostgreSQL primary and a replica that streams from it, both Debian's."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from stack import unprivileged
from stack.command import run
from stack.postgres import SUPERUSER
from stack.settings import clean_environment

from .postgres import Postgres

_PATIENCE_S = 30.0


class Replica(Postgres):
    """A copy of a running primary that follows it and can be read; it has the primary's roles and passwords."""

    def __init__(self, directory: Path, primary: Postgres, *, port: int = 0) -> None:
        super().__init__(directory, port=port)
        self._primary = primary

    def password(self, role: str = SUPERUSER) -> str:
        return self._primary.password(role)

    def make_app(self) -> None:
        """Waits until it has all that the primary has now, `app` too: it cannot be written to."""
        wanted = self._primary.query("SELECT pg_current_wal_flush_lsn()")
        deadline = time.monotonic() + _PATIENCE_S
        while self.query(f"SELECT pg_last_wal_replay_lsn() >= '{wanted}'") != "t":
            assert time.monotonic() < deadline, f"the replica does not follow its primary, see {self.log}"
            time.sleep(0.05)

    catch_up = make_app

    def _initialise(self) -> None:
        if self.data.exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        partial = self.directory / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        unprivileged.own(partial)
        backup = ("--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync")
        run(
            [
                *unprivileged.prefix(partial),
                *(self.server_bindir / "pg_basebackup", "--pgdata", partial / "data", *backup),
                # From the environment, since arguments are there for all to see; and it is kept for the replica.
                *("--host", self._primary.host, "--port", str(self._primary.port), "--username", SUPERUSER),
            ],
            purpose="copy a PostgreSQL primary",
            env={**clean_environment(), "PGPASSWORD": self.password()},
            cwd=partial,
        )
        (partial / "data").rename(self.data)
        shutil.rmtree(partial)


@contextlib.contextmanager
def primary_and_replica(directory: Path) -> Iterator[tuple[Postgres, Replica]]:
    """Both up, the replica with all that the primary has."""
    with Postgres(directory / "primary") as primary, Replica(directory / "replica", primary) as replica:
        yield primary, replica
