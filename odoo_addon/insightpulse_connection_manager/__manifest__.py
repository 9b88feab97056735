{
    "name": "InsightPulse Connection Manager",
    "version": "19.0.1.0.0",
    "category": "Technical",
    "summary": "All connections of the company on one board: what answers, how fast, and if not, why",
    "author": "InsightPulse AI",
    "license": "LGPL-3",
    "depends": ["web", "base_setup", "base_import", "bus"],
    "external_dependencies": {"python": ["requests"]},
    "data": [
        "security/connection_security.xml",
        "security/ir.model.access.csv",
        "security/sidecar_user.xml",
        "data/agency_data.xml",
        "views/agency_views.xml",
        "views/connection_endpoint_views.xml",
        "wizard/sidecar_setup_views.xml",
        "wizard/sidecar_credentials_views.xml",
        "views/res_config_settings_views.xml",
        "views/menus.xml",
        "data/default_endpoints.xml",
    ],
    "assets": {
        "web.assets_backend": [
            "insightpulse_connection_manager/static/src/**/*",
        ],
        "web.assets_unit_tests": [
            "insightpulse_connection_manager/static/tests/**/*",
        ],
    },
    "application": True,
    "post_init_hook": "post_init_hook",
    "uninstall_hook": "uninstall_hook",
}
