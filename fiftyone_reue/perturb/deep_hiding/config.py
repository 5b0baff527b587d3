"""The settings of :mod:`fiftyone_reue.perturb.deep_hiding.method`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fiftyone_reue.options import option


@dataclass(frozen=True)
class DeepHidingConfig:
    """How to hide."""

    scenes: Path | None = option(
        None,
        "Images for it to hide, a folder for each class; else from its bank.",
        label="Images to hide",
    )
    weights: str = option("deep_hiding", "The trained network's name.")
    strength: int = option(1, "Times the amplitude, what is added at most.", least=1)
