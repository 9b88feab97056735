"""What cannot be had is named, with what to do about it."""

import os
import socket
import threading
import tomllib

import pytest
from stack import files, network, sidecar
from stack.console import StackError
from stack.postgres import Cluster
from stack.settings import CHECKOUT, Settings


def test_without_variables_the_contract_holds():
    settings = Settings.from_environment({})
    assert (settings.odoo_port, settings.sidecar_port, settings.pg_port) == (8069, 8787, 54329)
    assert settings.odoo_db == "insightpulse"
    assert settings.state_dir == CHECKOUT / ".run"


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"PG_PORT": "http"}, "PG_PORT='http' is no port"),
        ({"ODOO_PORT": "65536"}, "ODOO_PORT='65536' is no port"),
        ({"ODOO_PORT": "8787"}, "three different ports"),
        ({"ODOO_DB": "a b"}, "ODOO_DB='a b' is no name"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(env, message):
    with pytest.raises(StackError, match=message):
        Settings.from_environment(env)


def test_who_has_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port} is taken by pid {os.getpid()} .*set PG_PORT"):
            network.require_free(port, "PG_PORT")
    network.require_free(port, "PG_PORT")


def test_a_port_that_a_passing_connection_has_is_waited_for():
    with socket.socket() as near:
        near.bind(("127.0.0.1", 0))
        port = near.getsockname()[1]
        threading.Timer(0.5, near.close).start()
        network.require_free(port, "PG_PORT")


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="file/run cannot be written to: Not a directory"):
        files.make_writable(tmp_path / "file/run", 0)
    with pytest.raises(StackError, match="needs about"):
        files.make_writable(tmp_path, 1 << 60)


def test_a_private_file_is_its_owners_alone(tmp_path):
    files.write_private(tmp_path / "secret", "s")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert files.kept_secret(tmp_path / "secret") == "s"
    assert list(tmp_path.iterdir()) == [tmp_path / "secret"]


def test_the_sidecars_configuration_is_what_was_asked_for():
    config = {"state_dir": '/a "b"\\c é 🔑', "server": {"port": 1, "tls": {"on": True}}, "odoo": {"url": "u"}}
    assert tomllib.loads(sidecar._toml(config)) == config


def test_postgresql_runs_below_a_folder_that_is_its_owners_alone(tmp_path):
    tmp_path.chmod(0o700)
    cluster = Cluster(tmp_path / "postgres")
    assert cluster.start()
    try:
        assert not cluster.start()
        cluster.ensure_role("o'x")
        cluster.ensure_role("o'x")
        assert cluster.query("SELECT current_user", role="o'x") == "o'x"
        with pytest.raises(StackError, match="division by zero"):
            cluster.query("SELECT 1/0")
        cluster.query('CREATE DATABASE "a b"')
        cluster.rename_database("a b", "c")
        assert cluster.has_database("c") and not cluster.has_database("a b")
        cluster.drop_database("c")
        assert not cluster.has_database("c")
        assert cluster.stop() and not cluster.is_healthy()
        # Its data and passwords are kept.
        assert cluster.start()
        assert cluster.query("SELECT 1", role="o'x") == "1"
    finally:
        cluster.stop()
