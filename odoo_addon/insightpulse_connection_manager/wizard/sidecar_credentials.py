from odoo import fields, models


class SidecarCredentials(models.AbstractModel):
    """Shows the sidecar's credentials without storing them: an abstract model has no table."""

    _name = "insightpulse.sidecar.credentials"
    _description = "Sidecar Credentials"

    # The web client asks for the id together with the default value.
    id = fields.Id()
    environment = fields.Text(readonly=True)
