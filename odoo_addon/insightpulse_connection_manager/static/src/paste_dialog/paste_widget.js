import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useOwnedDialogs } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { Component, onMounted } from "@odoo/owl";
import { PasteDialog } from "./paste_dialog";

/** Fills the form of a new connection in from a text; whoever looks at it can correct it, and then saves it. */
export class PasteWidget extends Component {
    static template = "insightpulse_connection_manager.PasteWidget";
    static props = { ...standardWidgetProps };

    setup() {
        this.addDialog = useOwnedDialogs();
        onMounted(() => this.props.record.context.insightpulse_paste && this.open());
    }

    open() {
        this.addDialog(PasteDialog, { fill: (values) => this.fill(values) });
    }

    async fill(values) {
        const { record } = this.props;
        const known = Object.entries(values).filter(([name]) => name in record.activeFields);
        const { connection_type: kind, ...rest } = Object.fromEntries(known);
        // First, since a kind brings its usual port and TLS mode along.
        if (kind) {
            await record.update({ connection_type: kind });
        }
        await record.update(rest);
    }
}

export const pasteWidget = { component: PasteWidget, displayName: _t("Paste a Connection String") };

registry.category("view_widgets").add("insightpulse_paste", pasteWidget);
