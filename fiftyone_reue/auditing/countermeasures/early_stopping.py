"""Early stopping: keep the weights that did best on a few clean images.

Networks often learn something real in the first epochs, before they find the
shortcut. A thief with a few clean images to validate on keeps that.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.countermeasures.dilution import draw_evenly
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext

if TYPE_CHECKING:
    from torch import nn

    from fiftyone_reue.networks.recipe import Recipe


class EarlyStopping(Countermeasure):
    """The usual training; at its end the best of the evaluated states comes back.

    Args:
        images: how many clean images to validate on, at most.
        evaluations: how often, at even distances, the last one at the end.
    """

    def __init__(self, images: int = 500, evaluations: int = 20) -> None:
        self._images = images
        self._evaluations = evaluations
        self.info = CountermeasureInfo(
            "early_stopping",
            "Early stopping",
            "",
            "training",
            parameters={"clean_images": images, "evaluations": evaluations},
            uses=f"{images} clean images",
        )

    def train(
        self,
        network: nn.Module,
        prepared: TrainingSet,
        holdings: Holdings,
        *,
        recipe: Recipe,
        effort: Effort,
        context: TrainingContext,
    ) -> Generator[float, None, None]:
        """See the base class.

        Raises:
            InputError: there are no clean images.
        """
        from fiftyone_reue.networks.training import accuracy

        if not len(holdings.clean_images):
            raise InputError(
                "Set clean images aside for early_stopping, or leave it out: there "
                "are none to validate on"
            )
        count = min(self._images, len(holdings.clean_images))
        chosen = draw_evenly(holdings.clean_labels, count, context.seed)
        images, labels = holdings.clean_images[chosen], holdings.clean_labels[chosen]
        best, kept, evaluated = -1.0, {}, 0
        training = super().train(
            network,
            prepared,
            holdings,
            recipe=recipe,
            effort=effort,
            context=context,
        )
        with closing(training):
            for fraction in training:
                reached = int(fraction * self._evaluations + 1e-9)
                if reached > evaluated:
                    evaluated = reached
                    now = accuracy(network, images, labels)
                    if now > best:
                        best = now
                        state = network.state_dict()
                        kept = {name: value.clone() for name, value in state.items()}
                yield fraction
        network.load_state_dict(kept)
        network.eval()
