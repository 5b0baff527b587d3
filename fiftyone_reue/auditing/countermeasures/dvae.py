"""Purification by an autoencoder that needs nothing but the protected images."""

from __future__ import annotations

from collections.abc import Generator

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext

STEPS = 23_400
RATES = (1.0, 3.0)


class DVae(Countermeasure):
    """Two passes: learn what each class has in common, and subtract it.

    A variational autoencoder of a low rate can't reconstruct a perturbation, and a
    second decoder, which knows the label, makes what is missing.

    Args:
        reconstruct: whether the victim is trained on the last autoencoder's
            reconstruction of the purified images, which are blurred, as in the
            paper's released code, rather than on those images.
    """

    def __init__(self, *, reconstruct: bool = False) -> None:
        self.reconstruct = reconstruct
        ending = ", reconstruction" if reconstruct else ", subtraction"
        self.info = CountermeasureInfo(
            "dvae_reconstruction" if reconstruct else "dvae",
            f"D-VAE{ending}",
            "D-VAE, Yu et al., ICML 2024, arXiv:2405.01460",
            "purification",
            {
                "steps": STEPS,
                "passes": len(RATES),
                "first_rate": RATES[0],
                "last_rate": RATES[-1],
            },
            gpu=True,
        )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class."""
        from fiftyone_reue.auditing.countermeasures.dvae_model import purify

        images = yield from purify(
            holdings.images,
            holdings.labels,
            holdings.classes,
            rates=RATES,
            reconstruct=self.reconstruct,
            steps=effort.steps(STEPS, 150),
            small=effort.small,
            context=context,
        )
        return TrainingSet(images, holdings.labels)
