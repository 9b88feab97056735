from . import connection_rebind
from . import connection_secrets
from . import sidecar_pairing
