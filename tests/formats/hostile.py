"""Values that mean something to one reader or another."""

import json
import os
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What a format's readers are most likely to take for something else.
WORDS: list[str] = json.loads((Path(__file__).parent / "hostile_words.json").read_text("utf-8"))
SYNTAX = "'\"\\$`{}#&;@:/?%=,!*|<>()~^+. []-_\t"
COUNT = int(os.environ.get("HOSTILE_COUNT", "10000"))
SEED = int(os.environ.get("HOSTILE_SEED", str(random.SystemRandom().randrange(10**9))))


@dataclass(frozen=True)
class Values:
    """What one record has."""

    user: str
    database: str
    password: str


def values() -> list[Values]:
    """As many as a run takes: the words as they are, then mixtures. `HOSTILE_SEED` repeats a run."""
    chance = random.Random(SEED)
    passwords = [*WORDS, *_mixtures(chance)][:COUNT]
    return [Values(_name(chance), _name(chance), password) for password in passwords]


def _mixtures(chance: random.Random) -> Iterator[str]:
    for index in range(COUNT):
        match index % 100:
            case 0:
                yield "".join(chance.choices(SYNTAX + "abc\n", k=10_000))
            case kind if kind < 40:
                yield "".join(chance.choices(SYNTAX, k=chance.randint(1, 16)))
            case kind if kind < 60:
                yield "".join(chr(chance.randint(0x20, 0x7E)) for _ in range(chance.randint(1, 32)))
            case kind if kind < 70:
                yield "".join(_anything(chance) for _ in range(chance.randint(1, 12)))
            case _:
                yield "".join(chance.choice(WORDS) for _ in range(chance.randint(1, 5)))


def _anything(chance: random.Random) -> str:
    while True:
        character = chr(
            chance.choice((chance.randint(1, 0x2FF), chance.randint(1, 0xFFFF), chance.randint(1, 0x10FFFF)))
        )
        if unicodedata.category(character) != "Cs":
            return character


def _name(chance: random.Random) -> str:
    """A user's or a database's name: without control characters and line ends, and without spaces around it."""
    text = "".join(chance.choice((chance.choice(WORDS), _anything(chance))) for _ in range(chance.randint(1, 4)))
    text = "".join(character for character in text if unicodedata.category(character) not in ("Cc", "Zl", "Zp")).strip()
    return text or "someone"
