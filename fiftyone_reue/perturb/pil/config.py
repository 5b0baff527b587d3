"""The settings of :mod:`fiftyone_reue.perturb.pil.method`."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.options import option


@dataclass(frozen=True)
class PilConfig:
    """How the classifier is trained and the noise made; the paper's figures."""

    epochs: int = option(30, "Passes over the images.", least=1)
    least_steps: int = option(
        500,
        "At least so many steps, however few images there are.",
        least=0,
    )
    batch: int = option(512, "Images a step.", least=1)
    learning_rate: float = option(
        0.003,
        "Of stochastic gradient descent with momentum 0.9.",
        least=0,
    )
    noise_steps: int = option(
        30,
        "Sign steps of the noise, each a tenth of the amplitude.",
        least=1,
    )
    noise_weight: float = option(
        0.9,
        "Of the noise's cross-entropy; what remains to 1 is the weight of "
        "the divergence between the uniform distribution and the "
        "classifier's output for the image minus the noise.",
        least=0,
        most=1,
    )
