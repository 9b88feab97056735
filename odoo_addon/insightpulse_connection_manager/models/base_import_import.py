import re

from odoo import api, models

from odoo.addons.base_import.models.base_import import FIELDS_RECURSION_LIMIT

from .connection_endpoint import SECRET_FIELDS

MODEL = "insightpulse.connection.endpoint"


class BaseImport(models.TransientModel):
    """Keeps plaintext secrets out of the files to import, which stay in the database for half a day."""

    _inherit = "base_import.import"

    @api.model
    def get_fields_tree(self, model, depth=FIELDS_RECURSION_LIMIT):
        fields_tree = super().get_fields_tree(model, depth)
        if model != MODEL:
            return fields_tree
        return [field for field in fields_tree if field["name"] not in (*SECRET_FIELDS, "revision_seen")]

    def parse_preview(self, options, count=10):
        self.ensure_one()
        if self.res_model == MODEL and self._has_secret_column(options):
            self.file = False
            return {"error": self.env[MODEL]._secrets_in_file()}
        return super().parse_preview(options, count)

    def _has_secret_column(self, options):
        fields = [self.env[MODEL]._fields[name] for name in SECRET_FIELDS]
        names = {
            self._plain(text)
            for field in fields
            for text in (field.name, field.string, field._description_string(self.env))
        }
        # A header that was split at another sign than the file's is one cell.
        return any(self._plain(text) in names for cell in self._headers(options) for text in re.split(r"[,;\t|]", cell))

    def _headers(self, options):
        """Return the cells in the first row of every sheet."""
        read = dict(options)
        try:
            sheets = [self._read_file(read)[1]]
            for sheet in read.get("sheets") or ():
                sheets.append(self._read_file({**read, "sheet": sheet})[1])
        except Exception:  # The preview itself says what is wrong with the file.
            return []
        return [str(cell) for rows in sheets for cell in (rows[0] if rows else ())]

    @api.model
    def _plain(self, text):
        return re.sub(r"[\W_]+", "", text).casefold()
