from odoo import models

from .connection_endpoint import AGENCY_GROUP, MANAGER_GROUP

# Beside a record of whom a message is for. A record in a channel cannot be asked for by a client.
SUBCHANNEL = "insightpulse"


class IrWebsocket(models.AbstractModel):
    """Has each browser hear of the connections that its user may see."""

    _inherit = "ir.websocket"

    def _build_bus_channel_list(self, channels):
        return [*super()._build_bus_channel_list(channels), *self._insightpulse_channels()]

    def _insightpulse_channels(self):
        user = self.env.user
        if user.has_group(MANAGER_GROUP):
            targets = [self.env.ref(MANAGER_GROUP).sudo(), *user.sudo().company_ids]
        elif user.has_group(AGENCY_GROUP):
            targets = self.env["insightpulse.agency"].sudo().search([("member_ids", "in", user.ids)])
        else:
            targets = []
        return [(target, SUBCHANNEL) for target in targets]
