from odoo import api, fields, models
from odoo.exceptions import UserError


class ConnectionSecrets(models.AbstractModel):
    """Shows an endpoint's secrets without storing them: an abstract model has no table."""

    _name = "insightpulse.connection.secrets"
    _description = "Secrets of a Connection"

    # The web client asks for the id together with the default values.
    id = fields.Id()
    connection_string = fields.Text(readonly=True)
    env_vars = fields.Text(string="Environment", readonly=True)

    # Without a table, Odoo's own would fail in SQL, and log the statement with the secrets in it.

    @api.model_create_multi
    def create(self, vals_list):
        raise self._not_stored("create")

    def write(self, vals):
        raise self._not_stored("write")

    def _not_stored(self, operation):
        self.check_access(operation)
        return UserError(self.env._("Secrets are shown and never stored."))
