from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.http import request

RETENTION_DAYS = 730
# Less would let whoever sets it wipe out what he has just done.
RETENTION_DAYS_MIN = 30
DETAIL_LENGTH = 500


class AuditEntry(models.Model):
    """Who did what with a secret, when and from where. Odoo adds to it, and changes and deletes nothing."""

    _name = "insightpulse.audit.entry"
    _description = "Audit Entry"
    _order = "id desc"
    _rec_name = "action"
    _log_access = False

    date = fields.Datetime(required=True, readonly=True, index=True)
    action = fields.Selection(
        [
            ("reveal", "Secret revealed"),
            ("secret_read", "Secret read by another module"),
            ("secret_set", "Secret set"),
            ("secret_cleared", "Secret cleared"),
            ("rebind", "Moved with its secrets"),
            ("carry_over", "Secrets carried over from another database"),
            ("reseal", "Secrets sealed with another key"),
            ("pair", "Sidecar paired"),
            ("unpair", "Sidecar unpaired"),
            ("key_renewed", "Sidecar's API key renewed"),
            ("retention", "Retention changed"),
            ("webhook", "Webhook changed"),
            ("denied", "Refused for want of a right"),
        ],
        required=True,
        readonly=True,
        index=True,
    )
    # The names as they were then: an entry outlives the user and the record.
    user_id = fields.Many2one("res.users", readonly=True, index=True, ondelete="set null")
    login = fields.Char(readonly=True)
    address = fields.Char(
        readonly=True,
        help="Where the request came from. Odoo's code does not learn that of a call over XML-RPC or JSON-RPC.",
    )
    res_id = fields.Integer(string="Record ID", readonly=True, index=True, aggregator=None)
    record_uuid = fields.Char(string="UUID", readonly=True)
    record_name = fields.Char(string="Connection", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True, ondelete="set null")
    file_format = fields.Char(string="Format", readonly=True)
    detail = fields.Char(readonly=True)

    @api.depends("action", "record_name")
    def _compute_display_name(self):
        labels = dict(self._fields["action"]._description_selection(self.env))
        for entry in self:
            entry.display_name = ": ".join(filter(None, (labels.get(entry.action), entry.record_name)))

    @api.model
    def _log(self, action, endpoints=None, *, file_format=None, detail=None, apart=False):
        """Add one entry, or one for each of `endpoints`.

        :param apart: write them in a transaction of their own, so that they stay when this one is rolled back
        """
        values = self._prepare_entries(action, endpoints, file_format, detail)
        if apart:
            with self._apart() as entries:
                super(AuditEntry, entries.sudo()).create(values)
        else:
            super(AuditEntry, self.sudo()).create(values)

    @api.model
    def _log_denied(self, what, endpoints):
        """Log that the user may not do something, unless that was logged within the last minute.

        Apart from the caller's transaction, which is about to be rolled back; and no more than once a minute,
        so that nobody fills the database by trying.
        """
        values = self._prepare_entries("denied", endpoints or None, None, what)
        since = fields.Datetime.now() - timedelta(minutes=1)
        with self._apart() as entries:
            entries = entries.sudo()
            known = entries.search_count(
                [
                    ("action", "=", "denied"),
                    ("user_id", "=", self.env.uid),
                    ("detail", "=", values[0]["detail"]),
                    ("res_id", "=", values[0].get("res_id", 0)),
                    ("date", ">=", since),
                ],
                limit=1,
            )
            if not known:
                super(AuditEntry, entries).create(values)

    @contextmanager
    def _apart(self):
        """Give this model in a transaction of its own, which is committed at the end."""
        with self.env.registry.cursor() as cr:
            yield self.with_env(self.env(cr=cr))

    @api.model
    def _prepare_entries(self, action, endpoints, file_format, detail):
        common = {
            "date": fields.Datetime.now(),
            "action": action,
            "user_id": self.env.uid,
            "login": self.env.user.login,
            "address": request.httprequest.remote_addr if request else False,
            "file_format": file_format,
            "detail": (detail or "")[:DETAIL_LENGTH] or False,
        }
        if endpoints is None:
            return [{**common, "company_id": self.env.company.id}]
        return [
            {
                **common,
                "res_id": endpoint.id,
                "record_uuid": endpoint.uuid,
                "record_name": endpoint.name,
                "company_id": endpoint.company_id.id,
            }
            for endpoint in endpoints.sudo()
        ]

    # Not even a superuser's code changes what was logged.

    @api.model_create_multi
    def create(self, vals_list):
        raise self._unchangeable("create")

    def write(self, vals):
        raise self._unchangeable("write")

    def unlink(self):
        raise self._unchangeable("unlink")

    def _unchangeable(self, operation):
        self.check_access(operation)
        return UserError(self.env._("The audit log is written by what happens, and changed by nobody."))

    @api.autovacuum
    def _gc_entries(self):
        """Forget what is older than the retention; 0 days keep everything."""
        days = self._retention_days()
        if days:
            before = fields.Datetime.now() - timedelta(days=days)
            self.env.cr.execute(f"DELETE FROM {self._table} WHERE date < %s", [before])

    @api.model
    def _retention_days(self):
        value = self.env["ir.config_parameter"].sudo().get_param("insightpulse.audit_retention_days", RETENTION_DAYS)
        try:
            days = int(value)
        except ValueError:
            return RETENTION_DAYS
        return max(days, RETENTION_DAYS_MIN) if days > 0 else 0
