"""Unlearnability: how much worse a model gets from the protected copy.

The images are split in two halves. A model trained on the protected copies of one
half, and another one trained on its originals, are asked about the originals of the
other half; then the halves change places. So every image is judged by models that
never saw it, protected or not.

An image's score is ``clip(p_clean - p_protected, 0, 1)``, where p is the probability
that the model gives to the image's own class: 1 means that a model learns this kind
of image from the originals and nothing of it from the protected copies. A release's
unlearnability is ``(a_clean - a_protected) / (a_clean - chance)``, cut to 0..1, where
a is accuracy: 1 means that training on the protected copy is no better than guessing.
It is known to within two standard errors, of the images asked and between the halves.

In a large dataset a sample of the images is measured like that, and the models judge
the rest as well: none of them was trained on those, so their scores mean the same, at
the cost of asking instead of training.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.auditing.verdict import LEARNABLE, NOT_TELLABLE, told
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import DEFAULT_NETWORK, create_network
from fiftyone_reue.progress import mapped

if TYPE_CHECKING:
    from torch import nn

LEAST_IMAGES = 8

FEWEST_TOLD = 100
"""From fewer images nothing is told, however sure it looks: what small networks make of
some dozens says nothing of what one makes of all."""


@dataclass(frozen=True)
class Judges:
    """Models trained on two halves of the images.

    Attributes:
        clean: trained on originals, one a half.
        protected: trained on protected copies, one a half.
    """

    clean: tuple[nn.Module, ...]
    protected: tuple[nn.Module, ...]

    def scores(self, originals: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Score images that no model was trained on; see the module.

        Args:
            originals: ``(M, S, S, 3)`` uint8.
            labels: ``(M,)`` int64.

        Returns:
            ``(M,)`` float32 in [0, 1], from the probabilities averaged over halves.
        """
        from fiftyone_reue.networks.training import predict

        own = np.arange(len(labels)), labels
        clean, protected = (
            np.mean([predict(network, originals)[own] for network in networks], axis=0)
            for networks in (self.clean, self.protected)
        )
        return np.clip(clean - protected, 0, 1)


@dataclass(frozen=True)
class Scores:
    """What was measured.

    Attributes:
        accuracy_clean: of models trained on originals, tested on other originals.
        accuracy_protected: of models trained on protected copies, likewise.
        chance: the accuracy of always naming the largest class.
        unlearnability: see the module; None where nothing can be told.
        margin: two standard errors of it; None where the originals themselves can't be
            learned (too few or too hard), since then there is nothing to compare.
        level: what it says of the release, as in an audit: one of
            :data:`fiftyone_reue.auditing.verdict.LEVELS`.
        clean: ``(N,)`` float32, the probability of each image's own class by the
            model trained on originals.
        protected: ``(N,)`` the same by the model trained on protected copies.
        judges: the models, for images that none of them was trained on.
    """

    accuracy_clean: float
    accuracy_protected: float
    chance: float
    unlearnability: float | None
    margin: float | None
    level: str
    clean: np.ndarray
    protected: np.ndarray
    judges: Judges

    @property
    def per_image(self) -> np.ndarray:
        """``(N,)`` float32 in [0, 1]."""
        return np.clip(self.clean - self.protected, 0, 1)


def measure(
    originals: np.ndarray,
    protected: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    context: TrainingContext,
    recipe: Recipe | None = None,
) -> Generator[float, None, Scores]:
    """Cross-fit two models on originals and two on protected copies.

    Args:
        originals: ``(N, S, S, 3)`` uint8.
        protected: ``(N, S, S, 3)`` uint8, the same images' protected copies.
        labels: ``(N,)`` int64 in 0..classes-1.
        classes: how many classes.
        context: where to train, and of the split and the models.
        recipe: the training recipe.

    Yields:
        The fraction done.

    Raises:
        InputError: too few images or classes to measure anything.
    """
    from fiftyone_reue.networks.training import predict, train

    recipe = recipe or Recipe()
    present = len(np.unique(labels))
    if len(labels) < LEAST_IMAGES or present < 2:
        raise InputError(
            f"{len(labels)} images of {present} classes are too few to measure "
            f"unlearnability; at least {LEAST_IMAGES} images of 2 classes are needed"
        )
    halves = _halves(labels, context.seed)
    own = np.arange(len(labels)), labels
    outputs = {}
    networks: dict[str, list[nn.Module]] = {"c": [], "p": []}
    for name, images in (("c", originals), ("p", protected)):
        out = np.zeros((len(labels), classes), np.float32)
        for half in (0, 1):
            inside = halves == half
            ours = replace(context, seed=context.seed + half)
            network = create_network(
                DEFAULT_NETWORK, classes, images.shape[1], seed=ours.seed
            )
            steps = train(
                network,
                images[inside],
                labels[inside],
                classes,
                recipe=recipe,
                context=ours,
            )
            begun = len(networks["c"]) + len(networks["p"])
            yield from mapped(steps, partial(_quarter, begun))
            out[~inside] = predict(network, originals[~inside])
            networks[name].append(network)
        outputs[name] = out
    right = {name: out.argmax(1) == labels for name, out in outputs.items()}
    accuracy_clean = float(right["c"].mean())
    accuracy_protected = float(right["p"].mean())
    chance = float(np.bincount(labels).max() / len(labels))
    ratio = _ratio(accuracy_clean, accuracy_protected, chance, len(labels))
    margin = None
    if ratio is not None:
        margin = _margin(right["c"], right["p"], halves, chance)
    level = told(None if ratio is None else 1 - ratio, margin)
    if len(labels) < FEWEST_TOLD:
        level = NOT_TELLABLE
    return Scores(
        accuracy_clean=accuracy_clean,
        accuracy_protected=accuracy_protected,
        chance=chance,
        unlearnability=None if level == NOT_TELLABLE else ratio,
        margin=margin,
        level=level,
        clean=outputs["c"][own],
        protected=outputs["p"][own],
        judges=Judges(tuple(networks["c"]), tuple(networks["p"])),
    )


def _ratio(clean: float, protected: float, chance: float, count: int) -> float | None:
    """None where the clean accuracy isn't well above chance: by two standard errors,
    and by five points."""
    error = (chance * (1 - chance) / count) ** 0.5
    if clean - chance <= 2 * error or round(clean - chance, 6) < LEARNABLE:
        return None
    return float(np.clip((clean - protected) / (clean - chance), 0, 1))


def _margin(
    clean: np.ndarray, protected: np.ndarray, halves: np.ndarray, chance: float
) -> float:
    """Two standard errors of the ratio, to first order.

    The same images are asked of both, which takes off what makes some of them hard. Two
    halves are two trainings each: how far they are apart is what another training may
    change.

    Args:
        clean: ``(N,)`` bool, whether the model of originals was right.
        protected: ``(N,)`` likewise of protected copies.
        halves: ``(N,)``, which models were asked.
        chance: accuracy of guessing, below that of ``clean``.
    """
    taught = clean.mean() - chance
    share = (protected.mean() - chance) / taught
    apart = protected - share * clean
    first, second = (apart[halves == half].mean() for half in (0, 1))
    variance = apart.var() / len(apart) + ((first - second) / 2) ** 2
    return float(2 * variance**0.5 / taught)


def _halves(labels: np.ndarray, seed: int) -> np.ndarray:
    """0 or 1 for each image, every class split evenly."""
    generator = np.random.default_rng(seed)
    halves = np.zeros(len(labels), np.int64)
    odd = 0
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        halves[members] = (np.arange(len(members)) + odd) % 2
        odd += len(members) % 2
    return halves


def _quarter(begun: int, fraction: float) -> float:
    return (begun + fraction) / 4
