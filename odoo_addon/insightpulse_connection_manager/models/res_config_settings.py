from odoo import api, fields, models

from .sidecar import WAIT_MS


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    insightpulse_sidecar_url = fields.Char(string="Sidecar Address", config_parameter="insightpulse.sidecar_url")
    insightpulse_sidecar_wait_ms = fields.Integer(
        string="Wait for a Result (ms)", config_parameter="insightpulse.sidecar_wait_ms", default=WAIT_MS
    )
    insightpulse_sidecar_is_set_up = fields.Boolean(compute="_compute_insightpulse_sidecar_is_set_up")

    @api.depends("company_id")
    def _compute_insightpulse_sidecar_is_set_up(self):
        self.insightpulse_sidecar_is_set_up = self.env["insightpulse.sidecar"]._is_set_up()

    def set_values(self):
        sidecar = self.env["insightpulse.sidecar"]
        for settings in self.filtered("insightpulse_sidecar_url"):
            settings.insightpulse_sidecar_url = sidecar._normalize_url(settings.insightpulse_sidecar_url)
        return super().set_values()

    def action_insightpulse_check(self):
        """Say whether Odoo and its sidecar understand each other, and if not, why."""
        self.check_access("write")
        self.env["insightpulse.sidecar"]._check()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._("Odoo and the sidecar understand each other, in both directions."),
            },
        }
