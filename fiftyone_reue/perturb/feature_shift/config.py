"""The settings of :mod:`fiftyone_reue.perturb.feature_shift.method`."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.options import option


@dataclass(frozen=True)
class FeatureShiftConfig:
    """How an image's features are moved."""

    steps: int = option(
        24, "Gradient steps for each image; time grows with them.", least=1
    )
    cells: int = option(
        112,
        "Cells along an image's shorter side that are each changed as a whole; "
        "records grow with their square.",
        least=8,
        most=256,
    )
    momentum: float = option(
        0.8, "The share of the last steps' direction that is kept.", least=0, most=1
    )
    compressed: bool = option(
        True, "Whether every second step looks through JPEG of a quality from 50 to 95."
    )
    diverse: bool = option(
        True,
        "Whether every step looks at another part of the image, at another size, "
        "mirrored or not.",
    )
    alternate: bool = option(
        False,
        "Whether networks are asked in turn, two steps each, in place of all at every "
        "step: time then doesn't grow with them.",
    )
