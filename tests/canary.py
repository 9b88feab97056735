"""Secrets that can be recognised wherever they turn up, and however they were written there."""

import base64
import secrets
from urllib.parse import quote


def canary(kind: str) -> str:
    """A password of its own, with characters that each notation writes differently."""
    return f"{kind}/{secrets.token_hex(8)}+ü"


def forms(secret: str) -> list[str]:
    """How the secret may look in a text: as it is, and in the notations that programs use."""
    raw = secret.encode()
    found = {secret, quote(secret, safe=""), quote(secret), raw.hex(), raw.hex().upper()}
    found |= {secret.encode("unicode_escape").decode(), repr(raw)[2:-1]}
    for offset in range(3):
        # Without what depends on the bytes before and after it.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * offset + raw).decode().rstrip("=")
            found.add(encoded[[0, 2, 3][offset] : -2])
    return sorted(found)


def found_in(text: str, secret: str) -> list[str]:
    return [form for form in forms(secret) if form in text]
