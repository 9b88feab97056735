"""What sealing and opening cost beside Fernet of Python's cryptography, on the same secrets, in turns."""

import secrets
import statistics
import subprocess
import time
from collections.abc import Sequence

from cryptography.fernet import Fernet
from ring import CHECKOUT

ROUNDS = 7
# What is typed, and what a service account's key is.
LENGTHS = {"2,000 passwords of 32 bytes": (2000, 32), "500 keys of 4 KiB": (500, 4096)}

Round = tuple[float, float]


def measure() -> None:
    """Prints a table for each kind of secret."""
    build = ["cargo", "build", "--release", "--package", "insightpulse-vault", "--example", "seal_and_open"]
    subprocess.run([*build, "--quiet"], cwd=CHECKOUT, check=True)
    for title, (count, length) in LENGTHS.items():
        texts = [secrets.token_urlsafe(length)[:length] for _ in range(count)]
        ours, theirs = zip(*((vault(texts), fernet(texts)) for _ in range(ROUNDS)), strict=True)
        print(f"\n{title} (n = {ROUNDS} passes, in turns)")
        for what, index in (("seal", 0), ("open", 1)):
            show(what, [one[index] / count for one in ours], [one[index] / count for one in theirs])


def vault(texts: Sequence[str]) -> Round:
    """Seconds for all, by a process of its own that warms up first."""
    example = CHECKOUT / "target/release/examples/seal_and_open"
    lines = "".join(f"{text}\n" for text in texts)
    printed = subprocess.run([example], input=lines, check=True, capture_output=True, text=True).stdout
    sealing, opening = map(float, printed.split())
    return sealing, opening


def fernet(texts: Sequence[str]) -> Round:
    """Seconds for all, as the seed does it: from text to text, and back."""
    cipher = Fernet(Fernet.generate_key())
    for text in texts:
        cipher.decrypt(cipher.encrypt(text.encode()).decode().encode())
    begun = time.perf_counter()
    tokens = [cipher.encrypt(text.encode()).decode() for text in texts]
    between = time.perf_counter()
    opened = [cipher.decrypt(token.encode()).decode() for token in tokens]
    ended = time.perf_counter()
    assert opened == list(texts)
    return between - begun, ended - between


def show(what: str, ours: list[float], theirs: list[float]) -> None:
    """The medians per secret, and how many times the one is the other."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"  {what}   vault {mine * 1e6:>7.2f} µs   Fernet {other * 1e6:>7.2f} µs   ratio {mine / other:.3f}")
