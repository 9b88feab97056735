import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";

const MODEL = "insightpulse.connection.endpoint";
const FIELDS = [
    "name",
    "status",
    "latency_ms",
    "server_version",
    "failure_message",
    "failure_advice",
    "last_probe_id",
    "revision",
];
const FIRST_DELAY_MS = 300;
const DELAY_MS = 1000;
const DELAY_MAX_MS = 5000;
const PATIENCE_MS = 30000;
// More results than this are told as a count.
const SINGLE_NOTIFICATIONS = 3;

/**
 * Waits for a time, or until one of the endpoints is known to have changed.
 *
 * @returns {Promise<Set<number>>} those that have, which the open views read again by themselves
 */
function delayOrChange(liveEndpoints, ids, milliseconds) {
    return new Promise((resolve) => {
        const done = (changedIds) => {
            browser.clearTimeout(timeout);
            liveEndpoints.bus.removeEventListener("CHANGED", onChanged);
            resolve(changedIds);
        };
        const onChanged = ({ detail }) => ids.some((id) => detail.has(id)) && done(detail);
        const timeout = browser.setTimeout(done, milliseconds, new Set());
        liveEndpoints.bus.addEventListener("CHANGED", onChanged);
    });
}

function joinSentences(...sentences) {
    return sentences
        .filter(Boolean)
        .map((sentence) => (/[.!?…]$/.test(sentence) ? sentence : `${sentence}.`))
        .join(" ");
}

function notifyOne(notification, endpoint) {
    const { name, status } = endpoint;
    const reason = joinSentences(endpoint.failure_message, endpoint.failure_advice);
    if (status === "failed") {
        notification.add(reason, { title: _t("%(name)s failed", { name }), type: "danger", sticky: true });
        return;
    }
    const latency = Math.round(endpoint.latency_ms);
    const connected = endpoint.server_version
        ? _t("Connected to %(name)s in %(latency)s ms (%(version)s)", {
              name,
              latency,
              version: endpoint.server_version,
          })
        : _t("Connected to %(name)s in %(latency)s ms", { name, latency });
    if (status === "degraded") {
        notification.add(reason || _t("It answers, but not well."), { title: connected, type: "warning" });
    } else {
        notification.add(connected, { type: "success" });
    }
}

function notifyMany(notification, endpoints) {
    const count = (status) => endpoints.filter((endpoint) => endpoint.status === status).length;
    const parts = [
        ["success", count("success"), (n) => _t("%(count)s connected", { count: n })],
        ["degraded", count("degraded"), (n) => _t("%(count)s degraded", { count: n })],
        ["failed", count("failed"), (n) => _t("%(count)s failed", { count: n })],
    ].filter(([, n]) => n);
    const worst = parts.at(-1)[0];
    notification.add(parts.map(([, n, text]) => text(n)).join(", "), {
        title: _t("%(count)s more results", { count: endpoints.length }),
        type: { success: "success", degraded: "warning", failed: "danger" }[worst],
    });
}

/**
 * Follows probes until Odoo has their results: moves the cards where there is no websocket, and tells whoever
 * pressed Test what became of the probes that were not done yet.
 *
 * @param {import("@web/env").OdooEnv} env
 * @param {{ id: number, revision: number, probe: string, testing: boolean }[]} probes
 */
export async function followProbes(env, probes) {
    const { insightpulse_live_endpoints: liveEndpoints, notification, orm } = env.services;
    const pending = new Map(probes.map((probe) => [probe.id, probe]));
    const together = probes.filter((probe) => probe.testing).length > SINGLE_NOTIFICATIONS;
    const told = [];
    const giveUpAt = Date.now() + PATIENCE_MS;
    let delay = FIRST_DELAY_MS;
    while (pending.size && Date.now() < giveUpAt) {
        const ids = [...pending.keys()];
        const shown = await delayOrChange(liveEndpoints, ids, delay);
        delay = Math.min(Math.max(delay * 1.5, DELAY_MS), DELAY_MAX_MS);
        let endpoints;
        try {
            endpoints = await orm.silent.searchRead(MODEL, [["id", "in", ids]], FIELDS, {
                context: { active_test: false },
            });
        } catch {
            // The connection to Odoo is lost, which the web client says by itself: try again later.
            continue;
        }
        const byId = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
        const written = [];
        for (const [id, probe] of pending) {
            const endpoint = byId.get(id);
            if (!endpoint || endpoint.revision !== probe.revision) {
                // Deleted or changed in the meantime: nobody waits for this result any more.
                pending.delete(id);
            } else if (endpoint.last_probe_id && endpoint.last_probe_id >= probe.probe) {
                pending.delete(id);
                if (!shown.has(id)) {
                    written.push(id);
                }
                if (probe.testing && !together) {
                    notifyOne(notification, endpoint);
                } else if (probe.testing) {
                    told.push(endpoint);
                }
            }
        }
        liveEndpoints.changed(written);
    }
    if (told.length) {
        notifyMany(notification, told);
    }
    if (pending.size) {
        notification.add(
            _t(
                "The sidecar has not reported %(count)s of the results to Odoo. They appear by themselves once it reaches Odoo again; Settings → InsightPulse → Check says what keeps it from it.",
                { count: pending.size }
            ),
            { type: "warning", sticky: true }
        );
    }
}

function followProbesAction(env, action) {
    // Not awaited: the page stays free while the probes run.
    followProbes(env, action.params.probes);
}

registry.category("actions").add("insightpulse_follow_probes", followProbesAction);
