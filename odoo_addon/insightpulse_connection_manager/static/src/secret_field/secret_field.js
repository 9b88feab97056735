import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { CharField, charField } from "@web/views/fields/char/char_field";

/**
 * A password input in which typing replaces the mask, since a secret is never shown and cannot be amended.
 *
 * With a secret goes the revision that the form shows. The server refuses the secret when another one is stored: it
 * would be sealed for a place that the typist has not seen.
 */
export class SecretField extends CharField {
    static template = "insightpulse_connection_manager.SecretField";

    /** @override called for each value right before it enters the record, also when the page is being closed */
    parse(value) {
        const { record, name } = this.props;
        if (value !== (record.data[name] || "")) {
            record.update({ revision_seen: record.data.revision });
        }
        return super.parse(value);
    }

    onFocus(ev) {
        ev.target.select();
    }
}

export const secretField = {
    ...charField,
    component: SecretField,
    displayName: _t("Secret"),
    supportedTypes: ["char"],
    fieldDependencies: [
        { name: "revision", type: "integer" },
        { name: "revision_seen", type: "integer", readonly: false },
    ],
    extractProps: (fieldInfo) => ({ ...charField.extractProps(fieldInfo), isPassword: true }),
};

/** For a secret of many lines, such as a private key: an input of one line would lose its line breaks. */
export class SecretTextField extends SecretField {
    static template = "insightpulse_connection_manager.SecretTextField";
}

export const secretTextField = { ...secretField, component: SecretTextField };

registry.category("fields").add("insightpulse_secret", secretField);
registry.category("fields").add("insightpulse_secret_text", secretTextField);
