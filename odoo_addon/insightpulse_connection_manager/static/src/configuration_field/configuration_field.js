import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { Component } from "@odoo/owl";
import { copyText } from "../copy/copy_text";

/** Shows a text as it is, with a button that copies it. */
export class ConfigurationField extends Component {
    static template = "insightpulse_connection_manager.ConfigurationField";
    static props = { ...standardFieldProps };

    setup() {
        this.notification = useService("notification");
    }

    get text() {
        return this.props.record.data[this.props.name] || "";
    }

    async onCopy() {
        if (await copyText(this.text)) {
            this.notification.add(_t("Copied"), { type: "success" });
        } else {
            this.notification.add(_t("The browser does not let Odoo copy. Select the text and copy it by hand."), {
                type: "warning",
            });
        }
    }
}

export const configurationField = {
    component: ConfigurationField,
    displayName: _t("Text to Copy"),
    supportedTypes: ["char", "text"],
};

registry.category("fields").add("insightpulse_configuration", configurationField);
