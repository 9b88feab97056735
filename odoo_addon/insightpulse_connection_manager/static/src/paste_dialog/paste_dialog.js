import { Dialog } from "@web/core/dialog/dialog";
import { useAutofocus, useService } from "@web/core/utils/hooks";
import { Component, useState } from "@odoo/owl";

const MODEL = "insightpulse.connection.endpoint";
const EXAMPLES = `postgresql://reader:password@db.example.com:5432/books
jdbc:postgresql://db.example.com:5432/books?user=reader
DATABASE_URL=postgresql://reader:password@db.example.com/books
services: { app: { environment: [ "DATABASE_URL=…" ] } }
[books] host=db.example.com dbname=books
{"mcpServers": {"notion": {"type": "http", "url": "https://…"}}}`;

/** Asks for a text with a connection in it, and gives its values to whoever opened the dialog. */
export class PasteDialog extends Component {
    static template = "insightpulse_connection_manager.PasteDialog";
    static components = { Dialog };
    static props = { close: Function, fill: Function };

    setup() {
        this.orm = useService("orm");
        this.examples = EXAMPLES;
        this.state = useState({ text: "", error: "", connections: [], chosen: 0, isBusy: false });
        useAutofocus({ refName: "text" });
    }

    onInput() {
        Object.assign(this.state, { error: "", connections: [], chosen: 0 });
    }

    nameOf({ name, base_url: server, database_name: database }) {
        return name || [server, database].filter(Boolean).join(" / ");
    }

    async onFill() {
        const { state } = this;
        if (!state.connections.length) {
            state.isBusy = true;
            try {
                state.connections = await this.orm.call(MODEL, "parse_connection_strings", [state.text]);
            } catch (error) {
                state.error = error.data?.message || error.message;
            } finally {
                state.isBusy = false;
            }
            if (state.connections.length !== 1) {
                return;
            }
        }
        await this.props.fill(state.connections[state.chosen]);
        this.props.close();
    }
}
