"""Put the plugin where FiftyOne looks for plugins.

FiftyOne doesn't know about installed packages: it loads what lies in its plugins
folder. The plugin's files are the root of a checkout, or ``_plugin`` in the wheel.
"""

import os
import re
import shutil
from pathlib import Path

from fiftyone_reue.errors import InputError, OutputError

PLUGIN_NAME = "@reue/fiftyone-reue"

PLUGIN_FILES = (
    "fiftyone.yml",
    "requirements.txt",
    "__init__.py",
    "operators",
    "panels",
    "javascript",
    "skills",
)
"""What FiftyOne needs; the wheel carries the same (a test compares them)."""

# Put into a copied plugin, so that a later run knows that it may replace it.
_MARKER = ".reue-copy"


def link(plugins_dir: Path | None = None, copy: bool = False) -> Path:
    """Link the plugin into FiftyOne's plugins folder; repeat it as often as you like.

    Args:
        plugins_dir: FiftyOne's plugins folder; it is made if missing. By default
            ``FIFTYONE_PLUGINS_DIR``, else what FiftyOne's configuration says.
        copy: Copy the files. This also happens where the system refuses symbolic
            links; repeat it after each upgrade of the package.

    Returns:
        The plugin's path in the plugins folder: where FiftyOne's own plugin download
        would put it, so that there are never two.

    Raises:
        InputError: ``plugins_dir`` wasn't given and FiftyOne isn't installed, the
            plugin's files are missing, or something else stands in that place.
        OutputError: The plugins folder can't be written.
    """
    source = _plugin_source()
    target = (plugins_dir or _default_plugins_dir()) / PLUGIN_NAME
    # A checkout that was cloned into the plugins folder is in place already.
    if not target.is_symlink() and target.exists() and target.samefile(source):
        return target
    try:
        _remove_ours(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if copy or not _symlinked(source, target):
            _copy(source, target)
    except OSError as error:
        raise OutputError(f"{target} can't be written: {error}") from error
    return target


def _plugin_source() -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_plugin", package.parent):
        if _is_plugin(folder):
            return folder
    raise InputError(
        f"The plugin's files are not beside {package}: install fiftyone-reue again"
    )


def _default_plugins_dir() -> Path:
    folder = os.environ.get("FIFTYONE_PLUGINS_DIR")
    if folder:
        return Path(folder).expanduser()
    try:
        import fiftyone
    except ImportError as error:
        raise InputError(
            "FiftyOne isn't installed in this Python: pip install 'fiftyone-reue[app]',"
            " or name the plugins folder"
        ) from error
    return Path(fiftyone.config.plugins_dir)


def _is_plugin(folder: Path) -> bool:
    manifest = folder / "fiftyone.yml"
    if not manifest.is_file():
        return False
    name = re.search(r"^name:\s*(.+?)\s*$", manifest.read_text("utf-8"), re.MULTILINE)
    return name is not None and name[1].strip("\"'") == PLUGIN_NAME


def _remove_ours(target: Path) -> None:
    """Remove a link or copy that `link` made; refuse anything else."""
    if target.is_symlink() and (_is_plugin(target) or not target.exists()):
        target.unlink()
    elif (target / _MARKER).is_file():
        shutil.rmtree(target)
    elif target.is_symlink() or target.exists():
        raise InputError(
            f"{target} is there already and `reue link` didn't make it: move it away"
        )


def _symlinked(source: Path, target: Path) -> bool:
    try:
        target.symlink_to(source, target_is_directory=True)
    except (OSError, NotImplementedError):
        # Windows without developer mode, some network drives. A folder that can't be
        # written at all fails again, with its reason, in the copy.
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    (target / _MARKER).touch()
    ignore = shutil.ignore_patterns("__pycache__")
    for name in PLUGIN_FILES:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=ignore)
        else:
            shutil.copy2(source / name, target / name)
