"""The settings of class tables: of ``rue_gratings`` and ``rue_published``."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.options import option


@dataclass(frozen=True)
class RueConfig:
    """What the tables begin as, and how they are fitted from there."""

    start: str = option(
        "gratings",
        "Gratings, or random for uniform noise.",
        choices=("gratings", "random"),
    )
    rounds: int = option(
        0,
        "Alternations of surrogate steps and table steps; 0 leaves the "
        "tables as they begin and looks at no image.",
        least=0,
    )
    variants: int = option(1, "Tables a class, at most 256.", least=1, most=256)
    cell: int = option(
        1,
        "A fitted table cell's side in pixels at the working size, whose "
        "tables follow the images' side; unfitted ones have 32 "
        "cells.",
        least=1,
    )
    colours: int = option(
        1,
        "1 for achromatic tables, 3 for coloured ones (random start only).",
        least=1,
    )
    reach: int | None = option(
        None,
        "Cells that a sample's table is rolled by at most; None for anywhere.",
        least=0,
    )
    flips: bool = option(True, "Whether samples' tables are flipped at random.")
    objective: str = option(
        "softmax",
        "The form of the mutual information.",
        choices=("softmax", "collinear"),
    )
    information: float = option(1.0, "Its weight beside the cross-entropy.", least=0)
    transformations: tuple[str, ...] = option(
        (),
        "Names from fiftyone_reue.perturb.transformations; shifts "
        "and flips are always there.",
    )
    transformed: float = option(
        0.5,
        "The share of batches that go through one of them.",
        least=0,
    )
    surrogates: tuple[str, ...] = option(
        ("small_resnet",),
        "Networks by name, taken in turn; `pretrained_finetune` brings "
        "the user's weights.",
    )
    width: int = option(
        16,
        "Of a `small_resnet` surrogate, a multiple of 8 (PyTorch 2.15 "
        "crashes with 4 channels in channels_last on processors without "
        "AVX-512).",
        least=1,
    )
    reinitialise: int = option(
        0,
        "Rounds after which the surrogates begin anew; 0 for never.",
        least=0,
    )
    adversarial: int = option(
        0,
        "Gray levels within which the surrogates are trained against "
        "perturbed images (Fu et al., ICLR 2022, arXiv:2203.14533); 0 for "
        "not.",
        least=0,
    )
    surrogate_steps: int = option(
        10,
        "Cross-entropy steps of the surrogates a round.",
        least=1,
    )
    table_steps: int = option(5, "Sign steps of the tables a round.", least=1)
    surrogate_batch: int = option(128, "Images in a surrogate step.", least=1)
    table_batch: int = option(256, "Images in a table step.", least=1)
    step: float = option(0.8, "A table step's length, gray levels.", least=0)

    @classmethod
    def published(cls) -> RueConfig:
        """Coloured class tables at full resolution, without variety: the paper's."""
        return cls(start="random", rounds=60, colours=3, reach=0, flips=False)
