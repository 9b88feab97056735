from . import connection_rebind
from . import sidecar_pairing
