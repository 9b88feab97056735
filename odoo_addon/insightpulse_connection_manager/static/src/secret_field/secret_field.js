import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { CharField, charField } from "@web/views/fields/char/char_field";

/** A password input in which typing replaces the mask, since a secret is never shown and cannot be amended. */
export class SecretField extends CharField {
    static template = "insightpulse_connection_manager.SecretField";

    onFocus(ev) {
        ev.target.select();
    }
}

export const secretField = {
    ...charField,
    component: SecretField,
    displayName: _t("Secret"),
    supportedTypes: ["char"],
    extractProps: (fieldInfo) => ({ ...charField.extractProps(fieldInfo), isPassword: true }),
};

registry.category("fields").add("insightpulse_secret", secretField);
