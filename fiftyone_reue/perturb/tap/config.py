"""The settings of :mod:`fiftyone_reue.perturb.tap.method`."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.options import option


@dataclass(frozen=True)
class TapConfig:
    """How the noise is made; the defaults are for a processor."""

    epochs: int = option(12, "The surrogate's passes over the images.", least=1)
    least_steps: int = option(300, "Its steps at least.", least=0)
    steps: int = option(40, "Gradient steps for each image.", least=1)
    restarts: int = option(
        1,
        "Random beginnings for each image, of which the best result is kept.",
        least=1,
    )
    step: float = option(
        0.8,
        "A gradient step's length in gray levels at amplitude 8.",
        least=0,
    )
    batch: int = option(128, "Images a gradient step.", least=1)
    surrogate: str = option(
        "small_resnet",
        "The surrogate's name in the network registry.",
    )

    @classmethod
    def paper(cls) -> TapConfig:
        """The published steps, restarts and surrogate; it needs a GPU.

        The published attack also averages over random crops and flips; this one
        doesn't.
        """
        return cls(epochs=40, steps=250, restarts=8, surrogate="resnet18")
