"""Debian's packages are installed without their services."""

import subprocess

import pytest
from stack import packages


@pytest.fixture
def policy(tmp_path, monkeypatch):
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "_SERVICE_POLICY", path)
    return path


def test_services_are_refused_while_packages_are_installed(policy):
    with packages._no_services():
        assert subprocess.run([policy, "nginx", "start"]).returncode == 101
    assert not policy.exists()


def test_a_policy_of_the_machine_stays(policy):
    policy.write_text("of the machine")
    with packages._no_services():
        assert policy.read_text() == "of the machine"
    assert policy.read_text() == "of the machine"
