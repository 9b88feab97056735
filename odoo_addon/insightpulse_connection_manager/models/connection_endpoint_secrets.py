import re
from uuid import uuid4

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from .connection_endpoint import (
    ADMIN_GROUP,
    DESTINATION_FIELDS,
    HEALTH_FIELDS,
    PROBED_FIELDS,
    PROTECTED_FIELDS,
    SECRET_BYTES,
    SECRET_FIELDS,
    SECRET_MASK,
    TOKEN_FIELDS,
)

# In the context of a write whose secrets move along. Compared by identity: no context from outside can have it.
REBINDING = object()


class ConnectionEndpointSecrets(models.Model):
    """Keeps an endpoint's secrets: written in plaintext, stored sealed, read as a mask, cleared by a new destination."""

    _inherit = "insightpulse.connection.endpoint"

    password = fields.Char(compute="_compute_secrets", compute_sudo=True, readonly=False, trim=False, exportable=False)
    api_key = fields.Char(
        string="API Key", compute="_compute_secrets", compute_sudo=True, readonly=False, trim=False, exportable=False
    )
    client_key = fields.Char(
        string="Private Key",
        compute="_compute_secrets",
        compute_sudo=True,
        readonly=False,
        trim=False,
        exportable=False,
        help="The private key of the client certificate, in PEM, without a passphrase.",
    )
    # With which revision the form was read that a secret is typed into; see _check_revision_seen
    revision_seen = fields.Integer(store=False, copy=False, exportable=False)
    password_token = fields.Char(readonly=True, copy=False, prefetch=False, groups=fields.NO_ACCESS)
    api_key_token = fields.Char(readonly=True, copy=False, prefetch=False, groups=fields.NO_ACCESS)
    client_key_token = fields.Char(readonly=True, copy=False, prefetch=False, groups=fields.NO_ACCESS)

    @api.depends(*TOKEN_FIELDS.values())
    def _compute_secrets(self):
        for endpoint in self:
            for name, token_name in TOKEN_FIELDS.items():
                endpoint[name] = SECRET_MASK if endpoint[token_name] else False

    @api.onchange(*DESTINATION_FIELDS)
    def _onchange_destination(self):
        origin = self._origin.sudo()
        kept = [name for name in SECRET_FIELDS if origin[TOKEN_FIELDS[name]] and self[name] == SECRET_MASK]
        if kept and any(self._changed(name, origin) for name in DESTINATION_FIELDS):
            return {
                "warning": {
                    "type": "notification",
                    "title": self.env._("Secrets will be removed"),
                    "message": self.env._(
                        "A secret belongs to the server that it was typed for. Saving this change removes: "
                        "%(secrets)s. Type it again before saving to keep it.%(rebind)s",
                        rebind=self._rebind_hint(),
                        secrets=", ".join(self._fields[name]._description_string(self.env) for name in kept),
                    ),
                }
            }

    @api.model
    def _rebind_hint(self):
        if not self.env.user.has_group(ADMIN_GROUP):
            return ""
        return " " + self.env._("Or discard this, and press “Move with Secrets” to take it along.")

    # CRUD

    @api.model
    def default_get(self, fields):
        """Offer no default for what only the sidecar may say, or for a secret."""
        return {
            name: value
            for name, value in super().default_get(fields).items()
            if name in ("uuid", "revision", "status") or (name not in PROTECTED_FIELDS and name not in SECRET_FIELDS)
        }

    @api.model_create_multi
    def create(self, vals_list):
        vals_list = [dict(vals) for vals in vals_list]
        self._refuse_protected(vals_list)
        secrets = [self._take_secrets(vals) for vals in vals_list]
        for vals in vals_list:
            vals.pop("revision_seen", None)
            # Said here, so that no default of a user or of a context takes their place.
            vals.update(uuid=str(uuid4()), revision=1, status="draft")
        endpoints = super().create(vals_list)
        endpoints._seal_secrets(
            {endpoint: endpoint._secrets_to_store(values) for endpoint, values in zip(endpoints, secrets, strict=True)}
        )
        return endpoints

    def write(self, vals):
        vals = dict(vals)
        self._refuse_protected([vals])
        secrets = self._take_secrets(vals)
        self._check_revision_seen(vals.pop("revision_seen", None), secrets)
        if not secrets and vals.keys().isdisjoint(PROBED_FIELDS):
            return super().write(vals)
        is_rebinding = self.env.context.get("insightpulse_rebinding") is REBINDING
        before = {endpoint.id: {name: endpoint[name] for name in PROBED_FIELDS} for endpoint in self}
        result = super().write(vals)
        given = {}
        for endpoint in self:
            changed = {name for name in PROBED_FIELDS if endpoint._changed(name, before[endpoint.id])}
            moved = not is_rebinding and not changed.isdisjoint(DESTINATION_FIELDS)
            all_secrets = dict.fromkeys(SECRET_FIELDS, False) if moved else {}
            given[endpoint] = endpoint._secrets_to_store({**all_secrets, **secrets})
            if changed or given[endpoint]:
                endpoint._withdraw_verdict()
            losing = self.env.context.get("insightpulse_losing")
            # Over RPC, a context may have anything under that name.
            if moved and isinstance(losing, list) and not all(given[endpoint].values()):
                losing.append(endpoint.name)
        self._seal_secrets(given)
        return result

    def _refuse_protected(self, vals_list):
        names = PROTECTED_FIELDS.intersection(name for vals in vals_list for name in vals)
        if names:
            raise UserError(
                self.env._(
                    "Only a test of the connection writes its health, and nobody writes: %(fields)s.",
                    fields=", ".join(sorted(names)),
                )
            )

    @api.model
    def load(self, fields, data):
        if any(re.split(r"[/.:]", str(name))[0] in SECRET_FIELDS for name in fields):
            message = {"type": "error", "message": self._secrets_in_file(), "record": False, "not_matching_error": True}
            return {"ids": False, "messages": [message], "nextrow": 0}
        # A list in the context, which write() adds to: the import says before saving what it costs.
        losing = []
        result = super(ConnectionEndpointSecrets, self.with_context(insightpulse_losing=losing)).load(fields, data)
        if losing and result.get("ids"):
            names = sorted(set(losing))
            message = self.env._(
                "A changed destination removes the stored secrets of: %(names)s. Type them again after the import.",
                names=", ".join(names[:20]) + (" …" if len(names) > 20 else ""),
            )
            result["messages"].append({"type": "warning", "message": message, "record": False})
        return result

    @api.model
    def _secrets_in_file(self):
        return self.env._(
            "Passwords and keys cannot come from a file, which Odoo keeps for a while. "
            "Take the column out, import the rest, then set them in the form or over the API."
        )

    def _check_revision_seen(self, revision_seen, secrets):
        """Refuse a secret that was typed into a form which showed another server than the one that is stored.

        Otherwise somebody could move the server under an open form, and the secret would be sealed for a place
        that its owner never saw. Only a form tells what it showed: whoever writes a secret over RPC without
        `revision_seen` answers for the server that is stored at that moment.
        """
        if not revision_seen or not any(secrets.values()):
            return
        if any(endpoint.revision != revision_seen for endpoint in self):
            raise UserError(
                self.env._(
                    "This connection was changed by someone else in the meantime. "
                    "Reload it, look at where it points to, and type the password again."
                )
            )

    @api.model
    def _take_secrets(self, vals):
        """Take the secrets out of `vals`; return those to be set, or with False to be cleared."""
        secrets = {}
        for name in SECRET_FIELDS:
            if name not in vals:
                continue
            value = vals.pop(name)
            if value == SECRET_MASK:
                continue
            if value and not isinstance(value, str):
                raise ValidationError(self.env._("A secret is a text."))
            if value and len(value.encode(errors="surrogatepass")) > SECRET_BYTES:
                raise ValidationError(
                    self.env._("A secret has at most %(most)s KiB, and this one is longer.", most=SECRET_BYTES // 1024)
                )
            if value and SECRET_MASK in value:
                raise ValidationError(
                    self.env._("The new secret has the dots in it that stand for the old one. Type the whole secret.")
                )
            secrets[name] = value or False
        return secrets

    def _secrets_to_store(self, secrets):
        """Return those of `secrets` that change something: the new ones, and the cleared ones that are set."""
        return {name: value for name, value in secrets.items() if value or self.sudo()[TOKEN_FIELDS[name]]}

    @api.model
    def _seal_secrets(self, secrets):
        """Store each endpoint's secrets, sealed for what the endpoint is now, by one call to the sidecar.

        :param secrets: ``{endpoint: {field: plaintext, or False to clear}}``
        """
        items, places = [], []
        self._log_secrets(secrets)
        for endpoint, values in secrets.items():
            cleared = {TOKEN_FIELDS[name]: False for name, value in values.items() if not value}
            if cleared:
                endpoint._write_protected(cleared)
            for name, value in values.items():
                if value:
                    items.append({"field": name, "secret": value, "endpoint": endpoint._prepare_endpoints()[0]})
                    places.append((endpoint, TOKEN_FIELDS[name]))
        tokens = self.env["insightpulse.sidecar"]._seal(items)
        for (endpoint, token_name), token in zip(places, tokens, strict=True):
            endpoint._write_protected({token_name: token})

    @api.model
    def _log_secrets(self, secrets):
        """Log whose secrets are set and cleared, by one statement for each that differs."""
        groups = {}
        for endpoint, values in secrets.items():
            for action, is_set in (("secret_set", True), ("secret_cleared", False)):
                names = ", ".join(name for name, value in values.items() if bool(value) == is_set)
                if names:
                    groups.setdefault((action, names), []).append(endpoint.id)
        for (action, names), ids in groups.items():
            self.env["insightpulse.audit.entry"]._log(action, self.browse(ids), detail=names)

    def _withdraw_verdict(self):
        """Forget what was found out: it was about another server, or with another secret."""
        for endpoint in self:
            endpoint._write_protected(
                {**dict.fromkeys(HEALTH_FIELDS, False), "status": "draft", "revision": endpoint.revision + 1}
            )

    def _write_protected(self, vals):
        """Write what write() refuses; only for values that this model has made itself."""
        return super(ConnectionEndpointSecrets, self.sudo()).write(vals)  # pylint: disable=super-method-mismatch

    def _changed(self, name, before):
        # An empty text and none are the same destination.
        return (self[name] or False) != (before[name] or False)
