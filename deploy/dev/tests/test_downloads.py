"""A download is whole or not there, and comes from the machine's own source."""

import pytest
from stack import downloads, odoo_package
from stack.odoo_package import Source


def test_a_folder_gets_its_name_when_it_is_whole(tmp_path):
    target = tmp_path / "odoo"
    with downloads.filled(target) as partial:
        (partial / "file").write_text("all")
        assert not target.exists()
    assert (target / "file").read_text() == "all"
    with downloads.filled(target) as partial:
        assert partial is None


def test_a_failed_or_killed_download_leaves_nothing_that_counts(tmp_path):
    target = tmp_path / "odoo"
    killed = tmp_path / ".odoo.partial-x"
    killed.mkdir()
    with pytest.raises(ValueError), downloads.filled(target):
        raise ValueError
    assert not target.exists()
    assert not killed.exists()


def test_a_source_of_one_line_is_read():
    text = """
# deb http://commented.example bookworm main
deb-src http://sources.example/debian bookworm main
deb http://first.example/debian bookworm main contrib # Debian
deb [signed-by=/k.gpg arch=amd64 lang=de] http://second.example/debian bookworm-updates main
deb http://third.example/debian bookworm non-free
"""
    (first, second) = list(odoo_package._read_one_line_style(text))
    assert first[0].uri == "http://first.example/debian" and first[1] == ["bookworm"]
    assert second[0].options["signed-by"] == "/k.gpg" and "lang" not in second[0].options


def test_a_source_of_several_lines_is_read():
    text = """# Debian
Types: deb deb-src
# an older mirror
URIs: http://first.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Types: deb
URIs: http://second.example/debian
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://third.example/debian
Suites: bookworm
Components: main
"""
    (first, second) = list(odoo_package._read_deb822_style(text))
    assert first[0].uri == "http://first.example/debian" and first[1] == ["bookworm", "bookworm-updates"]
    assert first[0].options["signed-by"] == "/k.gpg"
    # Such a key cannot stand in one line; apt then takes the machine's trusted keys.
    assert "signed-by" not in second[0].options


def test_other_suites_are_asked_of_the_same_source():
    lines = odoo_package._source_lines(Source("http://h.example/debian", {"signed-by": "/k.gpg"}))
    assert lines == (
        "deb [signed-by=/k.gpg] http://h.example/debian sid main\n"
        "deb [signed-by=/k.gpg] http://h.example/debian bookworm main\n"
    )
