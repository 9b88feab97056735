"""Prometheus' blackbox_exporter, to compare verdicts and figures with."""

import re
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from stack import network

from .server import Server, installed, status

_MODULES = """\
modules:
  http_2xx:
    prober: http
    timeout: 5s
    http:
      preferred_ip_protocol: ip4
  tcp_connect:
    prober: tcp
    timeout: 5s
    tcp:
      preferred_ip_protocol: ip4
"""


class Blackbox(Server):
    """One with the modules `http_2xx` and `tcp_connect`, unless `modules` is a configuration with others."""

    name = "blackbox"

    def __init__(self, directory: Path, *, modules: str = _MODULES, port: int = 0) -> None:
        super().__init__(directory, port=port)
        self._modules = modules

    def probe_url(self, target: str, module: str = "http_2xx") -> str:
        """The address that makes it probe."""
        query = urllib.parse.urlencode({"target": target, "module": module})
        return f"http://{self.host}:{self.port}/probe?{query}"

    def probe(self, target: str, module: str = "http_2xx") -> dict[str, float]:
        """Its figures of one probe that have no labels; `probe_success` is 1 or 0."""
        with network.opener().open(self.probe_url(target, module), timeout=30) as response:
            lines = response.read().decode()
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", lines, re.MULTILINE)}

    def prepare(self) -> None:
        (self.directory / "blackbox.yml").write_text(self._modules)

    def command(self) -> Sequence[str | Path]:
        options = (f"--config.file={self.directory}/blackbox.yml", f"--web.listen-address={self.host}:{self.port}")
        return [installed("prometheus-blackbox-exporter"), *options]

    def answers(self) -> bool:
        return status(self.port, "/-/healthy") == 200
