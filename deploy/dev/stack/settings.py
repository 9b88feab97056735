"""What a stack is made with, as the environment says it."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .console import StackError

CHECKOUT = Path(__file__).resolve().parents[3]
ADDONS = CHECKOUT / "odoo_addon"
ADDON = "insightpulse_connection_manager"

# Programs read these themselves, and would take our settings, or the user's own server's, for theirs.
_FOREIGN = re.compile(r"(INSIGHTPULSE_|ODOO_|OPENERP_|PG|MAKE|MFLAGS)")


@dataclass(frozen=True)
class Settings:
    """Each field is an environment variable of that name in capitals."""

    odoo_port: int
    sidecar_port: int
    pg_port: int
    odoo_db: str
    state_dir: Path

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        settings = cls(
            odoo_port=_port(env, "ODOO_PORT", 8069),
            sidecar_port=_port(env, "SIDECAR_PORT", 8787),
            pg_port=_port(env, "PG_PORT", 54329),
            odoo_db=_database_name(env.get("ODOO_DB") or "insightpulse"),
            # As make does with paths: relative to the checkout, wherever it is called from.
            state_dir=CHECKOUT / (env.get("STATE_DIR") or ".run"),
        )
        if len({settings.odoo_port, settings.sidecar_port, settings.pg_port}) < 3:
            raise StackError("ODOO_PORT, SIDECAR_PORT and PG_PORT must be three different ports")
        return settings


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise StackError(f"{name}={text!r} is no port: it must be a number from 1 to 65535")
    return int(text)


def _database_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,50}", name):
        raise StackError(f"ODOO_DB={name!r} is no name that Odoo takes: use letters, digits, '_', '.' and '-'")
    return name


def odoo_bin() -> list[str]:
    """The command of the user's own Odoo, empty when there is none."""
    return shlex.split(os.environ.get("ODOO_BIN", ""))


def clean_environment() -> dict[str, str]:
    """Our environment without the variables by which a user configures other programs."""
    return {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
