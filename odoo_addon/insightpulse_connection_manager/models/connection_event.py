from odoo import api, fields, models


class ConnectionEvent(models.Model):
    """What happened to a connection: each change of its health, with the reason. The sidecar alone adds to it."""

    _name = "insightpulse.connection.event"
    _description = "Connection Event"
    _order = "date desc, id desc"
    _rec_name = "endpoint_id"
    _log_access = False

    endpoint_id = fields.Many2one(
        "insightpulse.connection.endpoint",
        string="Connection",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    uuid = fields.Char(string="UUID", required=True, readonly=True)
    date = fields.Datetime(required=True, readonly=True, index=True)
    kind = fields.Selection(
        [
            ("transition", "Change"),
            ("flapping", "Goes up and down"),
            ("steady", "Steady again"),
            ("test", "Test alert"),
        ],
        string="Event",
        required=True,
        readonly=True,
    )
    from_status = fields.Selection(selection="_selection_status", string="Before", readonly=True)
    to_status = fields.Selection(selection="_selection_status", string="Status", required=True, readonly=True)
    is_flapping = fields.Boolean(string="Flapping", readonly=True)
    failure_kind = fields.Char(string="Kind of Failure", readonly=True)
    failure_text = fields.Char(readonly=True)
    failure_hint = fields.Char(readonly=True)
    explanations = fields.Json(readonly=True)
    # Until people have been told
    to_tell = fields.Boolean(readonly=True)

    reason = fields.Char(compute="_compute_reason")
    connection_type = fields.Selection(related="endpoint_id.connection_type", string="Kind")
    agency_id = fields.Many2one(related="endpoint_id.agency_id")

    _uuid_uniq = models.Constraint("UNIQUE (uuid)", "An event comes once.")
    _to_tell_index = models.Index("(endpoint_id, date) WHERE to_tell")

    @api.model
    def _selection_status(self):
        return self.env["insightpulse.connection.endpoint"]._fields["status"]._description_selection(self.env)

    @api.depends("explanations", "failure_kind", "failure_text", "failure_hint")
    @api.depends_context("lang")
    def _compute_reason(self):
        endpoints = self.env["insightpulse.connection.endpoint"]
        for event in self:
            event.reason, _advice = endpoints._explain(
                event.explanations, event.failure_kind, event.failure_text, event.failure_hint
            )

    @api.autovacuum
    def _gc_events(self):
        """Forget what is older than the retention of history."""
        days = self.env["insightpulse.connection.day"]._retention_days()
        if days:
            self.env.cr.execute(
                f"DELETE FROM {self._table} WHERE date < now() at time zone 'utc' - %s * interval '1 day'", [days]
            )
