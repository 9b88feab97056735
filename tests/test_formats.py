"""Every format, read back by the readers that its users have: at least ten thousand hostile values in each."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from formats import documents, grammars, hostile, readers
from formats.documents import Document
from formats.hostile import Values
from pymongo import uri_parser

# A port that refuses at once, for the readers that connect.
HOST, PORT = "127.0.0.1", "9"
LINE_ENDS = re.compile(r"[\n\r]")

Said = dict[str, Any]
Reader = Callable[[Sequence[str], Path], list[Said]]


@pytest.fixture(scope="module")
def values() -> list[Values]:
    documents.build()
    found = hostile.values()
    assert len(found) == hostile.COUNT
    return found


def record(one: Values, **more: Any) -> dict[str, Any]:
    return {
        "kind": "postgresql",
        "base_url": HOST,
        "port": int(PORT),
        "tls_mode": "prefer",
        "username": one.user,
        "database_name": one.database,
        "password": one.password,
        **more,
    }


def written(
    file_format: str, values: Sequence[Values], may_refuse: Callable[[str], object], **more: Any
) -> list[tuple[Values, str]]:
    """The documents that could be written; whatever was refused had to be, and the refusal tells no secret."""
    found = []
    for one, document in zip(
        values, documents.write(file_format, [record(one, **more) for one in values]), strict=True
    ):
        if document.error is None:
            found.append((one, document.text))
            continue
        assert any(may_refuse(text) for text in (one.password, one.user, one.database)), (one, document.error)
        assert len(one.password) < 8 or one.password not in document.error
    assert len(found) > len(values) / 3, "nearly nothing could be written"
    return found


def same(said: Said, one: Values) -> None:
    """That a reader was told of this record, and of nothing else."""
    expected = {"host": HOST, "port": PORT, "user": one.user, "dbname": one.database, "password": one.password}
    got = {key: str(said[key]) for key in expected}
    assert got == expected, f"HOSTILE_SEED={hostile.SEED}"


def never(_text: str) -> bool:
    return False


def ambiguous_in_env(text: str) -> object:
    return re.search(r"""['"\\$`\r]""", text)


def outer_space(text: str) -> bool:
    return text != text.strip()


CONNECTIONS: dict[str, tuple[Reader, Callable[[str], object]]] = {
    "uri": (lambda texts, _: readers.libpq(texts), never),
    "libpq": (lambda texts, _: readers.libpq(texts), never),
    "psql": (readers.psql, never),
    "pgpass": (readers.pgpass, LINE_ENDS.search),
    "pg_service": (
        readers.pg_service,
        lambda text: LINE_ENDS.search(text) or text[-1:] in set(" \t\v\f") or len(text.encode()) > 1000,
    ),
    "sqlalchemy": (lambda texts, _: readers.sqlalchemy(texts), never),
    "jdbc": (lambda texts, _: readers.jdbc(texts), never),
    "dotnet": (lambda texts, _: readers.dotnet(texts), never),
    "python": (lambda texts, _: readers.python(texts), never),
    "go": (lambda texts, _: readers.go(texts), never),
    "php": (lambda texts, _: readers.php(texts), never),
    "odoo-conf": (
        lambda texts, _: readers.odoo_conf(texts),
        lambda text: LINE_ENDS.search(text) or outer_space(text) or text in ("", "None", "False", "false"),
    ),
}


@pytest.mark.parametrize("file_format", CONNECTIONS)
def test_a_connection_is_read_back_as_it_was_written(file_format: str, values: list[Values], tmp_path: Path) -> None:
    read, may_refuse = CONNECTIONS[file_format]
    pairs = written(file_format, values, may_refuse)
    for (one, _), said in zip(pairs, read([text for _, text in pairs], tmp_path), strict=True):
        same(said, one)


@pytest.mark.parametrize("file_format", ["node", "drizzle"])
def test_an_object_of_javascript_is_what_was_written(file_format: str, values: list[Values]) -> None:
    pairs = written(file_format, values, never)
    for (one, _), said in zip(pairs, readers.node(file_format, [text for _, text in pairs]), strict=True):
        same({**said, "dbname": said["database"]}, one)


@pytest.mark.parametrize("reader", ["python-dotenv", "Node's dotenv", "sh"])
@pytest.mark.parametrize("file_format", ["env", "prisma"])
def test_an_env_file_says_the_same_to_each_of_its_readers(
    file_format: str, reader: str, values: list[Values], tmp_path: Path
) -> None:
    pairs = written(file_format, values, ambiguous_in_env if file_format == "env" else never)
    texts = [text for _, text in pairs]
    names = ["BOOKS_URL", "BOOKS_USER", "BOOKS_PASSWORD"] if file_format == "env" else ["DATABASE_URL"]
    match reader:
        case "python-dotenv":
            found = readers.python_dotenv(texts)
        case "sh":
            found = readers.sh_variables(texts, names, tmp_path)
        case _:
            found = readers.node("dotenv", texts)
    urls = readers.libpq([str(said[names[0]]) for said in found])
    for (one, _), said, url in zip(pairs, found, urls, strict=True):
        assert list(said) == names
        same(url, one)
        if file_format == "env":
            assert (said["BOOKS_USER"], said["BOOKS_PASSWORD"]) == (one.user, one.password), hostile.SEED


def test_what_a_shell_exports_is_what_was_written(values: list[Values], tmp_path: Path) -> None:
    pairs = written("env-export", values, never)
    names = ["BOOKS_URL", "BOOKS_USER", "BOOKS_PASSWORD"]
    for (one, _), said in zip(pairs, readers.sh_variables([text for _, text in pairs], names, tmp_path), strict=True):
        assert (said["BOOKS_USER"], said["BOOKS_PASSWORD"]) == (one.user, one.password), hostile.SEED
        same(readers.libpq([str(said["BOOKS_URL"])])[0], one)


def trees(reader: str, texts: Sequence[str]) -> list[Any]:
    match reader:
        case "YAML 1.1":
            return readers.py_yaml(texts)
        case "YAML 1.2":
            return readers.node("yaml", texts)
        case "JSON":
            return list(map(json.loads, texts))
        case "TOML":
            return readers.toml(texts)
    raise AssertionError(reader)


def undoubled(text: str) -> str:
    """As Compose reads it: a doubled dollar is one, and any other begins a variable."""
    assert "$" not in text.replace("$$", "")
    return text.replace("$$", "$")


def of_compose(tree: Any, one: Values) -> None:
    (entry,) = tree["services"]["app"]["environment"]
    name, url = undoubled(entry).split("=", 1)
    assert name == "DATABASE_URL"
    same(readers.libpq([url])[0], one)


def of_service(tree: Any, one: Values) -> None:
    for service, names in {
        "app": ("PGUSER", "PGDATABASE", "PGPASSWORD"),
        "books": ("POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"),
    }.items():
        user, database, password = (tree["services"][service]["environment"][name] for name in names)
        assert (undoubled(user), undoubled(database), password) == (one.user, one.database, "${BOOKS_PASSWORD:?}")


def of_secret(tree: Any, one: Values) -> None:
    assert set(tree["stringData"]) == {"BOOKS_URL", "BOOKS_PASSWORD"}
    assert tree["stringData"]["BOOKS_PASSWORD"] == one.password
    same(readers.libpq([tree["stringData"]["BOOKS_URL"]])[0], one)


def of_config_map(tree: Any, one: Values) -> None:
    expected = {"HOST": HOST, "PORT": PORT, "DATABASE": one.database, "USER": one.user, "SSLMODE": "prefer"}
    assert tree["data"] == {f"BOOKS_{key}": value for key, value in expected.items()}


def of_properties(tree: Any, one: Values) -> None:
    (said,) = tree["endpoint"]
    same({**said, "host": said["server"], "dbname": said["database"]}, one)


def of_variables(tree: Any, one: Values) -> None:
    assert (tree["BOOKS_USER"], tree["BOOKS_PASSWORD"]) == (one.user, one.password)
    same(readers.libpq([tree["BOOKS_URL"]])[0], one)


def of_superset(tree: Any, one: Values) -> None:
    same(readers.superset([tree["sqlalchemy_uri"]], lambda _: [tree])[0], one)


TREES: dict[str, tuple[Sequence[str], Callable[[Any, Values], None]]] = {
    "compose": (("YAML 1.1", "YAML 1.2"), of_compose),
    "compose-service": (("YAML 1.1", "YAML 1.2"), of_service),
    "k8s-secret": (("YAML 1.1", "YAML 1.2"), of_secret),
    "k8s-configmap": (("YAML 1.1", "YAML 1.2"), of_config_map),
    "superset-database": (("YAML 1.1", "YAML 1.2"), of_superset),
    "yaml": (("YAML 1.1", "YAML 1.2"), of_properties),
    "json": (("JSON",), of_properties),
    "env-json": (("JSON",), of_variables),
    "toml": (("TOML",), of_properties),
}


@pytest.mark.parametrize("file_format", TREES)
def test_a_tree_has_the_values_that_were_written(file_format: str, values: list[Values]) -> None:
    ways, check = TREES[file_format]
    pairs = written(file_format, values, never)
    for way in ways:
        for (one, _), tree in zip(pairs, trees(way, [text for _, text in pairs]), strict=True):
            check(tree, one)


# ---------------------------------------------------------------- keys


def is_no_header(text: str) -> bool:
    return text != text.strip() or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)


def keys(
    file_format: str, values: list[Values], may_refuse: Callable[[str], object], **record: Any
) -> list[tuple[str, str]]:
    texts = [one.password for one in values]
    found = []
    for key, document in zip(
        texts, documents.write(file_format, [{**record, "api_key": key} for key in texts]), strict=True
    ):
        if document.error is None:
            found.append((key, document.text))
        else:
            assert may_refuse(key), (key, document.error)
            assert len(key) < 8 or key not in document.error
    assert len(found) > len(values) / 3
    return found


@pytest.mark.parametrize("file_format", ["mcp-json", "mcp-vscode", "mcp-claude-code"])
def test_an_mcp_client_sends_the_key_that_was_written(file_format: str, values: list[Values]) -> None:
    mcp = {"kind": "mcp", "base_url": "https://mcp.example.com/mcp"}
    for key, text in keys(file_format, values, lambda key: is_no_header(key) or "${" in key, **mcp):
        (server,) = json.loads(text)["servers" if file_format == "mcp-vscode" else "mcpServers"].values()
        assert server["headers"] == {"Authorization": f"Bearer {key}"}


def test_curl_gets_the_key_that_was_written(values: list[Values], tmp_path: Path) -> None:
    api = {"kind": "api", "base_url": "https://api.example.com/v1?x=[1]", "sign_in": "header"}
    pairs = keys("curl", values, is_no_header, **api)
    said = readers.shell("curl() { printf '%s\\0' \"$@\"; }\n" + "".join(text for _, text in pairs), tmp_path)
    for at, (key, _) in enumerate(pairs):
        arguments = said[at * 5 : at * 5 + 5]
        assert arguments == ["--fail-with-body", "--globoff", "--header", f"x-api-key: {key}", api["base_url"]]


def test_supabases_files_have_the_key_that_was_written(values: list[Values], tmp_path: Path) -> None:
    supabase = {"kind": "supabase", "base_url": "db.abcdefghij.supabase.co", "username": "postgres"}
    for file_format, name in {
        "supabase-env": "SUPABASE_KEY",
        "nextjs-env": "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY",
    }.items():
        pairs = keys(file_format, values, ambiguous_in_env, **supabase)
        texts = [text for _, text in pairs]
        for found in (
            readers.python_dotenv(texts),
            readers.node("dotenv", texts),
            readers.sh_variables(texts, [name], tmp_path),
        ):
            assert [said[name] for said in found] == [key for key, _ in pairs]
    pairs = keys("prometheus", values, never, **supabase)
    for way in ("YAML 1.1", "YAML 1.2"):
        for (key, _), tree in zip(pairs, trees(way, [text for _, text in pairs]), strict=True):
            assert tree["scrape_configs"][0]["basic_auth"] == {"username": "service_role", "password": key}


# ---------------------------------------------------------------- MySQL


def test_mysqls_connection_strings_are_read_back(values: list[Values]) -> None:
    mysql = {"kind": "mysql", "tls_mode": "prefer"}
    for file_format, read in {
        "mysql-uri": readers.sqlalchemy,
        "sqlalchemy": readers.sqlalchemy,
        "jdbc": readers.jdbc,
    }.items():
        beyond_ascii = (lambda text: not text.isascii()) if file_format == "sqlalchemy" else never
        pairs = written(file_format, values, beyond_ascii, **mysql)
        for (one, _), said in zip(pairs, read([text for _, text in pairs]), strict=True):
            same(said, one)
    pairs = written("dotnet", values, never, **mysql)
    for one, text in pairs:
        said = grammars.dotnet(text)
        same({**said, "host": said["server"], "dbname": said["database"], "user": said["user id"]}, one)


# ---------------------------------------------------------------- MongoDB


def test_mongodbs_uri_is_read_back_by_its_own_client(values: list[Values]) -> None:
    pairs = written("mongodb-uri", values, never, kind="mongodb", tls_mode="require")
    unusual = re.compile(r'[/\\. "$]')
    for one, text in pairs:
        # Such a name no database of MongoDB has, and its client says so.
        database = "books" if unusual.search(one.database) else one.database
        said = uri_parser.parse_uri(text.replace(f"/{quote(one.database, safe='')}?", f"/{quote(database, safe='')}?"))
        ((host, port),) = said["nodelist"]
        same(
            {
                "host": host,
                "port": port,
                "user": said["username"],
                "dbname": said["database"],
                "password": said["password"],
            },
            Values(one.user, database, one.password),
        )
        assert said["options"]["authSource"] == "admin"
        assert (said["options"]["tls"], said["options"]["tlsAllowInvalidCertificates"]) == (True, True)


# ---------------------------------------------------------------- what cannot be carried


@pytest.mark.parametrize(
    ("file_format", "password", "says"),
    [
        ("pgpass", "canary\nb", "The password has a line break in it"),
        ("pg_service", "canary ", "The password has a space at its end"),
        ("odoo-conf", "None", "The password has a value that Odoo takes for none"),
        ("env", "it's $5", "the readers of .env files differ"),
    ],
)
def test_what_a_format_cannot_carry_is_an_error_that_says_so(file_format: str, password: str, says: str) -> None:
    documents.build()
    (document,) = documents.write(file_format, [record(Values("u", "d", password))])
    assert isinstance(document, Document)
    assert document.error is not None and says in document.error
    assert password not in document.error
