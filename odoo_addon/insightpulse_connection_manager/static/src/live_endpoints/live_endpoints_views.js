import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { formView } from "@web/views/form/form_view";
import { kanbanView } from "@web/views/kanban/kanban_view";
import { listView } from "@web/views/list/list_view";
import { useEffect } from "@odoo/owl";

function live(view) {
    return {
        ...view,
        Controller: class extends view.Controller {
            setup() {
                super.setup();
                const liveEndpoints = useService("insightpulse_live_endpoints");
                useEffect(
                    () => liveEndpoints.watch(this.model),
                    () => []
                );
            }
        },
    };
}

registry.category("views").add("insightpulse_endpoint_form", live(formView));
registry.category("views").add("insightpulse_endpoint_kanban", live(kanbanView));
registry.category("views").add("insightpulse_endpoint_list", live(listView));
