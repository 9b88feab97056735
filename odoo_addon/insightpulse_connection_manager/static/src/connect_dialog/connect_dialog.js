import { browser } from "@web/core/browser/browser";
import { Dialog } from "@web/core/dialog/dialog";
import { _t } from "@web/core/l10n/translation";
import { downloadFile } from "@web/core/network/download";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { Component, onWillDestroy, useExternalListener, useState } from "@odoo/owl";
import { copyText } from "../copy/copy_text";
import { highlight } from "./highlight";
import { labelOf } from "./labels";

const MODEL = "insightpulse.connection.endpoint";
const REVEALED_MS = 30_000;
const COPIED_MS = 2000;
/** The page shows so much of a text; what is copied and downloaded is all of it. */
const SHOWN = 200_000;
const LAST_FORMAT = { one: "insightpulse.connect.format.one", several: "insightpulse.connect.format.several" };

/** The ways to a Supabase project's database, which are one entry with a choice. */
const WAYS = [
    {
        id: "uri-direct",
        label: _t("Direct"),
        hint: _t("For servers that stay connected. Its address is IPv6 only, unless the project has the IPv4 add-on."),
    },
    {
        id: "uri-session-pooler",
        label: _t("Session pooler"),
        hint: _t("For servers that stay connected from a network without IPv6."),
    },
    {
        id: "uri-transaction-pooler",
        label: _t("Transaction pooler"),
        hint: _t("For short connections, such as those of serverless functions. It has no prepared statements."),
    },
];

/**
 * Every configuration of one endpoint, or of several: by purpose, coloured, to copy and to download.
 *
 * Secrets are fetched when somebody asks for them, and forgotten after half a minute, when the page is hidden and when
 * the dialog is closed.
 */
export class ConnectDialog extends Component {
    static template = "insightpulse_connection_manager.ConnectDialog";
    static components = { Dialog };
    static props = { close: Function, ids: { type: Array, element: Number } };

    setup() {
        this.orm = useService("orm");
        this.notification = useService("notification");
        this.ui = useService("ui");
        this.ways = WAYS;
        this.labelOf = labelOf;
        // Not in the state: what is in it is watched, and stays in the caches of that.
        this.hidden = null;
        this.state = useState({
            texts: null,
            error: "",
            isBusy: false,
            tab: "",
            format: "",
            way: "",
            seconds: 0,
            copied: "",
        });
        onWillDestroy(() => this.hide());
        useExternalListener(document, "visibilitychange", () => document.hidden && this.hide());
        // Not awaited: the dialog is there while the sidecar writes.
        this.load();
    }

    // What there is

    get title() {
        const { texts } = this.state;
        if (!texts) {
            return _t("Connect");
        }
        return texts.name
            ? _t("Connect to %(name)s", { name: texts.name })
            : _t("Connect: %(count)s connections", { count: texts.count });
    }

    get tabs() {
        const { tabs, formats } = this.state.texts;
        return tabs.filter((tab) => formats.some((format) => format.tab === tab.id));
    }

    /** The formats of the chosen tab; the ways to a project are one of them. */
    get formats() {
        return this.state.texts.formats.filter(({ id, tab }) => tab === this.state.tab && !this.isWay(id));
    }

    get hasWays() {
        return this.state.texts.formats.some(({ id }) => this.isWay(id));
    }

    get showsWays() {
        return this.state.format === "uri" && this.hasWays;
    }

    get way() {
        return WAYS.find(({ id }) => id === this.state.way);
    }

    /** The format whose text is shown. */
    get format() {
        const { texts, format, way } = this.state;
        const id = this.showsWays && way ? way : format;
        return texts.formats.find((one) => one.id === id);
    }

    get isRevealed() {
        return this.state.seconds > 0;
    }

    get pieces() {
        return highlight(this.format.content.slice(0, SHOWN), this.format.language);
    }

    get isCut() {
        return this.format.content.length > SHOWN;
    }

    get lastFormat() {
        return this.props.ids.length > 1 ? LAST_FORMAT.several : LAST_FORMAT.one;
    }

    isWay(id) {
        return WAYS.some((way) => way.id === id);
    }

    // Loading and revealing

    async load() {
        this.state.isBusy = true;
        this.state.error = "";
        try {
            this.hidden = await this.orm.call(MODEL, "get_connect_texts", [this.props.ids]);
            this.state.texts = this.hidden;
            this.begin();
        } catch (error) {
            this.state.error = error.data?.message || error.message;
        } finally {
            this.state.isBusy = false;
        }
    }

    /** Where somebody left it the last time, if these endpoints have that. */
    begin() {
        const { formats } = this.state.texts;
        const last = formats.find(({ id }) => id === recall(this.lastFormat));
        const format = (last && !this.isWay(last.id) && last) || formats[0];
        this.state.tab = format?.tab || "";
        this.state.format = format?.id || "";
        const own = formats.find(({ id }) => id === "uri")?.content;
        this.state.way = formats.find(({ id, content }) => this.isWay(id) && content === own)?.id || "";
    }

    async onReveal(ev) {
        if (!ev.target.checked) {
            return this.hide();
        }
        this.state.isBusy = true;
        const asked = (this.asked = Symbol("asked"));
        try {
            const texts = await this.orm.call(MODEL, "get_connect_texts", [this.props.ids], { reveal: true });
            if (this.asked !== asked) {
                // Hidden again before they came.
                return;
            }
            this.state.texts = texts;
            this.revealedUntil = Date.now() + REVEALED_MS;
            this.timer = browser.setInterval(() => this.tick(), 1000);
            this.tick();
        } catch (error) {
            this.notification.add(error.data?.message || error.message, { type: "danger" });
        } finally {
            this.state.isBusy = false;
            ev.target.checked = this.isRevealed;
        }
    }

    tick() {
        // By the clock: a machine that slept has not counted.
        this.state.seconds = Math.round((this.revealedUntil - Date.now()) / 1000);
        if (this.state.seconds <= 0) {
            this.hide();
        }
    }

    hide() {
        this.asked = null;
        browser.clearInterval(this.timer);
        this.state.seconds = 0;
        if (this.hidden) {
            this.state.texts = this.hidden;
        }
    }

    // Choosing

    onTab(tab) {
        this.state.tab = tab.id;
        this.onFormat(this.formats[0]);
    }

    onFormat(format) {
        this.state.format = format.id;
        remember(this.lastFormat, format.id);
    }

    /** Arrows go from tab to tab, as in every list of tabs. */
    onTabKeydown(ev) {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[ev.key];
        if (!step) {
            return;
        }
        ev.preventDefault();
        const { tabs } = this;
        const direction = document.dir === "rtl" ? -step : step;
        const next = tabs.findIndex(({ id }) => id === this.state.tab) + direction;
        const tab = tabs[(next + tabs.length) % tabs.length];
        this.onTab(tab);
        ev.currentTarget.querySelector(`[data-tab="${tab.id}"]`).focus();
    }

    // Taking along

    async onCopy() {
        await this.copy(this.format.id, this.format.content);
    }

    async copy(id, text) {
        if (!(await copyText(text))) {
            this.notification.add(_t("The browser does not let Odoo copy. Select the text and copy it by hand."), {
                type: "warning",
            });
            return;
        }
        this.state.copied = id;
        browser.clearTimeout(this.copiedTimer);
        this.copiedTimer = browser.setTimeout(() => (this.state.copied = ""), COPIED_MS);
    }

    async onDownload() {
        const { id, filename, mimetype, content, files } = this.format;
        if (files) {
            return this.downloadArchive(id);
        }
        downloadFile(new Blob([content], { type: mimetype }), filename, mimetype);
    }

    onDownloadAll() {
        return this.downloadArchive(false);
    }

    async downloadArchive(format) {
        const asked = { format, reveal: this.isRevealed };
        const { content, filename, mimetype } = await this.orm.call(MODEL, "get_connect_archive", [this.props.ids], asked);
        const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
        downloadFile(new Blob([bytes], { type: mimetype }), filename, mimetype);
    }
}

function recall(key) {
    try {
        return browser.localStorage.getItem(key);
    } catch {
        return null;
    }
}

function remember(key, format) {
    try {
        browser.localStorage.setItem(key, format);
    } catch {
        // A browser that keeps nothing begins anew each time.
    }
}

registry.category("actions").add("insightpulse_connect", (env, { params }) => {
    env.services.dialog.add(ConnectDialog, { ids: params.ids });
});
