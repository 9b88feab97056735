import { _t } from "@web/core/l10n/translation";
import { WarningDialog } from "@web/core/errors/error_dialogs";
import { registry } from "@web/core/registry";

/** What the sidecar could not do is a message with an advice, not a traceback (see exceptions.py). */
export class SidecarErrorDialog extends WarningDialog {
    inferTitle() {
        return _t("Connection Manager");
    }
}

registry.category("error_dialogs").add("insightpulse_connection_manager.SidecarError", SidecarErrorDialog);
