"""PostgreSQL 17, from an npm package; it has no pg_basebackup, so a primary with a replica is `replica.py`'s."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from stack import systems, unprivileged

from .postgres import Postgres


class Postgres17(Postgres):
    """Like `Postgres`, which is Debian's; the clients that ask it are Debian's, too."""

    @property
    def server_bindir(self) -> Path:
        return _reachable_bindir()


@functools.cache
def _reachable_bindir() -> Path:
    """Its programs, or a copy for as long as we live: PostgreSQL's refuse to be where their user may not look."""
    bindir = systems.postgres17_bindir()
    if unprivileged.reaches(bindir):
        return bindir
    folder = tempfile.TemporaryDirectory(prefix="insightpulse-postgres17-")
    atexit.register(folder.cleanup)
    Path(folder.name).chmod(0o755)
    shutil.copytree(bindir.parent, Path(folder.name) / "native", symlinks=True)
    return Path(folder.name) / "native" / bindir.name
