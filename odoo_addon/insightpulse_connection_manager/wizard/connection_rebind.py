from odoo import api, fields, models

from ..models.connection_endpoint_rebind import MOVED_FIELDS


class ConnectionRebind(models.TransientModel):
    """Asks an administrator where an endpoint moves to with its secrets."""

    _name = "insightpulse.connection.rebind"
    _description = "Move with Secrets"

    endpoint_id = fields.Many2one("insightpulse.connection.endpoint", required=True, readonly=True, ondelete="cascade")
    connection_type = fields.Selection(
        lambda self: self.env["insightpulse.connection.endpoint"]._fields["connection_type"].selection,
        string="Kind",
        required=True,
    )
    base_url = fields.Char(string="Server")
    port = fields.Integer(aggregator=None)
    tls_mode = fields.Selection(
        lambda self: self.env["insightpulse.connection.endpoint"]._fields["tls_mode"].selection,
        string="TLS",
        required=True,
    )
    database_name = fields.Char(string="Database")
    username = fields.Char(string="User")
    web_url = fields.Char(string="Web Address")
    tls_authority = fields.Text(string="Certificate Authority")

    @api.model
    def default_get(self, fields):
        """Begin with where the endpoint points to now."""
        values = super().default_get(fields)
        endpoint = self.env["insightpulse.connection.endpoint"].browse(values.get("endpoint_id"))
        if endpoint:
            values.update({name: endpoint[name] for name in MOVED_FIELDS if name in fields})
        return values

    def action_move(self):
        """Move it; the dialog closes, and the form shows it at its new place."""
        self.ensure_one()
        self.endpoint_id.rebind({name: self[name] for name in MOVED_FIELDS})
        return {"type": "ir.actions.act_window_close"}
