"""Which versions of FiftyOne this is tested with, and what to say of any other."""

from __future__ import annotations

import logging
import re
from functools import cache

OLDEST = (1, 19)
"""What `fiftyone.yml` and `pyproject.toml` begin with."""

NEWEST = (1, 22)
"""The newest that all tests ran with; what comes after it may work."""

BEFORE = (2, 0)
"""From here on nothing is promised."""


def is_supported(version: str) -> bool:
    """Whether the plugin is loaded with a version of FiftyOne."""
    return OLDEST <= _parts(version) < BEFORE


def problem(version: str) -> str | None:
    """What a person should know of a version of FiftyOne; None if it was tested.

    Args:
        version: as FiftyOne gives it, such as "1.22.1".
    """
    found = _parts(version)
    if OLDEST <= found <= NEWEST:
        return None
    tested = f"{_text(OLDEST)} to {_text(NEWEST)}"
    if is_supported(version):
        return (
            f"fiftyone-reue was tested with FiftyOne {tested}, and this is {version}: "
            "look at what it made, and tell its authors what doesn't work"
        )
    return (
        f"fiftyone-reue works with FiftyOne {tested}, not with {version}: "
        f"pip install 'fiftyone>={_text(OLDEST)},<{BEFORE[0]}'"
    )


def require(version: str) -> None:
    """Log once what there is to say of a version.

    Raises:
        ImportError: the plugin isn't loaded with it.
    """
    found = problem(version)
    if found is not None and not is_supported(version):
        raise ImportError(found)
    if found is not None:
        _warn(found)


@cache  # FiftyOne loads a plugin's entry again whenever it looks for an operator
def _warn(text: str) -> None:
    logging.getLogger(__name__).warning(text)


def _parts(version: str) -> tuple[int, ...]:
    """Its first two numbers."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
