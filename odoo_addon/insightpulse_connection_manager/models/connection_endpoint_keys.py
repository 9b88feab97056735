import json
import re

from odoo import api, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from .connection_endpoint import SECRET_FIELDS, SIDECAR_GROUP, TOKEN_FIELDS

KEY = re.compile(r"[a-z0-9-]{1,32}")
TOKEN = re.compile(r"ip1\.([a-z0-9-]{1,32})\.[A-Za-z0-9_-]+")
RESEALED_AT_ONCE = 1000
# The webhook's key is sealed like a connection's, and comes after all of them.
WEBHOOK_ID = 2_147_483_647


class ConnectionEndpointKeys(models.Model):
    """Lets the sidecar exchange the key that secrets are sealed with. Nobody else may ask for tokens."""

    _inherit = "insightpulse.connection.endpoint"

    @api.model
    def sealed_secrets(self, after_id, limit, except_key):
        """Return endpoints with a secret that another key than `except_key` has sealed, as the sidecar reads them.

        :param int after_id: those with a greater id, in its order
        :param int limit: at most so many, and at most 1000
        :param except_key: a key's name, or False for all that have a secret
        """
        self._check_group(SIDECAR_GROUP)
        self.flush_model(TOKEN_FIELDS.values())
        if except_key and not (isinstance(except_key, str) and KEY.fullmatch(except_key)):
            raise ValidationError(self.env._("Not the name of a key."))
        rows = self.env.execute_query(
            SQL(
                """
                SELECT id FROM %(table)s
                 WHERE id > %(after)s
                   AND EXISTS (SELECT FROM (VALUES %(tokens)s) AS tokens(token) WHERE token NOT LIKE %(pattern)s)
              ORDER BY id
                 LIMIT %(limit)s
                """,
                table=SQL.identifier(self._table),
                tokens=self._token_rows(),
                after=int(after_id),
                pattern=f"ip1.{except_key}.%" if except_key else "",
                limit=max(0, min(int(limit), RESEALED_AT_ONCE)),
            )
        )
        endpoints = self.browse([endpoint_id for (endpoint_id,) in rows])
        prepared = self._without_none(endpoints._prepare_endpoints())
        webhook = self.env["insightpulse.sidecar"]._prepare_webhook()
        is_wanted = webhook and not (except_key and webhook["api_key"].startswith(f"ip1.{except_key}."))
        if is_wanted and int(after_id) < WEBHOOK_ID and len(prepared) < limit:
            prepared.append({"id": WEBHOOK_ID, "name": self.env._("Webhook"), **webhook})
        return prepared

    @api.model
    def apply_resealed(self, items):
        """Put a new token in the place of an old one, if that is still there; a verdict stays as it is.

        :param list items: ``{"id", "field", "old", "new"}``
        :return: ``{"changed", "skipped"}``
        """
        self._check_group(SIDECAR_GROUP)
        items = [self._read_resealed(item) for item in items[:RESEALED_AT_ONCE]] if isinstance(items, list) else []
        self.flush_model(TOKEN_FIELDS.values())
        changed = 0
        for name, token_name in TOKEN_FIELDS.items():
            mine = [item for item in items if item["field"] == name and item["id"] != WEBHOOK_ID]
            if mine:
                changed += len(self.env.execute_query(self._swap_tokens(token_name, mine)))
        for item in items:
            if item["id"] == WEBHOOK_ID and item["field"] == "api_key":
                changed += self.env["insightpulse.sidecar"]._swap_webhook_token(item["old"], item["new"])
        self.invalidate_model([*TOKEN_FIELDS.values(), *SECRET_FIELDS], flush=False)
        if changed:
            old, new = ({TOKEN.match(item[side])[1] for item in items} for side in ("old", "new"))
            self.env["insightpulse.audit.entry"]._log(
                "reseal", detail=f"{changed}: {', '.join(sorted(old))} → {', '.join(sorted(new))}"
            )
        return {"changed": changed, "skipped": len(items) - changed}

    @api.model
    def count_sealed_secrets(self):
        """Return how many stored secrets each key has sealed: ``{key: number}``."""
        self._check_group(SIDECAR_GROUP)
        counts = self._count_tokens()
        webhook = self.env["insightpulse.sidecar"]._prepare_webhook()
        if webhook:
            key = webhook["api_key"].split(".")[1]
            counts[key] = counts.get(key, 0) + 1
        return counts

    @api.model
    def _count_tokens(self):
        self.flush_model(TOKEN_FIELDS.values())
        rows = self.env.execute_query(
            SQL(
                """
                SELECT split_part(token, '.', 2), count(*)
                  FROM %(table)s, LATERAL (VALUES %(tokens)s) AS tokens(token)
                 WHERE token IS NOT NULL
              GROUP BY 1
                """,
                table=SQL.identifier(self._table),
                tokens=self._token_rows(),
            )
        )
        return dict(rows)

    @api.model
    def _token_rows(self):
        return SQL(", ").join(SQL("(%s)", SQL.identifier(name)) for name in TOKEN_FIELDS.values())

    @api.model
    def _swap_tokens(self, token_name, items):
        return SQL(
            """
            UPDATE %(table)s AS endpoint
               SET %(token)s = item.new
              FROM jsonb_to_recordset(%(items)s::jsonb) AS item(id int4, old text, new text)
             WHERE endpoint.id = item.id AND endpoint.%(token)s = item.old
         RETURNING endpoint.id
            """,
            table=SQL.identifier(self._table),
            token=SQL.identifier(token_name),
            items=json.dumps(items),
        )

    @api.model
    def _read_resealed(self, item):
        is_one = (
            isinstance(item, dict)
            and isinstance(item.get("id"), int)
            and item.get("field") in SECRET_FIELDS
            and all(isinstance(item.get(side), str) and TOKEN.fullmatch(item[side]) for side in ("old", "new"))
        )
        if not is_one:
            raise ValidationError(self.env._("Not a secret that was sealed anew."))
        return {name: item[name] for name in ("id", "field", "old", "new")}
