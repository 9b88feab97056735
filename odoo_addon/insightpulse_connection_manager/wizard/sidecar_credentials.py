from odoo import api, fields, models
from odoo.exceptions import UserError


class SidecarCredentials(models.AbstractModel):
    """Shows the sidecar's credentials without storing them: an abstract model has no table."""

    _name = "insightpulse.sidecar.credentials"
    _description = "Sidecar Credentials"

    # The web client asks for the id together with the default value.
    id = fields.Id()
    environment = fields.Text(readonly=True)

    # Without a table, Odoo's own would fail in SQL, and log the statement with the credentials in it.

    @api.model_create_multi
    def create(self, vals_list):
        raise self._not_stored()

    def write(self, vals):
        raise self._not_stored()

    def _not_stored(self):
        return UserError(self.env._("Credentials are shown once and never stored."))
