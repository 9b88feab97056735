import hashlib
import json
import re
from uuid import uuid4

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.http import request
from odoo.tools import SQL

from ..exceptions import SidecarError, SidecarProblem
from ..tools.probe_outcome import OutcomeInvalid, read_outcomes

# What a secret that is set reads as, over every protocol. Never a value.
SECRET_MASK = "••••••••"
SECRET_FIELDS = ("password", "api_key")
TOKEN_FIELDS = {name: f"{name}_token" for name in SECRET_FIELDS}
SECRET_BYTES = 64 * 1024

# Where a secret may be sent: a sealed one opens for this destination only.
DESTINATION_FIELDS = ("connection_type", "base_url", "port", "tls_mode", "username")
# What a verdict is about.
PROBED_FIELDS = (*DESTINATION_FIELDS, "database_name")

HEALTH_FIELDS = (
    "status",
    "latency_ms",
    "phases",
    "server_version",
    "active_connections",
    "max_connections",
    "last_checked_at",
    "failure_kind",
    "failure_message",
    "failure_advice",
    "last_probe_id",
)
# Nobody writes these by create() or write().
PROTECTED_FIELDS = {"uuid", "revision", *TOKEN_FIELDS.values(), *HEALTH_FIELDS}

# Checked when saving: a size= on the fields would cut what is too long, and a host that was cut is another host.
TEXT_LENGTHS = {"name": 200, "base_url": 2000, "database_name": 200, "username": 200}

# Marks that may stand where a password is, rather than a parser: whoever mistypes an address mistypes its syntax
# as well. A PostgreSQL server needs no "@", "=" or "?". In an HTTP address an "@" may stand in the value of a
# query only, and no key may be named like a secret. What is merely malformed is saved, and Test explains it.
PASSWORD_IN_SERVER = re.compile(r"[@=?]")
PASSWORD_IN_ADDRESS = re.compile(
    r"^[^?]*@|[?&;#][^=&;#]*@"
    r"|(?:token|api[_-]?key|password|passwd|pwd|secret|signature|(?<![\w-])(?:key|sig))\s*=",
    re.IGNORECASE,
)

POSTGRESQL_KINDS = ("supabase", "postgresql", "odoo")
DEFAULT_PORTS = {"supabase": 5432, "postgresql": 5432, "odoo": 5432, "superset": 8088}
DEFAULT_TLS_MODES = {"supabase": "require"}

MANAGER_GROUP = "insightpulse_connection_manager.group_connection_manager"
ADMIN_GROUP = "insightpulse_connection_manager.group_connection_admin"
SIDECAR_GROUP = "insightpulse_connection_manager.group_connection_sidecar"


class ConnectionEndpoint(models.Model):
    _name = "insightpulse.connection.endpoint"
    _description = "Connection Endpoint"
    _order = "sequence, name, id"
    _check_company_auto = True

    name = fields.Char(required=True)
    sequence = fields.Integer(default=100)
    active = fields.Boolean(default=True)
    agency_id = fields.Many2one("insightpulse.agency", index="btree_not_null", ondelete="restrict", check_company=True)
    company_id = fields.Many2one("res.company", index=True, default=lambda self: self.env.company, ondelete="restrict")

    connection_type = fields.Selection(
        [
            ("supabase", "Supabase"),
            ("postgresql", "PostgreSQL"),
            ("odoo", "Odoo Database"),
            ("superset", "Apache Superset"),
            ("mcp", "MCP Server"),
            ("api", "REST API"),
        ],
        string="Kind",
        required=True,
        index=True,
    )
    base_url = fields.Char(
        string="Server", help="A host such as db.example.com, or an address such as https://api.example.com/v1."
    )
    port = fields.Integer(
        compute="_compute_port",
        store=True,
        readonly=False,
        precompute=True,
        aggregator=None,
        help="0 takes the port from the address, or the one that is usual for its kind.",
    )
    tls_mode = fields.Selection(
        [
            ("disable", "Disable"),
            ("prefer", "Prefer"),
            ("require", "Require"),
            ("verify-ca", "Verify authority"),
            ("verify-full", "Verify authority and name"),
        ],
        string="TLS",
        compute="_compute_tls_mode",
        store=True,
        readonly=False,
        precompute=True,
        required=True,
        help="For HTTP, the address decides: https:// or http://.",
    )
    database_name = fields.Char(string="Database")
    username = fields.Char(string="User")
    password = fields.Char(compute="_compute_secrets", compute_sudo=True, readonly=False, trim=False, exportable=False)
    api_key = fields.Char(
        string="API Key", compute="_compute_secrets", compute_sudo=True, readonly=False, trim=False, exportable=False
    )

    # What a secret is bound to, beside the destination
    uuid = fields.Char(string="UUID", required=True, readonly=True, copy=False, default=lambda self: str(uuid4()))
    revision = fields.Integer(
        required=True,
        readonly=True,
        copy=False,
        default=1,
        aggregator=None,
        help="Counts the changes that make an earlier verdict void.",
    )
    # With which revision the form was read that a secret is typed into; see _check_revision_seen
    revision_seen = fields.Integer(store=False, copy=False, exportable=False)
    password_token = fields.Char(readonly=True, copy=False, prefetch=False, groups=fields.NO_ACCESS)
    api_key_token = fields.Char(readonly=True, copy=False, prefetch=False, groups=fields.NO_ACCESS)

    # Written by apply_probe_results() alone
    status = fields.Selection(
        [
            ("draft", "Not tested"),
            ("success", "Connected"),
            ("degraded", "Degraded"),
            ("failed", "Failed"),
        ],
        required=True,
        readonly=True,
        copy=False,
        default="draft",
        index=True,
    )
    latency_ms = fields.Float(string="Latency (ms)", digits=(16, 1), readonly=True, copy=False, aggregator="avg")
    phases = fields.Json(readonly=True, copy=False, help="Milliseconds by phase: resolve, connect, TLS, login, query.")
    server_version = fields.Char(readonly=True, copy=False)
    active_connections = fields.Integer(string="Connections in Use", readonly=True, copy=False)
    max_connections = fields.Integer(string="Connections at Most", readonly=True, copy=False)
    last_checked_at = fields.Datetime(string="Last Tested", readonly=True, copy=False)
    failure_kind = fields.Char(string="Kind of Failure", readonly=True, copy=False)
    failure_message = fields.Char(string="What Happened", readonly=True, copy=False)
    failure_advice = fields.Char(string="What to Do", readonly=True, copy=False)
    last_probe_id = fields.Char(readonly=True, copy=False)

    connection_string = fields.Text(compute="_compute_configurations", exportable=False)
    env_vars = fields.Text(string="Environment", compute="_compute_configurations", exportable=False)
    docker_compose = fields.Text(compute="_compute_configurations", exportable=False)

    _uuid_uniq = models.Constraint("UNIQUE (uuid)", "Two endpoints cannot have the same UUID.")

    @api.depends("connection_type")
    def _compute_port(self):
        """Fill in the kind's usual port, unless somebody typed another one."""
        for endpoint in self:
            if not endpoint.port or endpoint.port in DEFAULT_PORTS.values():
                endpoint.port = DEFAULT_PORTS.get(endpoint.connection_type, 0)

    @api.depends("connection_type")
    def _compute_tls_mode(self):
        """Fill in the kind's usual TLS mode; weaken none that is stored."""
        for endpoint in self:
            usual = DEFAULT_TLS_MODES.get(endpoint.connection_type, "prefer")
            is_usual = endpoint.tls_mode in (False, "prefer", *DEFAULT_TLS_MODES.values())
            if not endpoint.tls_mode or endpoint.tls_mode == "prefer" or (is_usual and not endpoint._origin):
                endpoint.tls_mode = usual

    @api.depends(*TOKEN_FIELDS.values())
    def _compute_secrets(self):
        for endpoint in self:
            for name, token_name in TOKEN_FIELDS.items():
                endpoint[name] = SECRET_MASK if endpoint[token_name] else False

    @api.depends("name", *PROBED_FIELDS, *TOKEN_FIELDS.values())
    def _compute_configurations(self):
        """Ask the sidecar once per format. Without a sidecar there are no configurations, and no error."""
        formats = {"connection_string": "uri", "env_vars": "env", "docker_compose": "compose"}
        self.update(dict.fromkeys(formats, False))
        endpoints = self.filtered(lambda endpoint: endpoint.name and endpoint.connection_type)
        for name, file_format in formats.items():
            try:
                documents = self.env["insightpulse.sidecar"]._render(
                    endpoints._prepare_endpoints(), file_format, combine=False
                )
            except SidecarProblem:
                continue
            except SidecarError:
                break
            for endpoint, document in zip(endpoints, documents, strict=True):
                # Of a connection that makes no sense yet there is nothing to show.
                endpoint[name] = document["content"] or False

    @api.constrains("base_url", "connection_type")
    def _check_base_url(self):
        """Keep passwords out of the server's field, which is stored as it is typed."""
        for endpoint in self:
            is_postgresql = endpoint.connection_type in POSTGRESQL_KINDS
            mark = PASSWORD_IN_SERVER if is_postgresql else PASSWORD_IN_ADDRESS
            if mark.search(endpoint.base_url or ""):
                raise ValidationError(
                    self.env._(
                        "%(name)s: the server looks as if it had a password or a key in it. Type only the server here; "
                        "the user, the password and the key have fields of their own, where they are sealed. "
                        "If a path has an @ in it, write %%40 instead.",
                        name=endpoint.name,
                    )
                )

    @api.constrains(*TEXT_LENGTHS)
    def _check_text_lengths(self):
        for endpoint in self:
            for name, most in TEXT_LENGTHS.items():
                if len(endpoint[name] or "") > most:
                    raise ValidationError(
                        self.env._(
                            "%(field)s: at most %(most)s characters fit, and these are %(count)s.",
                            field=self._fields[name]._description_string(self.env),
                            most=most,
                            count=len(endpoint[name]),
                        )
                    )

    @api.constrains("port")
    def _check_port(self):
        for endpoint in self:
            if not 0 <= endpoint.port <= 65535:
                raise ValidationError(
                    self.env._(
                        "%(name)s: a port is a number from 1 to 65535, or 0 for the usual one; %(port)s is none.",
                        name=endpoint.name,
                        port=endpoint.port,
                    )
                )

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
                        "%(secrets)s. Type it again before saving to keep it.",
                        secrets=", ".join(self._fields[name]._description_string(self.env) for name in kept),
                    ),
                }
            }

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
        before = {endpoint.id: {name: endpoint[name] for name in PROBED_FIELDS} for endpoint in self}
        result = super().write(vals)
        given = {}
        for endpoint in self:
            changed = {name for name in PROBED_FIELDS if endpoint._changed(name, before[endpoint.id])}
            moved = not changed.isdisjoint(DESTINATION_FIELDS)
            all_secrets = dict.fromkeys(SECRET_FIELDS, False) if moved else {}
            given[endpoint] = endpoint._secrets_to_store({**all_secrets, **secrets})
            if changed or given[endpoint]:
                endpoint._withdraw_verdict()
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
        return super().load(fields, data)

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

    def _withdraw_verdict(self):
        """Forget what was found out: it was about another server, or with another secret."""
        for endpoint in self:
            endpoint._write_protected(
                {**dict.fromkeys(HEALTH_FIELDS, False), "status": "draft", "revision": endpoint.revision + 1}
            )

    def _write_protected(self, vals):
        """Write what write() refuses; only for values that this model has made itself."""
        return super(ConnectionEndpoint, self.sudo()).write(vals)  # pylint: disable=super-method-mismatch

    def _changed(self, name, before):
        # An empty text and none are the same destination.
        return (self[name] or False) != (before[name] or False)

    # Testing

    def action_test_connection(self):
        """Ask the sidecar to probe these endpoints; tell what is known when its short wait is over.

        Nothing is written here: the sidecar reports to :meth:`apply_probe_results` by itself.
        """
        self._check_group(MANAGER_GROUP)
        self.check_access("read")
        endpoints = self.exists()
        if not endpoints:
            raise UserError(self.env._("Select the connections to test."))
        results = self.env["insightpulse.sidecar"]._probe(endpoints._prepare_endpoints(), endpoints._request_id())
        results = {result["id"]: result for result in results}
        notification = endpoints._notify_one(results) if len(endpoints) == 1 else endpoints._notify_many(results)
        notification["next"] = {
            "type": "ir.actions.client",
            "tag": "insightpulse_follow_probes",
            "params": {
                "probes": [
                    {
                        "id": endpoint.id,
                        "revision": endpoint.revision,
                        "probe": results[endpoint.id]["probe"],
                        "testing": results[endpoint.id]["state"] == "testing",
                    }
                    for endpoint in endpoints
                ],
            },
        }
        return {"type": "ir.actions.client", "tag": "display_notification", "params": notification}

    def _request_id(self):
        """Return an id that stays the same when Odoo runs this HTTP request again after a conflict,
        and differs for every other test."""
        base = uuid4().hex
        if request:
            # The request outlives the conflict; the transaction and its caches do not.
            base = getattr(request, "_insightpulse_request_id", base)
            request._insightpulse_request_id = base
        subject = [(endpoint.id, endpoint.revision) for endpoint in self]
        return f"{base}-{hashlib.sha256(json.dumps(subject).encode()).hexdigest()[:16]}"

    def _notify_one(self, results):
        result = results[self.id]
        if result["state"] == "testing":
            return {"type": "info", "message": self.env._("Testing %(name)s …", name=self.name)}
        if result["status"] == "failed":
            return {
                "type": "danger",
                "sticky": True,
                "title": self.env._("%(name)s failed", name=self.name),
                "message": self._join_sentences(result.get("failure_message"), result.get("failure_advice")),
            }
        facts = {"name": self.name, "latency": f"{result.get('latency_ms') or 0:.0f}"}
        if result.get("server_version"):
            message = self.env._(
                "Connected to %(name)s in %(latency)s ms (%(version)s)", version=result["server_version"], **facts
            )
        else:
            message = self.env._("Connected to %(name)s in %(latency)s ms", **facts)
        if result["status"] == "degraded":
            reason = self._join_sentences(result.get("failure_message"), result.get("failure_advice"))
            return {"type": "warning", "title": message, "message": reason or self.env._("It answers, but not well.")}
        return {"type": "success", "message": message}

    def _notify_many(self, results):
        statuses = [result.get("status") or "testing" for result in results.values()]
        labels = {
            "success": self.env._("%(count)s connected", count=statuses.count("success")),
            "degraded": self.env._("%(count)s degraded", count=statuses.count("degraded")),
            "failed": self.env._("%(count)s failed", count=statuses.count("failed")),
            "testing": self.env._("%(count)s still being tested", count=statuses.count("testing")),
        }
        worst = next(status for status in ("failed", "degraded", "testing", "success") if status in statuses)
        types = {"failed": "danger", "degraded": "warning", "testing": "info", "success": "success"}
        return {
            "type": types[worst],
            "title": self.env._("%(count)s connections tested", count=len(self)),
            "message": ", ".join(label for status, label in labels.items() if status in statuses),
        }

    @api.model
    def _join_sentences(self, *sentences):
        return " ".join(
            sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."
            for sentence in sentences
            if sentence
        )

    @api.model
    def apply_probe_results(self, results):
        """Write what the sidecar found out. It alone may call this.

        An outcome is ignored when its endpoint is gone or was changed since, or when a newer one is known.

        :param list results: outcomes, as ARCHITECTURE.md has them
        :return: ``{"applied": [ids], "ignored": [ids]}``
        """
        self._check_group(SIDECAR_GROUP)
        try:
            outcomes = read_outcomes(results)
        except OutcomeInvalid as error:
            raise ValidationError(self.env._("Not an outcome of a probe: %(reason)s", reason=str(error))) from None
        applied = set(self._apply_outcomes(outcomes)) if outcomes else set()
        if applied:
            endpoints = self.browse(sorted(applied))
            endpoints.invalidate_recordset(HEALTH_FIELDS, flush=False)
            endpoints._notify_changed()
        return {
            "applied": sorted(applied),
            "ignored": sorted(outcome["id"] for outcome in outcomes if outcome["id"] not in applied),
        }

    @api.model
    def _apply_outcomes(self, outcomes):
        """Store the outcomes by one statement, whatever their number; return the ids of the endpoints that took one."""
        self.flush_model(["uuid", "revision", *HEALTH_FIELDS])
        columns = {
            "status": "text",
            "latency_ms": "float8",
            "phases": "jsonb",
            "server_version": "text",
            "active_connections": "int4",
            "max_connections": "int4",
            "last_checked_at": "timestamp",
            "failure_kind": "text",
            "failure_message": "text",
            "failure_advice": "text",
            "last_probe_id": "text",
        }
        rows = self.env.execute_query(
            SQL(
                """
                UPDATE %(table)s AS endpoint
                   SET %(assignments)s
                  FROM jsonb_to_recordset(%(outcomes)s::jsonb)
                       AS outcome(id int4, uuid text, revision int4, %(columns)s)
                 WHERE endpoint.id = outcome.id
                   AND endpoint.uuid = outcome.uuid
                   AND endpoint.revision = outcome.revision
                   AND (endpoint.last_probe_id IS NULL
                        OR endpoint.last_probe_id COLLATE "C" < outcome.last_probe_id COLLATE "C")
             RETURNING endpoint.id
                """,
                table=SQL.identifier(self._table),
                assignments=SQL(", ").join(
                    SQL("%s = outcome.%s", SQL.identifier(name), SQL.identifier(name)) for name in columns
                ),
                columns=SQL(", ").join(SQL("%s %s", SQL.identifier(name), SQL(kind)) for name, kind in columns.items()),
                outcomes=json.dumps(outcomes),
            )
        )
        return [endpoint_id for (endpoint_id,) in rows]

    def _notify_changed(self):
        """Tell the browsers of those who may see endpoints which ones to read again; nothing else is told."""
        group = self.env.ref(MANAGER_GROUP, raise_if_not_found=False)
        if group:
            group.sudo()._bus_send("insightpulse.endpoint/changed", {"ids": self.ids})

    # Configurations

    def render_config(self, format, reveal=False):
        """Return these endpoints' configuration, with placeholders in the secrets' place.

        :param str format: one of the sidecar's formats, such as ``uri``, ``env``, ``compose``
        :return: ``{"filename", "mimetype", "content"}``
        """
        self._check_group(MANAGER_GROUP)
        self.check_access("read")
        if reveal:
            self._check_group(ADMIN_GROUP)
            raise UserError(
                self.env._("Secrets cannot be revealed yet: this comes together with the log of who revealed them.")
            )
        if not isinstance(format, str) or not format or len(format) > 64:
            raise ValidationError(self.env._("A format is a name such as uri, env or compose."))
        if not self:
            raise UserError(self.env._("Select the connections to write a configuration for."))
        (document,) = self.env["insightpulse.sidecar"]._render(self._prepare_endpoints(), format, combine=len(self) > 1)
        return {key: document[key] for key in ("filename", "mimetype", "content")}

    @api.model
    def generate_env_file(self):
        """Return the ``.env`` of all endpoints that the user may read, as text."""
        self._check_group(MANAGER_GROUP)
        endpoints = self.search([])  # pylint: disable=no-search-all
        documents = self.env["insightpulse.sidecar"]._render(endpoints._prepare_endpoints(), "env", combine=True)
        return documents[0]["content"] if documents else ""

    @api.model
    def get_connection_health_dashboard(self):
        """Return how many endpoints the user may read, by status and by kind."""
        groups = self._read_group([], ["connection_type", "status"], ["__count"])
        by_type = dict.fromkeys(dict(self._fields["connection_type"].selection), 0)
        by_status = dict.fromkeys(dict(self._fields["status"].selection), 0)
        for kind, status, count in groups:
            by_type[kind] += count
            by_status[status] += count
        return {
            "total": sum(by_status.values()),
            "active": by_status["success"],
            "degraded": by_status["degraded"],
            "failed": by_status["failed"],
            "not_tested": by_status["draft"],
            "by_type": by_type,
        }

    # Helpers

    def _prepare_endpoints(self):
        """Return these endpoints as the sidecar reads them: as stored, secrets sealed."""
        return [
            {
                "id": endpoint.id or endpoint._origin.id or 0,
                "record": endpoint.uuid,
                "revision": endpoint.revision,
                "name": endpoint.name,
                "kind": endpoint.connection_type,
                "base_url": endpoint.base_url or None,
                "port": endpoint.port or None,
                "tls_mode": endpoint.tls_mode,
                "username": endpoint.username or None,
                "database_name": endpoint.database_name or None,
                "password": endpoint.password_token or None,
                "api_key": endpoint.api_key_token or None,
            }
            for endpoint in self.sudo()
        ]

    @api.model
    def _check_group(self, group):
        if not self.env.su and not self.env.user.has_group(group):
            raise AccessError(
                self.env._(
                    "This needs the right “%(group)s”. An administrator can grant it under Settings → Users.",
                    group=self.env.ref(group).sudo().name,
                )
            )
