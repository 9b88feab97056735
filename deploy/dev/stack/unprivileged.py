"""The user as whom servers run that refuse to run as root, or had better not."""

import os
import pwd
import shutil
from pathlib import Path

from .command import run
from .console import StackError

_CAPABILITIES = ("", "dac_read_search", "dac_override")


def user() -> str:
    """Who it is: ourselves, but for root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise StackError("PostgreSQL refuses to run as root, and there is no user 'postgres' to run it as") from None


def own(path: Path) -> None:
    """Gives a file or folder to that user."""
    shutil.chown(path, user())


def reaches(folder: Path) -> bool:
    """Whether that user can get to a folder, without any help."""
    return os.geteuid() != 0 or _gets_to(folder, _change_user())


def prefix(folder: Path) -> list[str]:
    """What has to stand before a command so that it runs as that user, who can then get to a folder.

    A checkout or its STATE_DIR may lie below a folder that is root's alone, which the user cannot
    pass through: there, and only there, the server is given the right to.
    """
    if os.geteuid() != 0:
        return []
    for capability in _CAPABILITIES:
        command = [*_change_user(), *_with(capability)]
        if _gets_to(folder, command):
            return command
    raise StackError(f"the user {user()} cannot get to {folder}: name another STATE_DIR")


def _change_user() -> list[str]:
    return ["setpriv", f"--reuid={user()}", f"--regid={pwd.getpwnam(user()).pw_gid}", "--init-groups"]


def _with(capability: str) -> list[str]:
    return [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"] if capability else []


def _gets_to(folder: Path, as_user: list[str]) -> bool:
    try:
        # Not `test -r`: the kernel answers that question as if there were no capabilities.
        run([*as_user, "ls", folder], purpose="see whether a server gets to its files", cwd=Path("/"))
    except StackError:
        return False
    return True
