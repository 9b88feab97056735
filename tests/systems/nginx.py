"""nginx, whose answers are said location by location."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .certificates import Identity
from .server import UnprivilegedServer, installed, status

# Where nothing is configured, it says so; only `answers` asks there.
_NOWHERE = "/.nginx-answers"
_FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Location:
    """One exact path, the directives that make its answer, and the files that these name.

    With `below`, it is for all paths that begin so.
    """

    path: str
    directives: str
    files: Mapping[str, str] = field(default_factory=dict)
    below: bool = False


def static(path: str, body: str = "OK", *, status: int = 200, content_type: str = "text/plain") -> Location:
    """Always the same body; those of a status other than 200 too."""
    return Location(path, f"default_type {content_type}; return {status} {_quoted(body)};")


def json_body(path: str, value: Any, *, status: int = 200) -> Location:
    return static(path, json.dumps(value), status=status, content_type="application/json")


def redirect(path: str, to: str, *, status: int = 302) -> Location:
    return Location(path, f"return {status} {_quoted(to)};")


def basic_auth(path: str, user: str, password: str, body: str = "OK") -> Location:
    """401 with a challenge, but for one user."""
    users, answer = f"{_file_name(path)}.users", f"{_file_name(path)}.body"
    # `return` would answer before anybody is asked who he is.
    directives = (
        f'auth_basic "tests"; auth_basic_user_file files/{users}; default_type text/plain; alias files/{answer};'
    )
    # nginx would take a colon in a password in the clear for its end.
    hashed = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    return Location(path, directives, {users: f"{user}:{{SHA}}{hashed}\n", answer: body})


def header_key(path: str, header: str, key: str, body: str = "OK") -> Location:
    """401, but for requests with that header; the name of the header is compared without case."""
    variable = "$http_" + header.lower().replace("-", "_")
    refuse = f"if ({variable} != {_quoted(key)}) {{ return 401; }}"
    return Location(path, f"default_type text/plain; {refuse} return 200 {_quoted(body)};")


def bearer(path: str, token: str, body: str = "OK") -> Location:
    """401, but for requests with that token."""
    return header_key(path, "Authorization", f"Bearer {token}", body)


def proxy(path: str, to: str) -> Location:
    """What another server answers, as it comes; by this, a server without TLS gets some.

    Unlike the others, this one is for all paths that begin so.
    """
    directives = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $proxy_host; proxy_buffering off;"
    return Location(path, f"{directives} proxy_pass {to};", below=True)


class Nginx(UnprivilegedServer):
    """A server for these locations; everything else is 404. Its `requests` are what it was asked.

    With `tls` it speaks nothing but TLS; with `client_ca` it asks for a certificate of that authority.
    `directives` go into the server's block as they are.
    """

    name = "nginx"

    def __init__(
        self,
        directory: Path,
        locations: Iterable[Location],
        *,
        tls: Identity | None = None,
        client_ca: Path | None = None,
        directives: str = "",
        port: int = 0,
    ) -> None:
        super().__init__(directory, port=port)
        self._locations = list(locations)
        self._tls = tls
        self._client_ca = client_ca
        self._directives = directives

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def requests(self) -> list[str]:
        """Each request that was answered, as "GET /path 200"."""
        lines = (self.directory / "access.log").read_text().splitlines()
        return [line for line in lines if _NOWHERE not in line]

    def prepare(self) -> None:
        super().prepare()
        for folder in ("files", *_FOLDERS):
            self.folder(folder)
        for location in self._locations:
            for name, text in location.files.items():
                self.write(f"files/{name}", text)
        self.write("access.log", "")
        self.write("nginx.conf", self._configuration())

    def command(self) -> Sequence[str | Path]:
        folder = f"{self.directory}/"
        return [*self.as_user(), installed("nginx"), "-e", "stderr", "-p", folder, "-c", "nginx.conf"]

    def answers(self) -> bool:
        # To a request in the clear, a port with TLS answers 400.
        return status(self.port, _NOWHERE) is not None

    def _configuration(self) -> str:
        temporary = [f"    {name}_temp_path {name};" for name in _FOLDERS]
        known = [*self._locations]
        if not any(one.below and one.path == "/" for one in known):
            known.append(Location("/", "return 404;", below=True))
        locations = [f"        location {_matcher(one)} {{ {one.directives} }}" for one in known]
        return "\n".join(
            [
                "daemon off;",
                "worker_processes 1;",
                "pid master.pid;",
                "error_log stderr info;",
                "events { worker_connections 1024; }",
                "http {",
                "    log_format short '$request_method $request_uri $status';",
                "    access_log access.log short;",
                *temporary,
                "    server {",
                f"        listen {self.host}:{self.port}{' ssl' if self._tls else ''};",
                *self._tls_directives(),
                f"        {self._directives}",
                *locations,
                "    }",
                "}",
                "",
            ]
        )

    def _tls_directives(self) -> list[str]:
        if not self._tls:
            return []
        kept = self.keep(self._tls)
        lines = [f"        ssl_certificate {kept.certificate};", f"        ssl_certificate_key {kept.key};"]
        if self._client_ca:
            kept_ca = self.write("client-ca.pem", self._client_ca.read_text())
            lines += [f"        ssl_client_certificate {kept_ca};", "        ssl_verify_client on;"]
        return lines


def _matcher(location: Location) -> str:
    return f"{'^~' if location.below else '='} {location.path}"


def _file_name(path: str) -> str:
    return path.strip("/").replace("/", "-") or "root"


def _quoted(text: str) -> str:
    # It would put a variable's value there, and has no way to write the character itself.
    assert "$" not in text, text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
