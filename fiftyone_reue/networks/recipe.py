"""How long and how fast to train, as numbers: known without loading torch."""

from __future__ import annotations

from dataclasses import dataclass


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
