"""The settings of :mod:`fiftyone_reue.perturb.mi_ue.method`."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.options import option


@dataclass(frozen=True)
class MiUeConfig:
    """How the noise is made; the defaults are for a processor."""

    rounds: int = option(
        12,
        "Alternations; in each the surrogate sees every image once, and "
        "then every image's noise takes `noise_steps` steps.",
        least=1,
    )
    noise_steps: int = option(6, "The noise's steps a round.", least=1)
    first_step: float = option(
        0.4,
        "A noise step's length in the first round, gray levels at amplitude "
        "8; it changes linearly.",
        least=0,
    )
    last_step: float = option(0.8, "And in the last round.", least=0)
    batch: int = option(128, "Images a step of the surrogate.", least=1)
    noise_batch: int = option(
        256,
        "Images a step of the noise, whose features are compared.",
        least=1,
    )
    temperature: float = option(0.1, "Of the contrastive loss.", least=0)
    distance: float = option(
        0.1,
        "The weight (zeta) of the distances within a class.",
        least=0,
    )
    pattern_steps: int = option(
        20,
        "Noise steps for an image that was not there at the fit.",
        least=0,
    )
    surrogate: str = option(
        "small_resnet",
        "The surrogate's name in the network registry.",
    )

    @classmethod
    def paper(cls) -> MiUeConfig:
        """As published; it needs a GPU."""
        return cls(
            rounds=100,
            noise_steps=10,
            first_step=0.2,
            last_step=0.4,
            noise_batch=512,
            surrogate="resnet18",
        )
