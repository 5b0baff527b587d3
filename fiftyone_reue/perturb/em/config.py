"""The settings of :mod:`fiftyone_reue.perturb.em.method`."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.options import option


@dataclass(frozen=True)
class EmConfig:
    """How the noise is made; the defaults are for a processor, sample-wise."""

    rounds: int = option(12, "Alternations at most.", least=1)
    surrogate_steps: int = option(10, "The surrogate's steps a round.", least=1)
    noise_steps: int = option(
        8,
        "The noise's steps a round, sample-wise for each image, class-wise "
        "for each batch of a pass over the images.",
        least=1,
    )
    stop_error: float = option(
        0.01,
        "Alternating ends when the surrogate errs on a smaller share of the "
        "perturbed images.",
        least=0,
        most=1,
    )
    batch: int = option(128, "Images a step.", least=1)
    step: float = option(
        0.8,
        "A noise step's length in gray levels at amplitude 8.",
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
    def class_wise(cls) -> EmConfig:
        """The defaults class-wise."""
        return cls(rounds=20, noise_steps=1)

    @classmethod
    def paper(cls) -> EmConfig:
        """As published, sample-wise; it needs a GPU."""
        return cls(rounds=100, noise_steps=20, surrogate="resnet18")

    @classmethod
    def paper_class_wise(cls) -> EmConfig:
        """As published, class-wise; it needs a GPU."""
        return cls(rounds=100, noise_steps=1, stop_error=0.1, surrogate="resnet18")
