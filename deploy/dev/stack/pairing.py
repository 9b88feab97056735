"""Has Odoo and the sidecar trust each other, as an administrator does: by a one-time code."""

import base64
import hashlib
import json

from .odoo import Odoo
from .sidecar import Sidecar

_WIZARD = "insightpulse.sidecar.pairing"


def is_paired(odoo: Odoo, sidecar: Sidecar) -> bool:
    """Whether both have what they need, for this database and at these ports."""
    try:
        pairings = json.loads((sidecar.directory / "pairings.json").read_text())
    except (FileNotFoundError, ValueError):
        return False
    needed = {
        "database": odoo.parameter("database.uuid"),
        "database_name": odoo.database,
        "odoo_url": odoo.url,
        # Of the token the sidecar keeps the digest alone.
        "token": _digest(odoo.parameter("insightpulse.sidecar_token")),
    }
    return odoo.parameter("insightpulse.sidecar_url") == sidecar.url and any(
        needed.items() <= pairing.items() for pairing in pairings
    )


def pair(odoo: Odoo, sidecar: Sidecar) -> None:
    """Makes a code and enters it in Odoo. Both have to be running."""
    # Else it becomes whatever address the administrator logs in by.
    for key, value in (("web.base.url", odoo.url), ("web.base.url.freeze", "True")):
        odoo.call("ir.config_parameter", "set_param", [key, value])
    code = sidecar.run("pair", "--quiet", "--config", sidecar.config_file).strip()
    values = {"sidecar_url": sidecar.url, "odoo_url": odoo.url, "code": code}
    wizard = odoo.call(_WIZARD, "create", [values])
    odoo.call(_WIZARD, "action_pair", [[wizard]])


def _digest(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
