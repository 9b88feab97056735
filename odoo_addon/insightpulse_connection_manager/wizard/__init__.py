from . import sidecar_credentials
from . import sidecar_setup
