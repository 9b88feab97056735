"""A whole InsightPulse stack on one machine: PostgreSQL, Odoo 19 and the sidecar."""

import sys

if sys.version_info < (3, 11):
    sys.exit(f"error: Python 3.11 or newer is needed, and this is {sys.version.split()[0]}: set PYTHON to a newer one")
