from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .connection_endpoint import OPTION_FIELDS, PASSWORD_IN_ADDRESS, THRESHOLD_FIELDS, WEB_KINDS

PEM_BYTES = 64 * 1024


class ConnectionEndpointOptions(models.Model):
    """What an endpoint has beside its address: certificates, how to sign in, what to expect, and when it is degraded."""

    _inherit = "insightpulse.connection.endpoint"

    web_url = fields.Char(
        string="Web Address",
        help="Supabase: the address of its API, if it is not <project>.supabase.co. "
        "Odoo: its web server, which is tested together with the database.",
    )
    pooler_host = fields.Char(
        string="Pooler",
        help="Supabase: where the project's pooler is, such as aws-0-ap-southeast-1.pooler.supabase.com. Supabase shows "
        "it under Connect. Configurations for the poolers need it.",
    )
    tls_authority = fields.Text(
        string="Certificate Authority",
        help="One or more certificates in PEM. The server's certificate has to be issued by one of them; "
        "that of the web address, by one of them or by one that the sidecar's machine knows.",
    )
    client_certificate = fields.Text(
        help="In PEM, for servers that let nobody in without one. Its private key belongs under Secrets."
    )
    is_replica = fields.Boolean(
        string="Replica", help="This server is meant to be a replica: that it takes no writes is no warning."
    )
    sign_in = fields.Selection(
        [
            ("none", "Not at all"),
            ("bearer", "Key as bearer token"),
            ("basic", "User and password"),
            ("header", "Key in a header"),
        ],
        string="Sign In With",
        help="Left empty: the key as a bearer token if there is one, else the user and the password if there are.",
    )
    key_header = fields.Char(string="Header of the Key", help="X-Api-Key if nothing else is said.")
    expected_status = fields.Char(help="HTTP statuses such as 200, 200-299 or 200,204. Empty: any success, 200-299.")
    expected_path = fields.Char(
        string="JSON Path", help="A place in the JSON of the answer that has to be there, such as $.status."
    )
    expected_text = fields.Char(help="A text that has to be there: at the JSON path, or anywhere in the answer.")

    slow_ms = fields.Integer(
        string="Slow From (ms)", aggregator=None, help="0 is the usual of its kind, -1 switches the warning off."
    )
    certificate_days = fields.Integer(
        string="Certificate Warning (days)",
        aggregator=None,
        help="Warn when the server's certificate expires within these days. "
        "0 is the usual of its kind, -1 switches the warning off.",
    )
    connections_percent = fields.Integer(
        string="Connections Warning (%)",
        aggregator=None,
        help="Warn when more of the server's connections are in use. 0 is the usual of its kind, "
        "-1 switches the warning off.",
    )
    replica_lag_s = fields.Integer(
        string="Replica Lag Warning (s)",
        aggregator=None,
        help="Warn when a replica is further behind. 0 is the usual of its kind, -1 switches the warning off.",
    )

    @api.constrains("web_url")
    def _check_web_url(self):
        for endpoint in self:
            if PASSWORD_IN_ADDRESS.search(endpoint.web_url or ""):
                raise ValidationError(
                    self.env._(
                        "%(name)s: the web address looks as if it had a password or a key in it. "
                        "Type only the address here; the key has a field of its own, where it is sealed.",
                        name=endpoint.name,
                    )
                )

    @api.constrains("tls_authority", "client_certificate")
    def _check_certificates(self):
        """Keep private keys out of fields that are stored as they are typed."""
        for endpoint in self:
            for pem in (endpoint.tls_authority or "", endpoint.client_certificate or ""):
                if "PRIVATE KEY" in pem.upper():
                    raise ValidationError(
                        self.env._(
                            "%(name)s: there is a private key among the certificates. It belongs into the field "
                            "“Private Key” under Secrets, where it is sealed; nothing was stored.",
                            name=endpoint.name,
                        )
                    )
                if len(pem) > PEM_BYTES:
                    raise ValidationError(self.env._("%(name)s: certificates have at most 64 KiB.", name=endpoint.name))

    @api.constrains(*THRESHOLD_FIELDS)
    def _check_thresholds(self):
        for endpoint in self:
            for name in THRESHOLD_FIELDS:
                most = 100 if name == "connections_percent" else 1_000_000
                if not -1 <= endpoint[name] <= most:
                    raise ValidationError(
                        self.env._(
                            "%(name)s: %(field)s is a number up to %(most)s, 0 for the usual one, "
                            "or -1 to switch the warning off.",
                            name=endpoint.name,
                            field=self._fields[name]._description_string(self.env),
                            most=most,
                        )
                    )

    def _prepare_endpoints(self):
        prepared = super()._prepare_endpoints()
        for endpoint, values in zip(self.sudo(), prepared, strict=True):
            # What is not said is left out: the sidecar has the usual for it.
            values.update({name: endpoint[name] for name in ("tls_authority", *OPTION_FIELDS) if endpoint[name]})
            if endpoint.connection_type in WEB_KINDS and endpoint.web_url:
                values["web_url"] = endpoint.web_url
            # 0 switches off there, and is the usual one here.
            values.update({name: max(endpoint[name], 0) for name in THRESHOLD_FIELDS if endpoint[name]})
        return prepared
