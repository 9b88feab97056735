from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from odoo.addons.mail.tests.common import MailCommon, mail_new_test_user

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

    def remind(self):
        with self.enter_registry_test_mode():
            self.env.ref("insightpulse_connection_manager.cron_certificates").method_direct_trigger()
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

    RECOVERY = {"from": None, "to": "success", "failure_kind": None, "failure_message": None}

    def test_a_recovery_closes_the_activity_however_it_came_about(self):
        certificate = {"from": "failed", "to": "degraded", "failure_kind": "certificate_expiring"}
        for number, how in enumerate(({}, {"is_quiet": True}, certificate)):
            with self.subTest(how=how):
                self.report(2 * number + 1, event(2 * number + 1))
                self.assertTrue(self.endpoint.activity_search([FAILED]))
                self.report(2 * number + 2, event(2 * number + 2, **{**self.RECOVERY, **how}))
                self.assertFalse(self.endpoint.activity_search([FAILED]))
        self.assertEqual(len(self.notes()), 6)

    def test_a_failure_that_is_over_gives_nobody_anything_to_do(self):
        self.apply(failure(self.endpoint, 1, events=[event(1)]))
        self.report(2, event(2, **{**self.RECOVERY, "from": "failed"}))
        self.assertEqual(self.notes(), ["Books: Failed", "Books: Connected"])
        self.assertFalse(self.endpoint.activity_search([FAILED]))

    def test_who_is_responsible_hears_of_the_first_failure_after_an_import(self):
        imported = self.Endpoint.with_user(self.manager).with_context(tracking_disable=True)
        imported = imported.create({"name": "Imported", "connection_type": "api", "base_url": "https://a.example"})
        self.assertIn(self.manager.partner_id, imported.message_partner_ids)

    def test_an_agencys_member_acts_for_one_who_has_left(self):
        member = mail_new_test_user(
            self.env, "member", groups="insightpulse_connection_manager.group_connection_agency"
        )
        agency = self.env["insightpulse.agency"].create({"code": "X", "name": "X", "member_ids": [member.id]})
        self.endpoint.write({"agency_id": agency.id})
        self.manager.active = False
        self.report(1, event())
        self.assertEqual(self.endpoint.activity_search([FAILED]).user_id, member)

    def test_who_may_not_see_it_any_more_is_told_no_more(self):
        member = mail_new_test_user(
            self.env, "member", groups="insightpulse_connection_manager.group_connection_agency"
        )
        here, there = self.env["insightpulse.agency"].create(
            [{"code": code, "name": code, "member_ids": [member.id]} for code in ("X", "Y")]
        )
        outside = self.env["res.partner"].create({"name": "Outside", "email": "o@example.com"})
        followers = member.partner_id + self.manager.partner_id + outside
        self.endpoint.write({"agency_id": here.id})
        self.endpoint.message_subscribe(partner_ids=followers.ids)
        self.endpoint.write({"agency_id": there.id})
        self.assertLessEqual(followers, self.endpoint.message_partner_ids)
        there.write({"member_ids": [(5,)]})
        self.assertEqual(followers & self.endpoint.message_partner_ids, self.manager.partner_id + outside)

    def test_nobody_is_reminded_of_the_certificate_of_what_rests(self):
        expiring = {"status": "degraded", "failure_kind": "certificate_expiring", "failure_message": "In 5 days"}
        self.apply(outcome(self.endpoint, **expiring))
        self.endpoint.is_paused = True
        self.remind()
        self.assertEqual(self.notes(), [])
        self.endpoint.is_paused = False
        self.remind()
        self.assertEqual(self.notes(), ["The certificate of Books expires soon"])

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
                self.remind()
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

    def test_the_sidecar_hears_of_a_webhook_at_once(self):
        self.set_webhook("https://hook.example/", "a secret of some length")
        (told,) = self.told_changed()
        self.assertTrue(told["all"])

    def test_a_webhooks_secret_is_sealed_by_a_second_save_too(self):
        settings = self.env["res.config.settings"].create({})
        values = {
            "insightpulse_webhook_url": "https://hook.example/",
            "insightpulse_webhook_secret": "a long enough one",
        }
        settings.write(values)
        self.env.flush_all()
        self.env.cr.execute("SELECT insightpulse_webhook_secret FROM res_config_settings")
        self.assertNotIn("a long enough one", str(self.env.cr.fetchall()))
        self.assertEqual(self.env["insightpulse.sidecar"]._prepare_webhook()["base_url"], "https://hook.example")

    def test_the_webhooks_key_is_counted_and_exchanged_like_any_other(self):
        self.sidecar.answers["/v1/seal"] = lambda payload: (200, {"tokens": ["ip1.k-old.abc"]})
        self.set_webhook("https://hook.example/", "a secret of some length")
        as_sidecar = self.env["insightpulse.connection.endpoint"].with_user(self.sidecar_user)
        self.assertEqual(as_sidecar.count_sealed_secrets(), {"k-old": 1})
        (webhook,) = as_sidecar.sealed_secrets(0, 10, "k-new")
        self.assertEqual((webhook["api_key"], webhook["base_url"]), ("ip1.k-old.abc", "https://hook.example"))
        item = {"id": webhook["id"], "field": "api_key", "old": "ip1.k-old.abc", "new": "ip1.k-new.def"}
        self.assertEqual(as_sidecar.apply_resealed([item, item]), {"changed": 1, "skipped": 1})
        self.assertEqual(as_sidecar.sealed_secrets(webhook["id"], 10, "k-new"), [])
        self.assertEqual(as_sidecar.sealed_secrets(0, 10, "k-new"), [])
        self.assertEqual(as_sidecar.count_sealed_secrets(), {"k-new": 1})

    def test_a_test_alert_goes_out_though_the_sidecar_is_away(self):
        self.set_webhook("https://hook.example/", "a secret of some length")
        self.sidecar.answers["/v1/alerts"] = lambda payload: (503, "gone")
        self.assertEqual(self.endpoint.action_send_test_alert()["params"]["type"], "warning")
        self.assertEqual(self.notes(), ["Test alert for Books"])

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
