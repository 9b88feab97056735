"""An addon that goes leaves a database as it was before it came."""

import json
from typing import Any

from ring import ADDON, Board, Databases, add_manager
from stack.odoo import Odoo

# What a running Odoo writes of its own accord, about modules and views in general.
_LIVES = {
    "ir_logging",
    "ir_cron_progress",
    "bus_bus",
    "bus_presence",
    "ir_profile",
    "orm_signaling_registry",
    "ir_cron_trigger",
}


def _rows(odoo: Odoo, sql: str) -> set[str]:
    return set(odoo.cluster.query(sql, database=odoo.database).splitlines())


def everything(odoo: Odoo) -> dict[str, set[str]]:
    """What there is in the database: its structure, its records by name, and how many rows each table has."""
    seen = {
        "tables and columns": "SELECT table_name || '.' || column_name FROM information_schema.columns "
        "WHERE table_schema = 'public'",
        "constraints": "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        "indexes": "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
        "sequences": "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'",
        "external ids": "SELECT module || '.' || name FROM ir_model_data",
        "parameters": "SELECT key FROM ir_config_parameter",
        "users": "SELECT login FROM res_users",
        "partners": "SELECT id || ' ' || name FROM res_partner",
        "groups": "SELECT id || ' ' || name FROM res_groups",
        "privileges": "SELECT id || ' ' || name FROM res_groups_privilege",
        "categories of modules": "SELECT id || ' ' || name FROM ir_module_category",
        "api keys": "SELECT id || ' ' || name FROM res_users_apikeys",
        "menus": "SELECT id || ' ' || name FROM ir_ui_menu",
        "views": "SELECT id || ' ' || name FROM ir_ui_view",
        "actions": "SELECT id || ' ' || name FROM ir_actions",
        "rules": "SELECT id || ' ' || name FROM ir_rule",
        "accesses": "SELECT id || ' ' || name FROM ir_model_access",
        "attachments": "SELECT id || ' ' || name FROM ir_attachment WHERE url NOT LIKE '/web/assets/%' OR url IS NULL",
        "filters": "SELECT id || ' ' || name FROM ir_filters",
        "defaults": "SELECT id::text FROM ir_default",
        "triggers": "SELECT cron_name FROM ir_cron_trigger JOIN ir_cron ON ir_cron.id = cron_id",
        "translations of its texts": "SELECT id || ' ' || name FROM ir_model WHERE model LIKE 'insightpulse%'",
    }
    return {what: _rows(odoo, sql) for what, sql in seen.items()}


def row_counts(odoo: Odoo) -> dict[str, int]:
    sql = (
        "SELECT json_object_agg(tablename, (xpath('/row/c/text()', query_to_xml("
        "format('SELECT count(*) AS c FROM %I', tablename), false, true, '')))[1]::text::int) "
        "FROM pg_tables WHERE schemaname = 'public'"
    )
    counts: dict[str, Any] = json.loads(odoo.cluster.query(sql, database=odoo.database))
    return {table: count for table, count in counts.items() if table not in _LIVES}


def test_uninstalling_leaves_the_database_as_it_was(databases: Databases) -> None:
    odoo = databases.odoo("comes_and_goes", installed=False)
    try:
        # What the addon depends on stays when it goes.
        odoo.install("mail")
        before, rows_before = everything(odoo), row_counts(odoo)
        odoo.install(ADDON)
        odoo.shell(
            """
sidecar = env["insightpulse.sidecar"]
sidecar._new_api_key()
sidecar._set_parameters(sidecar_url="http://127.0.0.1:1", sidecar_token="x", paired_database_uuid="y")
env["insightpulse.audit.entry"]._log("pair")
env["insightpulse.agency"].search([], limit=1).member_ids = env.ref("base.user_admin")
endpoint = env["insightpulse.connection.endpoint"].search([], limit=1)
env["ir.attachment"].create({"name": "note", "res_model": endpoint._name, "res_id": endpoint.id, "raw": b"note"})
env["ir.filters"].create({"name": "Mine", "model_id": endpoint._name, "user_ids": False})
env["ir.default"].set(endpoint._name, "name", "Usual")
endpoint.message_post(body="Something happened.")
endpoint.owner_id = env.ref("base.user_admin")
endpoint._open_activity("It failed", [])
rows = [(one.id, one.company_id.id, one.agency_id.id) for one in endpoint.search([])]
endpoint._notify_changed(rows)
env.cr.commit()
"""
        )
        assert everything(odoo)["tables and columns"] > before["tables and columns"]
        odoo.shell(f"env.ref('base.module_{ADDON}').button_immediate_uninstall()")

        after = everything(odoo)
        left = {what: sorted(rows - before[what]) for what, rows in after.items() if rows - before[what]}
        lost = {what: sorted(rows - after[what]) for what, rows in before.items() if rows - after[what]}
        assert (left, lost) == ({}, {})
        rows_after = row_counts(odoo)
        more = {table: count - rows_before[table] for table, count in rows_after.items() if count > rows_before[table]}
        assert more == {}
        # And it can come back.
        odoo.start()
        odoo.call("ir.module.module", "button_immediate_install", [_module(odoo)])
        add_manager(odoo)
        assert Board(odoo).call("search_count", []) == 5
    finally:
        odoo.stop()


def _module(odoo: Odoo) -> list[int]:
    return odoo.call("ir.module.module", "search", [[["name", "=", ADDON]]])
