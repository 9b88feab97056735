from odoo import api, models
from odoo.exceptions import AccessError, UserError


class ResUsers(models.Model):
    """Keeps the sidecar's own user what it is: an API key with one method to call."""

    _inherit = "res.users"

    def write(self, vals):
        # Odoo lets everybody change some fields of oneself, such as the name and the email address.
        if not self.env.su and self.env.uid in self._ids and self.env.uid == self._sidecar_user_id():
            raise AccessError(self.env._("The sidecar's user cannot change itself."))
        return super().write(vals)

    def _set_encrypted_password(self, uid, pw):
        # All ways to set a password end here: the form, the wizards, a reset by mail.
        if uid == self._sidecar_user_id():
            raise UserError(
                self.env._(
                    "The sidecar's user has no password, but an API key, which is made under "
                    "Settings → InsightPulse → Pair with a sidecar."
                )
            )
        return super()._set_encrypted_password(uid, pw)

    @api.model
    def _sidecar_user_id(self):
        return self.env["ir.model.data"]._xmlid_to_res_id(
            "insightpulse_connection_manager.user_sidecar", raise_if_not_found=False
        )
