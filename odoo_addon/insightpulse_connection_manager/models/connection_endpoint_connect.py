import base64
import io
import zipfile

from odoo import models
from odoo.exceptions import UserError

from .connection_endpoint import ADMIN_GROUP, AGENCY_GROUP

# Each record of an archive is a request to the sidecar.
ARCHIVED_RECORDS = 100
# The first day that an archive can name: the same texts make the same archive.
ARCHIVE_DAY = (1980, 1, 1, 0, 0, 0)


class ConnectionEndpointConnect(models.Model):
    """What the Connect dialog shows: every configuration of an endpoint, or of several, ready to copy and to download."""

    _inherit = "insightpulse.connection.endpoint"

    def action_connect(self):
        """Open the dialog for these endpoints."""
        self._check_group(AGENCY_GROUP)
        self.check_access("read")
        return {"type": "ir.actions.client", "tag": "insightpulse_connect", "params": {"ids": self.ids}}

    def get_connect_texts(self, reveal=False):
        """Return every configuration of these endpoints, by the purposes that they serve.

        :param bool reveal: with the secrets themselves; for Connection Administrators, and logged
        :return: ``{"tabs", "formats", "parameters", "name", "count", "can_reveal"}``; see the sidecar's ``/v1/connect``
        """
        self._check_connect(reveal)
        if reveal:
            # In this transaction: Odoo answers only once it is committed.
            self.env["insightpulse.audit.entry"]._log("reveal", self, file_format="connect")
        texts = self.env["insightpulse.sidecar"]._connect(self._prepare_endpoints(), reveal=bool(reveal))
        has_secrets = any(endpoint.password_token or endpoint.api_key_token for endpoint in self.sudo())
        return {
            **{key: texts[key] for key in ("tabs", "formats", "parameters")},
            "name": self.name if len(self) == 1 else False,
            "count": len(self),
            "can_reveal": has_secrets and self.env.user.has_group(ADMIN_GROUP),
        }

    def get_connect_archive(self, format=False, reveal=False):
        """Return a zip: the files of one format that has several, or every configuration of each endpoint.

        :param format: the format of one endpoint, such as ``superset-database``
        :param bool reveal: with the secrets themselves; for Connection Administrators, and logged
        :return: ``{"filename", "mimetype", "content"}``, the content in base64
        """
        self._check_connect(reveal)
        if len(self) > ARCHIVED_RECORDS:
            raise UserError(
                self.env._(
                    "An archive has the configurations of at most %(most)s connections. Select fewer.",
                    most=ARCHIVED_RECORDS,
                )
            )
        if reveal:
            self.env["insightpulse.audit.entry"]._log("reveal", self, file_format=format or "zip")
        files, names = {}, set()
        for endpoint, prepared in zip(self, self._prepare_endpoints(), strict=True):
            formats = self.env["insightpulse.sidecar"]._connect([prepared], reveal=bool(reveal))["formats"]
            if format:
                formats = [one for one in formats if one["id"] == format]
            folder = self._archive_folder(endpoint, names) if len(self) > 1 else ""
            for one in formats:
                if one["error"]:
                    continue
                parts = one["files"] or [{"path": one["filename"], "content": one["content"]}]
                for part in parts:
                    files[self._archive_path(folder + part["path"], one["id"], files)] = part["content"]
        if not files:
            raise UserError(self.env._("None of these connections has a configuration to download yet."))
        name = "connections" if len(self) > 1 else next(iter(files)).partition("/")[0].partition(".")[0]
        return {
            "filename": f"{name}.zip",
            "mimetype": "application/zip",
            "content": base64.b64encode(self._archive(files)).decode(),
        }

    def _check_connect(self, reveal):
        self._check_group(AGENCY_GROUP)
        self.check_access("read")
        if reveal:
            self._check_group(ADMIN_GROUP)
        if not self:
            raise UserError(self.env._("Select the connections to write a configuration for."))

    def _archive_folder(self, endpoint, taken):
        words = "".join(character if character.isalnum() else " " for character in endpoint.name).split()
        base = "-".join(words).lower()[:100] or "connection"
        name, number = base, 2
        while name in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name)
        return f"{name}/"

    def _archive_path(self, path, format, taken):
        """Name the format where another has the same ending, such as .txt."""
        if path not in taken:
            return path
        stem, dot, ending = path.rpartition(".")
        return f"{stem}.{format}{dot}{ending}"

    def _archive(self, files):
        """Return the bytes of a zip of the texts ``{path: content}``."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(path, ARCHIVE_DAY), content, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()
