from odoo import fields, models


class SidecarSetup(models.TransientModel):
    _name = "insightpulse.sidecar.setup"
    _description = "Set Up the Sidecar"

    sidecar_url = fields.Char(
        string="Sidecar",
        required=True,
        help="Where Odoo reaches the sidecar.",
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
    is_set_up = fields.Boolean(default=lambda self: self.env["insightpulse.sidecar"]._is_set_up())

    def action_issue(self):
        """Make the credentials and show them, once."""
        self.ensure_one()
        credentials = self.env["insightpulse.sidecar"]._issue_credentials(self.sidecar_url, self.odoo_url)
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Start the Sidecar with This"),
            "res_model": "insightpulse.sidecar.credentials",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_environment": self._environment(credentials)},
        }

    def _environment(self, credentials):
        variables = {
            "INSIGHTPULSE_SERVER__TOKEN": credentials["server_token"],
            "INSIGHTPULSE_ODOO__URL": credentials["odoo_url"],
            "INSIGHTPULSE_ODOO__DATABASE": credentials["odoo_database"],
            "INSIGHTPULSE_ODOO__DATABASE_UUID": credentials["odoo_database_uuid"],
            "INSIGHTPULSE_ODOO__LOGIN": credentials["odoo_login"],
            "INSIGHTPULSE_ODOO__API_KEY": credentials["odoo_api_key"],
        }
        return "".join(f"{name}={value}\n" for name, value in variables.items())
