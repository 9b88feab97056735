"""Gives Odoo and the sidecar what they need to trust each other."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from .odoo import Odoo
from .sidecar import Sidecar


def is_paired(odoo: Odoo, sidecar: Sidecar) -> bool:
    """Whether the sidecar's configuration is the one that this database and these ports need."""
    try:
        config = tomllib.loads(sidecar.config_file.read_text())
    except (FileNotFoundError, tomllib.TOMLDecodeError):
        return False
    found = {f"{table}.{key}": value for table in ("server", "odoo") for key, value in config.get(table, {}).items()}
    needed = {
        "server.port": sidecar.port,
        "server.token": odoo.parameter("insightpulse.sidecar_token"),
        "odoo.url": odoo.url,
        "odoo.database": odoo.database,
        "odoo.database_uuid": odoo.parameter("database.uuid"),
    }
    return odoo.parameter("web.base.url") == odoo.url and needed.items() <= found.items()


def pair(odoo: Odoo, sidecar: Sidecar, config: Mapping[str, Any]) -> None:
    """Has Odoo issue new credentials, and writes the sidecar's configuration with them.

    `config` is the rest of that configuration. Odoo must not be running.
    """
    printed = odoo.shell(
        f"""
import json
parameters = env["ir.config_parameter"]
parameters.set_param("web.base.url", {odoo.url!r})
# Else it becomes whatever address the administrator logs in by.
parameters.set_param("web.base.url.freeze", "True")
credentials = env["insightpulse.sidecar"]._issue_credentials(sidecar_url={sidecar.url!r}, odoo_url={odoo.url!r})
env.cr.commit()
print(json.dumps(credentials))
"""
    )
    credentials = json.loads(printed.splitlines()[-1])
    sidecar.configure(
        {
            **config,
            "server": {"token": credentials["server_token"]},
            "odoo": {
                "url": credentials["odoo_url"],
                "database": credentials["odoo_database"],
                "database_uuid": credentials["odoo_database_uuid"],
                "login": credentials["odoo_login"],
                "api_key": credentials["odoo_api_key"],
            },
        }
    )
