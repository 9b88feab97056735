import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { startBusService } from "@bus/../tests/bus_test_helpers";
import { describe, expect, test } from "@odoo/hoot";
import { unload, waitFor } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, mockSendBeacon } from "@odoo/hoot-mock";
import {
    contains,
    defineModels,
    fields,
    getService,
    makeMockServer,
    MockServer,
    mockService,
    models,
    mountView,
    mountWithCleanup,
    onRpc,
    patchWithCleanup,
    serverState,
} from "@web/../tests/web_test_helpers";
import { browser } from "@web/core/browser/browser";
import { WebClient } from "@web/webclient/webclient";
import { copyText } from "@insightpulse_connection_manager/copy/copy_text";

describe.current.tags("desktop");
defineMailModels();

const MODEL = "insightpulse.connection.endpoint";

class Endpoint extends models.Model {
    _name = MODEL;

    name = fields.Char();
    password = fields.Char();
    revision_seen = fields.Integer();
    connection_type = fields.Selection({ selection: [["postgresql", "PostgreSQL"]] });
    revision = fields.Integer();
    status = fields.Selection({
        readonly: true,
        selection: [
            ["draft", "Not tested"],
            ["success", "Connected"],
            ["degraded", "Degraded"],
            ["failed", "Failed"],
        ],
    });
    latency_ms = fields.Float({ readonly: true });
    server_version = fields.Char({ readonly: true });
    last_checked_at = fields.Datetime({ readonly: true });
    failure_message = fields.Char({ readonly: true });
    failure_advice = fields.Char({ readonly: true });
    last_probe_id = fields.Char({ readonly: true });

    _records = [
        { id: 1, name: "Books", status: "draft", revision: 1, connection_type: "postgresql", password: "••••••••" },
        { id: 2, name: "Ledger", status: "draft", revision: 1, connection_type: "postgresql" },
    ];
}
defineModels([Endpoint]);

function report(id, values) {
    MockServer.env[MODEL].write([id], values);
}

/** What the service does with a message; that messages reach it is a test of its own. */
async function tellTheBrowser(...ids) {
    getService("insightpulse_live_endpoints").changed(ids);
    await advanceTime(100);
    await animationFrame();
    await animationFrame();
}

async function mount(type, arch, props = {}) {
    await mountView({ type, resModel: MODEL, arch, ...props });
}

const form = `
    <form js_class="insightpulse_endpoint_form">
        <field name="name"/>
        <field name="password" widget="insightpulse_secret"/>
        <field name="status"/>
        <field name="last_checked_at" widget="insightpulse_since"/>
    </form>`;
const kanban = `
    <kanban js_class="insightpulse_endpoint_kanban">
        <templates>
            <t t-name="card"><field name="name"/> <field name="status"/></t>
        </templates>
    </kanban>`;

test("a message on the bus moves the card", async () => {
    await mount("kanban", kanban);
    await startBusService();
    report(1, { status: "success" });
    MockServer.env["bus.bus"]._sendone(serverState.partnerId, "insightpulse.endpoint/changed", { ids: [1] });
    await waitFor(".o_kanban_record:contains(Connected)");
    expect(".o_kanban_record:eq(0)").toHaveText("Books\nConnected");
});

test("a card moves when it has changed, and only that card is read", async () => {
    await mount("kanban", kanban);
    onRpc("web_read", ({ args }) => expect.step(args[0]));
    report(1, { status: "success" });
    report(2, { status: "failed" });
    await tellTheBrowser(1);
    expect(".o_kanban_record:eq(0)").toHaveText("Books\nConnected");
    expect(".o_kanban_record:eq(1)").toHaveText("Ledger\nNot tested");
    expect.verifySteps([[1]]);
});

test("a board grouped by status moves the card into its column", async () => {
    await mount("kanban", kanban, { groupBy: ["status"] });
    expect(".o_kanban_group").toHaveCount(1);
    report(1, { status: "success" });
    await tellTheBrowser(1);
    await waitFor(".o_kanban_group:eq(1)");
    expect(".o_kanban_group").toHaveCount(2);
});

test("a row of a list is read again", async () => {
    await mount("list", `<list js_class="insightpulse_endpoint_list"><field name="name"/><field name="status"/></list>`);
    report(2, { status: "degraded" });
    await tellTheBrowser(2);
    await waitFor(".o_data_row:eq(1) [name=status]:contains(Degraded)");
    expect(".o_data_row:eq(0) [name=status]").toHaveText("Not tested");
});

test("a form shows the result and keeps what was typed and not saved", async () => {
    await mount("form", form, { resId: 1 });
    await contains("[name=name] input").edit("Typed");
    await contains("[name=password] input").edit("secret");
    report(1, { status: "success", name: "Renamed by somebody else" });
    await tellTheBrowser(1);
    await waitFor("[name=status]:contains(Connected)");
    expect("[name=name] input").toHaveValue("Typed");
    expect("[name=password] input").toHaveValue("secret");
    onRpc("web_save", ({ args }) => expect.step(args[1]));
    await contains(".o_form_button_save").click();
    expect.verifySteps([{ name: "Typed", password: "secret", revision_seen: 1 }]);
});

test("a form keeps what is being typed, and shows that it is not saved", async () => {
    await mount("form", form, { resId: 1 });
    await contains("[name=name] input").fill(" and more", { confirm: false });
    report(1, { status: "success", last_checked_at: "2026-11-22 13:00:00" });
    await tellTheBrowser(1);
    await waitFor("[name=status]:contains(Connected)");
    expect("[name=name] input").toHaveValue("Books and more");
    expect(".o_form_button_save").toBeVisible();
});

test("a change of something else reads nothing", async () => {
    await mount("form", form, { resId: 1 });
    onRpc("web_read", () => expect.step("web_read"));
    await tellTheBrowser(2, 3);
    expect.verifySteps([]);
});

test("many messages at once are read by one call", async () => {
    await mount("kanban", kanban);
    onRpc("web_read", ({ args }) => expect.step(args[0]));
    const live = getService("insightpulse_live_endpoints");
    [1, 2, 1, 2].forEach((id) => live.changed([id]));
    await advanceTime(200);
    expect.verifySteps([[1, 2]]);
});

test("a view that cannot be read again stays as it is", async () => {
    await mount("kanban", kanban);
    onRpc("web_read", () => {
        throw new Error("gone");
    });
    await tellTheBrowser(1);
    expect(".o_kanban_record:eq(0)").toHaveText("Books\nNot tested");
});

test("a secret says which revision its typist has seen, whatever the server has by now", async () => {
    await mount("form", form, { resId: 1 });
    onRpc("web_save", ({ args }) => {
        expect.step(args[1]);
        MockServer.env[MODEL].write([1], { revision: 7, revision_seen: 0 });
    });
    report(1, { status: "success", revision: 2 });
    await tellTheBrowser(1);
    await contains("[name=password] input").edit("secret");
    await contains(".o_form_button_save").click();
    await contains("[name=name] input").edit("Renamed");
    await contains(".o_form_button_save").click();
    // Filled in by a script: no event tells of it.
    document.querySelector("[name=password] input").value = "another";
    await contains("[name=name] input").edit("Renamed again");
    await contains(".o_form_button_save").click();
    const seen = MockServer.env[MODEL].browse(1)[0].revision;
    expect(seen).toBe(7);
    expect.verifySteps([
        { password: "secret", revision_seen: 1 },
        { name: "Renamed" },
        { name: "Renamed again", password: "another", revision_seen: 7 },
    ]);
});

test("a page that is closed while a secret is typed says so too", async () => {
    mockSendBeacon(async (_route, blob) => expect.step(JSON.parse(await blob.text()).params.args[1]));
    await mount("form", form, { resId: 1 });
    await contains("[name=password] input").fill("x", { confirm: false });
    await unload();
    await animationFrame();
    expect.verifySteps([{ password: "x", revision_seen: 1 }]);
});

test("focussing a secret selects its mask", async () => {
    await mount("form", form, { resId: 1 });
    await contains("[name=password] input").focus();
    const input = document.querySelector("[name=password] input");
    expect([input.type, input.selectionStart, input.selectionEnd]).toEqual(["password", 0, 8]);
});

async function follow(...probes) {
    await mountWithCleanup(WebClient);
    getService("action").doAction({
        type: "ir.actions.client",
        tag: "insightpulse_follow_probes",
        params: { probes },
    });
    await animationFrame();
}

test("without a websocket the page asks until the result is there, and tells it", async () => {
    onRpc(MODEL, "search_read", () => expect.step("asked"));
    await follow({ id: 1, revision: 1, probe: "0002", testing: true });
    await advanceTime(350);
    expect.verifySteps(["asked"]);
    expect(".o_notification").toHaveCount(0);
    report(1, { status: "failed", failure_message: "No answer", failure_advice: "Start it", last_probe_id: "0002" });
    await advanceTime(1100);
    await animationFrame();
    expect.verifySteps(["asked"]);
    expect(".o_notification").toHaveText(/Books failed.*No answer\. Start it\./s);
    await advanceTime(60000);
    expect.verifySteps([]);
});

test("an older result is not taken for the one that was asked for", async () => {
    await makeMockServer();
    report(1, { status: "success", last_probe_id: "0001" });
    await follow({ id: 1, revision: 1, probe: "0002", testing: true });
    await advanceTime(5000);
    expect(".o_notification").toHaveCount(0);
});

test("a result that was told by the click is not told again", async () => {
    await makeMockServer();
    report(1, { status: "success", last_probe_id: "0002" });
    await follow({ id: 1, revision: 1, probe: "0002", testing: false });
    await advanceTime(40000);
    expect(".o_notification").toHaveCount(0);
});

test("nobody waits for the result of a connection that was changed or deleted", async () => {
    onRpc(MODEL, "search_read", () => expect.step("asked"));
    await makeMockServer();
    report(1, { revision: 2 });
    await follow(
        { id: 1, revision: 1, probe: "0002", testing: true },
        { id: 9, revision: 1, probe: "0002", testing: true }
    );
    await advanceTime(60000);
    expect.verifySteps(["asked"]);
    expect(".o_notification").toHaveCount(0);
});

test("a result that never arrives is said after a while", async () => {
    await follow({ id: 1, revision: 1, probe: "0002", testing: false });
    await advanceTime(60000);
    await animationFrame();
    expect(".o_notification").toHaveText(/has not reported 1 of the results/);
});

test("more than a few results are told as a count", async () => {
    const statuses = ["success", "success", "failed", "degraded", "success"];
    await mountWithCleanup(WebClient);
    const probes = statuses.map((status) => ({
        id: MockServer.env[MODEL].create({ name: status, status, revision: 1, last_probe_id: "0002" }),
        revision: 1,
        probe: "0002",
        testing: true,
    }));
    getService("action").doAction({
        type: "ir.actions.client",
        tag: "insightpulse_follow_probes",
        params: { probes },
    });
    await animationFrame();
    await advanceTime(2000);
    await animationFrame();
    expect(".o_notification").toHaveCount(1);
    expect(".o_notification").toHaveText(/5 more results.*3 connected, 1 degraded, 1 failed/s);
});

test("copying works where the browser hides its clipboard", async () => {
    patchWithCleanup(browser, { navigator: {} });
    patchWithCleanup(document, {
        execCommand(command) {
            expect.step([command, document.activeElement.value]);
            return true;
        },
    });
    expect(await copyText("postgresql://…")).toBe(true);
    expect.verifySteps([["copy", "postgresql://…"]]);
});

test("the card's button copies the connection string", async () => {
    mockService("notification", { add: (message) => expect.step(message.toString()) });
    patchWithCleanup(browser, { navigator: { clipboard: { writeText: async (text) => expect.step(text) } } });
    onRpc(MODEL, "render_config", ({ args }) => {
        expect.step(args);
        return { filename: "a", mimetype: "text/plain", content: "postgresql://reader:…@db.example\n" };
    });
    await mount(
        "kanban",
        `<kanban><templates><t t-name="card"><field name="name"/><widget name="insightpulse_copy"/></t></templates></kanban>`
    );
    await contains(".o_insightpulse_copy:eq(0)").click();
    expect.verifySteps([
        [[1], "uri"],
        "postgresql://reader:…@db.example",
        "Copied, with a placeholder for the password",
    ]);
});
