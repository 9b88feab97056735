"""Runs the snippets of those languages that are on this machine."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from stack import files, systems
from stack.downloads import cache_dir

_RUST = Path(__file__).with_name("rust")


def run(file_format: str, text: str, folder: Path) -> str:
    """What the snippet printed in this folder; that it ended well is asserted."""
    match file_format:
        case "psql":
            return _run(["sh", _file(folder, "psql.sh", f"{text.rstrip()} {_PSQL}\n")], folder)
        case "env-export":
            return _run(["sh", _file(folder, "env.sh", f'{text}psql "$BOOKS_URL" {_PSQL}\n')], folder)
        case "python":
            return _run([sys.executable, _file(folder, "snippet.py", text)], folder)
        case "sqlalchemy":
            return _run([sys.executable, _file(folder, "engine.py", _SQLALCHEMY.format(url=text))], folder)
        case "node":
            link = folder / "node_modules"
            if not link.exists():
                link.symlink_to(systems.node_modules())
            return _run(["node", _file(folder, "snippet.mjs", text)], folder)
        case "rust":
            return _rust(text, folder)
    raise AssertionError(f"{file_format} is not run here")


_PSQL = "--no-psqlrc --tuples-only --command 'select version()'"
_SQLALCHEMY = """import sqlalchemy
with sqlalchemy.create_engine({url!r}).connect() as connection:
    print(connection.scalar(sqlalchemy.text("select version()")))
"""


def _rust(text: str, folder: Path) -> str:
    # One folder for all runs, so that what it depends on is built once.
    target = cache_dir() / f"rust-snippets-{files.digest(_RUST / 'Cargo.lock')[:12]}"
    project = target / "project"
    (project / "src").mkdir(parents=True, exist_ok=True)
    for name in ("Cargo.toml", "Cargo.lock"):
        (project / name).write_bytes((_RUST / name).read_bytes())
    _file(project / "src", "main.rs", text)
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target / "target")}
    command = ["cargo", "run", "--quiet", "--locked", "--manifest-path", project / "Cargo.toml"]
    return _run(command, folder, environment)


def _file(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8", newline="")
    return file


def _run(command: list[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout
