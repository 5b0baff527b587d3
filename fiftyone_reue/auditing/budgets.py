"""How much an audit spends: images, epochs, and what is measured by default."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.auditing.holdings import Effort
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.recipe import PHOTOGRAPH_SIDE, SIDES


@dataclass(frozen=True)
class Budget:
    """An audit's size.

    Attributes:
        name: "quick" or "full".
        train: protected images at most.
        clean: clean images that a thief holds besides, at most.
        test: clean test images at most.
        epochs: of a victim.
        least_steps: of a victim, however few images there are.
        effort: for countermeasures that train something of their own.
        victims: the networks measured by default.
        countermeasures: those measured by default; empty for all.
        photographs: the same of images with at least ``PHOTOGRAPH_SIDE`` pixels a side.
        longest: pixels a side that victims are trained at, at most.
        seeds: how many by default.
        published: whether methods are fitted at their papers' expense.
        compile: whether to compile the victims.
    """

    name: str
    train: int
    clean: int
    test: int
    epochs: int
    least_steps: int
    effort: Effort
    victims: tuple[str, ...]
    countermeasures: tuple[str, ...]
    photographs: tuple[str, ...]
    longest: int
    seeds: int
    published: bool
    compile: bool

    def measured(self, side: int) -> tuple[str, ...]:
        """Countermeasures by default at so many pixels a side; empty for all."""
        return self.countermeasures if side < PHOTOGRAPH_SIDE else self.photographs


QUICK_COUNTERMEASURES = (
    "none",
    "grayscale",
    "jpeg_10",
    "jpeg_50",
    "bit_depth_2",
    "gaussian_blur",
    "cutout",
    "ueraser",
    "adversarial_4",
    "orthogonal_projection",
    "class_average",
    "pair_leak_100",
)
"""One or two of each family, those that take most from published methods."""

INVITED = (
    "line_medians",
    "cosine_shrinkage",
    "blur_1",
    "blur_2",
    "jpeg_30",
    "jpeg_10",
    "matched_filter",
)
"""Filters that a pattern in photographs invites: without them an audit says little."""

QUICK_PHOTOGRAPHS = (
    "none",
    *INVITED,
    "grayscale",
    "pair_leak_100",
)
"""Fewer than of small images, since each takes four times as long."""

BUDGETS = {
    budget.name: budget
    for budget in (
        Budget(
            "quick",
            train=2000,
            clean=500,
            test=1000,
            epochs=10,
            least_steps=150,
            effort=Effort(0.01),
            victims=("small_resnet",),
            countermeasures=QUICK_COUNTERMEASURES,
            photographs=QUICK_PHOTOGRAPHS,
            longest=PHOTOGRAPH_SIDE,
            seeds=1,
            published=False,
            compile=False,
        ),
        Budget(
            "full",
            train=50_000,
            clean=4_000,
            test=10_000,
            epochs=60,
            least_steps=2_000,
            effort=Effort(1.0),
            victims=("resnet18",),
            countermeasures=(),
            photographs=(),
            longest=SIDES[-1],
            seeds=3,
            published=True,
            compile=True,
        ),
    )
}


def budget_named(name: str) -> Budget:
    """The budget of that name.

    Raises:
        InputError: there is none; the message lists those that exist.
    """
    if name not in BUDGETS:
        raise InputError(
            f"There is no budget {name!r}; choose one of {', '.join(BUDGETS)}"
        )
    return BUDGETS[name]
