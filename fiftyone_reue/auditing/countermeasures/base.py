"""The one shape that every countermeasure has.

A countermeasure can change four things, each with a hook of its own; what it doesn't
override stays as it is without any countermeasure:

- :meth:`Countermeasure.prepare`: the images and labels before training (filters,
  purification, adding clean images);
- :meth:`Countermeasure.augment`: every batch while training;
- :meth:`Countermeasure.attack`: every batch after that, with the network's help
  (adversarial training);
- :meth:`Countermeasure.at_test`: the images that the trained model is used on, where
  the thief would treat those as well (a model trained on gray images is asked gray
  ones).

:meth:`Countermeasure.train` puts them together, and is overridden by what changes the
training itself (early stopping, self-supervised pretraining).
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fiftyone_reue.networks.recipe import Recipe
    from fiftyone_reue.networks.training import Attack


@dataclass(frozen=True)
class CountermeasureInfo:
    """What a reader must know of a countermeasure.

    Attributes:
        name: the registry's key, e.g. ``"jpeg_10"``.
        title: a few words for a table, e.g. ``"JPEG, quality 10"``.
        paper: where it comes from, or ``""`` for a common operation.
        family: "none", "filter", "augmentation", "training", "purification", "leak"
            or "dilution".
        parameters: every number that the result depends on.
        gpu: whether it is too slow without a GPU for more than a try.
        uses: what it needs besides the protected images: "" for nothing, else in
            words, e.g. ``"500 pairs of originals and protected images"``.
    """

    name: str
    title: str
    paper: str
    family: str
    parameters: dict[str, float | int | str] = field(default_factory=dict)
    gpu: bool = False
    uses: str = ""


class Countermeasure(ABC):
    """See the module. Stateless between calls; one instance may serve many cells."""

    info: CountermeasureInfo

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """Make the training set out of what the thief holds.

        Args:
            holdings: what there is.
            effort: how much to spend.
            context: where to train, and of every draw.

        Yields:
            The fraction done, 0 to 1; at least once.
        """
        yield 1.0
        return TrainingSet(holdings.images, holdings.labels)

    def at_test(self, images: np.ndarray, seed: int) -> np.ndarray:
        """What the thief does to images that the trained model is used on.

        Args:
            images: ``(N, S, S, 3)`` uint8, clean.
            seed: of every draw.

        Returns:
            The same shape and dtype.
        """
        return images

    def augment(
        self, images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Augment a batch; see :data:`fiftyone_reue.networks.training.Augment`.

        By default shifts and flips. What comes on top calls this first.
        """
        from fiftyone_reue.networks.training import standard_augment

        return standard_augment(images, targets, generator)

    def attack(self, effort: Effort, seed: int) -> Attack | None:
        """What is done to every batch while training, with the network's help.

        Args:
            effort: how much to spend.
            seed: of every draw.

        Returns:
            See :data:`fiftyone_reue.networks.training.Attack`; None for nothing.
        """
        return None

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
        """Train the victim in place.

        Args:
            network: the victim, with random weights.
            prepared: what :meth:`prepare` returned.
            holdings: what the thief holds.
            recipe: the usual schedule.
            effort: how much to spend on what is beyond the usual training.
            context: where to train, and of every draw.

        Yields:
            The fraction done. Between two steps the caller may ask the network
            something, which puts it into evaluation mode.
        """
        from fiftyone_reue.networks.training import train

        yield from train(
            network,
            prepared.images,
            prepared.labels,
            holdings.classes,
            recipe=recipe,
            context=context,
            augment=self.augment,
            attack=self.attack(effort, context.seed),
        )
