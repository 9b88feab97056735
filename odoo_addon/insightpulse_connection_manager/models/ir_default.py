from odoo import api, models
from odoo.exceptions import ValidationError

from .connection_endpoint import SECRET_FIELDS


class IrDefault(models.Model):
    _inherit = "ir.default"

    @api.constrains("field_id", "json_value")
    def _check_no_secret(self):
        """A default is stored in plaintext."""
        for field in self.sudo().field_id:
            if field.model == "insightpulse.connection.endpoint" and field.name in SECRET_FIELDS:
                raise ValidationError(
                    self.env._("Passwords and keys have no default: each belongs to the one server it was typed for.")
                )
