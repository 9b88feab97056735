from odoo import api, fields, models

RETENTION_DAYS = 400


class ConnectionDay(models.Model):
    """One connection on one day, in UTC: how long it answered, and how fast. The sidecar's reports add up to it."""

    _name = "insightpulse.connection.day"
    _description = "Connection's Day"
    _order = "day desc, endpoint_id"
    _rec_name = "endpoint_id"
    _log_access = False

    endpoint_id = fields.Many2one(
        "insightpulse.connection.endpoint", string="Connection", required=True, readonly=True, ondelete="cascade"
    )
    day = fields.Date(required=True, readonly=True, index=True)
    # Copied when the row is made: groups and filters need columns.
    connection_type = fields.Selection(related="endpoint_id.connection_type", string="Kind")
    agency_id = fields.Many2one("insightpulse.agency", readonly=True, ondelete="set null")
    company_id = fields.Many2one("res.company", readonly=True, ondelete="cascade")
    probes = fields.Integer(string="Tests", readonly=True)
    failures = fields.Integer(string="Failed Tests", readonly=True)
    observed_s = fields.Float(string="Observed (s)", readonly=True)
    up_s = fields.Float(string="Up (s)", readonly=True)
    down_minutes = fields.Float(string="Down (min)", readonly=True, digits=(16, 1))
    uptime = fields.Float(string="Uptime (%)", readonly=True, digits=(16, 3), aggregator="avg")
    latency_sum_ms = fields.Float(readonly=True)
    latency_ms = fields.Float(string="Latency (ms)", readonly=True, digits=(16, 1), aggregator="avg")
    latency_max_ms = fields.Float(string="Slowest (ms)", readonly=True, digits=(16, 1), aggregator="max")

    _endpoint_day_uniq = models.Constraint("UNIQUE (endpoint_id, day)", "A connection has one row for each day.")

    def init(self):
        """Leave room on each page: today's rows are written all the time."""
        super().init()
        self.env.cr.execute(f"ALTER TABLE {self._table} SET (fillfactor = 70)")

    @api.model
    def _retention_days(self):
        value = self.env["ir.config_parameter"].sudo().get_param("insightpulse.history_days", RETENTION_DAYS)
        try:
            return max(int(value), 0)
        except ValueError:
            return RETENTION_DAYS

    @api.autovacuum
    def _gc_days(self):
        days = self._retention_days()
        if days:
            self.env.cr.execute(f"DELETE FROM {self._table} WHERE day < current_date - %s::int", [days])
