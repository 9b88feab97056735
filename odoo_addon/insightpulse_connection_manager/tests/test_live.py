import json

from odoo.tests import new_test_user, tagged

from .common import ConnectionCase, failure

PREFIX = "insightpulse_connection_manager"


@tagged("post_install", "-at_install")
class TestLive(ConnectionCase):
    """Each message goes to those who may see what it is about."""

    def channels_of(self, user):
        channels = self.env["ir.websocket"].with_user(user)._insightpulse_channels()
        return {(record._name, record.id) for record, _subchannel in channels}

    def told(self, *endpoints):
        self.env.cr.precommit.run()
        self.env["bus.bus"].search([]).unlink()
        self.apply(*[failure(endpoint) for endpoint in endpoints])
        self.env.cr.precommit.run()
        told = {}
        for message in self.env["bus.bus"].search([]):
            _database, model, record_id, _subchannel = json.loads(message.channel)
            told[(model, record_id)] = json.loads(message.message)["payload"]["ids"]
        return told

    def test_who_may_see_a_record_hears_of_it_and_nobody_else(self):
        agency = self.env.ref(f"{PREFIX}.agency_rim")
        other = self.env["res.company"].create({"name": "Elsewhere"})
        member = new_test_user(self.env, "ip_member", groups=f"{PREFIX}.group_connection_agency")
        agency.member_ids = member
        foreign = new_test_user(
            self.env,
            "ip_foreign",
            groups=f"{PREFIX}.group_connection_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        ours = self.create_endpoint(agency_id=agency.id)
        theirs = self.create_endpoint(name="Theirs")
        theirs.sudo().company_id = other
        everybodys = self.create_endpoint(name="Everybody's")
        everybodys.sudo().company_id = False
        told = self.told(*(endpoint.sudo() for endpoint in (ours, theirs, everybodys)))

        def heard(user):
            return {one for channel in self.channels_of(user) for one in told.get(channel, [])}

        self.assertEqual(heard(self.manager), {ours.id, everybodys.id})
        self.assertEqual(heard(foreign), {theirs.id, everybodys.id})
        self.assertEqual(heard(member), {ours.id})
        self.assertEqual(heard(self.employee), set())
