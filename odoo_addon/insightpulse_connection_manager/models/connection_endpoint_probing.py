import hashlib
import json

from odoo import api, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import SQL

from ..tools.probe_outcome import OutcomeInvalid, read_reports
from .connection_endpoint import AGENCY_GROUP, HEALTH_FIELDS, MANAGER_GROUP, SIDECAR_GROUP
from .ir_websocket import SUBCHANNEL


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
    def apply_probe_results(self, results, database=None):
        """Write what the sidecar found out. It alone may call this.

        An outcome is ignored when its endpoint is gone or was changed since, or when a newer one is known; and with
        it what it adds to the endpoint's days. An event is kept if its endpoint is there, and once.

        :param list results: reports, as ARCHITECTURE.md has them
        :param database: the uuid of the database that they are for: another one may bear its name by now
        :return: ``{"applied": [ids], "ignored": [ids]}``
        """
        self._check_group(SIDECAR_GROUP)
        if database and database != self.env["insightpulse.sidecar"]._database_uuid():
            raise AccessError(self.env._("These results are for another database, which had this name before."))
        try:
            outcomes, events, tallies = read_reports(results)
        except OutcomeInvalid as error:
            raise ValidationError(self.env._("Not an outcome of a probe: %(reason)s", reason=str(error))) from None
        rows = self._apply_outcomes(outcomes) if outcomes else []
        applied = {endpoint_id for endpoint_id, _company_id, _agency_id in rows}
        self._apply_events(events)
        self._apply_tallies([tally for tally in tallies if tally["endpoint_id"] in applied])
        if applied:
            endpoints = self.browse(sorted(applied))
            computed = [name for name, field in self._fields.items() if field.compute and not field.store]
            endpoints.invalidate_recordset([*HEALTH_FIELDS, *computed], flush=False)
            self._notify_changed(rows)
        return {
            "applied": sorted(applied),
            "ignored": sorted(outcome["id"] for outcome in outcomes if outcome["id"] not in applied),
        }

    @api.model
    def _apply_outcomes(self, outcomes):
        """Store the outcomes by one statement, whatever their number.

        :return: of the endpoints that took one, id, company and agency
        """
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
            "unconfirmed_count": "int4",
            "unconfirmed_needed": "int4",
            "is_flapping": "bool",
        }
        return self.env.execute_query(
            SQL(
                """
                UPDATE %(table)s AS endpoint
                   SET %(assignments)s,
                       status_since = CASE WHEN endpoint.status = outcome.status AND endpoint.status_since IS NOT NULL
                                           THEN endpoint.status_since ELSE outcome.last_checked_at END
                  FROM jsonb_to_recordset(%(outcomes)s::jsonb)
                       AS outcome(id int4, uuid text, revision int4, %(columns)s)
                 WHERE endpoint.id = outcome.id
                   AND endpoint.uuid = outcome.uuid
                   AND endpoint.revision = outcome.revision
                   AND (endpoint.last_probe_id IS NULL
                        OR endpoint.last_probe_id COLLATE "C" < outcome.last_probe_id COLLATE "C")
             RETURNING endpoint.id, endpoint.company_id, endpoint.agency_id
                """,
                table=SQL.identifier(self._table),
                assignments=SQL(", ").join(
                    SQL("%s = outcome.%s", SQL.identifier(name), SQL.identifier(name)) for name in columns
                ),
                columns=SQL(", ").join(SQL("%s %s", SQL.identifier(name), SQL(kind)) for name, kind in columns.items()),
                # What is left out is NULL too, and need not be read.
                outcomes=json.dumps(
                    [{name: value for name, value in outcome.items() if value is not None} for outcome in outcomes]
                ),
            )
        )

    @api.model
    def _notify_changed(self, rows):
        """Tell the browsers of those who may see endpoints which ones to read again; nothing else is told.

        :param rows: of each endpoint its id, company and agency
        """
        ids_by_target = {}
        managers = self.env.ref(MANAGER_GROUP).sudo()
        for endpoint_id, company_id, agency_id in rows:
            company = self.env["res.company"].browse(company_id) if company_id else managers
            ids_by_target.setdefault(company, []).append(endpoint_id)
            if agency_id:
                agency = self.env["insightpulse.agency"].browse(agency_id)
                ids_by_target.setdefault(agency, []).append(endpoint_id)
        for target, ids in ids_by_target.items():
            self.env["bus.bus"]._sendone((target, SUBCHANNEL), "insightpulse.endpoint/changed", {"ids": ids})

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
