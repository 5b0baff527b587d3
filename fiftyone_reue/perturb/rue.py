"""RUE: class tables under which a model's output says nothing about its input.

After Wang et al., "Reversible Unlearnable Examples", IEEE TCSVT 36(3), 2026
(arXiv:2608.06211). Two methods are here:

``rue_published``, as the paper has it: class-wise noise, fitted by alternating a
surrogate's cross-entropy step with a step on the noise that lowers the mutual
information between the model's input and output
(:mod:`fiftyone_reue.perturb.information`). The cross-entropy of the perturbed images
is kept beside it (Huang et al., ICLR 2021, arXiv:2101.04898), which makes the common
output the class itself and so gives the surrogate nothing to learn.

``rue``, our default: tables that have this property before any fit, because they are
what networks learn first (:mod:`fiftyone_reue.perturb.gratings`), with a phase of its
own for every sample. They come from the key alone: nothing is read, nothing is
waited for, and images added later are protected alike. Fitting them further is there
as an option (:class:`RueConfig`); ``benchmarks/results/rue_ablation.md`` shows what
each part of it is worth.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import (
    FitData,
    Method,
    MethodInfo,
    State,
    class_index,
    for_colours,
    secret_seed,
)
from fiftyone_reue.perturb.gratings import CELLS, grating_tables
from fiftyone_reue.perturb.variety import vary

PAPER = "Wang et al., IEEE TCSVT 2026, arXiv:2608.06211"

OLD_REACH = 2
"""Of states made before they said themselves how far their tables are rolled."""


@dataclass(frozen=True)
class RueConfig:
    """What the tables begin as, and how they are fitted from there.

    Attributes:
        start: "gratings", or "random" for uniform noise.
        rounds: alternations of surrogate steps and table steps; 0 leaves the tables as
            they begin and looks at no image.
        variants: tables a class, at most 256.
        cell: a fitted table cell's side in pixels at the working size, whose tables
            follow the images' side; unfitted ones have ``CELLS`` cells.
        colours: 1 for achromatic tables, 3 for coloured ones (random start only).
        reach: cells that a sample's table is rolled by at most; None for anywhere.
        flips: whether samples' tables are flipped at random.
        objective: "softmax" or "collinear", the form of the mutual information.
        information: its weight beside the cross-entropy.
        transformations: names from :mod:`fiftyone_reue.perturb.transformations`; shifts
            and flips are always there.
        transformed: the share of batches that go through one of them.
        surrogates: networks by name, taken in turn; ``pretrained_finetune`` brings the
            user's weights.
        width: of a ``small_resnet`` surrogate, a multiple of 8 (PyTorch 2.15 crashes
            with 4 channels in channels_last on processors without AVX-512).
        reinitialise: rounds after which the surrogates begin anew; 0 for never.
        adversarial: gray levels within which the surrogates are trained against
            perturbed images (Fu et al., ICLR 2022, arXiv:2203.14533); 0 for not.
        surrogate_steps: cross-entropy steps of the surrogates a round.
        table_steps: sign steps of the tables a round.
        surrogate_batch: images in a surrogate step.
        table_batch: images in a table step.
        step: a table step's length, gray levels.
    """

    start: str = "gratings"
    rounds: int = 0
    variants: int = 1
    cell: int = 1
    colours: int = 1
    reach: int | None = None
    flips: bool = True
    objective: str = "softmax"
    information: float = 1.0
    transformations: tuple[str, ...] = ()
    transformed: float = 0.5
    surrogates: tuple[str, ...] = ("small_resnet",)
    width: int = 16
    reinitialise: int = 0
    adversarial: int = 0
    surrogate_steps: int = 10
    table_steps: int = 5
    surrogate_batch: int = 128
    table_batch: int = 256
    step: float = 0.8

    @classmethod
    def published(cls) -> RueConfig:
        """Coloured class tables at full resolution, without variety: the paper's."""
        return cls(start="random", rounds=60, colours=3, reach=0, flips=False)


class ReversibleUnlearnable(Method):
    """Class tables from the key, fitted further where configured; see the module."""

    info = MethodInfo(
        name="rue",
        title="RUE: keyed class gratings",
        paper=PAPER,
        needs_fit=False,
        uses_gpu=False,
        cost="nothing to fit",
        variety="class and sample",
        least_classes=2,
    )

    def __init__(self, config: RueConfig | None = None) -> None:
        self.config = config or RueConfig()

    def fit(
        self,
        data: FitData,
        *,
        amplitude: int,
        seed: int,
        key: bytes,
        device: str = "auto",
    ) -> Generator[float, None, State]:
        """Make the tables, and fit them if configured; see :class:`Method`."""
        started = time.monotonic()
        config = self.config
        _require_classes(data.classes)
        secret = secret_seed("rue", seed, key)
        tables = starting_tables(config, data, amplitude, secret)
        figures: dict[str, Any] = {"reach": config.reach, "flips": config.flips}
        if config.rounds:
            from fiftyone_reue.networks.device import few_threads
            from fiftyone_reue.perturb.rue_fit import fit_tables

            steps = fit_tables(
                data, tables, config, amplitude=amplitude, seed=secret, device=device
            )
            with few_threads():
                tables, measured = yield from steps
            figures |= measured
        figures["seconds"] = round(time.monotonic() - started, 1)
        figures["images"] = len(data.images)
        yield 1.0
        return State(self.info.name, data.classes, {"tables": tables}, figures)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """A variant of the class's table, flipped and rolled by the key."""
        variants = state.tables[class_index(state, label)]
        pattern = vary(
            variants,
            sample_key,
            state.summary.get("reach", OLD_REACH),
            flips=state.summary.get("flips", True),
        )
        # Smaller images get a part of the tile: its stripes would alias otherwise.
        height, width, colours = image.shape
        return for_colours(pattern[:height, :width], colours)


class ReversibleUnlearnablePublished(ReversibleUnlearnable):
    """RUE as in its paper, to be measured against; see the module."""

    info = MethodInfo(
        name="rue_published",
        title="RUE as published: class tables by mutual information",
        paper=PAPER,
        needs_fit=True,
        uses_gpu=True,
        cost="a few minutes on two cores, seconds on a GPU",
    )

    def __init__(self, config: RueConfig | None = None) -> None:
        super().__init__(config or RueConfig.published())


def starting_tables(
    config: RueConfig, data: FitData, amplitude: int, seed: int
) -> np.ndarray:
    """What the tables are before any fit.

    Args:
        config: its ``start``, ``variants``, ``colours``, and sides.
        data: its classes, and the images' side where the tables will be fitted.
        amplitude: gray levels.
        seed: secret.

    Returns:
        ``(classes, variants, side, side, colours)`` int8.

    Raises:
        InputError: there is no such start, or there are too many classes for it.
    """
    generator = np.random.default_rng(seed)
    side = data.images.shape[1] // config.cell if config.rounds else CELLS
    classes = len(data.classes)
    if config.start == "gratings":
        return grating_tables(classes, config.variants, amplitude, generator, side)
    if config.start == "random":
        shape = (classes, config.variants, side, side, config.colours)
        return generator.integers(-amplitude, amplitude + 1, shape, np.int8)
    raise InputError(
        f"Tables can't begin as {config.start!r}; choose gratings or random"
    )


def _require_classes(classes: tuple[str, ...]) -> None:
    if len(classes) < 2:
        raise InputError(
            f"Only one class, {classes[0]!r}, is there; at least two classes are "
            "needed for a classifier to be misled"
        )
