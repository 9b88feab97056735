from datetime import timedelta

import pytz

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError

from .connection_endpoint import ADMIN_GROUP

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOURS_MAX = 7 * 24


def _localize(zone, moment):
    """Return a moment of a zone's clock, where the clock goes back the first of two; as the sidecar reads it."""
    try:
        return zone.localize(moment, is_dst=None)
    except pytz.AmbiguousTimeError:
        return zone.localize(moment, is_dst=True)
    except pytz.NonExistentTimeError:
        return zone.localize(moment, is_dst=False)


class MaintenanceWindow(models.Model):
    """A time in which connections are meant to be away: they are not tested, and nobody is told anything."""

    _name = "insightpulse.maintenance.window"
    _description = "Maintenance Window"
    _order = "active desc, starts_at desc, name, id"
    _check_company_auto = True

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", index=True, default=lambda self: self.env.company, ondelete="cascade")
    repeat = fields.Selection([("once", "Once"), ("weekly", "Every Week")], required=True, default="once")

    starts_at = fields.Datetime(string="From", default=lambda self: fields.Datetime.now())
    ends_at = fields.Datetime(string="To", default=lambda self: fields.Datetime.now() + timedelta(hours=1))

    monday = fields.Boolean(default=False)
    tuesday = fields.Boolean(default=False)
    wednesday = fields.Boolean(default=False)
    thursday = fields.Boolean(default=False)
    friday = fields.Boolean(default=False)
    saturday = fields.Boolean(default=False)
    sunday = fields.Boolean(default=True)
    starts_hour = fields.Float(string="At", default=2.0)
    hours = fields.Float(string="For (hours)", default=1.0)
    tz = fields.Selection(
        lambda self: [(name, name) for name in pytz.all_timezones],
        string="Time Zone",
        default=lambda self: self.env.user.tz or "UTC",
        required=True,
    )

    is_for_all = fields.Boolean(string="All Connections", help="Of this company.")
    endpoint_ids = fields.Many2many(
        "insightpulse.connection.endpoint",
        "insightpulse_maintenance_endpoint",
        "window_id",
        "endpoint_id",
        string="Connections",
        check_company=True,
    )
    agency_ids = fields.Many2many(
        "insightpulse.agency",
        "insightpulse_maintenance_agency",
        "window_id",
        "agency_id",
        string="All Connections of",
        check_company=True,
    )

    @api.constrains("repeat", "starts_at", "ends_at", "hours", "starts_hour", *WEEKDAYS)
    def _check_time(self):
        for window in self:
            if window.repeat == "once":
                if not window.starts_at or not window.ends_at or window.starts_at >= window.ends_at:
                    raise ValidationError(self.env._("%(name)s: it has to end after it begins.", name=window.name))
            elif not any(window[day] for day in WEEKDAYS):
                raise ValidationError(self.env._("%(name)s: choose at least one day of the week.", name=window.name))
            elif not 0 < window.hours <= HOURS_MAX or not 0 <= window.starts_hour < 24:
                raise ValidationError(
                    self.env._(
                        "%(name)s: it begins between 00:00 and 23:59, and lasts up to %(hours)s hours.",
                        name=window.name,
                        hours=HOURS_MAX,
                    )
                )

    @api.constrains("name", "is_for_all", "endpoint_ids", "agency_ids")
    def _check_subject(self):
        for window in self:
            if not window.is_for_all and not window.endpoint_ids and not window.agency_ids:
                raise ValidationError(
                    self.env._("%(name)s: choose connections or agencies, or all connections.", name=window.name)
                )

    def _subject_test(self):
        """Return a function that tells whether an endpoint is meant to be away in this window.

        It is asked for ten thousand endpoints at once, and so reads the window's members once.
        """
        self.ensure_one()
        company, is_for_all = self.company_id, self.is_for_all
        agencies = frozenset(self.agency_ids.ids)
        endpoints = frozenset(self.with_context(active_test=False).endpoint_ids.ids)

        def is_for(endpoint):
            if company and endpoint.company_id and company != endpoint.company_id:
                return False
            return is_for_all or endpoint.agency_id.id in agencies or endpoint._origin.id in endpoints

        return is_for

    def _check_shared(self):
        """A window of no company is one of all: whoever manages the connections of one must not silence the others'."""
        if self.env.su or self.env.user.has_group(ADMIN_GROUP):
            return
        if not all(window.company_id for window in self):
            raise AccessError(
                self.env._("A maintenance window of all companies is made and changed by a Connection Administrator.")
            )

    def _prepare_window(self):
        """Return the window as the sidecar reads it."""
        self.ensure_one()
        if self.repeat == "once":
            return {
                "kind": "once",
                "starts_at": self.starts_at.isoformat(timespec="seconds") + "Z",
                "ends_at": self.ends_at.isoformat(timespec="seconds") + "Z",
            }
        minutes = round(self.starts_hour * 60) % (24 * 60)
        return {
            "kind": "weekly",
            "weekdays": [index for index, day in enumerate(WEEKDAYS) if self[day]],
            "starts": f"{minutes // 60:02}:{minutes % 60:02}",
            "minutes": round(self.hours * 60),
            "tz": self.tz,
        }

    def _covers(self, now):
        """Whether the window is open at `now`, a naive UTC time as Odoo has them."""
        self.ensure_one()
        if self.repeat == "once":
            return self.starts_at <= now < self.ends_at
        zone = pytz.timezone(self.tz)
        today = pytz.utc.localize(now).astimezone(zone).date()
        minutes = round(self.starts_hour * 60) % (24 * 60)
        for days in range(int(self.hours // 24) + 2):
            day = today - timedelta(days=days)
            if not self[WEEKDAYS[day.weekday()]]:
                continue
            begins = fields.Datetime.to_datetime(day) + timedelta(minutes=minutes)
            begins = _localize(zone, begins).astimezone(pytz.utc).replace(tzinfo=None)
            if timedelta(0) <= now - begins < timedelta(hours=self.hours):
                return True
        return False

    @api.model_create_multi
    def create(self, vals_list):
        windows = super().create(vals_list)
        windows._check_shared()
        self.env["insightpulse.sidecar"]._tell_changed(everything=True)
        return windows

    def write(self, vals):
        self._check_shared()
        result = super().write(vals)
        self._check_shared()
        self.env["insightpulse.sidecar"]._tell_changed(everything=True)
        return result

    def unlink(self):
        self._check_shared()
        result = super().unlink()
        self.env["insightpulse.sidecar"]._tell_changed(everything=True)
        return result
