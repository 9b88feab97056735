import { _t } from "@web/core/l10n/translation";
import { MultiRecordSelector } from "@web/core/record_selectors/multi_record_selector";
import { RecordSelector } from "@web/core/record_selectors/record_selector";
import { registry } from "@web/core/registry";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { escapeRegExp } from "@web/core/utils/strings";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { Component, onWillStart, useEffect, useRef, useState } from "@odoo/owl";

const MODEL = "insightpulse.connection.endpoint";
const KINDS = ["postgresql", "supabase", "odoo", "mysql", "mongodb"];
const FIELDS = ["name", "connection_type", "base_url", "port", "tls_mode", "database_name", "username"];

/** Puts placeholders where a text has an agency's code, as a word of its own. */
function toPattern(text, code) {
    const word = new RegExp(`(?<![A-Za-z0-9])${escapeRegExp(code)}(?![A-Za-z0-9])`, "gi");
    const placeholders = { [code.toLowerCase()]: "{agency_lower}", [code]: "{agency}" };
    return text.replace(word, (found) => placeholders[found] || found);
}

/**
 * Makes the databases of many agencies from one template: a form, a preview, and all of them or none.
 *
 * The passwords are here alone until they are sealed; a record of a wizard would keep them in Odoo's database.
 */
export class AgencyDatabases extends Component {
    static template = "insightpulse_connection_manager.AgencyDatabases";
    static components = { Layout, MultiRecordSelector, RecordSelector };
    static props = { ...standardActionServiceProps };

    setup() {
        this.action = useService("action");
        this.fieldService = useService("field");
        this.orm = useService("orm");
        this.root = useRef("root");
        this.previews = new KeepLast();
        this.state = useState({
            templateId: false,
            template: {
                name: "{agency} Database",
                connection_type: KINDS[0],
                base_url: "",
                port: "",
                tls_mode: "",
                database_name: "{agency_lower}_db",
                username: "postgres",
            },
            variable: "{AGENCY}_DB_PASSWORD",
            agencyIds: [],
            passwordsText: "",
            passwords: {},
            withoutPasswords: false,
            errors: {},
            // What the server answered, in the second step.
            preview: null,
            isCreating: false,
        });
        onWillStart(async () => {
            [this.fields, this.state.agencyIds] = await Promise.all([
                this.fieldService.loadFields(MODEL, { fieldNames: FIELDS }),
                this.orm.search("insightpulse.agency", []),
            ]);
        });
        useEffect(
            () => {
                const first = "[aria-invalid=true], [data-first]:placeholder-shown, button[data-first]";
                this.root.el.querySelector(first)?.focus();
            },
            () => [Boolean(this.state.preview), Object.keys(this.state.errors).join()]
        );
    }

    get templateDomain() {
        return [["connection_type", "in", KINDS]];
    }
    get kinds() {
        const labels = Object.fromEntries(this.fields.connection_type.selection);
        return KINDS.map((kind) => [kind, labels[kind]]);
    }
    /** Those that have a password neither from the text nor typed. */
    get missing() {
        const { preview, passwords } = this.state;
        return preview.lines.filter((line) => !line.has_password && !passwords[line.agency_id]);
    }
    get canCreate() {
        const { isCreating, preview, withoutPasswords } = this.state;
        const hasProblem = preview.lines.some((line) => line.problem);
        return !isCreating && !hasProblem && (withoutPasswords || !this.missing.length);
    }
    sourceOf({ variable }) {
        return variable ? _t("From %(variable)s", { variable }) : _t("Missing");
    }
    get createLabel() {
        const count = this.state.preview.lines.length;
        return count === 1 ? _t("Create 1 connection") : _t("Create %(count)s connections", { count });
    }
    get values() {
        const { template, variable, agencyIds, passwordsText, passwords, withoutPasswords } = this.state;
        return {
            template: { ...template, port: Number(template.port) || 0 },
            variable,
            agency_ids: [...agencyIds],
            passwords_text: passwordsText,
            passwords: { ...passwords },
            without_passwords: withoutPasswords,
        };
    }

    /** Takes over what an existing connection has, but for its secrets. */
    async onTemplate(resId) {
        const { state } = this;
        state.templateId = resId;
        if (!resId) {
            return;
        }
        const [record] = await this.orm.read(MODEL, [resId], [...FIELDS, "agency_id"]);
        const code = record.agency_id?.[1];
        for (const name of FIELDS) {
            const value = record[name] || "";
            const pattern = code && typeof value === "string" ? toPattern(value, code) : value;
            // A name that is the same for every agency would be of no use.
            if (pattern !== value || !["name", "database_name"].includes(name)) {
                state.template[name] = pattern;
            }
        }
    }

    async onPreview() {
        const answer = await this.previews.add(this.orm.call(MODEL, "preview_agency_databases", [this.values]));
        this.state.errors = answer.errors;
        this.state.preview = Object.keys(answer.errors).length ? null : answer;
    }

    async onCreate() {
        if (!this.canCreate) {
            return;
        }
        this.state.isCreating = true;
        try {
            // A preview that is still on its way is about what will be there by then.
            const created = this.previews.add(this.orm.call(MODEL, "create_agency_databases", [this.values]));
            await this.action.doAction(await created, { stackPosition: "replaceCurrentAction" });
        } catch (error) {
            // What has come between the preview and now is shown by its line, too.
            this.onPreview();
            throw error;
        } finally {
            this.state.isCreating = false;
        }
    }

    onBack() {
        this.state.preview = null;
    }

    /** Enter goes on to the next password, and from the last one to the button. */
    onPasswordKeydown(ev) {
        if (ev.key === "Enter") {
            ev.preventDefault();
            const stops = [...this.root.el.querySelectorAll(".o_insightpulse_line_password, .o_insightpulse_create")];
            stops[stops.indexOf(ev.target) + 1]?.focus();
        }
    }
}

registry.category("actions").add("insightpulse_agency_databases", AgencyDatabases);
