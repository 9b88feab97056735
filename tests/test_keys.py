"""Keys are exchanged while everything runs, and a kill in the middle costs nothing."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from canary import canary
from ring import Board, Databases, healthy, running
from stack.odoo import Odoo
from stack.postgres import Cluster
from stack.settings import clean_environment
from stack.sidecar import Sidecar

ENDPOINTS = 300


class Vault:
    """An Odoo with many secrets, and what they are."""

    def __init__(self, odoo: Odoo, sidecar: Sidecar) -> None:
        self.odoo, self.sidecar = odoo, sidecar
        self.board, self.admin = Board(odoo), Board(odoo, "admin")
        self.secrets = {f"Kept {number}": canary(f"kept{number}") for number in range(ENDPOINTS)}
        usual = {"connection_type": "postgresql", "base_url": "db.example", "username": "reader"}
        self.ids = self.board.create_all(
            [{**usual, "name": name, "password": secret, "api_key": secret} for name, secret in self.secrets.items()]
        )
        # Not all that is sealed is shown on the board.
        self.board.call("write", self.ids[:10], {"active": False})

    def by_key(self) -> dict[str, int]:
        """How many tokens each key has sealed, as Odoo's database has them."""
        rows = self.odoo.cluster.query(
            "SELECT split_part(token, '.', 2) || ' ' || count(*) FROM insightpulse_connection_endpoint, "
            "LATERAL (VALUES (password_token), (api_key_token)) AS tokens(token) "
            "WHERE token IS NOT NULL GROUP BY split_part(token, '.', 2)",
            database=self.odoo.database,
        )
        return {key: int(number) for key, number in (row.split() for row in rows.splitlines())}

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.sidecar.executable, *arguments, "--config", self.sidecar.config_file],
            env=clean_environment(),
            cwd=self.sidecar.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.command(*arguments)
        printed, complained = process.communicate(timeout=300)
        return process.returncode, printed, complained

    def every_secret_opens(self) -> None:
        """Compares what an administrator is shown with what was typed."""
        text = self.admin.call("render_config", self.ids, "env", reveal=True)["content"]
        for name, secret in self.secrets.items():
            prefix = name.upper().replace(" ", "_")
            (shown,) = re.findall(rf"(?m)^{prefix}_PASSWORD=(.*)$", text)
            assert shown.strip("'\"") == secret


@pytest.fixture(scope="module")
def vault(databases: Databases, executable: Path) -> Iterator[Vault]:
    with running(databases, "vault", executable=executable) as (odoo, sidecar):
        yield Vault(odoo, sidecar)


def test_resealing_goes_on_where_a_kill_stopped_it_and_every_secret_opens(vault: Vault, books: Cluster) -> None:
    (old,) = vault.by_key()
    code, printed, _ = vault.run("keys", "rotate")
    assert code == 0
    new = printed.split()[0]
    assert new.startswith("k-") and new != old

    # The running sidecar follows by itself.
    fresh = vault.board.create(**healthy(books))
    assert vault.by_key() == {old: 2 * ENDPOINTS, new: 1}
    assert vault.board.result(fresh)["status"] == "success"

    # Not a key that something uses.
    code, _, complained = vault.run("keys", "retire", old)
    assert code == 1
    assert f"{old} is not retired: it is used by {2 * ENDPOINTS} secrets in vault" in complained

    killed = vault.command("keys", "reseal", "--batch", "5")
    assert killed.stderr
    for _ in range(12):
        assert killed.stderr.readline().startswith("vault: ")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    halfway = vault.by_key()
    assert halfway[old] > 0, "it was killed too late to prove anything"
    assert halfway[new] >= 100
    vault.every_secret_opens()

    code, printed, complained = vault.run("keys", "reseal")
    assert (code, vault.by_key()) == (0, {new: 2 * ENDPOINTS + 1}), complained
    assert f"vault: {halfway[old]} secrets are sealed with {new} now" in printed
    assert complained.splitlines()[-1] == f"vault: {halfway[old]} of {halfway[old]} secrets"
    vault.every_secret_opens()
    assert vault.run("keys", "reseal")[1] == f"vault: 0 secrets are sealed with {new} now\n"

    code, printed, complained = vault.run("keys", "retire", old)
    assert code == 0, complained
    vault.every_secret_opens()
    assert vault.board.result(fresh)["status"] == "success"
    listed = vault.run("keys", "list")[1]
    assert listed.splitlines() == [
        f"{new}  seals and opens  {2 * ENDPOINTS + 1} secrets in vault, the API key of vault"
    ]


def test_resealing_withdraws_no_verdict_and_is_logged(vault: Vault, books: Cluster) -> None:
    endpoint = vault.board.create(**healthy(books))
    before = vault.board.result(endpoint)
    assert vault.run("keys", "rotate")[0] == 0
    assert vault.run("keys", "reseal")[0] == 0
    after = vault.board.read(endpoint)
    assert after == before
    (entry,) = vault.odoo.call(
        "insightpulse.audit.entry", "search_read", [[["action", "=", "reseal"]], ["login", "detail"]], {"limit": 1}
    )
    assert entry["login"] == "insightpulse_sidecar"
    assert "k-" in entry["detail"]


def test_a_secret_that_does_not_open_is_named_and_costs_the_others_nothing(vault: Vault) -> None:
    broken, other = vault.ids[20], vault.ids[21]
    vault.odoo.cluster.query(
        f"UPDATE insightpulse_connection_endpoint SET password_token = (SELECT password_token FROM "
        f"insightpulse_connection_endpoint WHERE id = {other}) WHERE id = {broken}",
        database=vault.odoo.database,
    )
    vault.run("keys", "rotate")
    code, _, complained = vault.run("keys", "reseal")
    assert code == 1
    assert f"type them again in Odoo: Kept 20 (id {broken})" in complained
    assert min(vault.by_key().values()) == 1
    vault.board.call("write", [broken], {"password": vault.secrets["Kept 20"]})
    assert vault.run("keys", "reseal")[0] == 0
    vault.every_secret_opens()


def test_while_odoo_is_away_no_key_is_retired(vault: Vault) -> None:
    (old,) = vault.by_key()
    vault.run("keys", "rotate")
    vault.run("keys", "reseal")
    vault.odoo.stop()
    try:
        code, _, complained = vault.run("keys", "retire", old)
    finally:
        vault.odoo.start()
    assert code == 1
    assert "vault cannot be asked what it uses: Odoo cannot be reached" in complained
    assert vault.run("keys", "retire", old)[0] == 0
