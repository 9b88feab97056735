"""What installing and uninstalling do beyond loading and removing the addon's records."""

from odoo import tools


def post_init_hook(env):
    """Point the Odoo endpoint at the database that this Odoo really runs on."""
    endpoint = env.ref("insightpulse_connection_manager.endpoint_odoo_db", raise_if_not_found=False)
    if endpoint:
        endpoint.write(_own_database(env))


def _own_database(env):
    server = env.cr.connection.info
    # A path is the folder of a Unix socket, which another process need not share.
    host = "localhost" if not server.host or server.host.startswith("/") else server.host
    tls_modes = dict(env["insightpulse.connection.endpoint"]._fields["tls_mode"].selection)
    tls_mode = tools.config["db_sslmode"]
    return {
        "base_url": host,
        "port": server.port or 5432,
        "database_name": env.cr.dbname,
        "username": server.user,
        "tls_mode": tls_mode if tls_mode in tls_modes else "prefer",
    }


def uninstall_hook(env):
    """Remove what belongs to the addon without having an external id of its own."""
    env["ir.config_parameter"].search([("key", "=like", "insightpulse.%")]).unlink()
    model_names = [name for name in env if name.startswith("insightpulse.")]
    env["ir.attachment"].search([("res_model", "in", model_names), ("res_field", "!=", False)]).unlink()
    env["ir.attachment"].search([("res_model", "in", model_names)]).unlink()
    env["ir.filters"].with_context(active_test=False).search([("model_id", "in", model_names)]).unlink()
    for model in ("mail.message", "mail.followers", "mail.activity"):
        field = "model" if model == "mail.message" else "res_model"
        env[model].search([(field, "in", model_names)]).unlink()
    # What Odoo notes of our models for the modules whose mixins they have, and forgets to remove with them.
    tables = [name.replace(".", "_") for name in model_names]
    others = env["ir.model.data"].search(
        [("module", "!=", "insightpulse_connection_manager"), ("name", "like", "insightpulse_")]
    )
    others.filtered(
        lambda data: any(f"__{table}" in data.name or f"_{table}__" in data.name for table in tables)
    ).unlink()
    env["ir.exports"].search([("resource", "in", model_names)]).unlink()
