"""The user's cache folder: what is downloaded once and used by every checkout."""

import contextlib
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import files
from .command import run
from .console import StackError

REQUIREMENTS = Path(__file__).resolve().parent.parent / "odoo-requirements.txt"


def cache_dir() -> Path:
    """Where downloads lie; made when it is missing."""
    if own := os.environ.get("INSIGHTPULSE_CACHE_DIR"):
        cache = Path(own)
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "insightpulse"
    cache = cache.absolute()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"the cache folder {cache} cannot be made: {error.strerror}") from None
    return cache


@contextlib.contextmanager
def filled(target: Path) -> Iterator[Path | None]:
    """Gives a folder to fill that becomes `target` as a whole, or None when `target` is there.

    A run that is killed in between leaves nothing but a folder that the next run clears away.
    Other runs that want the same target wait.
    """
    with files.locked(target.with_name(f".{target.name}.lock")):
        if target.exists():
            yield None
            return
        for leftover in target.parent.glob(f".{target.name}.partial-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
        try:
            # mkdtemp makes it private, but Odoo's files may be read by whoever can reach them.
            partial.chmod(0o755)
            yield partial
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def virtualenv(name: str, requirements: Path) -> Path:
    """The Python of a virtual environment with these requirements, made if it is missing.

    Its folder bears a hash of the requirements and of the Python that it is for, so that an
    older checkout keeps the environment that it was made with; the link `name` beside it points to
    the newest one.
    """
    identity = f"{sys.version} {sys.base_prefix}\n{requirements.read_text()}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    target = cache_dir() / f"{name}-{digest}"
    with files.locked(target.with_name(f".{target.name}.lock")):
        # A virtual environment cannot be moved, so it is filled in place and marked when it is whole.
        whole = target / ".complete"
        if not whole.exists():
            shutil.rmtree(target, ignore_errors=True)
            run([sys.executable, "-m", "venv", target], purpose=f"make the Python environment {name}")
            run(
                [target / "bin/python", "-m", "pip", "install", "--quiet", "--requirement", requirements],
                purpose=f"install the Python packages of {requirements.name}",
            )
            whole.touch()
        _point(target.with_name(name), target)
    return target / "bin/python"


def node_modules(name: str, manifest: Path) -> Path:
    """The `node_modules` of the folder `manifest`, which has a `package.json` and its lock, made if it is missing.

    As with `virtualenv`, the folder that it is in bears a hash of these, and the link `name` points to it.
    """
    inputs = [manifest / "package.json", manifest / "package-lock.json"]
    target = cache_dir() / f"{name}-{files.digest(platform.machine(), *inputs)[:12]}"
    with filled(target) as partial:
        if partial is not None:
            for path in inputs:
                shutil.copy(path, partial)
            # Scripts of packages are not run; what one would have done is done by whoever uses the package.
            options = ("--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")
            run(["npm", "ci", *options], purpose=f"install the npm packages of {manifest.name}", cwd=partial)
    _point(target.with_name(name), target)
    return target / "node_modules"


def _point(link: Path, target: Path) -> None:
    """Makes `link` point to its sibling `target`, without a moment in which it is missing."""
    if link.is_symlink() and link.readlink() == Path(target.name):
        return
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.replace(link)
