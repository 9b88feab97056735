import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { EventBus } from "@odoo/owl";

const GATHER_MS = 50;

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
    "last_probe_id",
];

/**
 * Reads the health of endpoints again in one model of an open view, and leaves everything else there as it is.
 *
 * @param {Object} orm
 * @param {import("@web/model/relational_model/relational_model").RelationalModel} model
 * @param {Set<number>} ids
 */
async function refresh(orm, model, ids) {
    const { root } = model;
    if (!root || model.useSampleModel) {
        return;
    }
    const records = model.config.isMonoRecord ? [root] : root.records;
    const touched = records.filter((record) => ids.has(record.resId));
    if (!touched.length) {
        return;
    }
    if (root.isGrouped && !records.some((record) => record.dirty)) {
        // Cards may have to change columns, and columns their counts.
        return root.load();
    }
    return model.mutex.exec(async () => {
        const names = HEALTH_FIELDS.filter((name) => name in touched[0].activeFields);
        const values = await orm.silent.webRead(
            model.config.resModel,
            touched.map((record) => record.resId),
            { specification: Object.fromEntries(names.map((name) => [name, {}])) }
        );
        const valuesById = new Map(values.map(({ id, ...health }) => [id, health]));
        for (const record of touched) {
            if (valuesById.has(record.resId)) {
                record._applyValues(valuesById.get(record.resId));
            }
        }
    });
}

/**
 * Keeps open views of endpoints up to date, by what the server says on the bus.
 */
export const liveEndpointsService = {
    dependencies: ["bus_service", "orm"],

    start(env, { bus_service: busService, orm }) {
        const bus = new EventBus();
        const models = new Set();
        let gathered = new Set();

        async function flush() {
            const ids = gathered;
            gathered = new Set();
            bus.trigger("CHANGED", ids);
            // A view that cannot be read again keeps showing what it showed; the next change heals it.
            await Promise.allSettled([...models].map((model) => refresh(orm, model, ids)));
        }

        /** @param {number[]} ids endpoints that have changed on the server */
        function changed(ids) {
            if (ids.length && !gathered.size) {
                browser.setTimeout(flush, GATHER_MS);
            }
            ids.forEach((id) => gathered.add(id));
        }

        busService.subscribe("insightpulse.endpoint/changed", ({ ids }) => changed(ids));

        return {
            bus,
            changed,
            /** Keeps a model up to date until the returned function is called. */
            watch(model) {
                models.add(model);
                return () => models.delete(model);
            },
        };
    },
};

registry.category("services").add("insightpulse_live_endpoints", liveEndpointsService);
