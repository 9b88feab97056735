"""A server with two tools, run by the Python that has the MCP SDK: HOST PORT, and MCP_TOKEN for a guarded one."""

import hmac
import os
import sys

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer


class OneToken:
    """Knows one token."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def verify_token(self, token: str) -> AccessToken | None:
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        return AccessToken(token=token, client_id="tests", scopes=[])


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def echo(text: str) -> str:
    """Says the same again."""
    return text


def main() -> None:
    host, port = sys.argv[1], int(sys.argv[2])
    guard = {}
    if token := os.environ.get("MCP_TOKEN"):
        here = f"http://{host}:{port}"
        settings = AuthSettings(issuer_url=here, resource_server_url=f"{here}/mcp", validate_token_resource=False)
        guard = {"token_verifier": OneToken(token), "auth": settings}
    server = MCPServer("insightpulse-tests", version="1.0.0", **guard)
    for tool in (add, echo):
        server.add_tool(tool)
    server.run(transport="streamable-http", host=host, port=port)


main()
