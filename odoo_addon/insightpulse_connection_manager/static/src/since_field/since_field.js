import { browser } from "@web/core/browser/browser";
import { formatDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { Component, useEffect } from "@odoo/owl";

const { DateTime } = luxon;
const TICK_MS = 30000;

/**
 * Says how long ago something was; the moment itself is in the tooltip.
 *
 * Odoo's own datetime field tells the form, whenever it is drawn anew, that nobody is typing.
 */
export class SinceField extends Component {
    static template = "insightpulse_connection_manager.SinceField";
    static props = { ...standardFieldProps };

    setup() {
        useEffect(
            () => {
                const interval = browser.setInterval(() => this.render(), TICK_MS);
                return () => browser.clearInterval(interval);
            },
            () => []
        );
    }

    get moment() {
        return this.props.record.data[this.props.name];
    }
    get since() {
        const now = DateTime.now();
        // Also where the server's clock is a little ahead of the browser's.
        return now.diff(this.moment, "minutes").minutes < 1 ? _t("just now") : this.moment.toRelative({ base: now });
    }
    get tooltip() {
        return formatDateTime(this.moment);
    }
}

export const sinceField = {
    component: SinceField,
    displayName: _t("Time Since"),
    supportedTypes: ["datetime"],
};

registry.category("fields").add("insightpulse_since", sinceField);
