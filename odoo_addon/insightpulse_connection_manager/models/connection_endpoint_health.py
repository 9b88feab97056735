from odoo import api, fields, models
from odoo.tools import human_size

from ..tools.failure_texts import ADVICE, PARTS, REASONS, SAID


class ConnectionEndpointHealth(models.Model):
    """Tells what the last test found out, in the reader's language."""

    _inherit = "insightpulse.connection.endpoint"

    explanations = fields.Json(readonly=True, copy=False, help="Reasons and their values, the worst first.")
    facts = fields.Json(readonly=True, copy=False, help="What the last test learned beside what has a field.")
    certificate_expires_at = fields.Datetime(string="Certificate Expires", readonly=True, copy=False, index=True)

    # As the sidecar says it, in English
    failure_text = fields.Char(readonly=True, copy=False)
    failure_hint = fields.Char(readonly=True, copy=False)
    # The same in the reader's language
    failure_message = fields.Char(string="What Happened", compute="_compute_texts", search="_search_failure_message")
    failure_advice = fields.Char(string="What to Do", compute="_compute_texts")

    database_size = fields.Char(compute="_compute_facts")
    reserved_connections = fields.Integer(compute="_compute_facts")
    replication = fields.Char(compute="_compute_facts")
    tls_version = fields.Char(string="Encryption", compute="_compute_facts")
    server_name = fields.Char(string="Server's Name", compute="_compute_facts")
    protocol = fields.Char(compute="_compute_facts")
    http_status = fields.Char(string="HTTP Status", compute="_compute_facts")
    answer_size = fields.Char(compute="_compute_facts")
    # As texts: none at all is another answer than none known.
    tools_count = fields.Char(string="Tools", compute="_compute_facts")
    databases_count = fields.Char(string="Databases", compute="_compute_facts")
    odoo_version = fields.Char(string="Odoo Version", compute="_compute_facts")
    parts_answering = fields.Char(string="Parts That Answer", compute="_compute_facts")

    @api.depends("explanations", "failure_kind", "failure_text", "failure_hint")
    @api.depends_context("lang")
    def _compute_texts(self):
        for endpoint in self:
            endpoint.failure_message, endpoint.failure_advice = self._explain(
                endpoint.explanations, endpoint.failure_kind, endpoint.failure_text, endpoint.failure_hint
            )

    @api.model
    def _search_failure_message(self, operator, value):
        return [("failure_text", operator, value)]

    @api.model
    def _explain(self, explanations, kind, message, advice):
        """Return what happened and what to do in the user's language, or as the sidecar says it.

        A sidecar that is newer than this addon may know reasons that the addon does not.
        """
        sentences = [self._explain_one(explanation) for explanation in explanations or []]
        if not sentences or not all(sentences):
            return message, advice
        return " ".join(sentences), self.env._(ADVICE[kind]) if kind in ADVICE else advice

    @api.model
    def _explain_one(self, explanation):
        template = REASONS.get(explanation["reason"])
        if template is None:
            return None
        try:
            sentence = self.env._(template) % explanation["values"]
        except (KeyError, ValueError, TypeError):
            # A translation, or a newer sidecar, with other values than are there.
            return None
        part = PARTS.get(explanation.get("part"))
        if part is not None:
            sentence = f"{self.env._(part)}: {sentence}"
        if explanation.get("said"):
            sentence += " " + self.env._(SAID) % {"said": explanation["said"]}
        return sentence

    @api.depends("facts")
    @api.depends_context("lang")
    def _compute_facts(self):
        for endpoint in self:
            facts = endpoint.facts or {}
            endpoint.database_size = self._size(facts.get("database_bytes"))
            endpoint.reserved_connections = facts.get("reserved_connections") or 0
            endpoint.replication = self._replication(facts)
            endpoint.tls_version = facts.get("tls_version")
            endpoint.server_name = facts.get("server_name")
            endpoint.protocol = facts.get("protocol")
            endpoint.http_status = self._number(facts.get("http_status"))
            endpoint.answer_size = self._size(facts.get("body_bytes"))
            endpoint.tools_count = self._number(facts.get("tools"))
            endpoint.databases_count = self._number(facts.get("databases"))
            endpoint.odoo_version = facts.get("odoo_version")
            parts = [self.env._(PARTS[part]) for part in facts.get("parts", []) if part in PARTS]
            endpoint.parts_answering = ", ".join(parts) or False

    @api.model
    def _number(self, number):
        return str(number) if number is not None else False

    @api.model
    def _size(self, size):
        return human_size(size) if size is not None else False

    @api.model
    def _replication(self, facts):
        if not facts.get("in_recovery"):
            return False
        lag = facts.get("replica_lag_s")
        if lag is None:
            return self.env._("A replica; how far behind is not known")
        return self.env._("A replica, %(seconds)s s behind", seconds=f"{lag:.1f}")
