from . import agency
from . import sidecar
from . import connection_endpoint
from . import base_import_import
from . import ir_default
from . import res_config_settings
from . import res_users
