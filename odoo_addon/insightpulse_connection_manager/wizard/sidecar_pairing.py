from odoo import fields, models


class SidecarPairingWizard(models.TransientModel):
    _name = "insightpulse.sidecar.pairing"
    _description = "Pair with a Sidecar"

    sidecar_url = fields.Char(
        string="Sidecar",
        required=True,
        help="Where Odoo reaches the sidecar: http://…, https://…, or unix:///… for a socket.",
        default=lambda self: self.env["ir.config_parameter"].get_param(
            "insightpulse.sidecar_url", "http://127.0.0.1:8787"
        ),
    )
    odoo_url = fields.Char(
        string="Odoo",
        required=True,
        help="Where the sidecar reaches Odoo.",
        default=lambda self: self.env["ir.config_parameter"].get_param("web.base.url"),
    )
    code = fields.Char(string="Pairing Code", required=True, copy=False)
    state = fields.Char(default=lambda self: self.env["insightpulse.sidecar"]._pairing_state())

    def action_pair(self):
        """Pair, and say so."""
        self.ensure_one()
        self.check_access("write")
        self.env["insightpulse.sidecar"]._pair(self.sidecar_url, self.odoo_url, self.code)
        # It is of no use any more, and need not lie in the table until Odoo clears that.
        self.code = "-"
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._("Odoo and the sidecar are paired."),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }
