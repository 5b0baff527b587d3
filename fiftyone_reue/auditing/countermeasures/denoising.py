"""A network that was taught to take any small perturbation off an image."""

from __future__ import annotations

from collections.abc import Generator

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext

STEPS = 20_000
AMPLITUDE = 8


class Denoiser(Countermeasure):
    """A U-Net trained on clean images with made-up perturbations, then applied.

    The thief knows the budget and the usual kinds of perturbations, but has seen none
    of this owner's: uniform noise, patterns of cells, low-pass noise.
    """

    info = CountermeasureInfo(
        "denoiser",
        "Denoiser trained on clean images",
        "",
        "purification",
        {"steps": STEPS, "amplitude": AMPLITUDE},
        gpu=True,
        uses="clean images of the same kind",
    )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class.

        Raises:
            InputError: there are no clean images.
        """
        from fiftyone_reue.auditing.countermeasures.denoising_model import denoise

        if not len(holdings.clean_images):
            raise InputError(
                "Give the denoiser clean images to learn from; it has none"
            )
        images = yield from denoise(
            holdings.images,
            holdings.clean_images,
            amplitude=AMPLITUDE,
            steps=effort.steps(STEPS, 150),
            small=effort.small,
            context=context,
        )
        return TrainingSet(images, holdings.labels)
