"""The one module that speaks HTTP to the sidecar."""

import json
import logging
import secrets
import time
from datetime import timedelta
from http.client import HTTPException
from urllib.parse import urlsplit

import requests

from odoo import api, fields, models, modules
from odoo.exceptions import AccessError, ValidationError

from ..exceptions import (
    SidecarAnswerInvalid,
    SidecarNotSetUp,
    SidecarProblem,
    SidecarTokenRefused,
    SidecarUnreachable,
)
from ..tools.probe_outcome import OutcomeInvalid, read_answer

_logger = logging.getLogger(__name__)

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0  # beside the wait that a call asks for
ANSWER_BYTES = 32 * 1024 * 1024
WAIT_MS = 300
WAIT_MS_MAX = 5000
API_KEY_NAME = "InsightPulse sidecar"


class Sidecar(models.AbstractModel):
    _name = "insightpulse.sidecar"
    _description = "InsightPulse Sidecar"

    # What the sidecar is asked for

    @api.model
    def _seal(self, items):
        """Return the sealed tokens for secrets, in their order.

        :param items: dicts ``{"field", "secret", "endpoint"}``
        """
        if not items:
            return []
        answer = self._post("/v1/seal", {"items": items})
        tokens = answer.get("tokens")
        if not self._is_list(tokens, len(items), str) or not all(tokens):
            raise self._answer_invalid("/v1/seal")
        return tokens

    @api.model
    def _probe(self, endpoints, request_id):
        """Probe endpoints; return for each what is known once the wait is over.

        :param request_id: the same when Odoo runs the same HTTP request again
        """
        if not endpoints:
            return []
        wait_ms = self._wait_ms()
        answer = self._post(
            "/v1/probes",
            {"request": request_id, "wait_ms": wait_ms, "endpoints": endpoints},
            wait_ms=wait_ms,
        )
        results = answer.get("results")
        if not self._is_list(results, len(endpoints), dict):
            raise self._answer_invalid("/v1/probes")
        try:
            results = [read_answer(result) for result in results]
        except OutcomeInvalid as error:
            _logger.warning("The sidecar's answer has a result that does not fit: %s", error)
            raise self._answer_invalid("/v1/probes") from None
        if {result["id"] for result in results} != {endpoint["id"] for endpoint in endpoints}:
            raise self._answer_invalid("/v1/probes")
        return results

    @api.model
    def _render(self, endpoints, file_format, combine):
        """Return the documents ``{"id", "filename", "mimetype", "content"}``, in the endpoints' order,
        or with `combine` a list of the one for all of them."""
        if not endpoints:
            return []
        answer = self._post("/v1/render", {"format": file_format, "combine": combine, "endpoints": endpoints})
        documents = answer.get("documents")
        if not self._is_list(documents, 1 if combine else len(endpoints), dict) or not all(
            isinstance(document.get(key), str) for document in documents for key in ("filename", "mimetype", "content")
        ):
            raise self._answer_invalid("/v1/render")
        return documents

    @api.model
    def _check(self):
        """Raise unless the sidecar is there, is ready, and takes Odoo's token and database."""
        self._post("/v1/seal", {"items": []})
        status_code, answer = self._request("GET", "/readyz", authenticated=False)
        if status_code != 200:
            reason = answer.get("odoo")
            raise SidecarProblem(
                self.env._(
                    "The sidecar answers and accepts Odoo's token, but cannot write results back to Odoo: "
                    "%(reason)s\n\n"
                    "Check the Odoo address, the database and the API key in the sidecar's environment, "
                    "or set up the sidecar again for a new key.",
                    reason=reason[:500] if isinstance(reason, str) else self.env._("it does not say why"),
                ),
                code="not_ready",
            )

    # Settings

    @api.model
    def _is_set_up(self):
        get_param = self.env["ir.config_parameter"].sudo().get_param
        return bool(get_param("insightpulse.sidecar_url") and get_param("insightpulse.sidecar_token"))

    @api.model
    def _wait_ms(self):
        """How long a click waits for its result, in milliseconds."""
        value = self.env["ir.config_parameter"].sudo().get_param("insightpulse.sidecar_wait_ms", WAIT_MS)
        try:
            return min(max(int(value), 0), WAIT_MS_MAX)
        except ValueError:
            return WAIT_MS

    @api.model
    def _normalize_url(self, url):
        """Return an ``http(s)://host[:port][/path]`` without a slash at its end, or raise."""
        url = (url or "").strip().rstrip("/")
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
        except ValueError:
            valid = False
        if not valid or parts.username or parts.password or parts.query or parts.fragment:
            raise ValidationError(
                self.env._("“%(url)s” is not an address such as http://127.0.0.1:8787.", url=url[:200])
            )
        return url

    @api.model
    def _issue_credentials(self, sidecar_url, odoo_url):
        """Make what both sides need to trust each other; what they had before is void at once.

        :return: what the sidecar has to be told. Odoo keeps the API key's hash only, so this
            is the one time that it can be read.
        """
        if not self.env.is_system():
            raise AccessError(self.env._("Only a system administrator may set up the sidecar."))
        sidecar_url, odoo_url = self._normalize_url(sidecar_url), self._normalize_url(odoo_url)
        user = self.env.ref("insightpulse_connection_manager.user_sidecar").sudo()
        group = self.env.ref("insightpulse_connection_manager.group_connection_sidecar").sudo()
        token = secrets.token_urlsafe(32)
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param("insightpulse.sidecar_url", sidecar_url)
        parameters.set_param("insightpulse.sidecar_token", token)
        api_keys = self.env["res.users.apikeys"].sudo()
        api_keys.search([("user_id", "=", user.id)])._remove()
        # A minute less, since Odoo compares with its clock when it makes the key.
        expires = fields.Datetime.now() + timedelta(days=group.api_key_duration, minutes=-1)
        api_key = api_keys.with_user(user)._generate("rpc", API_KEY_NAME, expires)
        return {
            "server_token": token,
            "odoo_url": odoo_url,
            "odoo_database": self.env.cr.dbname,
            "odoo_database_uuid": self._database_uuid(),
            "odoo_login": user.login,
            "odoo_api_key": api_key,
        }

    @api.model
    def _database_uuid(self):
        return self.env["ir.config_parameter"].sudo().get_param("database.uuid")

    # HTTP

    @api.model
    def _post(self, route, payload, wait_ms=0):
        payload = {"database": self._database_uuid(), **payload}
        status_code, answer = self._request("POST", route, payload, wait_ms=wait_ms)
        if status_code == 401:
            raise SidecarTokenRefused(
                self.env._(
                    "The sidecar does not accept Odoo's token. A system administrator can make a new one "
                    "under Settings → InsightPulse → Set up the sidecar, and restart the sidecar with it."
                )
            )
        if status_code != 200:
            raise self._problem(route, status_code, answer)
        return answer

    @api.model
    def _request(self, method, route, payload=None, wait_ms=0, authenticated=True):
        """Send one request, wait for it no longer than agreed, return its status and its JSON object."""
        self._refuse_under_tests()
        url, headers = self._address(authenticated)
        started = time.monotonic()
        deadline = started + CONNECT_SECONDS + ANSWER_SECONDS + wait_ms / 1000
        try:
            with requests.Session() as session:
                # The environment's proxies and .netrc are not for the token.
                session.trust_env = False
                response = session.request(
                    method,
                    url + route,
                    json=payload,
                    headers=headers,
                    timeout=(CONNECT_SECONDS, ANSWER_SECONDS + wait_ms / 1000),
                    allow_redirects=False,
                    stream=True,
                )
                body = self._read(response, route, deadline)
        except (OSError, HTTPException) as error:
            _logger.warning(
                "The sidecar did not answer %s %s within %d ms: %s",
                method,
                route,
                (time.monotonic() - started) * 1000,
                type(error).__name__,
            )
            raise SidecarUnreachable(
                self.env._(
                    "The sidecar does not answer at %(url)s. Nothing was changed.\n\n"
                    "Start it, or correct its address under Settings → InsightPulse.",
                    url=url,
                )
            ) from None
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            _logger.warning("The sidecar answered %s with %d and no JSON object", route, response.status_code)
            raise self._answer_invalid(route) from None
        return response.status_code, answer

    @api.model
    def _address(self, authenticated):
        get_param = self.env["ir.config_parameter"].sudo().get_param
        url, token = get_param("insightpulse.sidecar_url"), get_param("insightpulse.sidecar_token")
        if not url or not token:
            raise SidecarNotSetUp(
                self.env._(
                    "The sidecar is not set up yet: it tests connections and seals passwords. "
                    "A system administrator can do so under Settings → InsightPulse → Set up the sidecar."
                )
            )
        headers = {"Accept-Encoding": "identity"}
        if authenticated:
            headers["Authorization"] = f"Bearer {token}"
        return url.rstrip("/"), headers

    @api.model
    def _read(self, response, route, deadline):
        """Read the body as it comes: `requests` would wait for each piece of it anew, however slowly it trickles."""
        body = bytearray()
        while chunk := response.raw._original_response.read1(64 * 1024):
            body += chunk
            if len(body) > ANSWER_BYTES:
                raise self._answer_invalid(route)
            if time.monotonic() > deadline:
                raise requests.Timeout
        return bytes(body)

    @api.model
    def _problem(self, route, status_code, answer):
        code = answer.get("code")
        detail = answer.get("detail") or answer.get("title")
        if not isinstance(code, str) or not isinstance(detail, str):
            _logger.warning("The sidecar answered %s with %d and no problem document", route, status_code)
            return self._answer_invalid(route)
        _logger.warning("The sidecar refused %s: %s", route, code[:64])
        if code == "wrong_database":
            message = self.env._(
                "The sidecar works for another database. If this one is a copy, a system administrator can set up "
                "a sidecar of its own under Settings → InsightPulse."
            )
        elif code == "shutting_down":
            message = self.env._("The sidecar is being stopped. Try again in a moment.")
        elif code in ("invalid_endpoint", "unknown_format"):
            message = detail[:500]
        else:
            message = self.env._("The sidecar refused the request: %(detail)s", detail=detail[:500])
        return SidecarProblem(message, code[:64])

    @api.model
    def _answer_invalid(self, route):
        return SidecarAnswerInvalid(
            self.env._(
                "What answers at the sidecar's address is not a sidecar of this version (%(route)s). "
                "Check the address under Settings → InsightPulse, and update the sidecar together with the addon.",
                route=route,
            )
        )

    @api.model
    def _is_list(self, value, length, item_type):
        return isinstance(value, list) and len(value) == length and all(isinstance(item, item_type) for item in value)

    @api.model
    def _refuse_under_tests(self):
        """A test that wants the network says so by patching this."""
        if modules.module.current_test:
            raise SidecarUnreachable(self.env._("The sidecar is not called during tests."))
