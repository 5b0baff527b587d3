"""Purification by diffusion: noise drowns the perturbation, a model removes both."""

from __future__ import annotations

from collections.abc import Generator

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext

STEPS = 40_000
START = 100
STRIDES = 20
SMALL_STRIDES = 5


class Diffusion(Countermeasure):
    """Noise up to time 100 of 1000, and back, by a model of the thief's clean images.

    The published attacks take a diffusion model that others trained on all of the
    clean data set; here the thief trains one on the clean images that there are.
    """

    info = CountermeasureInfo(
        "diffusion",
        "Diffusion purification",
        "AVATAR, Dolatabadi et al., SaTML 2024, arXiv:2303.08500; "
        "DiffPure, Nie et al., ICML 2022, arXiv:2205.07460",
        "purification",
        {"steps": STEPS, "start": START, "times": 1000, "strides": STRIDES},
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
        from fiftyone_reue.auditing.countermeasures.diffusion_model import purify

        if not len(holdings.clean_images):
            raise InputError(
                "Give the diffusion model clean images to learn from; it has none"
            )
        images = yield from purify(
            holdings.images,
            holdings.clean_images,
            start=START,
            strides=SMALL_STRIDES if effort.small else STRIDES,
            steps=effort.steps(STEPS, 150),
            small=effort.small,
            context=context,
        )
        return TrainingSet(images, holdings.labels)
