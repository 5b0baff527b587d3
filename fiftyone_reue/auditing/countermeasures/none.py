"""No countermeasure: what a thief who knows nothing does."""

from __future__ import annotations

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)


class NoCountermeasure(Countermeasure):
    """Training with shifts and flips."""

    info = CountermeasureInfo("none", "None", "", "none")
