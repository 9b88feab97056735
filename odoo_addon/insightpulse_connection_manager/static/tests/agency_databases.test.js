import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { describe, expect, test } from "@odoo/hoot";
import { press, waitFor } from "@odoo/hoot-dom";
import { animationFrame } from "@odoo/hoot-mock";
import {
    contains,
    defineModels,
    fields,
    getService,
    makeServerError,
    models,
    mountWithCleanup,
    onRpc,
} from "@web/../tests/web_test_helpers";
import { defineBusModels } from "@bus/../tests/bus_test_helpers";
import { WebClient } from "@web/webclient/webclient";

describe.current.tags("desktop");
defineMailModels();

const MODEL = "insightpulse.connection.endpoint";

class Agency extends models.Model {
    _name = "insightpulse.agency";
    _rec_name = "code";

    code = fields.Char();

    _records = [
        { id: 1, code: "RIM" },
        { id: 2, code: "BOM" },
    ];
}

class Endpoint extends models.Model {
    _name = MODEL;

    name = fields.Char();
    connection_type = fields.Selection({
        selection: [
            ["postgresql", "PostgreSQL"],
            ["supabase", "Supabase"],
            ["odoo", "Odoo Database"],
            ["mysql", "MySQL / MariaDB"],
            ["api", "REST API"],
        ],
    });
    base_url = fields.Char({ string: "Server" });
    port = fields.Integer();
    tls_mode = fields.Selection({ selection: [["require", "Require"]] });
    database_name = fields.Char({ string: "Database" });
    username = fields.Char({ string: "User" });
    agency_id = fields.Many2one({ relation: "insightpulse.agency" });
    password = fields.Char();

    _records = [
        {
            id: 7,
            name: "RIM Books",
            connection_type: "supabase",
            base_url: "rim.db.example",
            port: 6543,
            tls_mode: "require",
            database_name: "books_rim",
            username: "trimmer",
            agency_id: 1,
            password: "••••••••",
        },
    ];
    _views = { list: `<list><field name="name"/></list>` };
}
defineModels([Agency, Endpoint]);

const LINES = [
    {
        agency_id: 1,
        agency: "RIM",
        name: "RIM Database",
        database_name: "rim_db",
        username: "postgres",
        has_password: true,
        variable: "RIM_DB_PASSWORD",
        problem: false,
    },
    {
        agency_id: 2,
        agency: "BOM",
        name: "BOM Database",
        database_name: "bom_db",
        username: "postgres",
        has_password: false,
        variable: false,
        problem: false,
    },
];

async function open() {
    await mountWithCleanup(WebClient);
    await getService("action").doAction({ type: "ir.actions.client", tag: "insightpulse_agency_databases" });
}

/** Opens the preview with an answer of the server, and gives what it was asked. */
async function preview(answer = {}) {
    onRpc(MODEL, "preview_agency_databases", ({ args }) => {
        expect.step(["preview", args[0].passwords]);
        return { lines: LINES, errors: {}, unmatched: [], ...answer };
    });
    await open();
    await contains("#o_insightpulse_base_url").edit("db.example", { confirm: false });
    await contains(".o_insightpulse_preview").click();
    await waitFor(".o_insightpulse_line");
}

test("all agencies are chosen and the seed's template is there; the server has the focus", async () => {
    onRpc(MODEL, "preview_agency_databases", ({ args }) => {
        expect.step(args[0]);
        return { lines: [], errors: { base_url: "This has to be filled in." }, unmatched: [] };
    });
    await open();
    expect("#o_insightpulse_base_url").toBeFocused();
    expect("#o_insightpulse_connection_type option").toHaveCount(5);
    // Enter in a field asks for the preview.
    await press("enter");
    await waitFor(".o_insightpulse_error");
    expect(".o_insightpulse_error").toHaveCount(1);
    expect(".o_insightpulse_error[data-name=base_url]").toHaveText("This has to be filled in.");
    expect.verifySteps([
        {
            template: {
                name: "{agency} Database",
                connection_type: "postgresql",
                base_url: "",
                port: 0,
                tls_mode: "",
                database_name: "{agency_lower}_db",
                username: "postgres",
            },
            variable: "{AGENCY}_DB_PASSWORD",
            agency_ids: [1, 2],
            passwords_text: "",
            passwords: {},
            without_passwords: false,
        },
    ]);
});

test("a connection as template gives everything but its secret, with placeholders for its agency", async () => {
    onRpc(MODEL, "read", ({ args }) => expect.step(args[1].includes("password")));
    await open();
    await contains(".o_insightpulse_row .o_record_selector input, .o_insightpulse_row .o-autocomplete--input").click();
    await contains(".o-autocomplete--dropdown-item:contains(RIM Books)").click();
    await animationFrame();
    expect("#o_insightpulse_name").toHaveValue("{agency} Books");
    expect("#o_insightpulse_connection_type").toHaveValue("supabase");
    expect("#o_insightpulse_base_url").toHaveValue("{agency_lower}.db.example");
    expect("#o_insightpulse_port").toHaveValue(6543);
    expect("#o_insightpulse_tls_mode").toHaveValue("require");
    expect("#o_insightpulse_database_name").toHaveValue("books_{agency_lower}");
    // "rim" is in it, and is no word of its own.
    expect("#o_insightpulse_username").toHaveValue("trimmer");
    expect.verifySteps([false]);
});

test("passwords are masked; who has none and what fits nobody is said", async () => {
    await preview({ unmatched: ["STRAY", "OTHER"] });
    expect(".o_insightpulse_missing").toHaveText("No password yet for BOM.");
    expect(".o_insightpulse_unmatched").toHaveText("In the pasted text, these fit no chosen agency: STRAY, OTHER.");
    expect(".o_insightpulse_line_password[type=password]").toHaveCount(2);
    expect(".o_insightpulse_line_password:eq(0)").toHaveAttribute("placeholder", "From RIM_DB_PASSWORD");
    expect(".o_insightpulse_line_password:eq(1)").toBeFocused();
    expect(".o_insightpulse_create").toHaveClass("disabled");
    expect.verifySteps([["preview", {}]]);
});

test("what is typed completes the lines, and all are created by one call", async () => {
    await preview();
    onRpc(MODEL, "create_agency_databases", ({ args }) => {
        expect.step(["create", args[0].passwords, args[0].without_passwords]);
        return { type: "ir.actions.act_window", res_model: MODEL, views: [[false, "list"]], name: "New Databases" };
    });
    await contains(".o_insightpulse_line_password:eq(0)").focus();
    await press("enter");
    expect(".o_insightpulse_line_password:eq(1)").toBeFocused();
    await contains(".o_insightpulse_line_password:eq(1)").fill("typed", { confirm: false });
    expect(".o_insightpulse_create").toHaveText("Create 2 connections");
    expect(".o_insightpulse_create").not.toHaveClass("disabled");
    await press("enter");
    expect(".o_insightpulse_create").toBeFocused();
    await press("enter");
    await waitFor(".o_list_view");
    expect(".o_breadcrumb").toHaveText("New Databases");
    expect.verifySteps([
        ["preview", {}],
        ["preview", { 2: "typed" }],
        ["create", { 2: "typed" }, false],
    ]);
});

test("connections without passwords are created when that is ticked", async () => {
    await preview();
    onRpc(MODEL, "create_agency_databases", ({ args }) => {
        expect.step(args[0].without_passwords);
        return { type: "ir.actions.act_window", res_model: MODEL, views: [[false, "list"]] };
    });
    await contains("#o_insightpulse_without").check();
    await contains(".o_insightpulse_create").click();
    await waitFor(".o_list_view");
    expect.verifySteps([["preview", {}], true]);
});

test("a problem stands by its line, and nothing can be created", async () => {
    await preview({ lines: [LINES[0], { ...LINES[1], has_password: true, problem: "There is one of this name." }] });
    expect(".o_insightpulse_problem").toHaveCount(1);
    expect(".o_insightpulse_line:eq(1) + .o_insightpulse_problem").toHaveText("There is one of this name.");
    expect(".o_insightpulse_create").toHaveClass("disabled");
    await contains(".o_insightpulse_line_password:eq(1)").focus();
    await press(["enter", "enter"]);
    await contains(".o_insightpulse_back").click();
    expect("#o_insightpulse_base_url").toHaveValue("db.example");
    expect.verifySteps([["preview", {}]]);
});

test("what has come in the way since the preview is shown by its line", async () => {
    expect.errors(1);
    await preview({ lines: [LINES[0]] });
    onRpc(MODEL, "create_agency_databases", () => {
        onRpc(MODEL, "preview_agency_databases", () => ({
            lines: [{ ...LINES[0], problem: "There is one of this name." }],
            errors: {},
            unmatched: [],
        }));
        throw makeServerError({ message: "No connection was created." });
    });
    expect(".o_insightpulse_create").toHaveText("Create 1 connection");
    await contains(".o_insightpulse_create").click();
    await waitFor(".o_error_dialog");
    await waitFor(".o_insightpulse_problem:contains(There is one of this name.)");
    expect.verifyErrors([/No connection was created/]);
    expect.verifySteps([["preview", {}]]);
});
