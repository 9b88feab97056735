import { _t } from "@web/core/l10n/translation";

/**
 * What the sidecar's English is in the reader's language, by its ids. Names of products and files are the same in every
 * language, and what a newer sidecar names stays as it names it.
 */
const LABELS = {
    tab: {
        string: _t("Connection string"),
        env: _t("Environment"),
        code: _t("Code"),
        framework: _t("Frameworks"),
        containers: _t("Containers"),
        tools: _t("Tools"),
        mcp: _t("MCP"),
        data: _t("Data"),
    },
    format: {
        "env-export": _t("Shell"),
        compose: _t("Compose, environment"),
        "compose-service": _t("Compose, service"),
    },
    parameter: {
        host: _t("Host"),
        port: _t("Port"),
        database: _t("Database"),
        user: _t("User"),
        password: _t("Password"),
        tls_mode: _t("TLS"),
        web_url: _t("Web address"),
        pooler_host: _t("Pooler"),
        url: _t("Address"),
        api_key: _t("API key"),
        tls_authority: _t("Certificate authority"),
    },
};

/**
 * @param {"tab"|"format"|"parameter"} what
 * @param {{id: string, label: string}} row
 */
export function labelOf(what, { id, label }) {
    return LABELS[what][id] || label;
}
