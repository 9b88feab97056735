"""`insightpulse render` and `insightpulse exec` against a real Odoo, as users with and without the right to reveal."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from canary import canary
from ring import Board
from stack.odoo import Odoo
from stack.sidecar import Sidecar

_KEYS = """
import json
from datetime import datetime, timedelta
def key(login):
    user = env["res.users"].search([("login", "=", login)])
    keys = env["res.users.apikeys"].with_user(user).sudo()
    return keys._generate("rpc", "tests of the command line", datetime.now() + timedelta(hours=3))
keys = {"manager": key("manager"), "admin": key("admin")}
env.cr.commit()
print(json.dumps(keys))
"""
SECRET = canary("command line") + " it's $5"


class Terminal:
    """The program, as somebody who has an API key runs it."""

    def __init__(self, odoo: Odoo, sidecar: Sidecar, folder: Path) -> None:
        self._odoo, self._program, self._folder = odoo, sidecar.executable, folder
        self._keys: dict[str, str] = json.loads(odoo.shell(_KEYS).splitlines()[-1])

    def __call__(self, login: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.defpath,
            "INSIGHTPULSE_ODOO__URL": self._odoo.url,
            "INSIGHTPULSE_ODOO__DATABASE": self._odoo.database,
            "INSIGHTPULSE_ODOO__LOGIN": login,
            "INSIGHTPULSE_ODOO__API_KEY": self._keys[login],
        }
        command = [self._program, *arguments]
        done = subprocess.run(command, env=environment, cwd=self._folder, capture_output=True, text=True, timeout=120)
        assert self._keys[login] not in done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def terminal(odoo: Odoo, sidecar: Sidecar, board: Board, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    (agency,) = odoo.call("insightpulse.agency", "search", [[["code", "=", "LAS"]]])
    usual = {"base_url": "db.example.com", "database_name": "las_db", "username": "postgres", "agency_id": agency}
    board.create_all(
        [
            {**usual, "name": "LAS Database", "password": SECRET},
            {
                "name": "LAS Portal",
                "connection_type": "api",
                "base_url": "https://las.example.com",
                "agency_id": agency,
            },
            {"name": "Nobody's", "connection_type": "api", "base_url": "https://nobody.example.com"},
        ]
    )
    return Terminal(odoo, sidecar, tmp_path_factory.mktemp("terminal"))


def test_a_configuration_of_one_agency_has_placeholders(terminal: Terminal) -> None:
    done = terminal("manager", "render", "--format", "env", "--agency", "LAS")
    assert (done.returncode, done.stderr) == (0, "")
    assert "LAS_DATABASE_URL=postgresql://postgres:[YOUR-PASSWORD]@db.example.com:5432/las_db" in done.stdout
    assert "LAS_PORTAL_URL=https://las.example.com" in done.stdout
    assert "nobody" not in done.stdout.lower()


def test_who_may_not_reveal_reads_odoos_reason(terminal: Terminal) -> None:
    for arguments in (("render", "--format", "env-json", "--reveal"), ("exec", "--", "env")):
        done = terminal("manager", arguments[0], "--agency", "LAS", *arguments[1:])
        assert (done.returncode, done.stdout) == (1, "")
        assert re.search(r"This needs the right “Connection Administrator”", done.stderr)
        assert "Traceback" not in done.stderr


def test_an_administrator_reveals_into_a_file_of_their_own(terminal: Terminal, board: Board) -> None:
    arguments = ("--agency", "LAS", "--kind", "postgresql", "--reveal", "--output", "las.json")
    done = terminal("admin", "render", "--format", "env-json", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    file = terminal._folder / "las.json"
    assert json.loads(file.read_text())["LAS_DATABASE_PASSWORD"] == SECRET
    assert file.stat().st_mode & 0o777 == 0o600
    entries = Board(board.odoo, "admin").odoo.call(
        "insightpulse.audit.entry",
        "search_read",
        [[["action", "=", "reveal"], ["file_format", "=", "env-json"]], ["login"]],
    )
    assert entries[0]["login"] == "admin"


def test_a_command_gets_them_by_its_environment(terminal: Terminal) -> None:
    script = 'printf "%s" "$LAS_DATABASE_PASSWORD"; exit 3'
    done = terminal("admin", "exec", "--name", "LAS Database", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (3, SECRET, "")


def test_a_format_that_fits_none_lists_those_that_do(terminal: Terminal) -> None:
    done = terminal("manager", "render", "--format", "pgpass", "--name", "LAS Portal")
    assert done.returncode == 1
    assert "there are: uri, env" in done.stderr
