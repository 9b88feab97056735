"""Ports of this machine: which are free, and who has those that are not."""

import http.client
import socket
import time
import urllib.request
from pathlib import Path

from .console import StackError

HOST = "127.0.0.1"
_LISTEN = "0A"
_PASSING_SECONDS = 10.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


def require_free(port: int, variable: str) -> None:
    """Fails when somebody listens on that port, and says who."""
    deadline = time.monotonic() + _PASSING_SECONDS
    while not _is_free(port, variable):
        if (owner := listener_on(port)) or time.monotonic() > deadline:
            raise StackError(
                f"port {port} is taken by {owner or 'a connection'}: end that, or set {variable} to a free port"
            )
        # It is the near end of somebody's connection, which the kernel gave that number: it will pass.
        time.sleep(0.2)


def _is_free(port: int, variable: str) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except PermissionError:
        raise StackError(f"port {port} needs root's rights: set {variable} to one above 1023") from None
    except OSError:
        return False
    return True


def listener_on(port: int) -> str:
    """Who listens on a port, as "pid 4711 (python3 -m http.server)"; empty when nobody does."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in sockets for fd in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return f"pid {process.name} ({command.strip()[:120]})"
        except OSError:
            # It has ended meanwhile, or belongs to another user.
            continue
    return "a process of another user"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def answers(url: str, timeout: float = 2.0) -> bool:
    """Whether a GET of that address is answered with 200."""
    try:
        with opener().open(url, timeout=timeout) as response:
            return response.status == 200
    except (OSError, http.client.HTTPException):
        return False


def opener() -> urllib.request.OpenerDirector:
    """Opens addresses of this machine, which no proxy could reach."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
