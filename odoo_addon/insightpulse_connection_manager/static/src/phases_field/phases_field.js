import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { Component } from "@odoo/owl";

const LABELS = {
    resolve_ms: _t("Name"),
    connect_ms: _t("Connect"),
    tls_ms: _t("TLS"),
    login_ms: _t("Login"),
    query_ms: _t("Query"),
};

/** Draws where the time of a probe went, one piece of a bar per phase. */
export class PhasesField extends Component {
    static template = "insightpulse_connection_manager.PhasesField";
    static props = { ...standardFieldProps };

    get phases() {
        const measured = this.props.record.data[this.props.name] || {};
        // PostgreSQL's jsonb does not keep the order of keys, time does.
        const names = [...new Set([...Object.keys(LABELS), ...Object.keys(measured)])];
        const total = Object.values(measured).reduce((sum, milliseconds) => sum + milliseconds, 0);
        return names
            .filter((name) => name in measured)
            .map((name) => ({
                name,
                label: (LABELS[name] || name.replace(/_ms$/, "").replaceAll("_", " ")).toString(),
                milliseconds: measured[name].toFixed(1),
                style: `width: ${total ? (100 * measured[name]) / total : 0}%`,
            }));
    }
}

export const phasesField = {
    component: PhasesField,
    displayName: _t("Phases of a Probe"),
    supportedTypes: ["json"],
};

registry.category("fields").add("insightpulse_phases", phasesField);
