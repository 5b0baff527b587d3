"""How long and how fast to train, as numbers: known without loading torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

SIDES = (32, 64, 128, 224)
"""Pixels a side that people train networks at."""

PHOTOGRAPH_SIDE = 128
"""Pixels a side from which images are trained on as photographs are."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the images.
        least_steps: at least so many steps, however few images there are.
        batch: images a step.
        optimiser: "sgd" or "adamw".
        learning_rate: the one-cycle schedule's peak.
        weight_decay: of the optimiser.
        compile: whether to compile the network; it pays on a GPU, for long runs.
    """

    epochs: int = 12
    least_steps: int = 300
    batch: int = 128
    optimiser: str = "sgd"
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    compile: bool = False

    def at(self, side: int) -> Recipe:
        """The recipe for images of so many pixels a side.

        Photographs are few and large: smaller batches take more steps for the same
        work, at half of the rate. Of 2,100 at 128 pixels, ten passes in batches of 64
        teach 68 % of ten classes.
        """
        if side < PHOTOGRAPH_SIDE:
            return self
        batch, rate = min(self.batch, 64), self.learning_rate / 2
        return replace(self, batch=batch, learning_rate=rate)
