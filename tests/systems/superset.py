"""Superset, served by gunicorn as its manual does it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack import systems
from stack.command import run

from .server import Server, status

# Names the administrator, as `superset fab create-admin` would in twenty times the time.
_SET_ADMIN = """
import json, sqlite3, sys
from werkzeug.security import generate_password_hash
path, old, user, password = json.load(sys.stdin)
with sqlite3.connect(path) as database:
    update = "UPDATE ab_user SET username = ?, password = ? WHERE username = ?"
    changed = database.execute(update, (user, generate_password_hash(password), old)).rowcount
sys.exit(0 if changed == 1 else "there is no administrator to rename")
"""


class Superset(Server):
    """A server with one user, who is its administrator."""

    name = "superset"
    patience_s = 90.0

    def __init__(self, directory: Path, *, user: str = "admin", password: str, port: int = 0) -> None:
        super().__init__(directory, port=port)
        self.user = user
        self.password = password
        self._python = systems.superset_python()
        self._data = directory / "data"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def prepare(self) -> None:
        if self._data.exists():
            return
        shutil.copytree(systems.superset_data(), self._data)
        administrator = [f"{self._data}/superset.db", systems.SUPERSET_ADMIN, self.user, self.password]
        run([self._python, "-c", _SET_ADMIN], purpose="name Superset's administrator", stdin=json.dumps(administrator))

    def command(self) -> Sequence[str | Path]:
        workers = ("--workers=1", "--worker-class=gthread", "--threads=4", "--worker-tmp-dir=/dev/shm")
        bind = f"--bind={self.host}:{self.port}"
        return [self._python.with_name("gunicorn"), *workers, bind, "superset.app:create_app()"]

    def environment(self) -> Mapping[str, str]:
        return systems.superset_environment(self._data)

    def answers(self) -> bool:
        return status(self.port, "/health") == 200
