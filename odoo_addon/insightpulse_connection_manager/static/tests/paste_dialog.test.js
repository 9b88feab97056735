import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { describe, expect, test } from "@odoo/hoot";
import { press, waitFor } from "@odoo/hoot-dom";
import { animationFrame } from "@odoo/hoot-mock";
import {
    contains,
    defineModels,
    fields,
    makeServerError,
    models,
    mountView,
    onRpc,
} from "@web/../tests/web_test_helpers";
import { defineBusModels } from "@bus/../tests/bus_test_helpers";

describe.current.tags("desktop");
defineMailModels();

const MODEL = "insightpulse.connection.endpoint";

class Endpoint extends models.Model {
    _name = MODEL;

    name = fields.Char();
    connection_type = fields.Selection({
        selection: [
            ["postgresql", "PostgreSQL"],
            ["mysql", "MySQL"],
        ],
        onChange: (record) => {
            record.port = record.connection_type === "mysql" ? 3306 : 5432;
        },
    });
    base_url = fields.Char();
    port = fields.Integer();
    password = fields.Char();
    revision = fields.Integer();
    revision_seen = fields.Integer();

    _records = [{ id: 1, name: "Books", connection_type: "postgresql", port: 5432 }];
}
defineModels([Endpoint]);

const arch = `
    <form js_class="insightpulse_endpoint_form">
        <widget name="insightpulse_paste" invisible="id"/>
        <field name="name"/>
        <field name="connection_type"/>
        <field name="base_url"/>
        <field name="port" options="{'enable_formatting': false}"/>
        <field name="password" widget="insightpulse_secret"/>
    </form>`;
const BOOKS = {
    name: "Books",
    connection_type: "mysql",
    base_url: "db.example",
    port: 3307,
    password: "secret",
    pooler_host: "is not in this form",
};
const LEDGER = { name: "Ledger", connection_type: "postgresql", base_url: "ledger.example" };

async function paste(text) {
    await contains(".o_insightpulse_paste").click();
    await contains(".o_insightpulse_paste_text").edit(text, { confirm: false });
    await contains(".o_insightpulse_paste_fill").click();
}

test("what was pasted is in the form and is saved with it, the secret as a typed one", async () => {
    onRpc(MODEL, "parse_connection_strings", ({ args }) => {
        expect.step(args[0]);
        return [BOOKS];
    });
    onRpc("web_save", ({ args }) => expect.step(args[1]));
    await mountView({ type: "form", resModel: MODEL, arch });
    await paste("mysql://…");
    await animationFrame();
    expect(".modal").toHaveCount(0);
    expect("[name=base_url] input").toHaveValue("db.example");
    expect("[name=port] input").toHaveValue("3307");
    expect("[name=password] input").toHaveValue("secret");
    expect("[name=password] input").toHaveAttribute("type", "password");
    await contains("[name=name] input").edit("Corrected");
    await contains(".o_form_button_save").click();
    expect.verifySteps([
        "mysql://…",
        {
            name: "Corrected",
            connection_type: "mysql",
            base_url: "db.example",
            port: 3307,
            password: "secret",
            revision_seen: 0,
        },
    ]);
});

test("an error is shown in the dialog, the text stays, and the form is as it was", async () => {
    onRpc(MODEL, "parse_connection_strings", () => {
        throw makeServerError({ message: "This is neither a URI nor a file." });
    });
    await mountView({ type: "form", resModel: MODEL, arch });
    await paste("hello");
    await waitFor(".o_insightpulse_paste_error");
    expect(".o_insightpulse_paste_error").toHaveText("This is neither a URI nor a file.");
    expect(".o_insightpulse_paste_text").toHaveValue("hello");
    expect(".modal").toHaveCount(1);
    await contains(".o_insightpulse_paste_text").edit("hello again", { confirm: false });
    expect(".o_insightpulse_paste_error").toHaveCount(0);
    await contains(".modal .btn-secondary").click();
    expect("[name=base_url] input").toHaveValue("");
});

test("of several connections it says how many, and takes the first unless another is chosen", async () => {
    onRpc(MODEL, "parse_connection_strings", () => [BOOKS, LEDGER]);
    await mountView({ type: "form", resModel: MODEL, arch });
    await paste("…");
    await waitFor(".modal label");
    expect(".modal label").toHaveText(/There are 2 connections in this text\. Fill in/);
    expect(".modal select").toHaveValue("0");
    expect("[name=base_url] input").toHaveValue("");
    await contains(".modal select").select("1");
    await contains(".o_insightpulse_paste_fill").click();
    await animationFrame();
    expect("[name=base_url] input").toHaveValue("ledger.example");
    expect("[name=port] input").toHaveValue("5432");
});

test("the first of several needs one click more", async () => {
    onRpc(MODEL, "parse_connection_strings", () => [LEDGER, BOOKS]);
    await mountView({ type: "form", resModel: MODEL, arch });
    await paste("…");
    await contains(".o_insightpulse_paste_fill").click();
    await animationFrame();
    expect("[name=base_url] input").toHaveValue("ledger.example");
});

test("the keyboard is enough: the text has the focus, and Control and Enter fill in", async () => {
    onRpc(MODEL, "parse_connection_strings", () => [LEDGER]);
    await mountView({ type: "form", resModel: MODEL, arch, context: { insightpulse_paste: true } });
    await waitFor(".o_insightpulse_paste_text:focus");
    expect(".o_insightpulse_paste_fill").not.toBeEnabled();
    await contains(".o_insightpulse_paste_text").edit("…", { confirm: false });
    await press(["control", "enter"]);
    await animationFrame();
    await animationFrame();
    expect("[name=base_url] input").toHaveValue("ledger.example");
});

test("a saved connection has no such button", async () => {
    await mountView({ type: "form", resModel: MODEL, arch, resId: 1 });
    expect(".o_insightpulse_paste").toHaveCount(0);
});
