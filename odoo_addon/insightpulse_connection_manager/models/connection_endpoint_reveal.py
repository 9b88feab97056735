from odoo import models
from odoo.exceptions import AccessError, UserError, ValidationError

from .connection_endpoint import ADMIN_GROUP, SECRET_FIELDS


class ConnectionEndpointReveal(models.Model):
    """Hands secrets out to code of other modules, which is logged. Who looks at them does so in a configuration."""

    _inherit = "insightpulse.connection.endpoint"

    def _get_secret(self, field):
        """Return a secret of this endpoint in plaintext, or False where none is set. For code of other modules.

        Who may: a Connection Administrator who may read the record; and code that runs as the superuser, such as
        a scheduled job, or that says by `sudo()` that it answers for the use. Each call is logged with the user
        behind it, in a transaction of its own, so that no rollback takes the entry away.

        :param str field: ``password``, ``api_key`` or ``client_key``
        """
        self.ensure_one()
        if field not in SECRET_FIELDS:
            raise ValidationError(
                self.env._("A connection has these secrets: %(fields)s.", fields=", ".join(SECRET_FIELDS))
            )
        self._check_group(ADMIN_GROUP)
        self.check_access("read")
        if not self.id:
            raise AccessError(self.env._("Only a saved connection has secrets."))
        self.env["insightpulse.audit.entry"]._log("secret_read", self, detail=field, apart=True)
        (result,) = self.env["insightpulse.sidecar"]._open([{"field": field, "endpoint": self._prepare_endpoints()[0]}])
        if result["error"]:
            raise UserError(f"{self.sudo().name}: {result['error']}")
        return result["secret"] or False
