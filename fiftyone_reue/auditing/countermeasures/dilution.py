"""Dilution: a few clean images are added to the protected ones.

A single clean image teaches what a shortcut hides. How much of the accuracy comes
from the clean images alone is measured by :class:`CleanAlone`, which draws the same
ones.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext

if TYPE_CHECKING:
    from torch import nn

    from fiftyone_reue.networks.recipe import Recipe


class Dilution(Countermeasure):
    """The protected images and some clean ones.

    Where there are fewer clean images than that, but at least half, it takes them all.

    Args:
        number: how many clean images, whatever the number of protected ones.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self.info = CountermeasureInfo(
            f"dilution_{number}",
            f"{number:,} clean images added",
            "",
            "dilution",
            parameters={"clean_images": number},
            uses=f"{number} clean images",
        )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class.

        Raises:
            InputError: there are fewer than half of the clean images.
        """
        clean = _draw_clean(holdings, self._number, context.seed, self.info.name)
        yield 1.0
        return TrainingSet(
            np.concatenate([holdings.images, clean.images]),
            np.concatenate([holdings.labels, clean.labels]),
        )


class CleanAlone(Countermeasure):
    """Only the clean images of :class:`Dilution`, none of the protected ones.

    What a dilution brings beyond this was learned from the protected images. The
    victim trains for as many steps as on all protected images.

    Args:
        number: how many clean images.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self.info = CountermeasureInfo(
            f"clean_{number}_alone",
            f"{number:,} clean images alone",
            "",
            "dilution",
            parameters={"clean_images": number},
            uses=f"{number} clean images",
        )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class.

        Raises:
            InputError: there are fewer than half of the clean images.
        """
        clean = _draw_clean(holdings, self._number, context.seed, self.info.name)
        yield 1.0
        return clean

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
        """See the base class."""
        steps = recipe.epochs * len(holdings.images) // recipe.batch
        recipe = replace(recipe, least_steps=max(recipe.least_steps, steps))
        yield from super().train(
            network,
            prepared,
            holdings,
            recipe=recipe,
            effort=effort,
            context=context,
        )


def draw_evenly(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw images so that every class gives the same share of its own.

    Args:
        labels: ``(N,)`` int64.
        count: how many to draw, 0 to N.
        seed: of the draw.

    Returns:
        ``(count,)`` int64 indices, ascending. Of a class with n members, the number
        drawn is within one of ``count * n / N``.
    """
    draw = np.random.default_rng(seed)
    positions = np.zeros(len(labels))
    for label in np.unique(labels):
        members = draw.permutation(np.flatnonzero(labels == label))
        positions[members] = (np.arange(len(members)) + draw.random()) / len(members)
    return np.sort(np.argsort(positions, kind="stable")[:count])


def _draw_clean(holdings: Holdings, number: int, seed: int, name: str) -> TrainingSet:
    there = len(holdings.clean_images)
    least = (number + 1) // 2
    if there < least:
        raise InputError(
            f"Set at least {least} clean images aside for {name}, or leave it out: "
            f"there are {there}"
        )
    chosen = draw_evenly(holdings.clean_labels, min(number, there), seed)
    return TrainingSet(holdings.clean_images[chosen], holdings.clean_labels[chosen])
