"""Unpacks Odoo 19 from Debian's own package, without installing it on the machine."""

import os
import platform
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from . import downloads
from .command import run
from .console import StackError

# Odoo's code, and the packages that its fonts and scripts are links to.
PACKAGES = (
    "odoo-19",
    "fonts-glyphicons-halflings",
    "fonts-inconsolata",
    "fonts-montserrat",
    "fonts-ocr-b",
    "fonts-roboto-unhinted",
    "libjs-jquery",
    "libjs-jquery-form",
    "libjs-underscore",
    # Version 7, in sid, lacks the files that Odoo links to: icons would turn into boxes.
    "fonts-font-awesome/bookworm",
)
SUITES = ("sid", "bookworm")
# Debian leaves it out for its licence, and without any file of that name each page of Odoo with the app Discuss
# begins with an error. It blurs what is behind people in video calls.
LEFT_OUT = "usr/lib/python3/dist-packages/odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js"


class Source(NamedTuple):
    """One of the machine's package sources, in what of it is needed to reach another suite."""

    uri: str
    options: dict[str, str]


def is_unpacked() -> bool:
    return _target().exists()


def unpacked() -> Path:
    """The folder that holds Odoo's `usr`, downloaded if it is not in the cache."""
    target = _target()
    with downloads.filled(target) as partial:
        if partial is not None:
            _download(partial)
    left_out = target / LEFT_OUT
    if not left_out.exists():
        left_out.parent.mkdir(exist_ok=True)
        left_out.write_text("// Left out of Debian's package of Odoo.\n")
    return target


def _target() -> Path:
    return downloads.cache_dir() / "odoo-19"


def _download(folder: Path) -> None:
    apt = folder / ".apt"
    for name in ("lists/partial", "cache/archives/partial", "debs"):
        (apt / name).mkdir(parents=True)
    (apt / "sources.list").write_text(_source_lines(debian_source()))
    (apt / "apt.conf").write_text(_configuration(apt))
    env = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    run(["apt-get", "--quiet", "update"], purpose="read Debian's list of packages", env=env)
    run(
        ["apt-get", "--quiet", "download", *PACKAGES],
        purpose="download Odoo 19 from Debian",
        env=env,
        cwd=apt / "debs",
    )
    archives = sorted((apt / "debs").glob("*.deb"))
    for archive in archives:
        run(["dpkg", "--extract", archive, folder], purpose=f"unpack {archive.name}")
    (folder / "versions.txt").write_text("".join(f"{archive.name}\n" for archive in archives))
    shutil.rmtree(apt)


def _configuration(apt: Path) -> str:
    """An apt of its own, so that the machine's lists and packages stay as they are."""
    return "\n".join(
        [
            f'Dir::State::Lists "{apt}/lists";',
            f'Dir::Cache "{apt}/cache";',
            f'Dir::Etc::SourceList "{apt}/sources.list";',
            'Dir::Etc::SourceParts "/dev/null";',
            'Dir::Etc::Preferences "/dev/null";',
            'Dir::Etc::PreferencesParts "/dev/null";',
            # The user _apt cannot write below a private home folder.
            'APT::Sandbox::User "root";',
            'Acquire::Languages "none";',
            'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";',
            'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
            "#clear APT::Update::Post-Invoke;",
            "#clear APT::Update::Post-Invoke-Success;",
            "",
        ]
    )


def _source_lines(source: Source) -> str:
    options = " ".join(f"{name}={value}" for name, value in source.options.items())
    return "".join(f"deb [{options}] {source.uri} {suite} main\n" for suite in SUITES)


def debian_source() -> Source:
    """The source from which this machine gets its release of Debian."""
    release = platform.freedesktop_os_release()
    if release["ID"] == "debian":
        names = {release.get("VERSION_CODENAME"), "stable", "oldstable"}
        for source, suites in _sources(Path("/etc/apt")):
            if names.intersection(suites):
                return source
    raise StackError(
        f"no source below /etc/apt from which {release['PRETTY_NAME']} could get Debian's package of Odoo 19: "
        "set ODOO_BIN to the command of an Odoo 19 of your own"
    )


def _sources(etc: Path) -> Iterable[tuple[Source, list[str]]]:
    for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        if path.exists():
            yield from _read_one_line_style(path.read_text())
    for path in sorted(etc.glob("sources.list.d/*.sources")):
        yield from _read_deb822_style(path.read_text())


def _read_one_line_style(text: str) -> Iterable[tuple[Source, list[str]]]:
    for line in text.splitlines():
        entry = re.match(
            r"\s*deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>[^#]+)", line
        )
        if entry and "main" in entry["components"].split():
            options = dict(option.split("=", 1) for option in (entry["options"] or "").split() if "=" in option)
            yield Source(entry["uri"], _kept(options)), [entry["suite"]]


def _read_deb822_style(text: str) -> Iterable[tuple[Source, list[str]]]:
    for paragraph in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = dict(re.findall(r"(?m)^([\w-]+):[ \t]*((?:.*)(?:\n[ \t].*)*)", paragraph))
        fields = {name.lower(): value.strip() for name, value in fields.items()}
        if fields.get("enabled", "yes") == "no" or "deb" not in fields.get("types", "").split():
            continue
        if "main" in fields.get("components", "").split():
            for uri in fields.get("uris", "").split():
                yield Source(uri, _kept(fields)), fields.get("suites", "").split()


def _kept(options: dict[str, str]) -> dict[str, str]:
    """Who may sign for this source. A key that stands in the source itself has no one-line form."""
    kept = {name: value for name, value in options.items() if name in ("signed-by", "trusted")}
    if "\n" in kept.get("signed-by", ""):
        del kept["signed-by"]
    return {**kept, "arch": _architecture()}


def _architecture() -> str:
    return run(["dpkg", "--print-architecture"], purpose="ask for the machine's architecture").strip()
