from odoo import models
from odoo.exceptions import UserError, ValidationError

from .connection_endpoint import ADMIN_GROUP, DESTINATION_FIELDS, SECRET_FIELDS, TOKEN_FIELDS
from .connection_endpoint_secrets import REBINDING

# What moves together with its secrets.
MOVED_FIELDS = (*DESTINATION_FIELDS, "database_name")

# A request of 10,000 items is the most that the sidecar takes.
CARRIED_AT_ONCE = 5000


class ConnectionEndpointRebind(models.Model):
    """Takes secrets along to another destination or from another database: on purpose, by an administrator, logged."""

    _inherit = "insightpulse.connection.endpoint"

    def rebind(self, vals):
        """Change where this endpoint points to, and keep its secrets, sealed anew for the new place.

        :param dict vals: new values of what a secret is bound to, and of ``database_name``
        """
        self.ensure_one()
        self._check_group(ADMIN_GROUP)
        self.check_access("write")
        unknown = set(vals) - set(MOVED_FIELDS)
        if unknown:
            raise ValidationError(
                self.env._(
                    "Only the destination changes together with its secrets, not: %(fields)s.",
                    fields=", ".join(sorted(unknown)),
                )
            )
        before, (source,) = self._destination_text(), self._prepare_endpoints()
        # What a kind fills in by itself would be a change that nobody asked for.
        kept = {name: self[name] for name in DESTINATION_FIELDS}
        self.with_context(insightpulse_rebinding=REBINDING).write({**kept, **vals})
        (target,) = self._prepare_endpoints()
        fields_set = [name for name in SECRET_FIELDS if self.sudo()[TOKEN_FIELDS[name]]]
        items = [{"field": name, "token": source[name], "from": source, "to": target} for name in fields_set]
        results = self.env["insightpulse.sidecar"]._rebind(items)
        errors = [result["error"] for result in results if not result["token"]]
        if errors:
            raise UserError(
                self.env._(
                    "%(name)s was not moved: %(reason)s Type its secrets again at the new place instead.",
                    name=self.name,
                    reason=errors[0] or "",
                )
            )
        self._write_protected(
            {TOKEN_FIELDS[name]: result["token"] for name, result in zip(fields_set, results, strict=True)}
        )
        self.env["insightpulse.audit.entry"]._log(
            "rebind", self, detail=f"{before} → {self._destination_text()} ({', '.join(fields_set) or '-'})"
        )
        return True

    def action_rebind(self):
        """Open the dialog that asks where to."""
        self.ensure_one()
        self._check_group(ADMIN_GROUP)
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Move with Secrets"),
            "res_model": "insightpulse.connection.rebind",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_endpoint_id": self.id},
        }

    def _destination_text(self):
        """For the log: where it points to, without anything secret."""
        parts = (self.connection_type, self.base_url, self.port, self.tls_mode, self.username, self.web_url)
        return " ".join(str(part) for part in parts if part)

    def _carry_over_secrets(self):
        """Seal for this database what another one has sealed, of which this is a copy.

        :return: the endpoints with a secret that does not open, which are left as they are
        """
        self._check_group(ADMIN_GROUP)
        sidecar = self.env["insightpulse.sidecar"]
        from_database = sidecar._foreign_secrets_database()
        if not from_database:
            raise UserError(self.env._("All secrets of this database are its own."))
        # Those of other companies and agencies are moved unseen: half a database would open nowhere.
        endpoints = self.sudo().with_context(active_test=False).search([])
        items, places = [], []
        for endpoint, prepared in zip(endpoints, endpoints._prepare_endpoints(), strict=True):
            for name in SECRET_FIELDS:
                if prepared[name]:
                    items.append({"field": name, "token": prepared[name], "from": prepared, "to": prepared})
                    places.append((endpoint, TOKEN_FIELDS[name]))
        unopened = endpoints.browse()
        for start in range(0, len(items), CARRIED_AT_ONCE):
            end = start + CARRIED_AT_ONCE
            results = sidecar._rebind(items[start:end], from_database)
            for (endpoint, token_name), result in zip(places[start:end], results, strict=True):
                if result["token"]:
                    endpoint._write_protected({token_name: result["token"]})
                else:
                    unopened |= endpoint
        sidecar._carry_over_webhook(from_database)
        moved = endpoints.filtered(lambda endpoint: any(endpoint[token] for token in TOKEN_FIELDS.values())) - unopened
        moved._withdraw_verdict()
        sidecar._set_parameters(secrets_database_uuid=sidecar._database_uuid())
        self.env["insightpulse.audit.entry"]._log(
            "carry_over",
            detail=f"{len(items)} secrets of the database {from_database}; not opened: {len(unopened)} connections",
        )
        return unopened
