import json
import logging
from datetime import timedelta
from uuid import uuid4

from markupsafe import Markup
from psycopg2 import OperationalError

from odoo import SUPERUSER_ID, api, fields, models
from odoo.tools import SQL

from ..exceptions import SidecarError
from .connection_endpoint import AGENCY_GROUP

_logger = logging.getLogger(__name__)

# Told in one transaction; what is left is told by the next one, at once as well.
EVENTS_AT_ONCE = 20
# Of a certificate that expires soon people hear once a day at most.
CERTIFICATE_KIND = "certificate_expiring"
CERTIFICATE_EVERY = timedelta(hours=24)
FAILED_ACTIVITY = "insightpulse_connection_manager.activity_type_failed"
SUBTYPES = {
    "success": "insightpulse_connection_manager.subtype_recovered",
    "degraded": "insightpulse_connection_manager.subtype_degraded",
    "failed": "insightpulse_connection_manager.subtype_failed",
}


class ConnectionEndpointAlerts(models.Model):
    """Tells people what happened, each of them once: in the chatter, by mail to followers, as an activity."""

    _inherit = "insightpulse.connection.endpoint"

    certificate_told_at = fields.Datetime(readonly=True, copy=False)

    @api.model
    def _apply_events(self, events):
        """Store events that are not known yet, by one statement, and have people told soon."""
        if not events:
            return
        expecting = self._expect_recovery(events)
        events = [
            {**event, "position": position, "to_tell": self._is_to_be_told(event, expecting)}
            for position, event in enumerate(events)
        ]
        columns = {
            "uuid": "text",
            "date": "timestamp",
            "kind": "text",
            "from_status": "text",
            "to_status": "text",
            "is_flapping": "bool",
            "failure_kind": "text",
            "failure_text": "text",
            "failure_hint": "text",
            "explanations": "jsonb",
            "to_tell": "bool",
        }
        rows = self.env.execute_query(
            SQL(
                """
                INSERT INTO insightpulse_connection_event (endpoint_id, %(names)s)
                     SELECT endpoint.id, %(values)s
                       FROM jsonb_to_recordset(%(events)s::jsonb)
                            AS event(endpoint_id int4, endpoint_uuid text, position int4, %(columns)s)
                       JOIN %(table)s AS endpoint
                         ON endpoint.id = event.endpoint_id AND endpoint.uuid = event.endpoint_uuid
                   ORDER BY event.date, event.position
                ON CONFLICT (uuid) DO NOTHING
                  RETURNING to_tell
                """,
                table=SQL.identifier(self._table),
                names=SQL(", ").join(SQL.identifier(name) for name in columns),
                values=SQL(", ").join(SQL("event.%s", SQL.identifier(name)) for name in columns),
                columns=SQL(", ").join(SQL("%s %s", SQL.identifier(name), SQL(kind)) for name, kind in columns.items()),
                events=json.dumps(events),
            )
        )
        self.env["insightpulse.connection.event"].invalidate_model(flush=False)
        if any(to_tell for (to_tell,) in rows):
            self.env.ref("insightpulse_connection_manager.cron_tell").sudo()._trigger()

    @api.model
    def _is_to_be_told(self, event, expecting=()):
        """Nobody hears of what rests, each change of what flaps, that a new connection works, or daily of certificates.

        The sidecar's `Event::is_news`, for the webhook, says the same.

        :param expecting: ids of endpoints whose failure somebody still has an activity for: that they answer again
            closes it, however it came about
        """
        if event["kind"] == "transition" and event["is_flapping"]:
            return False
        if event["to_status"] != "failed" and event["endpoint_id"] in expecting:
            return True
        if event["is_quiet"]:
            return False
        if event["kind"] != "transition":
            return True
        if event["from_status"] is None and event["to_status"] == "success":
            return False
        return event["failure_kind"] != CERTIFICATE_KIND or event["from_status"] == "failed"

    @api.model
    def _expect_recovery(self, events):
        """Return which of the endpoints that answer again have an activity for their failure."""
        answering = [event["endpoint_id"] for event in events if event["to_status"] != "failed"]
        if not answering:
            return set()
        activities = self.env["mail.activity"].sudo()
        groups = activities._read_group(
            [
                ("res_model", "=", self._name),
                ("res_id", "in", answering),
                ("activity_type_id", "=", self.env.ref(FAILED_ACTIVITY).id),
            ],
            ["res_id"],
        )
        return {endpoint_id for (endpoint_id,) in groups}

    @api.model
    def _cron_tell(self):
        """Tell what has not been told yet, in the order in which it happened."""
        events = self.env["insightpulse.connection.event"].sudo()
        left = events.search_count([("to_tell", "=", True)])
        while left:
            batch = events.search([("to_tell", "=", True)], order="date, id", limit=EVENTS_AT_ONCE)
            for event in batch:
                try:
                    with self.env.cr.savepoint():
                        event.endpoint_id._tell(event)
                except OperationalError:
                    # Somebody else wrote at the same time: nothing of this run counts, and it is run again.
                    raise
                except Exception:
                    # One that cannot be told must not keep the others from being told, now or ever.
                    _logger.exception("An event of a connection could not be told")
                event.to_tell = False
                left -= 1
            if not self.env["ir.cron"]._commit_progress(len(batch), remaining=max(left, 0)) or not batch:
                break

    @api.model
    def _cron_certificates(self):
        """Remind of certificates that expire soon, of each once a day at most."""
        now = fields.Datetime.now()
        endpoints = self.sudo().search(
            [
                ("failure_kind", "=", CERTIFICATE_KIND),
                ("status", "=", "degraded"),
                "|",
                ("certificate_told_at", "=", False),
                ("certificate_told_at", "<=", now - CERTIFICATE_EVERY),
            ]
        )
        # What rests is not tested, and so would be reminded of for ever.
        endpoints = endpoints.filtered(lambda endpoint: endpoint.monitoring in ("on", "silent"))
        left = len(endpoints)
        for endpoint in endpoints:
            try:
                with self.env.cr.savepoint():
                    endpoint._remind_of_certificate()
                    # Not by write(), which would have the sidecar read the connection again.
                    endpoint._write_protected({"certificate_told_at": now})
            except OperationalError:
                # A result was written at the same time: what has been told is told, the rest by the next run.
                raise
            except Exception:
                _logger.exception("A certificate that expires soon could not be told of")
            left -= 1
            # Each by itself: results are written into the same rows all the time.
            self.env["ir.cron"]._commit_progress(1, remaining=left)

    def _remind_of_certificate(self):
        self = self._in_owners_language()
        self._post(
            self.env._("The certificate of %(name)s expires soon", name=self.name),
            [self.failure_message, self.failure_advice],
            "degraded",
        )

    def action_send_test_alert(self):
        """Tell what would be told if this connection failed now, marked as a test."""
        self._check_group(AGENCY_GROUP)
        self.check_access("write")
        for endpoint in self:
            event = (
                self.env["insightpulse.connection.event"]
                .sudo()
                .create(
                    {
                        "endpoint_id": endpoint.id,
                        "uuid": str(uuid4()),
                        "date": fields.Datetime.now(),
                        "kind": "test",
                        "to_status": "failed",
                    }
                )
            )
            endpoint.sudo()._tell(event)
        message = self.env._(
            "A test alert was sent to the followers. Its mail is on its way; its note is in the chatter."
        )
        kind = "success"
        if self and self.env["insightpulse.sidecar"]._prepare_webhook():
            try:
                reason = self.env["insightpulse.sidecar"]._test_webhook(self[0]._prepare_endpoints()[0])
            except SidecarError as error:
                # The mail is on its way all the same.
                reason = str(error)
            if reason is None:
                message += " " + self.env._("The webhook has it, too.")
            else:
                kind = "warning"
                message += " " + self.env._("The webhook did not take it: %(reason)s", reason=reason)
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": kind,
                "sticky": kind != "success",
                "message": message,
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def _tell(self, event):
        """Post what happened, and open or close the activity of who is responsible."""
        self.ensure_one()
        title, lines = self._event_texts(event)
        self._post(title, lines, event.to_status)
        if event.kind == "test":
            return
        if event.to_status == "failed" and event.kind != "steady":
            # What answers again by now gives nobody anything to do.
            if self.status == "failed":
                self._open_activity(title, lines)
        elif event.to_status != "failed" and event.kind != "flapping":
            self.activity_feedback([FAILED_ACTIVITY], feedback=title)

    def _event_texts(self, event):
        """Return what happened in a line, and more about it, in the language of who is responsible."""
        self = self._in_owners_language()
        event = event.with_env(self.env)
        labels = dict(self._fields["status"]._description_selection(self.env))
        status = labels[event.to_status]
        reason, advice = self._explain(event.explanations, event.failure_kind, event.failure_text, event.failure_hint)
        if event.kind == "test":
            return (
                self.env._("Test alert for %(name)s", name=self.name),
                [self.env._("Somebody wanted to see whether alerts arrive. Nothing has happened.")],
            )
        if event.kind == "flapping":
            title = self.env._("%(name)s goes up and down", name=self.name)
            more = self.env._("Its changes are listed under History and not told one by one until it is steady again.")
            return title, [reason, more]
        if event.kind == "steady":
            return self.env._("%(name)s is steady again: %(status)s", name=self.name, status=status), [reason, advice]
        return self.env._("%(name)s: %(status)s", name=self.name, status=status), [reason, advice]

    def _responsible(self):
        """Return who is to do something about it: the owner, or a member of the agency where that one has left."""
        self.ensure_one()
        return self.owner_id if self.owner_id.active else self.agency_id.member_ids.filtered("active")[:1]

    def _in_owners_language(self):
        lang = self._responsible().lang or self.env.user.lang
        return self.with_context(lang=lang) if lang else self

    def _post(self, title, lines, status):
        """Post a note that followers get by mail, as each of them has chosen."""
        body = Markup("<p><strong>%s</strong></p>") % title
        body += Markup().join(Markup("<p>%s</p>") % line for line in lines if line)
        # As the system: whoever pressed a button is a follower like any other.
        self.with_user(SUPERUSER_ID).message_post(
            body=body,
            subject=title,
            subtype_xmlid=SUBTYPES[status],
            author_id=self.env.ref("base.partner_root").id,
        )

    def _open_activity(self, title, lines):
        """Give who is responsible something to do, unless that is there already."""
        responsible = self._responsible()
        if not responsible or self.activity_search([FAILED_ACTIVITY]):
            return
        note = Markup().join(Markup("<p>%s</p>") % line for line in lines if line)
        self.with_context(mail_activity_quick_update=True).activity_schedule(
            FAILED_ACTIVITY, summary=title, note=note, user_id=responsible.id
        )
