"""Self-supervised pretraining: learn the images first, and the labels last.

Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of
Visual Representations" (SimCLR), ICML 2020, arXiv:2002.05709. A shortcut from noise
to label can't be learned without labels, and the linear classifier that sees the
labels at last is too weak to find one that the features don't show.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import mapped

if TYPE_CHECKING:
    from torch import nn

    from fiftyone_reue.networks.recipe import Recipe

STEPS = 20_000
BATCH = 256
TEMPERATURE = 0.5
LEARNING_RATE = 1e-3
_SHARE = 0.8
"""Of the progress that pretraining stands for."""


class SelfSupervised(Countermeasure):
    """SimCLR on the protected images, then a linear probe with their labels.

    The victim's own last linear layer becomes the probe; everything before it is the
    backbone. The effort decides on the number of pretraining steps.
    """

    info = CountermeasureInfo(
        "self_supervised",
        "Self-supervised pretraining",
        "Chen et al., ICML 2020, arXiv:2002.05709",
        "training",
        parameters={
            "steps": STEPS,
            "batch": BATCH,
            "temperature": TEMPERATURE,
            "learning_rate": LEARNING_RATE,
        },
        gpu=True,
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
            InputError: the network has no linear layer.
        """
        from fiftyone_reue.auditing.countermeasures.self_supervised_model import (
            pretrain,
            train_probe,
        )

        pretraining = pretrain(
            network,
            prepared.images,
            steps=effort.steps(STEPS),
            batch=BATCH,
            temperature=TEMPERATURE,
            learning_rate=LEARNING_RATE,
            context=context,
        )
        yield from mapped(pretraining, lambda fraction: _SHARE * fraction)
        probing = train_probe(
            network,
            prepared,
            holdings.classes,
            recipe=recipe,
            context=context,
            augment=self.augment,
        )
        yield from mapped(probing, lambda fraction: _SHARE + (1 - _SHARE) * fraction)
