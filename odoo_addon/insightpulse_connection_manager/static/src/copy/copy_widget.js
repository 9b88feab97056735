import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { Component } from "@odoo/owl";
import { copyText } from "./copy_text";

/** Copies the connection string of the endpoint that it stands on. */
export class CopyWidget extends Component {
    static template = "insightpulse_connection_manager.CopyWidget";
    static props = { ...standardWidgetProps };

    setup() {
        this.notification = useService("notification");
        this.orm = useService("orm");
    }

    async onClick() {
        const { resId, resModel, data } = this.props.record;
        const { content } = await this.orm.call(resModel, "render_config", [[resId], "uri"]);
        if (!(await copyText(content.trim()))) {
            this.notification.add(_t("The browser does not let Odoo copy. Open the connection and copy it there."), {
                type: "warning",
            });
            return;
        }
        const hasPassword = ["supabase", "postgresql", "odoo"].includes(data.connection_type);
        this.notification.add(hasPassword ? _t("Copied, with a placeholder for the password") : _t("Copied"), {
            type: "success",
        });
    }
}

export const copyWidget = {
    component: CopyWidget,
    fieldDependencies: [{ name: "connection_type", type: "selection" }],
};

registry.category("view_widgets").add("insightpulse_copy", copyWidget);
