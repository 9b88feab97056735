"""Readers of formats whose own are not to be had on this machine, written from their documentation."""

import json
import re
from urllib.parse import unquote_plus

import tree_sitter
import tree_sitter_go
import tree_sitter_php

_DOTNET = re.compile(
    r"""\s*(?P<key>[^=;]+?)\s*=\s*(?:"(?P<double>(?:[^"]|"")*)"|'(?P<single>(?:[^']|'')*)'|(?P<bare>[^;"']*?))\s*(?:;|$)"""
)


def dotnet(text: str) -> dict[str, str]:
    """`DbConnectionStringBuilder`: a value is bare or in quotes of either kind, in which they are doubled.

    https://learn.microsoft.com/en-us/dotnet/api/system.data.common.dbconnectionstringbuilder.connectionstring
    """
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _DOTNET.match(text, place)
        assert match, text[place:]
        double, single = match["double"], match["single"]
        if double is not None:
            value = double.replace('""', '"')
        elif single is not None:
            value = single.replace("''", "'")
        else:
            value = match["bare"]
        found[match["key"].lower()] = value
        place = match.end()
    return found


def jdbc(text: str) -> dict[str, str]:
    """pgjdbc and Connector/J: percent-encoded, a plus is a space, parameters after the question mark.

    https://jdbc.postgresql.org/documentation/use/, https://dev.mysql.com/doc/connector-j/en/connector-j-reference-jdbc-url-format.html
    """
    scheme, rest = text.removeprefix("jdbc:").split("://", 1)
    address, _, parameters = rest.partition("?")
    place, _, database = address.partition("/")
    host, _, port = place.rpartition(":")
    found = {
        "scheme": scheme,
        "host": host.strip("[]"),
        "port": port,
        "dbname": unquote_plus(database, errors="strict"),
    }
    for parameter in parameters.split("&"):
        name, _, value = parameter.partition("=")
        found[unquote_plus(name)] = unquote_plus(value, errors="strict")
    return found


_GO = tree_sitter.Parser(tree_sitter.Language(tree_sitter_go.language()))
_PHP = tree_sitter.Parser(tree_sitter.Language(tree_sitter_php.language_php()))


def go_strings(text: str) -> list[str]:
    """Every interpreted string of a Go program: https://go.dev/ref/spec#String_literals"""
    # The escapes that we write are those that JSON has too.
    return [json.loads(literal) for literal in _literals(_GO, text, "interpreted_string_literal")]


def php_strings(text: str) -> list[str]:
    """Every string in single quotes of a PHP program: https://www.php.net/manual/en/language.types.string.php"""
    return [re.sub(r"\\([\\'])", r"\1", literal[1:-1]) for literal in _literals(_PHP, text, "string")]


def _literals(parser: tree_sitter.Parser, text: str, kind: str) -> list[str]:
    source = text.encode()
    root = parser.parse(source).root_node
    assert not root.has_error, text
    found: list[str] = []
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if node.type == kind:
            found.append(source[node.start_byte : node.end_byte].decode())
        else:
            nodes.extend(reversed(node.children))
    return found
