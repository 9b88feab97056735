"""The readers that the formats' users have: each takes documents, and returns what they say of a connection."""

import ast
import configparser
import io
import json
import os
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dotenv
import psycopg2.extensions
import yaml
from psycopg import pq
from sqlalchemy.engine import make_url
from stack import systems

from . import grammars

Read = dict[str, str | None]
Documents = Sequence[str]


def libpq(documents: Documents) -> list[Read]:
    """A URI or a string of keywords and values, by libpq itself."""
    return [psycopg2.extensions.parse_dsn(text) for text in documents]


def pgpass(documents: Documents, folder: Path) -> list[Read]:
    """The file `.pgpass`, by libpq, which looks the password up before it connects."""
    file = folder / "pgpass"
    found = []
    for text in documents:
        file.write_text(text, encoding="utf-8", newline="")
        file.chmod(0o600)
        # The other fields are read here, for libpq has to be told them.
        host, port, dbname, user, _ = _fields(text.rstrip("\n"))
        where = {"host": host, "port": port, "dbname": dbname, "user": user}
        quoted = " ".join(f"{key}={_quoted(value)}" for key, value in {**where, "passfile": str(file)}.items())
        found.append({**where, "password": _text(_started(quoted).password)})
    return found


def pg_service(documents: Documents, folder: Path) -> list[Read]:
    """The file `pg_service.conf`, by libpq."""
    file = folder / "pg_service.conf"
    os.environ["PGSERVICEFILE"] = str(file)
    try:
        found = []
        for text in documents:
            file.write_text(text, encoding="utf-8", newline="")
            started = _started("service=books")
            found.append(
                {
                    "host": _text(started.host),
                    "port": _text(started.port),
                    "dbname": _text(started.db),
                    "user": _text(started.user),
                    "password": _text(started.password),
                }
            )
        return found
    finally:
        del os.environ["PGSERVICEFILE"]


def psql(documents: Documents, folder: Path) -> list[Read]:
    """A command line, by `sh`, and what psql gets by libpq."""
    said = shell('psql() { printf \'%s\\0\' "$PGPASSWORD" "$1"; }\n' + "".join(documents), folder)
    found = []
    for password, connection in zip(said[::2], said[1::2], strict=True):
        found.append({**psycopg2.extensions.parse_dsn(connection), "password": password})
    return found


def shell(script: str, folder: Path) -> list[str]:
    """What a script printed, each text ended by a NUL."""
    file = folder / "script.sh"
    file.write_text(script, encoding="utf-8", newline="")
    done = subprocess.run(["sh", file], capture_output=True, check=True, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"})
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


def sqlalchemy(documents: Documents) -> list[Read]:
    return [_of_url(text) for text in documents]


def _of_url(text: str) -> Read:
    url = make_url(text)
    return {
        "host": url.host,
        "port": str(url.port),
        "dbname": url.database,
        "user": url.username,
        "password": None if url.password is None else str(url.password),
    }


def dotnet(documents: Documents) -> list[Read]:
    found = []
    for text in documents:
        said = grammars.dotnet(text)
        found.append(
            {key: said[key] for key in ("host", "port", "password")}
            | {"dbname": said["database"], "user": said["username"]}
        )
    return found


def jdbc(documents: Documents) -> list[Read]:
    return list(map(grammars.jdbc, documents))


def odoo_conf(documents: Documents) -> list[Read]:
    found = []
    for text in documents:
        parser = configparser.RawConfigParser()
        # As from a file: in a text, other characters end a line too.
        parser.read_file(io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
        options = dict(parser.items("options"))
        found.append(
            {key: options[f"db_{key}"] for key in ("host", "port", "user", "password")} | {"dbname": options["db_name"]}
        )
    return found


def python_dotenv(documents: Documents) -> list[dict[str, str | None]]:
    return [dotenv.dotenv_values(stream=io.StringIO(text, newline="")) for text in documents]


def node(reader: str, documents: Documents) -> list[Any]:
    """By a reader of `readers.mjs`."""
    program = Path(__file__).with_name("readers.mjs")
    asked = json.dumps({"reader": reader, "documents": documents})
    done = subprocess.run(
        ["node", program, systems.node_modules()],
        input=asked,
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
    )
    return json.loads(done.stdout)


def sh_variables(documents: Documents, names: Sequence[str], folder: Path) -> list[dict[str, str | None]]:
    """Lines of assignments, by `sh`."""
    show = "printf '%s\\0' " + " ".join(f'"${name}"' for name in names) + "\n"
    said = shell("".join(text + show for text in documents), folder)
    return [dict(zip(names, said[at : at + len(names)], strict=True)) for at in range(0, len(said), len(names))]


def py_yaml(documents: Documents) -> list[Any]:
    """YAML 1.1."""
    return [yaml.load(text, yaml.CSafeLoader) for text in documents]


def toml(documents: Documents) -> list[Any]:
    return list(map(tomllib.loads, documents))


def python(documents: Documents) -> list[Read]:
    """The arguments of `psycopg.connect`."""
    found = []
    for text in documents:
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        (connect,) = [call for call in calls if ast.unparse(call.func) == "psycopg.connect"]
        found.append({str(keyword.arg): str(ast.literal_eval(keyword.value)) for keyword in connect.keywords})
    return found


def go(documents: Documents) -> list[Read]:
    return [_dsn_among(grammars.go_strings(text)) for text in documents]


def php(documents: Documents) -> list[Read]:
    return [_dsn_among(grammars.php_strings(text)) for text in documents]


def _dsn_among(strings: Sequence[str]) -> Read:
    (connection,) = [text for text in strings if text.startswith("host=")]
    return psycopg2.extensions.parse_dsn(connection)


def superset(documents: Documents, load: Callable[[Documents], list[Any]]) -> list[Read]:
    return [{**_of_url(tree["sqlalchemy_uri"]), "password": tree["password"]} for tree in load(documents)]


def _started(connection: str) -> pq.abc.PGconn:
    """A connection that has been begun, and will be refused: libpq has read all that it needs."""
    return pq.PGconn.connect_start(connection.encode())


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fields(line: str) -> list[str]:
    """https://www.postgresql.org/docs/current/libpq-pgpass.html"""
    fields, escaped = [""], False
    for character in line:
        if escaped or character not in ":\\":
            fields[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            fields.append("")
    return fields
