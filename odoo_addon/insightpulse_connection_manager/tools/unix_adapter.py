"""HTTP over a Unix socket, for requests: ``unix:///run/insightpulse/sidecar.sock``."""

import socket

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

SCHEME = "unix://"
# What stands in the URL in the socket's place; no packet ever goes there.
STAND_IN = "http://localhost"


class _Connection(HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Pool(HTTPConnectionPool):
    def __init__(self, path):
        super().__init__("localhost")
        self._path = path

    def _new_conn(self):
        return _Connection(self._path, self.timeout.connect_timeout)


class UnixAdapter(HTTPAdapter):
    """Sends whatever it is given to one socket."""

    def __init__(self, path):
        super().__init__()
        self._pool = _Pool(path)

    def get_connection_with_tls_context(self, request, verify, proxies=None, cert=None):
        return self._pool

    def close(self):
        self._pool.close()
        super().close()
