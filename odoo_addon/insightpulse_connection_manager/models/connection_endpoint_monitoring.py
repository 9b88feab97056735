import hashlib
import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from .connection_endpoint import AGENCY_GROUP, PROBED_FIELDS, SECRET_FIELDS, SIDECAR_GROUP, TOKEN_FIELDS

CADENCE_FIELDS = ("interval_s", "timeout_ms", "failure_threshold", "success_threshold")
CADENCE_LIMITS = {
    "interval_s": (5, 7 * 86_400),
    "timeout_ms": (100, 60_000),
    "failure_threshold": (1, 100),
    "success_threshold": (1, 100),
}
# What the sidecar has to know soon when it changes.
MONITORED_FIELDS = {
    *PROBED_FIELDS,
    *SECRET_FIELDS,
    *CADENCE_FIELDS,
    "name",
    "active",
    "agency_id",
    "is_paused",
    "window_ids",
}
# How often each kind is tested, in seconds, where nobody says otherwise.
INTERVAL = 30
INTERVALS = {"superset": 60, "mcp": 300}
PAGE_MAX = 10_000
# So many intervals without a result are a silence.
SILENT_INTERVALS = 4
SILENT_AT_LEAST = timedelta(minutes=5)


class ConnectionEndpointMonitoring(models.Model):
    """Has connections tested all the time: how often, when not, and who is responsible."""

    _name = "insightpulse.connection.endpoint"
    _inherit = ["insightpulse.connection.endpoint", "mail.thread", "mail.activity.mixin"]

    is_paused = fields.Boolean(string="Paused", help="Tested by hand alone, and nobody is told anything.")
    owner_id = fields.Many2one(
        "res.users",
        string="Responsible",
        default=lambda self: self._default_owner_id(),
        ondelete="set null",
        domain=[("share", "=", False)],
        help="Gets an activity when the connection fails, which is closed when it answers again.",
    )
    interval_s = fields.Integer(string="Test Every (s)", aggregator=None, help="0 is the usual, as the Settings say.")
    timeout_ms = fields.Integer(string="Timeout (ms)", aggregator=None, help="0 is the usual, as the Settings say.")
    failure_threshold = fields.Integer(
        string="Failures Before Red", aggregator=None, help="In a row. 0 is the usual, as the Settings say."
    )
    success_threshold = fields.Integer(
        string="Successes Before Green", aggregator=None, help="In a row. 0 is the usual, as the Settings say."
    )
    window_ids = fields.Many2many(
        "insightpulse.maintenance.window",
        "insightpulse_maintenance_endpoint",
        "endpoint_id",
        "window_id",
        string="Maintenance Windows",
        check_company=True,
    )

    # Written by apply_probe_results() alone
    status_since = fields.Datetime(string="Since", readonly=True, copy=False)
    unconfirmed_count = fields.Integer(readonly=True, copy=False, aggregator=None)
    unconfirmed_needed = fields.Integer(readonly=True, copy=False, aggregator=None)
    is_flapping = fields.Boolean(string="Flapping", readonly=True, copy=False)

    unconfirmed = fields.Char(string="Not Confirmed Yet", compute="_compute_unconfirmed")
    monitoring = fields.Selection(
        [
            ("on", "Monitored"),
            ("paused", "Paused"),
            ("maintenance", "Maintenance"),
            ("silent", "No Results"),
            ("off", "Not Monitored"),
        ],
        compute="_compute_monitoring",
    )
    event_ids = fields.One2many("insightpulse.connection.event", "endpoint_id", string="Events")

    def init(self):
        """Leave room on each page for rows that are written all the time, so that their indexes stay as they are."""
        super().init()
        self.env.cr.execute(SQL("ALTER TABLE %s SET (fillfactor = 70)", SQL.identifier(self._table)))

    @api.model
    def _default_owner_id(self):
        """Return who makes the connection, if that is a person."""
        user = self.env.user
        return user if user.active and user._is_internal() else False

    @api.constrains(*CADENCE_FIELDS)
    def _check_cadence(self):
        for endpoint in self:
            for name, (least, most) in CADENCE_LIMITS.items():
                if endpoint[name] and not least <= endpoint[name] <= most:
                    raise ValidationError(
                        self.env._(
                            "%(name)s: %(field)s is a number from %(least)s to %(most)s, or 0 for the usual one.",
                            name=endpoint.name,
                            field=self._fields[name]._description_string(self.env),
                            least=least,
                            most=most,
                        )
                    )

    @api.depends("status", "unconfirmed_count", "unconfirmed_needed")
    @api.depends_context("lang")
    def _compute_unconfirmed(self):
        for endpoint in self:
            numbers = {"count": endpoint.unconfirmed_count, "needed": endpoint.unconfirmed_needed}
            if not endpoint.unconfirmed_needed:
                endpoint.unconfirmed = False
            elif endpoint.status == "failed":
                endpoint.unconfirmed = self.env._("Answers again: %(count)s of %(needed)s tests", **numbers)
            elif endpoint.failure_kind and not endpoint.latency_ms:
                endpoint.unconfirmed = self.env._("Does not answer: %(count)s of %(needed)s tests", **numbers)
            else:
                endpoint.unconfirmed = self.env._("Well again: %(count)s of %(needed)s tests", **numbers)

    @api.depends("active", "is_paused", "window_ids", "agency_id", "last_checked_at", "interval_s", "status")
    def _compute_monitoring(self):
        """Say whether what is shown is fresh: a green card that nobody tests any more would be a lie."""
        now = fields.Datetime.now()
        is_on = self._is_monitoring_on()
        windows = self.env["insightpulse.maintenance.window"].sudo().search([]) if is_on else []
        is_away = [window._subject_test() for window in windows if window._covers(now)]
        usual = self._cadence_defaults().get("interval_s")
        for endpoint in self:
            of_kind = INTERVALS.get(endpoint.connection_type, INTERVAL)
            interval = timedelta(seconds=endpoint.interval_s or usual or of_kind)
            if not is_on or not endpoint.active:
                endpoint.monitoring = "off"
            elif endpoint.is_paused:
                endpoint.monitoring = "paused"
            elif any(is_for(endpoint) for is_for in is_away):
                endpoint.monitoring = "maintenance"
            elif endpoint.last_checked_at and (
                now - endpoint.last_checked_at > max(SILENT_INTERVALS * interval, SILENT_AT_LEAST)
            ):
                endpoint.monitoring = "silent"
            else:
                endpoint.monitoring = "on"

    def action_pause(self):
        """Leave these connections alone until somebody resumes them."""
        self._check_group(AGENCY_GROUP)
        self.write({"is_paused": True})
        return True

    def action_resume(self):
        """Test these connections again, and at once."""
        self._check_group(AGENCY_GROUP)
        self.write({"is_paused": False})
        return True

    # In step with the sidecar

    @api.model
    def monitored_versions(self, after_id, limit):
        """Return which connections are to be monitored, and what tells whether one has changed.

        :return: ``{"database": uuid, "rules": text, "rows": [[id, uuid, version]]}``, by id, from `after_id` on; and
            ``"webhook"``, an endpoint, where one is set up
        """
        self._check_group(SIDECAR_GROUP)
        self.flush_model()
        limit = max(0, min(int(limit), PAGE_MAX))
        rows = self.env.execute_query(self._versions_query(SQL("id > %s ORDER BY id LIMIT %s", int(after_id), limit)))
        answer = {
            "database": self.env["insightpulse.sidecar"]._database_uuid(),
            "rules": self._monitoring_rules(),
            "rows": [list(row) for row in rows] if self._is_monitoring_on() else [],
        }
        webhook = self.env["insightpulse.sidecar"]._prepare_webhook()
        # XML-RPC has no way to write a None.
        return {**answer, "webhook": webhook} if webhook else answer

    @api.model
    def monitored_endpoints(self, endpoint_ids):
        """Return those of these connections that are to be monitored, as the sidecar reads them."""
        self._check_group(SIDECAR_GROUP)
        if not isinstance(endpoint_ids, list) or not all(type(one) is int for one in endpoint_ids):
            raise ValidationError(self.env._("A list of ids."))
        if not endpoint_ids or not self._is_monitoring_on():
            return []
        self.flush_model()
        rows = self.env.execute_query(self._versions_query(SQL("id IN %s ORDER BY id", tuple(endpoint_ids[:PAGE_MAX]))))
        rules = self._monitoring_rules()
        versions = {endpoint_id: f"{rules}{version}" for endpoint_id, _uuid, version in rows}
        prepared = self.sudo().browse(versions)._prepare_monitored()
        return self._without_none({**values, "version": versions[values["id"]]} for values in prepared)

    def _prepare_monitored(self):
        """Return these endpoints with what a schedule needs, for each in their order."""
        windows = [
            (window._subject_test(), window._prepare_window())
            for window in self.env["insightpulse.maintenance.window"].sudo().search([])
        ]
        return [
            {
                **prepared,
                "agency": endpoint.agency_id.id or None,
                "is_paused": endpoint.is_paused,
                "windows": [prepared_window for is_for, prepared_window in windows if is_for(endpoint)],
                "status": endpoint.status if endpoint.status != "draft" else None,
                "last_probe": endpoint.last_probe_id or None,
            }
            for endpoint, prepared in zip(self, self._prepare_endpoints(), strict=True)
        ]

    def _prepare_endpoints(self):
        prepared = super()._prepare_endpoints()
        usual = self._cadence_defaults()
        for endpoint, values in zip(self.sudo(), prepared, strict=True):
            # What neither says is left out: the sidecar has the usual of its kind.
            cadence = {name: endpoint[name] or usual.get(name) for name in CADENCE_FIELDS}
            values.update({name: value for name, value in cadence.items() if value})
        return prepared

    @api.model
    def _versions_query(self, condition):
        """Select id, uuid and a version that changes with whatever the sidecar has to read again."""
        columns = ["write_date", "revision", "agency_id", *TOKEN_FIELDS.values()]
        return SQL(
            "SELECT id, uuid, left(md5(concat_ws('|', %s)), 12) FROM %s WHERE active AND %s",
            SQL(", ").join(SQL.identifier(name) for name in columns),
            SQL.identifier(self._table),
            condition,
        )

    @api.model
    def _monitoring_rules(self):
        """Return a text that changes with what counts for all connections."""
        windows = self.env["insightpulse.maintenance.window"].sudo().search([], order="id")
        known = [[window.id, str(window.write_date)] for window in windows]
        text = json.dumps([self._cadence_defaults(), known], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @api.model
    def _is_monitoring_on(self):
        return self.env["ir.config_parameter"].sudo().get_param("insightpulse.monitoring", "True") != "False"

    @api.model
    def _cadence_defaults(self):
        """Return what the Settings say; what they leave out is the usual of each kind."""
        parameters = self.env["ir.config_parameter"].sudo()
        defaults = {}
        for name, (least, most) in CADENCE_LIMITS.items():
            value = parameters.get_param(f"insightpulse.{name}")
            if value and value.isdigit() and least <= int(value) <= most:
                defaults[name] = int(value)
        return defaults

    @api.model_create_multi
    def create(self, vals_list):
        endpoints = super().create(vals_list)
        endpoints._subscribe_owners()
        self.env["insightpulse.sidecar"]._tell_changed(endpoints.ids)
        return endpoints

    def write(self, vals):
        result = super().write(vals)
        if not MONITORED_FIELDS.isdisjoint(vals):
            self.env["insightpulse.sidecar"]._tell_changed(self.ids)
        if vals.get("owner_id"):
            self._subscribe_owners()
        if {"agency_id", "company_id"} & vals.keys():
            self._unsubscribe_outsiders()
        return result

    def unlink(self):
        ids = self.ids
        result = super().unlink()
        self.env["insightpulse.sidecar"]._tell_changed(ids)
        return result

    @api.model
    def _cron_keep_in_step(self):
        """Have the sidecar know this database by its present name, and look at everything if it has been away."""
        self.env["insightpulse.sidecar"]._tell_changed()

    def _subscribe_owners(self):
        """Whoever is responsible hears of what happens."""
        for owner, endpoints in self.grouped("owner_id").items():
            # Also whoever does it: an import subscribes nobody.
            if owner:
                endpoints.message_subscribe(partner_ids=owner.partner_id.ids)

    def _unsubscribe_outsiders(self):
        """Tell nothing more to people of ours who may not see a connection any longer."""
        for endpoint in self.sudo():
            for partner in endpoint.message_partner_ids:
                users = partner.user_ids
                if users and not any(
                    endpoint.with_user(user).with_context(allowed_company_ids=user.company_ids.ids).has_access("read")
                    for user in users
                ):
                    endpoint.message_unsubscribe(partner_ids=partner.ids)
