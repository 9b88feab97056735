"""Keeps secrets out of Odoo's log of calls.

At the level DEBUG, Odoo writes every call over RPC with all of its arguments, passwords included.
"""

import logging

LOGGER = "odoo.service.model"
# Whose arguments may be a secret, or a file or a default with one.
OTHER_MODELS = ("base_import.import", "ir.default")


class ArgumentsLeftOut(logging.Filter):
    """Lets every record through, less the arguments of calls that may have a secret among them."""

    def filter(self, record):
        records = record.args[0] if isinstance(record.args, tuple) and record.args else None
        name = getattr(records, "_name", "")
        if name.startswith("insightpulse.") or name in OTHER_MODELS:
            record.msg, record.args = "call %s.%s(…)", record.args[:2]
        return True


def leave_arguments_out():
    """Do so from now on; once is enough, and twice does no harm."""
    logger = logging.getLogger(LOGGER)
    if not any(isinstance(present, ArgumentsLeftOut) for present in logger.filters):
        logger.addFilter(ArgumentsLeftOut())
