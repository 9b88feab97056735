from odoo import fields, models


class Agency(models.Model):
    _name = "insightpulse.agency"
    _description = "Agency"
    _order = "code, id"
    _rec_names_search = ["code", "name"]
    _rec_name = "code"

    code = fields.Char(required=True)
    name = fields.Char(required=True)
    company_id = fields.Many2one("res.company", ondelete="cascade")
    member_ids = fields.Many2many(
        "res.users",
        "insightpulse_agency_member",
        "agency_id",
        "user_id",
        string="Members",
        help="Who has the right “Agency Connection Manager” works with the connections of these agencies alone.",
    )
    active = fields.Boolean(default=True)

    def write(self, vals):
        result = super().write(vals)
        if "member_ids" in vals:
            endpoints = self.env["insightpulse.connection.endpoint"].sudo().with_context(active_test=False)
            endpoints.search([("agency_id", "in", self.ids)])._unsubscribe_outsiders()
        return result

    _code_uniq = models.Constraint("UNIQUE (code)", "Another agency has this code already.")
