"""What can go wrong between Odoo and the sidecar. Each message says what to do."""

from odoo.exceptions import UserError


class SidecarError(UserError):
    """The sidecar did not do what it was asked for."""

    # The web client shows a dialog by this name (static/src/sidecar_error).
    context = {"exception_class": "insightpulse_connection_manager.SidecarError"}


class SidecarNotSetUp(SidecarError):
    """Nobody has told Odoo where the sidecar is, or what token it takes."""


class SidecarOfAnotherDatabase(SidecarNotSetUp):
    """This database is a copy, and what it has of a sidecar is its original's."""


class SidecarUnreachable(SidecarError):
    """Nothing answered in time at the sidecar's address."""


class SidecarTokenRefused(SidecarError):
    """The sidecar answers, and does not know Odoo's token."""


class SidecarAnswerInvalid(SidecarError):
    """Something answers at the sidecar's address that does not talk like a sidecar."""


class SidecarProblem(SidecarError):
    """The sidecar refused the request and says why; `code` is stable."""

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code
