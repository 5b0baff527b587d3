"""The settings of :mod:`fiftyone_reue.perturb.raeg.method`."""

from __future__ import annotations

from dataclasses import dataclass, field

from fiftyone_reue.options import option
from fiftyone_reue.perturb.tap.config import TapConfig


@dataclass(frozen=True)
class RaegConfig:
    """Which network, and against what.

    Attributes:
        training: how they are trained.
    """

    weights: str = option("raeg", "The trained invertible network's name.")
    surrogates: tuple[str, ...] = option(
        ("small_resnet", "small_resnet"),
        "Classifiers, by their names in the network registry, that are "
        "trained on the originals; codes are made against all of them.",
    )
    training: TapConfig = field(default_factory=TapConfig)
    stripes: float = option(
        2.5,
        "Root mean square of the class's stripes in gray levels; at most "
        "half of the amplitude is used, 0 leaves them out.",
        least=0,
    )
