import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { describe, expect, test } from "@odoo/hoot";
import { press, queryAllTexts, queryFirst, queryText, waitFor } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, Deferred } from "@odoo/hoot-mock";
import {
    contains,
    getService,
    makeServerError,
    mountWithCleanup,
    onRpc,
    patchWithCleanup,
} from "@web/../tests/web_test_helpers";
import { defineBusModels } from "@bus/../tests/bus_test_helpers";
import { browser } from "@web/core/browser/browser";
import { downloadFile } from "@web/core/network/download";
import { WebClient } from "@web/webclient/webclient";
import { highlight } from "@insightpulse_connection_manager/connect_dialog/highlight";

describe.current.tags("desktop");
defineMailModels();

const MODEL = "insightpulse.connection.endpoint";

function format(id, tab, content, more = {}) {
    return { id, label: id, tab, language: "text", filename: `books.${id}`, mimetype: "text/plain", content, ...more };
}

function texts(secret, more = {}) {
    return {
        name: "Books",
        count: 1,
        can_reveal: true,
        tabs: [
            { id: "string", label: "Connection string" },
            { id: "env", label: "Environment" },
            { id: "empty", label: "Nothing" },
        ],
        formats: [
            format("uri", "string", `postgresql://u:${secret}@db/books`),
            format("jdbc", "string", `jdbc:postgresql://db/books?password=${secret}`),
            format("env", "env", `BOOKS_PASSWORD=${secret}\n`, { language: "ini" }),
            format("pgpass", "env", "", { error: "The password has a line break in it." }),
        ],
        parameters: [
            { id: "host", label: "Host", value: "db", is_secret: false },
            { id: "password", label: "Password", value: secret, is_secret: true },
        ],
        ...more,
    };
}

async function open(answer = (reveal) => texts(reveal ? "canary" : "[YOUR-PASSWORD]"), ids = [7]) {
    onRpc(MODEL, "get_connect_texts", ({ args, kwargs }) => {
        expect.step(`${args[0].join()} ${kwargs.reveal ? "revealed" : "hidden"}`);
        return answer(kwargs.reveal);
    });
    await mountWithCleanup(WebClient);
    await getService("action").doAction({ type: "ir.actions.client", tag: "insightpulse_connect", params: { ids } });
    await animationFrame();
}

function clipboard() {
    patchWithCleanup(browser.navigator.clipboard, { writeText: async (text) => expect.step(text) });
}

test("texts are by purpose, and arrows go from one to the next", async () => {
    await open();
    expect.verifySteps(["7 hidden"]);
    expect(".modal-title").toHaveText("Connect to Books");
    expect(queryAllTexts("[role=tab]")).toEqual(["Connection string", "Environment"]);
    expect(queryText("pre")).toBe("postgresql://u:[YOUR-PASSWORD]@db/books");
    await contains("[data-format=jdbc]").click();
    expect(queryText("pre")).toBe("jdbc:postgresql://db/books?password=[YOUR-PASSWORD]");
    await contains("[data-tab=string]").focus();
    await press("ArrowRight");
    await animationFrame();
    expect("[data-tab=env]").toBeFocused();
    expect(queryText("pre")).toBe("BOOKS_PASSWORD=[YOUR-PASSWORD]");
});

test("what a format cannot carry is said in the text's place", async () => {
    await open();
    expect.verifySteps(["7 hidden"]);
    await contains("[data-tab=env]").click();
    await contains("[data-format=pgpass]").click();
    expect(".o_insightpulse_connect_unwritable").toHaveText("The password has a line break in it.");
    expect("pre").toHaveCount(0);
    expect(".o_insightpulse_connect_copy").toHaveCount(0);
});

test("copying copies the whole text, and a parameter its value", async () => {
    clipboard();
    await open();
    await contains(".o_insightpulse_connect_copy").click();
    expect(".o_insightpulse_connect_copy").toHaveText("Copied");
    await contains("[data-parameter=host]").click();
    expect.verifySteps(["7 hidden", "postgresql://u:[YOUR-PASSWORD]@db/books", "db"]);
    await advanceTime(2500);
    expect(".o_insightpulse_connect_copy").toHaveText("Copy");
});

test("secrets are fetched when they are asked for, and are gone after half a minute", async () => {
    await open();
    expect.verifySteps(["7 hidden"]);
    await contains("#o_insightpulse_connect_reveal").click();
    expect.verifySteps(["7 revealed"]);
    expect(queryText("pre")).toBe("postgresql://u:canary@db/books");
    expect(queryText("[data-parameter=password]")).toBe("canary");
    expect(queryText(".o_insightpulse_connect_reveal")).toBe("Secrets hidden in 30 s");
    await advanceTime(29_000);
    expect(queryText("pre")).toInclude("canary");
    await advanceTime(1_000);
    await animationFrame();
    expect(queryFirst(".modal").innerHTML).not.toInclude("canary");
    expect("#o_insightpulse_connect_reveal").not.toBeChecked();
});

test("secrets that come while the page is hidden are not shown", async () => {
    const asked = new Deferred();
    await open(async (reveal) => {
        if (reveal) {
            await asked;
        }
        return texts(reveal ? "canary" : "[YOUR-PASSWORD]");
    });
    await contains("#o_insightpulse_connect_reveal").click();
    patchWithCleanup(document, { hidden: true });
    document.dispatchEvent(new Event("visibilitychange"));
    asked.resolve();
    await advanceTime(100);
    await animationFrame();
    expect.verifySteps(["7 hidden", "7 revealed"]);
    expect(queryText("pre")).toBe("postgresql://u:[YOUR-PASSWORD]@db/books");
    expect("#o_insightpulse_connect_reveal").not.toBeChecked();
    expect("#o_insightpulse_connect_reveal").toBeEnabled();
});

test("a machine that slept does not go on showing secrets", async () => {
    await open();
    await contains("#o_insightpulse_connect_reveal").click();
    expect(queryText("pre")).toInclude("canary");
    const now = Date.now();
    patchWithCleanup(Date, { now: () => now + 3_600_000 });
    await advanceTime(1_000);
    await animationFrame();
    expect(queryFirst(".modal").innerHTML).not.toInclude("canary");
    expect.verifySteps(["7 hidden", "7 revealed"]);
});

test("the dialog is there while the sidecar writes", async () => {
    const written = new Deferred();
    await open(async () => {
        await written;
        return texts("[YOUR-PASSWORD]");
    });
    expect(".modal .o_insightpulse_connect_loading").toHaveCount(1);
    expect("pre").toHaveCount(0);
    written.resolve();
    await waitFor(".modal pre");
    expect(".o_insightpulse_connect_loading").toHaveCount(0);
    expect.verifySteps(["7 hidden"]);
});

test("one connection begins where one was left, and several where several were", async () => {
    browser.localStorage.clear();
    await open();
    await contains("[data-format=jdbc]").click();
    await contains(".modal-footer .btn-primary").click();
    for (const [ids, format] of [
        [[7, 8], "uri"],
        [[9], "jdbc"],
    ]) {
        getService("action").doAction({ type: "ir.actions.client", tag: "insightpulse_connect", params: { ids } });
        await waitFor(".modal pre");
        expect(`[data-format=${format}]`).toHaveAttribute("aria-pressed", "true");
        await contains(".modal-footer .btn-primary").click();
    }
    expect.verifySteps(["7 hidden", "7,8 hidden", "9 hidden"]);
});

test("turning the switch off hides them at once", async () => {
    await open();
    await contains("#o_insightpulse_connect_reveal").click();
    expect(queryText("pre")).toInclude("canary");
    await contains("#o_insightpulse_connect_reveal").click();
    expect(queryFirst(".modal").innerHTML).not.toInclude("canary");
    expect.verifySteps(["7 hidden", "7 revealed"]);
});

test("who may not reveal has no switch", async () => {
    await open(() => texts("[YOUR-PASSWORD]", { can_reveal: false }));
    expect.verifySteps(["7 hidden"]);
    expect("#o_insightpulse_connect_reveal").toHaveCount(0);
});

test("a sidecar that is away is said in the dialog, and asked again", async () => {
    let isAway = true;
    await open(() => {
        if (isAway) {
            throw makeServerError({ message: "The sidecar does not answer." });
        }
        return texts("[YOUR-PASSWORD]");
    });
    expect(".o_insightpulse_connect_error").toHaveText("The sidecar does not answer.");
    isAway = false;
    await contains(".modal .alert button").click();
    expect("pre").toHaveCount(1);
    expect.verifySteps(["7 hidden", "7 hidden"]);
});

test("a text is written as text", async () => {
    const evil = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;
    await open(() => texts("x", { name: evil, formats: [format("env", "env", evil, { language: "yaml" })] }));
    expect.verifySteps(["7 hidden"]);
    expect(queryText("pre")).toBe(evil);
    expect(".modal img").toHaveCount(0);
    expect(".modal script").toHaveCount(0);
});

test("the ways to a project are one entry with a choice", async () => {
    const way = (id, content) => format(id, "string", content);
    const formats = [
        way("uri", "direct"),
        way("uri-direct", "direct"),
        way("uri-session-pooler", "session"),
        way("uri-transaction-pooler", "transaction"),
    ];
    await open(() => texts("x", { formats }));
    expect.verifySteps(["7 hidden"]);
    expect("[data-format]").toHaveCount(1);
    expect("[data-way=uri-direct]").toHaveClass("active");
    await contains("[data-way=uri-transaction-pooler]").click();
    expect(queryText("pre")).toBe("transaction");
    expect(".o_insightpulse_connect_main").toHaveText(/prepared statements/);
});

test("the whole of a long text is downloaded, of which the beginning is shown", async () => {
    const long = "x".repeat(300_000);
    patchWithCleanup(downloadFile, {
        _download: async (blob, filename) => expect.step(`${filename} ${(await blob.text()).length}`),
    });
    await open(() => texts("x", { formats: [format("env", "env", long)] }));
    expect(queryText("pre").length).toBe(200_000);
    await contains(".o_insightpulse_connect_download").click();
    await animationFrame();
    expect.verifySteps(["7 hidden", "books.env 300000"]);
});

test("of several connections there is an archive, without secrets unless they are shown", async () => {
    patchWithCleanup(downloadFile, { _download: (blob, filename) => expect.step(`${filename} ${blob.size}`) });
    onRpc(MODEL, "get_connect_archive", ({ args, kwargs }) => {
        expect.step(`${args[0].join()} ${kwargs.format} ${kwargs.reveal}`);
        return { filename: "connections.zip", mimetype: "application/zip", content: btoa("PK") };
    });
    await open(() => texts("x", { name: false, count: 2, parameters: [] }), [7, 8]);
    expect(".modal-title").toHaveText("Connect: 2 connections");
    await contains(".o_insightpulse_connect_all").click();
    await animationFrame();
    expect.verifySteps(["7,8 hidden", "7,8 false false", "connections.zip 2"]);
});

test("the pieces of a text make up the text again", () => {
    const samples = {
        yaml: `a: "b #c" # d\n- {e: 1, f: true}\n[YOUR-PASSWORD]`,
        json: `{"a": ["b\\"", 1.5, null]}`,
        shell: `PGPASSWORD='it'\\''s' psql 'host=x' --json "a\\"b" # c`,
        php: `<?php\n$a = 'b\\'c'; // d`,
        python: `import x\nprint("é🦀", 'unclosed`,
        unknown: "x",
    };
    for (const [language, text] of Object.entries(samples)) {
        const pieces = highlight(text, language);
        expect(pieces.map((piece) => piece.text).join("")).toBe(text);
    }
    expect(highlight("a=[YOUR-PASSWORD]", "ini").at(-1)).toEqual({ kind: "placeholder", text: "[YOUR-PASSWORD]" });
    expect(highlight("# a", "ini")).toEqual([{ kind: "comment", text: "# a" }]);
});
