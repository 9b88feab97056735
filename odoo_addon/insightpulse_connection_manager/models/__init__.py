from . import agency
from . import sidecar
from . import connection_endpoint
from . import res_config_settings
