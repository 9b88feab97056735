from odoo import api, models
from odoo.exceptions import UserError, ValidationError

from .connection_endpoint import AGENCY_GROUP

# What the sidecar finds in a text, named as the fields are.
PARSED_FIELDS = (
    "name",
    "base_url",
    "port",
    "tls_mode",
    "username",
    "database_name",
    "web_url",
    "pooler_host",
    "is_replica",
    "sign_in",
    "key_header",
    "password",
    "api_key",
)


class ConnectionEndpointParse(models.Model):
    """Reads connections from a text that somebody pasted; the sidecar knows the formats, and nothing is stored."""

    _inherit = "insightpulse.connection.endpoint"

    @api.model
    def parse_connection_string(self, text):
        """Return field values for a new record: the first connection that the text tells of, its secrets included."""
        return self.parse_connection_strings(text)[0]

    @api.model
    def parse_connection_strings(self, text):
        """Return field values for every connection that the text tells of; there is at least one."""
        self._check_group(AGENCY_GROUP)
        if not isinstance(text, str) or not text.strip():
            raise ValidationError(self.env._("Paste a connection string first."))
        connections = self.env["insightpulse.sidecar"]._parse(text)["connections"]
        if not connections:
            raise UserError(self.env._("This text tells of no connection. Paste an address, or a file that has one."))
        return [self._parsed_values(connection) for connection in connections]

    @api.model
    def _parsed_values(self, connection):
        # A newer sidecar may know fields and kinds that this addon does not.
        values = {
            name: connection[name]
            for name in PARSED_FIELDS
            if name in self._fields and connection.get(name) is not None
        }
        if connection.get("kind") in self._fields["connection_type"].get_values(self.env):
            values["connection_type"] = connection["kind"]
        return values
