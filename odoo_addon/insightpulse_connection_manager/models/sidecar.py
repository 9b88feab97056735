"""The one module that speaks HTTP to the sidecar."""

import json
import logging
import time
from http.client import HTTPException
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import requests

from odoo import api, models, modules
from odoo.exceptions import ValidationError
from odoo.http import request

from ..exceptions import (
    SidecarAnswerInvalid,
    SidecarNotSetUp,
    SidecarOfAnotherDatabase,
    SidecarProblem,
    SidecarTokenRefused,
    SidecarUnreachable,
)
from ..tools import unix_adapter
from ..tools.notifier import NOTIFIER
from ..tools.probe_outcome import OutcomeInvalid, read_answer

_logger = logging.getLogger(__name__)

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0  # beside the wait that a call asks for
ANSWER_BYTES = 32 * 1024 * 1024
WAIT_MS = 300
WAIT_MS_MAX = 5000
FORMAT_SHAPE = {
    **dict.fromkeys(("id", "label", "tab", "language", "filename", "mimetype", "content"), str),
    "error": str | None,
    "left_out": list,
    "files": list | None,
}


class AnswerTooLarge(Exception):
    """No sidecar answers so much."""


def exchange(method, url, route, payload, headers, verify, wait_ms=0):
    """Send one request, wait for it no longer than agreed, return its status and its body.

    :raise OSError, HTTPException: when nobody answers, or not in time
    """
    deadline = time.monotonic() + CONNECT_SECONDS + ANSWER_SECONDS + wait_ms / 1000
    with requests.Session() as session:
        # The environment's proxies and .netrc are not for the token.
        session.trust_env = False
        response = session.request(
            method,
            _mount(session, url) + route,
            json=payload,
            headers={"Accept-Encoding": "identity", **headers},
            verify=verify,
            timeout=(CONNECT_SECONDS, ANSWER_SECONDS + wait_ms / 1000),
            allow_redirects=False,
            stream=True,
        )
        return response.status_code, _read(response, deadline)


def _mount(session, url):
    """Make a session speak to a Unix socket where the address is one; return what begins its URLs."""
    if not url.startswith(unix_adapter.SCHEME):
        return url
    session.mount(unix_adapter.STAND_IN, unix_adapter.UnixAdapter(url.removeprefix(unix_adapter.SCHEME)))
    return unix_adapter.STAND_IN


def _read(response, deadline):
    """Read the body as it comes: `requests` would wait for each piece of it anew, however slowly it trickles."""
    body = bytearray()
    while chunk := response.raw._original_response.read1(64 * 1024):
        body += chunk
        if len(body) > ANSWER_BYTES:
            raise AnswerTooLarge
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(body)


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
    def _render(self, endpoints, file_format, combine, reveal=False):
        """Return the documents ``{"id", "filename", "mimetype", "content", "error"}``, in the endpoints' order,
        or with `combine` a list of the one for all of them.

        :param reveal: with the secrets in the text; whoever asks for that has checked the right to
        """
        if not endpoints:
            return []
        payload = {"format": file_format, "combine": combine, "reveal": reveal, "endpoints": endpoints}
        answer = self._post("/v1/render", payload)
        documents = answer.get("documents")
        if not self._is_list(documents, 1 if combine else len(endpoints), dict) or not all(
            isinstance(document.get(key), str) for document in documents for key in ("filename", "mimetype", "content")
        ):
            raise self._answer_invalid("/v1/render")
        return documents

    @api.model
    def _parse(self, text):
        """Return ``{"connections", "variables"}``: what a pasted text tells of, its secrets included.

        Connections are dicts with the sidecar's names, variables are pairs of a name and a value.
        """
        answer = self._post("/v1/parse", {"text": text})
        connections, variables = answer.get("connections"), answer.get("variables")
        if not (
            isinstance(connections, list)
            and all(isinstance(connection, dict) for connection in connections)
            and isinstance(variables, list)
            and all(self._is_list(variable, 2, str) for variable in variables)
        ):
            raise self._answer_invalid("/v1/parse")
        return answer

    @api.model
    def _connect(self, endpoints, reveal=False):
        """Return all that a Connect dialog shows: ``{"tabs", "formats", "parameters"}``.

        :param reveal: with the secrets in the texts; whoever asks for that has checked the right to
        """
        answer = self._post("/v1/connect", {"reveal": reveal, "endpoints": endpoints})
        if not (
            self._are_rows(answer.get("tabs"), id=str, label=str)
            and self._are_rows(answer.get("formats"), **FORMAT_SHAPE)
            and self._are_rows(answer.get("parameters"), id=str, label=str, value=str, is_secret=bool)
            and all(self._are_rows(one["files"] or [], path=str, content=str) for one in answer["formats"])
            and all(self._is_list(row, 2, str) for one in answer["formats"] for row in one["left_out"])
        ):
            raise self._answer_invalid("/v1/connect")
        return answer

    @api.model
    def _rebind(self, items, from_database=None):
        """Seal secrets for another destination; return for each its token, or why there is none.

        :param items: dicts ``{"field", "token", "from", "to"}``, the last two endpoints
        :param from_database: the uuid of the database that sealed them, when it is not this one
        :return: dicts ``{"token", "error"}``, one of them None
        """
        if not items:
            return []
        payload = {"items": items}
        if from_database:
            payload["from_database"] = from_database
        return self._results("/v1/rebind", payload, "token", len(items))

    @api.model
    def _open(self, items):
        """Return secrets in plaintext, or why they do not open; whoever asks has checked the right to.

        :param items: dicts ``{"field", "endpoint"}``
        :return: dicts ``{"secret", "error"}``, both None where none is stored
        """
        return self._results("/v1/open", {"items": items}, "secret", len(items)) if items else []

    @api.model
    def _results(self, route, payload, key, count):
        results = self._post(route, payload).get("results")
        if not self._is_list(results, count, dict) or not all(
            isinstance(result.get(name), str | None) for result in results for name in (key, "error")
        ):
            raise self._answer_invalid(route)
        return results

    @api.model
    def _history(self, record_uuid, range_name):
        """Return how an endpoint has been, ``{"step_s", "points", "uptime"}``."""
        query = urlencode({"database": self._database_uuid(), "record": record_uuid, "range": range_name})
        answer = self._answer("/v1/history", *self._request("GET", f"/v1/history?{query}"))
        if not (
            self._are_rows(answer.get("points"), at=str, probes=int, failures=int)
            and self._are_rows(answer.get("uptime"), range=str)
            and isinstance(answer.get("step_s"), int)
        ):
            raise self._answer_invalid("/v1/history")
        return answer

    @api.model
    def _prepare_webhook(self):
        """Return the webhook as the sidecar reads it, an endpoint whose key it signs with; or None."""
        url, token = self._parameter("insightpulse.webhook_url"), self._parameter("insightpulse.webhook_token")
        if not url or not token:
            return None
        return {
            "record": self._parameter("insightpulse.webhook_uuid"),
            "kind": "api",
            "base_url": url,
            "api_key": token,
        }

    @api.model
    def _set_webhook(self, url, secret):
        """Have events told to an address from now on, signed with a secret; no secret leaves the one that is there."""
        parameters = self.env["ir.config_parameter"].sudo()
        record = self._parameter("insightpulse.webhook_uuid") or str(uuid4())
        parameters.set_param("insightpulse.webhook_uuid", record)
        if url != self._parameter("insightpulse.webhook_url"):
            # Sealed for the old address, it does not open for another.
            parameters.set_param("insightpulse.webhook_token", False)
        if secret:
            endpoint = {"record": record, "kind": "api", "base_url": url}
            (token,) = self._seal([{"field": "api_key", "secret": secret, "endpoint": endpoint}])
            parameters.set_param("insightpulse.webhook_token", token)
        parameters.set_param("insightpulse.webhook_url", url)
        self.env["insightpulse.audit.entry"]._log("webhook", detail=url or self.env._("none"))
        self._tell_changed(everything=True)

    @api.model
    def _swap_webhook_token(self, old, new):
        """Put a new token in the place of exactly the old one; return whether that was there."""
        if self._parameter("insightpulse.webhook_token") != old:
            return False
        self.env["ir.config_parameter"].sudo().set_param("insightpulse.webhook_token", new)
        return True

    @api.model
    def _carry_over_webhook(self, from_database):
        """Seal the webhook's key for this database; one that does not open is no longer there, and has to be typed."""
        webhook = self._prepare_webhook()
        if webhook:
            item = {"field": "api_key", "token": webhook["api_key"], "from": webhook, "to": webhook}
            (result,) = self._rebind([item], from_database)
            token = result["token"] or False
            self.env["ir.config_parameter"].sudo().set_param("insightpulse.webhook_token", token)

    @api.model
    def _test_webhook(self, endpoint):
        """Have the webhook told of a test; return None when it was, or why it was not."""
        answer = self._post("/v1/alerts", {"endpoint": endpoint})
        if answer.get("sent") is False:
            return str(answer.get("error") or "")[:500]
        return None

    @api.model
    def _tell_changed(self, ids=(), everything=False):
        """Tell the sidecar, after the commit and without waiting for it, which endpoints to read again."""
        if self._pairing_state() != "paired":
            return
        changed = self.env.cr.postcommit.data.setdefault("insightpulse.changed", {"ids": set(), "everything": False})
        is_first = not changed["ids"] and not changed["everything"]
        changed["ids"].update(ids)
        changed["everything"] |= everything or not ids
        if is_first:
            # Read now: after the commit there is no cursor to read it with.
            url, headers = self._address()
            payload = {"database": self._database_uuid(), "database_name": self.env.cr.dbname}
            verify = self._parameter("insightpulse.sidecar_ca_file") or True

            def send(ids, everything):
                body = {**payload, "changed": ids, "all": everything}
                status_code, _body = exchange("POST", url, "/v1/endpoints", body, headers, verify)
                _logger.debug("Told the sidecar what has changed: %d", status_code)

            @self.env.cr.postcommit.add
            def tell():
                NOTIFIER.tell((url, payload["database"]), send, changed["ids"], changed["everything"])

    @api.model
    def _check(self):
        """Raise unless the sidecar is there, takes Odoo's token and database, and can write back."""
        reason = self._post("/v1/status", {}).get("odoo", "")
        if reason is not None:
            raise SidecarProblem(
                self.env._(
                    "The sidecar answers and accepts Odoo's token, but cannot write results back to Odoo: "
                    "%(reason)s\n\n"
                    "Check that the sidecar reaches Odoo at the address that it was paired with, or pair it again.",
                    reason=reason[:500] if reason and isinstance(reason, str) else self.env._("it does not say why"),
                ),
                code="not_ready",
            )

    # Settings

    @api.model
    def _wait_ms(self):
        """How long a click waits for its result, in milliseconds."""
        value = self.env["ir.config_parameter"].sudo().get_param("insightpulse.sidecar_wait_ms", WAIT_MS)
        try:
            return min(max(int(value), 0), WAIT_MS_MAX)
        except ValueError:
            return WAIT_MS

    @api.model
    def _normalize_url(self, url, is_odoo=False, with_query=False):
        """Return an ``http(s)://host[:port][/path]`` without a slash at its end, or raise.

        The sidecar, but not Odoo, may be at a ``unix:///path/of/a.sock`` too.
        """
        url = (url or "").strip().rstrip("/")
        try:
            parts = urlsplit(url)
            is_socket = parts.scheme == "unix" and not is_odoo
            valid = (
                not parts.netloc and parts.path.startswith("/")
                if is_socket
                else parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
            )
        except ValueError:
            valid = False
        if not valid or parts.username or parts.password or (parts.query and not with_query) or parts.fragment:
            raise ValidationError(
                self.env._("“%(url)s” is not an address such as http://127.0.0.1:8787.", url=url[:200])
            )
        return url

    @api.model
    def _http_request_id(self):
        """Return an id that stays the same when Odoo runs this HTTP request again after a conflict."""
        base = uuid4().hex
        if request:
            # The request outlives the conflict; the transaction and its caches do not.
            base = getattr(request, "_insightpulse_request_id", base)
            request._insightpulse_request_id = base
        return base

    @api.model
    def _database_uuid(self):
        return self._parameter("database.uuid")

    @api.model
    def _parameter(self, key):
        return self.env["ir.config_parameter"].sudo().get_param(key)

    # HTTP

    @api.model
    def _post(self, route, payload, wait_ms=0):
        payload = {"database": self._database_uuid(), **payload}
        return self._answer(route, *self._request("POST", route, payload, wait_ms=wait_ms))

    @api.model
    def _answer(self, route, status_code, answer):
        """Return what a route answered, or raise what it refused it with."""
        if status_code == 401:
            raise SidecarTokenRefused(
                self.env._(
                    "The sidecar does not accept Odoo's token: the pairing was ended or replaced. "
                    "A system administrator can pair it again under Settings → InsightPulse → Pair with a sidecar."
                )
            )
        if status_code != 200:
            raise self._problem(route, status_code, answer)
        return answer

    @api.model
    def _request(self, method, route, payload=None, wait_ms=0, url=None):
        """Send one request, wait for it no longer than agreed, return its status and its JSON object.

        :param url: of a sidecar that is not paired yet, and so gets no token
        """
        self._refuse_under_tests()
        url, headers = (url, {}) if url else self._address()
        verify = self._parameter("insightpulse.sidecar_ca_file") or True
        started = time.monotonic()
        try:
            status_code, body = exchange(method, url, route, payload, headers, verify, wait_ms)
        except AnswerTooLarge:
            raise self._answer_invalid(route) from None
        except (OSError, HTTPException) as error:
            _logger.warning(
                "The sidecar did not answer %s %s within %d ms: %s",
                method,
                route,
                (time.monotonic() - started) * 1000,
                type(error).__name__,
            )
            raise SidecarUnreachable(self._unreachable_message(url, error)) from None
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            _logger.warning("The sidecar answered %s with %d and no JSON object", route, status_code)
            raise self._answer_invalid(route) from None
        return status_code, answer

    @api.model
    def _unreachable_message(self, url, error):
        if isinstance(error, requests.exceptions.SSLError):
            return self.env._(
                "Odoo does not trust the certificate of the sidecar at %(url)s. Nothing was changed.\n\n"
                "Name the authority that signed it under Settings → InsightPulse.",
                url=url,
            )
        return self.env._(
            "The sidecar does not answer at %(url)s. Nothing was changed.\n\n"
            "Start it, or correct its address under Settings → InsightPulse.",
            url=url,
        )

    @api.model
    def _address(self):
        url, token = self._parameter("insightpulse.sidecar_url"), self._parameter("insightpulse.sidecar_token")
        paired = self._parameter("insightpulse.paired_database_uuid")
        if token and paired != self._database_uuid():
            # A duplicated database has its original's token. Nothing of it may reach the original's sidecar.
            raise SidecarOfAnotherDatabase(
                self.env._(
                    "This database is a copy, and the sidecar belongs to the original: it tests and seals nothing "
                    "for this one. A system administrator can pair this one by itself "
                    "under Settings → InsightPulse → Pair with a sidecar."
                )
            )
        if not url or not token:
            raise SidecarNotSetUp(
                self.env._(
                    "This Odoo is not paired with a sidecar yet, which tests connections and seals passwords. "
                    "A system administrator can do so under Settings → InsightPulse → Pair with a sidecar."
                )
            )
        return url.rstrip("/"), {"Authorization": f"Bearer {token}"}

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
                "The sidecar's token belongs to another database. If this one is a copy, a system administrator can "
                "pair it by itself under Settings → InsightPulse → Pair with a sidecar."
            )
        elif code == "shutting_down":
            message = self.env._("The sidecar is being stopped. Try again in a moment.")
        elif code in ("too_many_requests", "busy", "too_many_tests", "too_many_attempts"):
            message = self.env._("The sidecar has too much to do at the moment. Try again in a minute.")
        elif code in ("unknown_format", "invalid_pairing", "unreadable_text"):
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
    def _are_rows(self, rows, /, **shape):
        return isinstance(rows, list) and all(
            isinstance(row, dict) and all(isinstance(row.get(key), kind) for key, kind in shape.items()) for row in rows
        )

    @api.model
    def _refuse_under_tests(self):
        """A test that wants the network says so by patching this."""
        if modules.module.current_test:
            raise SidecarUnreachable(self.env._("The sidecar is not called during tests."))
