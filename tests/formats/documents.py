"""Has documents written by the crate `render`, as many as are wanted in one go."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ring import CHECKOUT

_PACKAGE = ("--package", "insightpulse-render", "--example", "documents")


@dataclass(frozen=True)
class Document:
    """A document's text, or why there is none."""

    content: str | None
    error: str | None

    @property
    def text(self) -> str:
        assert self.content is not None, self.error
        return self.content


def build() -> None:
    """Brings the program up to date that writes them."""
    subprocess.run(["cargo", "build", "--release", "--quiet", *_PACKAGE], cwd=CHECKOUT, check=True)


def write(file_format: str, records: Iterable[dict[str, Any]]) -> list[Document]:
    """A document of each record: its endpoint's fields, with `password` and `api_key` in plaintext."""
    lines = []
    for record in records:
        endpoint = {"record": "01990000-0000-7000-8000-000000000001", "name": "Books", "port": None, **record}
        secrets = {name: endpoint.pop(name, None) for name in ("password", "api_key")}
        lines.append(json.dumps({"format": file_format, "endpoint": endpoint, **secrets}))
    program = CHECKOUT / "target/release/examples/documents"
    done = subprocess.run(
        [program], input="\n".join(lines), capture_output=True, check=True, text=True, encoding="utf-8"
    )
    answers = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert len(answers) == len(lines)
    return [Document(answer.get("content"), answer.get("error")) for answer in answers]
