from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .audit_entry import RETENTION_DAYS_MIN
from .connection_endpoint import ADMIN_GROUP, SECRET_MASK
from .connection_endpoint_monitoring import CADENCE_LIMITS
from .sidecar import WAIT_MS

# Fewer characters than this can be guessed.
WEBHOOK_SECRET_MIN = 16


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    insightpulse_sidecar_url = fields.Char(string="Sidecar Address", config_parameter="insightpulse.sidecar_url")
    insightpulse_sidecar_ca_file = fields.Char(
        string="Certificate Authority", config_parameter="insightpulse.sidecar_ca_file"
    )
    insightpulse_sidecar_wait_ms = fields.Integer(
        string="Wait for a Result (ms)", config_parameter="insightpulse.sidecar_wait_ms", default=WAIT_MS
    )
    insightpulse_monitoring = fields.Boolean(
        string="Monitor Connections",
        default=lambda self: self.env["insightpulse.connection.endpoint"]._is_monitoring_on(),
    )
    insightpulse_interval_s = fields.Integer(string="Test Every (s)", config_parameter="insightpulse.interval_s")
    insightpulse_timeout_ms = fields.Integer(string="Timeout (ms)", config_parameter="insightpulse.timeout_ms")
    insightpulse_failure_threshold = fields.Integer(
        string="Failures Before Red", config_parameter="insightpulse.failure_threshold"
    )
    insightpulse_success_threshold = fields.Integer(
        string="Successes Before Green", config_parameter="insightpulse.success_threshold"
    )
    insightpulse_webhook_url = fields.Char(
        string="Webhook", default=lambda self: self.env["insightpulse.sidecar"]._parameter("insightpulse.webhook_url")
    )
    insightpulse_webhook_secret = fields.Char(
        string="Secret to Sign With",
        default=lambda self: self._default_webhook_secret(),
    )
    insightpulse_history_days = fields.Integer(
        string="Keep History (days)",
        help="0 keeps it for ever.",
        default=lambda self: self.env["insightpulse.connection.day"]._retention_days(),
    )
    insightpulse_audit_retention_days = fields.Integer(
        string="Keep the Audit Log (days)",
        help="0 keeps it for ever.",
        default=lambda self: self.env["insightpulse.audit.entry"]._retention_days(),
    )
    insightpulse_pairing = fields.Selection(
        [("none", "Not paired yet"), ("paired", "Paired"), ("copy", "Copy of another database")],
        compute="_compute_insightpulse_pairing",
    )
    insightpulse_is_neutralized = fields.Boolean(compute="_compute_insightpulse_pairing")
    # Of the database whose secrets this copy still has
    insightpulse_foreign_database = fields.Char(compute="_compute_insightpulse_pairing")
    insightpulse_foreign_secrets = fields.Integer(compute="_compute_insightpulse_pairing")
    insightpulse_may_carry_over = fields.Boolean(compute="_compute_insightpulse_pairing")

    @api.model
    def _default_webhook_secret(self):
        return SECRET_MASK if self.env["insightpulse.sidecar"]._parameter("insightpulse.webhook_token") else False

    @api.model_create_multi
    def create(self, vals_list):
        # The record lies in the database for hours; the secret is sealed before.
        secrets = [vals.get("insightpulse_webhook_secret") for vals in vals_list]
        vals_list = [
            {**vals, "insightpulse_webhook_secret": SECRET_MASK} if vals.get("insightpulse_webhook_secret") else vals
            for vals in vals_list
        ]
        settings = super().create(vals_list)
        for one, secret in zip(settings, secrets, strict=True):
            one._set_insightpulse_webhook(secret if secret != SECRET_MASK else False)
        return settings

    def write(self, vals):
        # The form's second save, after one of its buttons, writes to what the first one made.
        secret = vals.get("insightpulse_webhook_secret")
        if secret:
            vals = {**vals, "insightpulse_webhook_secret": SECRET_MASK}
        result = super().write(vals)
        if {"insightpulse_webhook_url", "insightpulse_webhook_secret"} & vals.keys():
            for settings in self:
                settings._set_insightpulse_webhook(secret if secret != SECRET_MASK else False)
        return result

    def _set_insightpulse_webhook(self, secret):
        sidecar = self.env["insightpulse.sidecar"]
        url = (self.insightpulse_webhook_url or "").strip()
        if url == (sidecar._parameter("insightpulse.webhook_url") or "") and not secret:
            return
        self.check_access("write")
        if url:
            url = sidecar._normalize_url(url, is_odoo=True, with_query=True)
            is_new = url != sidecar._parameter("insightpulse.webhook_url")
            if (is_new and not secret) or (secret and len(secret) < WEBHOOK_SECRET_MIN):
                raise ValidationError(
                    self.env._(
                        "Type a secret of at least %(least)s characters together with the webhook’s address: "
                        "its receiver checks the signature with it.",
                        least=WEBHOOK_SECRET_MIN,
                    )
                )
        sidecar._set_webhook(url, secret)

    @api.depends("company_id")
    def _compute_insightpulse_pairing(self):
        sidecar = self.env["insightpulse.sidecar"]
        foreign = sidecar._foreign_secrets_database()
        self.insightpulse_pairing = sidecar._pairing_state()
        self.insightpulse_is_neutralized = sidecar._parameter("insightpulse.neutralized") == "True"
        self.insightpulse_foreign_database = foreign
        self.insightpulse_foreign_secrets = sidecar._count_secrets() if foreign else 0
        self.insightpulse_may_carry_over = self.env.user.has_group(ADMIN_GROUP)

    def set_values(self):
        # Public over RPC, and it writes as the superuser: who may is not left to what Odoo reads before.
        self.check_access("write")
        sidecar = self.env["insightpulse.sidecar"]
        for settings in self.filtered("insightpulse_sidecar_url"):
            settings.insightpulse_sidecar_url = sidecar._normalize_url(settings.insightpulse_sidecar_url)
        self._check_insightpulse_cadence()
        before = self.env["insightpulse.audit.entry"]._retention_days()
        for settings in self:
            if settings.insightpulse_audit_retention_days and (
                settings.insightpulse_audit_retention_days < RETENTION_DAYS_MIN
            ):
                raise ValidationError(
                    self.env._(
                        "The audit log is kept for at least %(days)s days; 0 keeps it for ever.",
                        days=RETENTION_DAYS_MIN,
                    )
                )
        result = super().set_values()
        for settings in self:
            # No config_parameters of the fields: Odoo would take 0 and False for none, and that for the default.
            parameters = self.env["ir.config_parameter"].sudo()
            parameters.set_param(
                "insightpulse.audit_retention_days", str(max(settings.insightpulse_audit_retention_days, 0))
            )
            parameters.set_param("insightpulse.history_days", str(max(settings.insightpulse_history_days, 0)))
            parameters.set_param("insightpulse.monitoring", str(bool(settings.insightpulse_monitoring)))
        sidecar._tell_changed(everything=True)
        after = self.env["insightpulse.audit.entry"]._retention_days()
        if before != after:
            self.env["insightpulse.audit.entry"]._log("retention", detail=f"{before} → {after}")
        return result

    def _check_insightpulse_cadence(self):
        for settings in self:
            for name, (least, most) in CADENCE_LIMITS.items():
                field = self._fields[f"insightpulse_{name}"]
                if settings[field.name] and not least <= settings[field.name] <= most:
                    raise ValidationError(
                        self.env._(
                            "%(field)s is a number from %(least)s to %(most)s, or 0 for the usual of each kind.",
                            field=field._description_string(self.env),
                            least=least,
                            most=most,
                        )
                    )

    def action_insightpulse_check(self):
        """Say whether Odoo and its sidecar understand each other, and if not, why."""
        self.check_access("write")
        self.env["insightpulse.sidecar"]._check()
        return self._insightpulse_notify(self.env._("Odoo and the sidecar understand each other, in both directions."))

    def action_insightpulse_unpair(self):
        """End the pairing at once."""
        self.check_access("write")
        if self.env["insightpulse.sidecar"]._unpair():
            return self._insightpulse_notify(self.env._("Odoo and the sidecar are not paired any more."), reload=True)
        message = self.env._(
            "Unpaired here: the sidecar can do nothing in this database any more. It did not answer, so it goes on "
            "trying: run “insightpulse pair remove %(database)s” on its machine.",
            database=self.env.cr.dbname,
        )
        return self._insightpulse_notify(message, kind="warning", reload=True)

    def action_insightpulse_carry_over(self):
        """Take over the secrets of the database that this one is a copy of."""
        self.check_access("write")
        unopened = self.env["insightpulse.connection.endpoint"]._carry_over_secrets()
        if not unopened:
            return self._insightpulse_notify(self.env._("All secrets belong to this database now."), reload=True)
        message = self.env._(
            "The other secrets belong to this database now. These do not open, and have to be typed again: %(names)s.",
            names=", ".join(unopened[:20].mapped("name")) + (" …" if len(unopened) > 20 else ""),
        )
        return self._insightpulse_notify(message, kind="warning", reload=True)

    @api.model
    def _insightpulse_notify(self, message, kind="success", reload=False):
        params = {"type": kind, "message": message, "sticky": kind != "success"}
        if reload:
            params["next"] = {"type": "ir.actions.client", "tag": "soft_reload"}
        return {"type": "ir.actions.client", "tag": "display_notification", "params": params}
