import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { EventBus } from "@odoo/owl";

// Changes that come together are read together.
const GATHER_MS = 50;
// While everything is tested all the time, messages come all the time.
const APART_MS = 1000;
// How often to ask where no message arrives.
const POLL_MS = 10000;

// Written by apply_probe_results() alone, so that reading them again cannot clash with what a user types.
export const HEALTH_FIELDS = [
    "status",
    "latency_ms",
    "phases",
    "server_version",
    "active_connections",
    "max_connections",
    "last_checked_at",
    "failure_kind",
    "failure_message",
    "failure_advice",
    "certificate_expires_at",
    "database_size",
    "reserved_connections",
    "replication",
    "tls_version",
    "server_name",
    "protocol",
    "http_status",
    "answer_size",
    "tools_count",
    "databases_count",
    "odoo_version",
    "parts_answering",
    "status_since",
    "unconfirmed",
    "is_flapping",
    "monitoring",
    "last_probe_id",
];

/**
 * Reads the health of endpoints again in one model of an open view, and leaves everything else there as it is.
 *
 * @param {Object} orm
 * @param {import("@web/model/relational_model/relational_model").RelationalModel} model
 * @param {Set<number> | null} ids of those that have changed; null when any may have
 */
async function refresh(orm, model, ids) {
    const { root } = model;
    if (!root || model.useSampleModel) {
        return;
    }
    const records = model.config.isMonoRecord ? [root] : root.records;
    const touched = records.filter((record) => record.resId && (!ids || ids.has(record.resId)));
    if (!touched.length) {
        return;
    }
    const hasMoved = await model.mutex.exec(async () => {
        const names = HEALTH_FIELDS.filter((name) => name in touched[0].activeFields);
        const values = await orm.silent.webRead(
            model.config.resModel,
            touched.map((record) => record.resId),
            { specification: Object.fromEntries(names.map((name) => [name, {}])) }
        );
        const valuesById = new Map(values.map(({ id, ...health }) => [id, health]));
        let hasMoved = false;
        for (const record of touched) {
            if (valuesById.has(record.resId)) {
                const health = valuesById.get(record.resId);
                hasMoved ||= "status" in health && health.status !== record.data.status;
                record._applyValues(health);
            }
        }
        return hasMoved;
    });
    if (hasMoved && root.isGrouped && !records.some((record) => record.dirty)) {
        // Cards may have to change columns, and columns their counts.
        await root.load();
    }
}

/**
 * Keeps open views of endpoints up to date, by what the server says on the bus; and where no websocket is, by
 * asking from time to time.
 */
export const liveEndpointsService = {
    dependencies: ["bus_service", "orm"],

    start(env, { bus_service: busService, orm }) {
        const bus = new EventBus();
        const models = new Set();
        let gathered = new Set();
        let flushed = -Infinity;

        function refreshAll(ids) {
            // A view that cannot be read again keeps showing what it showed; the next change heals it.
            return Promise.allSettled([...models].map((model) => refresh(orm, model, ids)));
        }

        async function flush() {
            const ids = gathered;
            gathered = new Set();
            flushed = Date.now();
            bus.trigger("CHANGED", ids);
            await refreshAll(ids);
        }

        /** @param {number[]} ids endpoints that have changed on the server */
        function changed(ids) {
            if (ids.length && !gathered.size) {
                browser.setTimeout(flush, Math.max(GATHER_MS, flushed + APART_MS - Date.now()));
            }
            ids.forEach((id) => gathered.add(id));
        }

        async function poll() {
            const isBlind = busService.workerState !== "CONNECTED";
            if (isBlind && models.size && document.visibilityState === "visible") {
                await refreshAll(null);
            }
            browser.setTimeout(poll, POLL_MS);
        }

        busService.subscribe("insightpulse.endpoint/changed", ({ ids }) => changed(ids));
        browser.setTimeout(poll, POLL_MS);

        return {
            bus,
            changed,
            /** Keeps a model up to date until the returned function is called. */
            watch(model) {
                models.add(model);
                // Who looks at endpoints wants to hear of them.
                busService.start();
                return () => models.delete(model);
            },
        };
    },
};

registry.category("services").add("insightpulse_live_endpoints", liveEndpointsService);
