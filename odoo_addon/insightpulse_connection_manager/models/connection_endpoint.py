import logging
import re
from uuid import uuid4

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..exceptions import SidecarError, SidecarProblem

_logger = logging.getLogger(__name__)

# What a secret that is set reads as, over every protocol. Never a value.
SECRET_MASK = "••••••••"
SECRET_FIELDS = ("password", "api_key", "client_key")
TOKEN_FIELDS = {name: f"{name}_token" for name in SECRET_FIELDS}
SECRET_BYTES = 64 * 1024

# Where a secret may be sent: a sealed one opens for this destination only.
DESTINATION_FIELDS = ("connection_type", "base_url", "port", "tls_mode", "username", "web_url", "tls_authority")
THRESHOLD_FIELDS = ("slow_ms", "certificate_days", "connections_percent", "replica_lag_s")
# What else a probe has to know, and the sidecar knows by the same name.
OPTION_FIELDS = (
    "client_certificate",
    "is_replica",
    "pooler_host",
    "sign_in",
    "key_header",
    "expected_status",
    "expected_path",
    "expected_text",
)
# What a verdict is about.
PROBED_FIELDS = (*DESTINATION_FIELDS, "database_name", *OPTION_FIELDS, *THRESHOLD_FIELDS)

HEALTH_FIELDS = (
    "status",
    "latency_ms",
    "phases",
    "server_version",
    "active_connections",
    "max_connections",
    "last_checked_at",
    "failure_kind",
    "failure_text",
    "failure_hint",
    "explanations",
    "facts",
    "certificate_expires_at",
    "last_probe_id",
    "status_since",
    "unconfirmed_count",
    "unconfirmed_needed",
    "is_flapping",
)
# Nobody writes these by create() or write().
PROTECTED_FIELDS = {"failure_message", "failure_advice", "uuid", "revision", *TOKEN_FIELDS.values(), *HEALTH_FIELDS}

# Checked when saving: a size= on the fields would cut what is too long, and a host that was cut is another host.
TEXT_LENGTHS = {
    "name": 200,
    "base_url": 2000,
    "web_url": 2000,
    "pooler_host": 300,
    "database_name": 200,
    "username": 200,
    "key_header": 100,
    "expected_status": 100,
    "expected_path": 500,
    "expected_text": 500,
}

# Marks that may stand where a password is, rather than a parser: whoever mistypes an address mistypes its syntax
# as well. A database server needs no "@", "=" or "?". In an HTTP address an "@" may stand in the value of a
# query only, and no key may be named like a secret. What is merely malformed is saved, and Test explains it.
PASSWORD_IN_SERVER = re.compile(r"[@=?]")
PASSWORD_IN_ADDRESS = re.compile(
    r"^[^?]*@|[?&;#][^=&;#]*@"
    r"|(?:token|api[_-]?key|password|passwd|pwd|secret|signature|(?<![\w-])(?:key|sig))\s*=",
    re.IGNORECASE,
)

POSTGRESQL_KINDS = ("supabase", "postgresql", "odoo")
DATABASE_KINDS = ("supabase", "postgresql", "odoo", "mysql", "mongodb")
# What has a second half, at an address of its own.
WEB_KINDS = ("supabase", "odoo")
DEFAULT_PORTS = {"supabase": 5432, "postgresql": 5432, "odoo": 5432, "superset": 8088, "mysql": 3306, "mongodb": 27017}
DEFAULT_TLS_MODES = {"supabase": "require"}

# The least right to work with connections: of one's agencies, or of all.
AGENCY_GROUP = "insightpulse_connection_manager.group_connection_agency"
MANAGER_GROUP = "insightpulse_connection_manager.group_connection_manager"
ADMIN_GROUP = "insightpulse_connection_manager.group_connection_admin"
SIDECAR_GROUP = "insightpulse_connection_manager.group_connection_sidecar"

# Of a refused attempt on many records, so many are named in the log.
DENIED_LOGGED = 5


class ConnectionEndpoint(models.Model):
    _name = "insightpulse.connection.endpoint"
    _description = "Connection Endpoint"
    _order = "sequence, name, id"
    _check_company_auto = True

    name = fields.Char(required=True)
    sequence = fields.Integer(default=100)
    active = fields.Boolean(default=True)
    agency_id = fields.Many2one(
        "insightpulse.agency",
        index="btree_not_null",
        ondelete="restrict",
        check_company=True,
        default=lambda self: self._default_agency_id(),
    )
    company_id = fields.Many2one("res.company", index=True, default=lambda self: self.env.company, ondelete="restrict")

    connection_type = fields.Selection(
        [
            ("supabase", "Supabase"),
            ("postgresql", "PostgreSQL"),
            ("odoo", "Odoo Database"),
            ("superset", "Apache Superset"),
            ("mcp", "MCP Server"),
            ("api", "REST API"),
            ("mysql", "MySQL / MariaDB"),
            ("mongodb", "MongoDB"),
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
            is_database = endpoint.connection_type in DATABASE_KINDS
            mark = PASSWORD_IN_SERVER if is_database else PASSWORD_IN_ADDRESS
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

    # Configurations

    def render_config(self, format, reveal=False):
        """Return these endpoints' configuration, with placeholders in the secrets' place.

        :param str format: one of the sidecar's formats, such as ``uri``, ``env``, ``compose``
        :param bool reveal: with the secrets themselves; for Connection Administrators, and logged
        :return: ``{"filename", "mimetype", "content"}``
        """
        self._check_group(AGENCY_GROUP)
        self.check_access("read")
        if reveal:
            self._check_group(ADMIN_GROUP)
        if not isinstance(format, str) or not format or len(format) > 64:
            raise ValidationError(self.env._("A format is a name such as uri, env or compose."))
        if not self:
            raise UserError(self.env._("Select the connections to write a configuration for."))
        if reveal:
            # In this transaction: Odoo answers only once it is committed.
            self.env["insightpulse.audit.entry"]._log("reveal", self, file_format=format)
        (document,) = self.env["insightpulse.sidecar"]._render(
            self._prepare_endpoints(), format, combine=len(self) > 1, reveal=bool(reveal)
        )
        if document.get("error"):
            raise UserError(f"{self.name}: {document['error']}" if len(self) == 1 else document["error"])
        return {key: document[key] for key in ("filename", "mimetype", "content")}

    @api.model
    def generate_env_file(self):
        """Return the ``.env`` of all endpoints that the user may read, as text."""
        self._check_group(AGENCY_GROUP)
        endpoints = self.search([])  # pylint: disable=no-search-all
        if not endpoints:
            return ""
        # Of one alone, too, it is a file of all.
        (document,) = self.env["insightpulse.sidecar"]._render(endpoints._prepare_endpoints(), "env", combine=True)
        if document.get("error"):
            raise UserError(document["error"])
        return document["content"]

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
                "client_key": endpoint.client_key_token or None,
            }
            for endpoint in self.sudo()
        ]

    @api.model
    def _without_none(self, rows):
        """Leave out what is not there: Odoo's XML-RPC has no way to write a None."""
        return [{name: value for name, value in row.items() if value is not None} for row in rows]

    @api.model
    def _default_agency_id(self):
        """Return the agency of somebody who works for one alone."""
        if not self._is_held_to_agencies():
            return False
        agencies = self.env["insightpulse.agency"].search([("member_ids", "in", self.env.uid)], limit=2)
        return agencies if len(agencies) == 1 else False

    @api.model
    def _is_held_to_agencies(self):
        user = self.env.user
        return user.has_group(AGENCY_GROUP) and not user.has_group(MANAGER_GROUP)

    @api.model_create_multi
    def create(self, vals_list):
        if not self.env.su and self._is_held_to_agencies() and not self.env["insightpulse.agency"].search_count([]):
            raise UserError(
                self.env._(
                    "You work for no agency yet, so no connection could be yours. "
                    "A Connection Administrator can add you under Configuration → Agencies."
                )
            )
        return super().create(vals_list)

    def write(self, vals):
        result = super().write(vals)
        if not vals.keys().isdisjoint(("agency_id", "company_id")):
            # Odoo looks at the rules before a write; nobody may put a record where its rules would not let them.
            self.check_access("write")
        return result

    def check_access(self, operation):
        try:
            return super().check_access(operation)
        except AccessError:
            self._log_denied(self.env._("%(operation)s records", operation=operation))
            raise

    def _log_denied(self, what):
        """Log that somebody lacks a right. It must not make another error of that one."""
        try:
            endpoints = self.filtered("id")[:DENIED_LOGGED].sudo().exists()
            self.env["insightpulse.audit.entry"]._log_denied(what, endpoints)
        except Exception:
            _logger.exception("A refused attempt could not be logged")

    @api.model
    def _check_group(self, group):
        if not self.env.su and not self.env.user.has_group(group):
            self._log_denied(self.env.ref(group).sudo().name)
            raise AccessError(
                self.env._(
                    "This needs the right “%(group)s”. An administrator can grant it under Settings → Users.",
                    group=self.env.ref(group).sudo().name,
                )
            )
