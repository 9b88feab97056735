from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from odoo.addons.mail.tests.common import MailCommon

from .common import ConnectionMixin, event, failure, outcome

FAILED = "insightpulse_connection_manager.activity_type_failed"


@tagged("post_install", "-at_install")
class TestAlerts(ConnectionMixin, MailCommon):
    def setUp(self):
        super().setUp()
        self.endpoint = self.create_endpoint(owner_id=self.manager.id)
        self.manager.email = "manager@example.com"
        self.env.flush_all()

    def events(self):
        return self.env["insightpulse.connection.event"].search([("endpoint_id", "=", self.endpoint.id)])

    def tell(self):
        with self.enter_registry_test_mode():
            self.env.ref("insightpulse_connection_manager.cron_tell").method_direct_trigger()
        self.env.invalidate_all()

    def notes(self):
        """The notes about what happened, the oldest first."""
        messages = self.endpoint.message_ids.filtered("subject").sorted("id")
        return messages.mapped("subject")

    def report(self, number, *events, **values):
        make = failure if events and events[-1]["to"] == "failed" else outcome
        self.apply(make(self.endpoint, number, events=list(events), **values))
        self.tell()

    def test_an_event_is_kept_with_its_reason(self):
        self.report(1, event())
        self.assertRecordValues(
            self.events(),
            [
                {
                    "date": fields.Datetime.to_datetime("2026-11-22 13:00:00"),
                    "kind": "transition",
                    "from_status": "success",
                    "to_status": "failed",
                    "failure_kind": "auth",
                    "reason": "The server refuses the password",
                    "to_tell": False,
                }
            ],
        )

    def test_an_event_that_comes_again_is_kept_and_told_once(self):
        for number in (1, 2, 2):
            self.report(number, event())
        self.assertEqual(len(self.events()), 1)
        self.assertEqual(self.notes(), ["Books: Failed"])

    def test_an_event_is_kept_even_if_the_record_was_changed_since(self):
        stale = failure(self.endpoint, events=[event()])
        self.endpoint.write({"base_url": "other.example"})
        self.assertEqual(self.apply(stale)["applied"], [])
        self.assertEqual(self.events().mapped("to_status"), ["failed"])

    def test_of_a_record_that_is_gone_nothing_is_kept(self):
        gone = failure(self.endpoint, events=[event()])
        self.endpoint.sudo().unlink()
        self.apply(gone)
        self.assertFalse(self.env["insightpulse.connection.event"].search([("uuid", "=", event()["id"])]))

    def test_a_failure_is_a_note_a_mail_and_an_activity_of_who_is_responsible(self):
        with self.mock_mail_gateway():
            self.report(1, event())
        note = self.endpoint.message_ids.filtered("subject")
        self.assertIn("The server refuses the password", note.body)
        self.assertIn("Type it again", note.body)
        self.assertEqual(note.author_id, self.env.ref("base.partner_root"))
        self.assertIn(self.manager.partner_id, self._new_mails.recipient_ids)
        activity = self.endpoint.activity_search([FAILED])
        self.assertEqual((activity.user_id, activity.summary), (self.manager, "Books: Failed"))

    def test_a_recovery_closes_the_activity(self):
        self.report(1, event(1))
        self.report(2, event(2, **{"from": "failed", "to": "success", "failure_kind": None, "failure_message": None}))
        self.assertFalse(self.endpoint.activity_search([FAILED]))
        self.assertEqual(self.notes(), ["Books: Failed", "Books: Connected"])

    def test_two_failures_are_one_activity(self):
        self.report(1, event(1))
        self.report(2, event(2, **{"from": "degraded"}))
        self.assertEqual(len(self.endpoint.activity_search([FAILED])), 1)

    def test_nobody_is_told_that_a_new_connection_works(self):
        self.report(1, event(**{"from": None, "to": "success"}))
        self.assertEqual((len(self.events()), self.notes()), (1, []))

    def test_nobody_is_told_of_what_rests(self):
        self.report(1, event(is_quiet=True))
        self.assertEqual((len(self.events()), self.notes()), (1, []))
        self.assertFalse(self.endpoint.activity_search([FAILED]))

    def test_what_flaps_is_told_when_it_begins_and_when_it_ends(self):
        self.report(1, event(1, kind="flapping", is_flapping=True), is_flapping=True)
        self.report(2, event(2, **{"from": "failed", "to": "success", "is_flapping": True}), is_flapping=True)
        self.report(3, event(3, is_flapping=True), is_flapping=True)
        self.assertTrue(self.endpoint.is_flapping)
        self.report(4, event(4, **{"kind": "steady", "from": "success", "to": "success"}))
        self.assertEqual(self.notes(), ["Books goes up and down", "Books is steady again: Connected"])
        self.assertEqual(len(self.events()), 4)
        self.assertFalse(self.endpoint.activity_search([FAILED]))

    def test_a_certificate_is_told_of_once_a_day_at_most(self):
        expiring = {
            "status": "degraded",
            "failure_kind": "certificate_expiring",
            "failure_message": "The certificate expires in 5 days",
            "failure_advice": "Have it renewed",
        }
        change = event(**{"to": "degraded", "failure_kind": "certificate_expiring"})
        self.apply(outcome(self.endpoint, events=[change], **expiring))
        self.tell()
        self.assertEqual(self.notes(), [])
        for hours, told in ((0, 1), (1, 1), (23, 1), (25, 2), (26, 2)):
            with freeze_time(fields.Datetime.now() + timedelta(hours=hours)):
                self.env["insightpulse.connection.endpoint"]._cron_certificates()
            self.assertEqual(len(self.notes()), told, hours)

    def test_a_batch_of_events_costs_a_fixed_number_of_statements(self):
        endpoints = self.Endpoint.create(
            [{"name": f"Books {number}", "connection_type": "postgresql"} for number in range(510)]
        )
        batches, counts = (endpoints[:10], endpoints[10:]), []
        self.apply(outcome(self.create_endpoint(), events=[event(9999)]))
        self.env.cr.precommit.run()
        for batch in batches:
            reports = [failure(endpoint, events=[event(endpoint.id)]) for endpoint in batch]
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.apply(*reports)
            self.env.cr.precommit.run()
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(counts[0], counts[1])

    def test_a_test_alert_tells_the_followers_and_changes_nothing(self):
        with self.mock_mail_gateway():
            self.endpoint.action_send_test_alert()
        self.assertEqual(self.notes(), ["Test alert for Books"])
        self.assertIn(self.manager.partner_id, self._new_mails.recipient_ids)
        self.assertEqual((self.endpoint.status, len(self.endpoint.activity_search([FAILED]))), ("draft", 0))
        with self.assertRaises(AccessError):
            self.endpoint.with_user(self.employee).action_send_test_alert()

    def set_webhook(self, url, secret):
        values = {"insightpulse_webhook_url": url, "insightpulse_webhook_secret": secret}
        self.env["res.config.settings"].create(values).execute()
        endpoints = self.env["insightpulse.connection.endpoint"].with_user(self.sidecar_user)
        return endpoints.monitored_versions(0, 1).get("webhook")

    def test_a_webhook_has_a_sealed_secret_for_its_address_alone(self):
        webhook = self.set_webhook("https://hook.example/a?b=c", "a secret of some length")
        self.assertEqual((webhook["kind"], webhook["base_url"]), ("api", "https://hook.example/a?b=c"))
        (payload,) = self.sidecar.payloads("/v1/seal")
        self.assertEqual(payload["items"][0]["endpoint"]["record"], webhook["record"])
        self.env.cr.execute("SELECT insightpulse_webhook_secret FROM res_config_settings")
        self.assertNotIn("a secret of some length", str(self.env.cr.fetchall()))
        # Saving the Settings for another reason changes nothing.
        self.env["res.config.settings"].create({}).execute()
        self.assertEqual(self.set_webhook(webhook["base_url"], "••••••••"), webhook)
        with self.assertRaises(ValidationError):
            self.set_webhook("https://other.example/", False)
        with self.assertRaises(ValidationError):
            self.set_webhook("https://hook.example/a?b=c", "short")
        self.assertIsNone(self.set_webhook(False, False))

    def test_a_test_alert_tells_the_webhook_and_says_if_it_did_not_take_it(self):
        self.set_webhook("https://hook.example/", "a secret of some length")
        action = self.endpoint.action_send_test_alert()
        self.assertIn("webhook has it", action["params"]["message"])
        self.sidecar.answers["/v1/alerts"] = lambda payload: (200, {"sent": False, "error": "it answers with HTTP 500"})
        action = self.endpoint.action_send_test_alert()
        self.assertEqual(action["params"]["type"], "warning")
        self.assertIn("HTTP 500", action["params"]["message"])

    def test_nobody_but_the_sidecar_makes_events(self):
        self.report(1, event())
        for user in (self.manager, self.admin):
            events = self.events().with_user(user)
            self.assertEqual(events.mapped("to_status"), ["failed"])
            for change in (
                lambda events: events.write({"to_status": "success"}),
                lambda events: events.unlink(),
                lambda events: events.create({"endpoint_id": self.endpoint.id, "uuid": "x", "to_status": "failed"}),
            ):
                with self.assertRaises(AccessError):
                    change(events)
