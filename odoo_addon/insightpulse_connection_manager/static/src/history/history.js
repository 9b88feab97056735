import { loadBundle } from "@web/core/assets";
import { getColor } from "@web/core/colors/colors";
import { cookie } from "@web/core/browser/cookie";
import { deserializeDateTime, formatDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useBus, useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { Component, onWillStart, onWillUnmount, onWillUpdateProps, useEffect, useRef, useState } from "@odoo/owl";

const { DateTime } = luxon;

const RANGES = [
    { name: "24h", label: _t("24 hours"), format: { hour: "2-digit", minute: "2-digit" } },
    { name: "7d", label: _t("7 days"), format: { weekday: "short", hour: "2-digit", minute: "2-digit" } },
    { name: "30d", label: _t("30 days"), format: { day: "numeric", month: "short" } },
    { name: "90d", label: _t("90 days"), format: { day: "numeric", month: "short" } },
];
const KINDS = {
    flapping: _t("Goes up and down"),
    steady: _t("Steady again"),
    test: _t("Test alert"),
};
const STATUSES = {
    success: _t("Connected"),
    degraded: _t("Degraded"),
    failed: _t("Failed"),
};

/** Shows how an endpoint has been: its latency, its uptime, and what happened to it. */
export class HealthHistory extends Component {
    static template = "insightpulse_connection_manager.HealthHistory";
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.canvas = useRef("canvas");
        this.ranges = RANGES;
        this.state = useState({ range: "24h", history: null, failed: false });
        this.asked = 0;
        onWillStart(async () => {
            await loadBundle("web.chartjs_lib");
            await this.load(this.props);
        });
        onWillUpdateProps((props) => {
            if (props.record.resId !== this.props.record.resId) {
                return this.load(props);
            }
        });
        // A new result is a new point.
        useBus(useService("insightpulse_live_endpoints").bus, "CHANGED", ({ detail: ids }) => {
            if (ids.has(this.props.record.resId)) {
                this.load(this.props);
            }
        });
        useEffect(
            () => {
                this.draw();
            },
            () => [this.state.history, this.canvas.el]
        );
        onWillUnmount(() => this.chart?.destroy());
    }

    get points() {
        return this.state.history?.points || [];
    }

    get uptimes() {
        return (this.state.history?.uptime || []).map(({ range, share }) => ({
            range,
            label: RANGES.find(({ name }) => name === range).label,
            share: typeof share === "number" ? this.percent(share) : "–",
            style: typeof share === "number" ? this.style(share) : "",
        }));
    }

    get events() {
        return (this.state.history?.events || []).map((event) => ({
            ...event,
            date: formatDateTime(deserializeDateTime(event.date)),
            label: KINDS[event.kind] || STATUSES[event.to],
        }));
    }

    /** Nobody may read 100 % where a minute was missing. */
    percent(share) {
        const percent = Math.floor(share * 100000) / 1000;
        return `${percent === 100 ? "100" : percent.toFixed(percent > 99 ? 3 : 2)} %`;
    }

    style(share) {
        return share >= 0.999 ? "text-success" : share >= 0.99 ? "text-warning" : "text-danger";
    }

    async select(range) {
        this.state.range = range;
        await this.load(this.props);
    }

    async load({ record }) {
        if (!record.resId) {
            return;
        }
        const asked = ++this.asked;
        try {
            const history = await this.orm.silent.call(record.resModel, "get_health_history", [
                [record.resId],
                this.state.range,
            ]);
            if (asked === this.asked) {
                Object.assign(this.state, { history, failed: false });
            }
        } catch {
            // What was shown stays; the next result tries again.
            if (asked === this.asked) {
                this.state.failed = true;
            }
        }
    }

    draw() {
        this.chart?.destroy();
        this.chart = null;
        if (!this.canvas.el || !this.points.length) {
            return;
        }
        const { format } = RANGES.find(({ name }) => name === this.state.range);
        const scheme = cookie.get("color_scheme");
        const line = getColor(1, scheme, "odoo");
        const failed = "rgba(220, 53, 69, 0.35)";
        const points = this.points;
        const most = Math.max(1, ...points.map((point) => point.latency_ms || 0));
        this.chart = new window.Chart(this.canvas.el, {
            data: {
                labels: points.map(({ at }) => DateTime.fromISO(at).toLocaleString(format)),
                datasets: [
                    {
                        type: "line",
                        label: _t("Latency (ms)").toString(),
                        // Without a number where nothing answered, the line has a gap.
                        data: points.map(({ latency_ms: latency }) => (latency === false ? null : latency)),
                        borderColor: line,
                        backgroundColor: line,
                        pointRadius: points.length > 60 ? 0 : 2,
                        tension: 0.2,
                        spanGaps: false,
                    },
                    {
                        type: "bar",
                        label: _t("Failed tests").toString(),
                        data: points.map(({ probes, failures }) => (failures ? (most * failures) / probes : null)),
                        backgroundColor: failed,
                        barPercentage: 1,
                        categoryPercentage: 1,
                    },
                ],
            },
            options: {
                animation: false,
                maintainAspectRatio: false,
                interaction: { mode: "index", intersect: false },
                scales: {
                    x: { ticks: { maxTicksLimit: 8, maxRotation: 0 }, grid: { display: false } },
                    y: { beginAtZero: true, title: { display: true, text: "ms" } },
                },
                plugins: {
                    legend: { display: false },
                    tooltip: {
                        callbacks: {
                            label: ({ datasetIndex, dataIndex }) => {
                                const { latency_ms, latency_max_ms, failures, probes } = points[dataIndex];
                                if (datasetIndex === 1) {
                                    return _t("%(failures)s of %(probes)s tests failed", { failures, probes });
                                }
                                return _t("%(latency)s ms on average, %(most)s ms at most", {
                                    latency: latency_ms?.toFixed(1),
                                    most: latency_max_ms?.toFixed(1),
                                });
                            },
                        },
                    },
                },
            },
        });
    }
}

export const healthHistory = { component: HealthHistory };

registry.category("view_widgets").add("insightpulse_history", healthHistory);
