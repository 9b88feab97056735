"""Runs `insightpulse probe` as a script would, on endpoints that are given as its file has them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

# The variables that a test's endpoints name.
PASSWORD = "PROBE_TEST_PASSWORD"
API_KEY = "PROBE_TEST_API_KEY"
# Longer than any system takes that answers, on a machine that does other things too.
TIMEOUT_S = 30


class Found(NamedTuple):
    """What one probe came to: a line to compare, and all that was measured."""

    said: str
    row: dict[str, Any]


class Prober:
    """Probes one endpoint at a time, each with a process of its own: nothing is remembered between two."""

    def __init__(self, executable: Path, directory: Path) -> None:
        self._executable = executable
        self._file = directory / "endpoints.toml"
        directory.mkdir(parents=True, exist_ok=True)

    def __call__(
        self, *, password: str | None = None, api_key: str | None = None, timeout: float = TIMEOUT_S, **fields: Any
    ) -> Found:
        """Its `said` is "success", or the status, the kind of failure and what happened."""
        secrets = {PASSWORD: password, API_KEY: api_key}
        secrets = {name: value for name, value in secrets.items() if value is not None}
        if password is not None:
            fields["password_env"] = PASSWORD
        if api_key is not None:
            fields["api_key_env"] = API_KEY
        lines = [
            f"{name} = {json.dumps(str(value) if isinstance(value, Path) else value)}" for name, value in fields.items()
        ]
        self._file.write_text("\n".join(["[[endpoint]]", 'name = "Test"', *lines, ""]))
        command = [self._executable, "probe", "--file", self._file, "--output", "json", "--timeout", str(timeout)]
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "MYSQL", "INSIGHTPULSE"))
        }
        done = subprocess.run(command, env={**clean, **secrets}, capture_output=True, text=True, timeout=timeout + 60)
        assert done.returncode in (0, 1), done.stderr
        (row,) = json.loads(done.stdout)
        assert (done.returncode == 0) == (row["status"] == "success"), row
        for secret in secrets.values():
            assert len(secret) < 4 or secret not in done.stdout + done.stderr
        parts = [row["status"], row["failure_kind"], row["failure_message"]]
        return Found(": ".join(part for part in parts if part).replace(row["address"], "ADDRESS"), row)
