import hashlib
import json

from odoo import api, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from ..tools.probe_outcome import OutcomeInvalid, read_outcomes
from .connection_endpoint import AGENCY_GROUP, HEALTH_FIELDS, SIDECAR_GROUP


class ConnectionEndpointProbing(models.Model):
    """Has endpoints tested, takes in what was found out, and counts it."""

    _inherit = "insightpulse.connection.endpoint"

    def action_test_connection(self):
        """Ask the sidecar to probe these endpoints; tell what is known when its short wait is over.

        Nothing is written here: the sidecar reports to :meth:`apply_probe_results` by itself.
        """
        self._check_group(AGENCY_GROUP)
        self.check_access("read")
        endpoints = self.exists()
        if not endpoints:
            raise UserError(self.env._("Select the connections to test."))
        results = self.env["insightpulse.sidecar"]._probe(endpoints._prepare_endpoints(), endpoints._request_id())
        results = {result["id"]: result for result in results}
        notification = endpoints._notify_one(results) if len(endpoints) == 1 else endpoints._notify_many(results)
        notification["next"] = {
            "type": "ir.actions.client",
            "tag": "insightpulse_follow_probes",
            "params": {
                "probes": [
                    {
                        "id": endpoint.id,
                        "revision": endpoint.revision,
                        "probe": results[endpoint.id]["probe"],
                        "testing": results[endpoint.id]["state"] == "testing",
                    }
                    for endpoint in endpoints
                ],
            },
        }
        return {"type": "ir.actions.client", "tag": "display_notification", "params": notification}

    def _request_id(self):
        """Return an id that stays the same when Odoo runs this HTTP request again after a conflict,
        and differs for every other test."""
        base = self.env["insightpulse.sidecar"]._http_request_id()
        subject = [(endpoint.id, endpoint.revision) for endpoint in self]
        return f"{base}-{hashlib.sha256(json.dumps(subject).encode()).hexdigest()[:16]}"

    def _notify_one(self, results):
        result = results[self.id]
        if result["state"] == "testing":
            return {"type": "info", "message": self.env._("Testing %(name)s …", name=self.name)}
        if result["status"] == "failed":
            return {
                "type": "danger",
                "sticky": True,
                "title": self.env._("%(name)s failed", name=self.name),
                "message": self._join_sentences(*self._explain_answer(result)),
            }
        facts = {"name": self.name, "latency": f"{result.get('latency_ms') or 0:.0f}"}
        if result.get("server_version"):
            message = self.env._(
                "Connected to %(name)s in %(latency)s ms (%(version)s)", version=result["server_version"], **facts
            )
        else:
            message = self.env._("Connected to %(name)s in %(latency)s ms", **facts)
        if result["status"] == "degraded":
            reason = self._join_sentences(*self._explain_answer(result))
            return {"type": "warning", "title": message, "message": reason or self.env._("It answers, but not well.")}
        return {"type": "success", "message": message}

    def _notify_many(self, results):
        statuses = [result.get("status") or "testing" for result in results.values()]
        labels = {
            "success": self.env._("%(count)s connected", count=statuses.count("success")),
            "degraded": self.env._("%(count)s degraded", count=statuses.count("degraded")),
            "failed": self.env._("%(count)s failed", count=statuses.count("failed")),
            "testing": self.env._("%(count)s still being tested", count=statuses.count("testing")),
        }
        worst = next(status for status in ("failed", "degraded", "testing", "success") if status in statuses)
        types = {"failed": "danger", "degraded": "warning", "testing": "info", "success": "success"}
        return {
            "type": types[worst],
            "title": self.env._("%(count)s connections tested", count=len(self)),
            "message": ", ".join(label for status, label in labels.items() if status in statuses),
        }

    @api.model
    def _explain_answer(self, result):
        names = ("explanations", "failure_kind", "failure_message", "failure_advice")
        return self._explain(*(result.get(name) for name in names))

    @api.model
    def _join_sentences(self, *sentences):
        return " ".join(
            sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."
            for sentence in sentences
            if sentence
        )

    @api.model
    def apply_probe_results(self, results):
        """Write what the sidecar found out. It alone may call this.

        An outcome is ignored when its endpoint is gone or was changed since, or when a newer one is known.

        :param list results: outcomes, as ARCHITECTURE.md has them
        :return: ``{"applied": [ids], "ignored": [ids]}``
        """
        self._check_group(SIDECAR_GROUP)
        try:
            outcomes = read_outcomes(results)
        except OutcomeInvalid as error:
            raise ValidationError(self.env._("Not an outcome of a probe: %(reason)s", reason=str(error))) from None
        applied = set(self._apply_outcomes(outcomes)) if outcomes else set()
        if applied:
            endpoints = self.browse(sorted(applied))
            computed = [name for name, field in self._fields.items() if field.compute and not field.store]
            endpoints.invalidate_recordset([*HEALTH_FIELDS, *computed], flush=False)
            endpoints._notify_changed()
        return {
            "applied": sorted(applied),
            "ignored": sorted(outcome["id"] for outcome in outcomes if outcome["id"] not in applied),
        }

    @api.model
    def _apply_outcomes(self, outcomes):
        """Store the outcomes by one statement, whatever their number; return the ids of the endpoints that took one."""
        self.flush_model(["uuid", "revision", *HEALTH_FIELDS])
        columns = {
            "status": "text",
            "latency_ms": "float8",
            "phases": "jsonb",
            "server_version": "text",
            "active_connections": "int4",
            "max_connections": "int4",
            "last_checked_at": "timestamp",
            "failure_kind": "text",
            "failure_text": "text",
            "failure_hint": "text",
            "explanations": "jsonb",
            "facts": "jsonb",
            "certificate_expires_at": "timestamp",
            "last_probe_id": "text",
        }
        rows = self.env.execute_query(
            SQL(
                """
                UPDATE %(table)s AS endpoint
                   SET %(assignments)s
                  FROM jsonb_to_recordset(%(outcomes)s::jsonb)
                       AS outcome(id int4, uuid text, revision int4, %(columns)s)
                 WHERE endpoint.id = outcome.id
                   AND endpoint.uuid = outcome.uuid
                   AND endpoint.revision = outcome.revision
                   AND (endpoint.last_probe_id IS NULL
                        OR endpoint.last_probe_id COLLATE "C" < outcome.last_probe_id COLLATE "C")
             RETURNING endpoint.id
                """,
                table=SQL.identifier(self._table),
                assignments=SQL(", ").join(
                    SQL("%s = outcome.%s", SQL.identifier(name), SQL.identifier(name)) for name in columns
                ),
                columns=SQL(", ").join(SQL("%s %s", SQL.identifier(name), SQL(kind)) for name, kind in columns.items()),
                outcomes=json.dumps(outcomes),
            )
        )
        return [endpoint_id for (endpoint_id,) in rows]

    def _notify_changed(self):
        """Tell the browsers of those who may see endpoints which ones to read again; nothing else is told."""
        group = self.env.ref(AGENCY_GROUP, raise_if_not_found=False)
        if group:
            group.sudo()._bus_send("insightpulse.endpoint/changed", {"ids": self.ids})

    @api.model
    def get_connection_health_dashboard(self):
        """Return how many endpoints the user may read, by status and by kind."""
        groups = self._read_group([], ["connection_type", "status"], ["__count"])
        by_type = dict.fromkeys(dict(self._fields["connection_type"].selection), 0)
        by_status = dict.fromkeys(dict(self._fields["status"].selection), 0)
        for kind, status, count in groups:
            by_type[kind] += count
            by_status[status] += count
        return {
            "total": sum(by_status.values()),
            "active": by_status["success"],
            "degraded": by_status["degraded"],
            "failed": by_status["failed"],
            "not_tested": by_status["draft"],
            "by_type": by_type,
        }
