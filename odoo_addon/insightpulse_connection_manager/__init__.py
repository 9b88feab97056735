from . import models
from . import wizard
from .hooks import post_init_hook, uninstall_hook
from .tools import call_log

call_log.leave_arguments_out()
