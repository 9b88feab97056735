"""Servers of the Model Context Protocol, of the older generation and of 2026-07-28."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from stack import systems
from stack.settings import clean_environment

from .server import Server, installed, status

_FOLDER = Path(__file__).parent
TOOLS = ("add", "echo")


class Everything(Server):
    """MCP's own reference server, of the generation up to 2025-11-25.

    "streamableHttp" listens at `/mcp`, "sse" at `/sse`.
    """

    def __init__(
        self, directory: Path, *, mode: Literal["streamableHttp", "sse"] = "streamableHttp", port: int = 0
    ) -> None:
        self.name = f"mcp-everything-{mode}"
        super().__init__(directory, port=port)
        self._mode = mode

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/{'mcp' if self._mode == 'streamableHttp' else 'sse'}"

    def command(self) -> Sequence[str | Path]:
        # By itself it listens on all addresses.
        helpers = ("--require", _FOLDER / "listen_on_loopback.cjs", "--require", _FOLDER / "global_crypto.cjs")
        return [installed("node"), *helpers, systems.mcp_everything(), self._mode]

    def environment(self) -> Mapping[str, str]:
        return {**clean_environment(), "PORT": str(self.port)}

    def answers(self) -> bool:
        # Without a session, which would cost it something.
        return status(self.port) == 404


class Modern(Server):
    """A server by MCP's Python SDK, 2.x, with the tools `add` and `echo`, at `/mcp`.

    It speaks 2026-07-28, and the older generation to those who ask. With a token it takes no request without it.
    """

    name = "mcp-modern"

    def __init__(self, directory: Path, *, token: str = "", port: int = 0) -> None:
        super().__init__(directory, port=port)
        self._token = token

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/mcp"

    def command(self) -> Sequence[str | Path]:
        # -P: beside the program lies this file, which would be taken for the SDK.
        return [systems.mcp_python(), "-P", _FOLDER / "modern_mcp_server.py", self.host, str(self.port)]

    def environment(self) -> Mapping[str, str]:
        return {**clean_environment(), "MCP_TOKEN": self._token, "PYTHONDONTWRITEBYTECODE": "1"}

    def answers(self) -> bool:
        return status(self.port) == 404
