import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..exceptions import SidecarError, SidecarProblem
from .connection_endpoint import SIDECAR_GROUP

API_KEY_NAME = "InsightPulse sidecar"
# What a pairing leaves in Odoo; `secrets_database_uuid` stays, since the secrets do.
PAIRING_PARAMETERS = ("sidecar_token", "paired_database_uuid")


class SidecarPairing(models.AbstractModel):
    """Has Odoo and a sidecar trust each other by a one-time code, and ends it."""

    _inherit = "insightpulse.sidecar"

    @api.model
    def _pairing_state(self):
        """Return "paired", "copy" when the pairing is that of another database, or "none"."""
        if not self._parameter("insightpulse.sidecar_url") or not self._parameter("insightpulse.sidecar_token"):
            return "none"
        is_own = self._parameter("insightpulse.paired_database_uuid") == self._database_uuid()
        return "paired" if is_own else "copy"

    @api.model
    def _pair(self, sidecar_url, odoo_url, code):
        """Exchange the code and a new API key for a token; what both sides had before is void at once."""
        self._require_system()
        sidecar_url, odoo_url = self._normalize_url(sidecar_url), self._normalize_url(odoo_url, is_odoo=True)
        api_key, expires_at = self._new_api_key()
        payload = {
            "code": re.sub(r"[\s-]", "", code or "").upper()[:40],
            "request": self._http_request_id(),
            "database": self._database_uuid(),
            "database_name": self.env.cr.dbname,
            "odoo_url": odoo_url,
            "login": self._sidecar_user().login,
            "api_key": api_key,
            "api_key_expires_at": self._utc(expires_at),
        }
        status_code, answer = self._request("POST", "/v1/pair", payload, url=sidecar_url)
        if status_code != 200:
            raise self._pairing_refused(status_code, answer)
        token = answer.get("token")
        if not isinstance(token, str) or not token:
            raise self._answer_invalid("/v1/pair")
        self._remove_api_keys(but_newest=True)
        self._set_parameters(
            sidecar_url=sidecar_url,
            sidecar_token=token,
            paired_database_uuid=self._database_uuid(),
            neutralized=False,
        )
        if not self._parameter("insightpulse.secrets_database_uuid") or not self._count_secrets():
            self._set_parameters(secrets_database_uuid=self._database_uuid())
        self.env["insightpulse.audit.entry"]._log("pair", detail=sidecar_url)

    @api.model
    def _unpair(self):
        """End the pairing at once; return False when the sidecar should know and could not be told."""
        self._require_system()
        was_told = True
        # A copy's pairing is the original's, which goes on.
        if self._pairing_state() == "paired":
            try:
                self._post("/v1/unpair", {})
            except SidecarError:
                was_told = False  # Without token and key it can do nothing here.
        self._remove_api_keys()
        self._set_parameters(**dict.fromkeys(PAIRING_PARAMETERS, False))
        self.env["insightpulse.audit.entry"]._log("unpair", detail=self._parameter("insightpulse.sidecar_url"))
        return was_told

    # The API key of the sidecar's user

    @api.model
    def renew_api_key(self):
        """Make another API key for the sidecar's user, which alone may ask; the older ones stay valid.

        :return: ``{"api_key", "expires_at"}``
        """
        self.env["insightpulse.connection.endpoint"]._check_group(SIDECAR_GROUP)
        api_key, expires_at = self._new_api_key()
        self.env["insightpulse.audit.entry"]._log("key_renewed")
        return {"api_key": api_key, "expires_at": self._utc(expires_at)}

    @api.model
    def retire_older_api_keys(self):
        """Remove all API keys of the sidecar's user but the newest; the user itself asks, with that one."""
        self.env["insightpulse.connection.endpoint"]._check_group(SIDECAR_GROUP)
        self._remove_api_keys(but_newest=True)
        return True

    @api.model
    def _new_api_key(self):
        user = self._sidecar_user()
        days = max(user.all_group_ids.mapped("api_key_duration")) or 1.0
        # A minute less, since Odoo compares with its clock when it makes the key.
        expires_at = fields.Datetime.now() + timedelta(days=days, minutes=-1)
        api_keys = self.env["res.users.apikeys"].with_user(user).sudo()
        return api_keys._generate("rpc", API_KEY_NAME, expires_at), expires_at

    @api.model
    def _remove_api_keys(self, but_newest=False):
        api_keys = self.env["res.users.apikeys"].sudo()
        keys = api_keys.search([("user_id", "=", self._sidecar_user().id)], order="id desc")
        keys[1 if but_newest else 0 :]._remove()

    @api.model
    def _sidecar_user(self):
        return self.env.ref("insightpulse_connection_manager.user_sidecar").sudo()

    # Secrets that another database has sealed

    @api.model
    def _foreign_secrets_database(self):
        """Return the uuid of the database that this one is a copy of, while it still has that one's secrets."""
        sealed_for = self._parameter("insightpulse.secrets_database_uuid")
        is_foreign = sealed_for and sealed_for != self._database_uuid() and self._count_secrets()
        return sealed_for if is_foreign else False

    @api.model
    def _count_secrets(self):
        return sum(self.env["insightpulse.connection.endpoint"].sudo()._count_tokens().values())

    # Helpers

    @api.model
    def _require_system(self):
        if not self.env.is_system():
            raise AccessError(self.env._("Only a system administrator may pair Odoo with a sidecar, or unpair it."))

    @api.model
    def _set_parameters(self, **values):
        parameters = self.env["ir.config_parameter"].sudo()
        for name, value in values.items():
            parameters.set_param(f"insightpulse.{name}", value)

    @api.model
    def _utc(self, moment):
        return moment.isoformat(timespec="seconds") + "Z"

    @api.model
    def _pairing_refused(self, status_code, answer):
        problem = self._problem("/v1/pair", status_code, answer)
        if isinstance(problem, SidecarProblem) and problem.code == "code_refused":
            return UserError(
                self.env._(
                    "The sidecar does not accept this code: it is wrong, was used already, or is older than ten "
                    "minutes. Run “insightpulse pair” on the sidecar's machine for a new one."
                )
            )
        if isinstance(problem, SidecarProblem) and problem.code == "too_many_attempts":
            return UserError(self.env._("Too many codes were tried. Wait a minute, then enter the code again."))
        return problem
