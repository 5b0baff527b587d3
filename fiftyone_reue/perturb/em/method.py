"""EM: error-minimising noise, sample-wise (``em``) and class-wise (``em_class``).

Huang et al., "Unlearnable Examples: Making Personal Data Unexploitable", ICLR 2021
(arXiv:2101.04898): a surrogate is trained a few steps on the perturbed images, then
the noise is changed so that the surrogate's loss falls, and so on until the surrogate
errs on almost none of the perturbed images. What is left to learn from them is the
noise. Sample-wise, every image gets noise of its own; class-wise, the images of a
class share it, and it steps along the sign of their mean gradient (the authors' code
takes the mean of the images' steps, which is slower).
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    Method,
    MethodInfo,
    State,
    class_index,
    clipped,
    for_colours,
)
from fiftyone_reue.perturb.em.config import EmConfig

if TYPE_CHECKING:
    from fiftyone_reue.perturb.surrogate import Alternated


class ErrorMinimising(Method):
    """Noise for each image that a surrogate's loss falls by; see the module."""

    info = MethodInfo(
        name="em",
        title="EM: error-minimising noise, sample-wise",
        paper="Huang et al., ICLR 2021, arXiv:2101.04898",
        needs_fit=True,
        uses_gpu=True,
        cost="minutes for 2,000 small images on a processor, seconds on a GPU",
        variety="sample",
    )
    Config = EmConfig

    @classmethod
    def as_published(cls) -> ErrorMinimising:
        """See :meth:`EmConfig.paper`."""
        return cls(EmConfig.paper())

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Fit the surrogate, together with noise that is not kept; see
        :class:`Method`.

        Raises:
            InputError: the surrogate is too big for a State.
        """
        from fiftyone_reue.perturb.surrogate import fitted_state, require_storable

        require_storable(self.config.surrogate, len(data.classes), data.images.shape[1])
        made = yield from _alternate(self, data, options)
        return fitted_state("em", data.classes, made.network, made.figures)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """Descend on the surrogate's loss for this image; see :class:`Method`."""
        from fiftyone_reue.networks.device import choose_device
        from fiftyone_reue.perturb.pgd import SignSteps, image_pattern
        from fiftyone_reue.perturb.surrogate import class_loss, restored

        device = choose_device()
        wanted = class_index(state, label)
        return image_pattern(
            partial(class_loss, restored(state, device), wanted),
            image,
            state.summary["size"],
            device,
            SignSteps.scaled(
                state.summary["amplitude"], self.config.step, self.config.pattern_steps
            ),
        )

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """Add the noise that the alternation ended with; see :class:`Method`."""
        from fiftyone_reue.perturb.pgd import gray_levels

        made = yield from _alternate(self, data, options)
        return clipped(data.images, gray_levels(made.noise))


class ErrorMinimisingClassWise(Method):
    """One table of noise a class; see the module."""

    info = MethodInfo(
        name="em_class",
        title="EM: error-minimising noise, class-wise",
        paper="Huang et al., ICLR 2021, arXiv:2101.04898",
        needs_fit=True,
        uses_gpu=True,
        cost="a minute or two for 2,000 small images on a processor",
    )
    Config = EmConfig

    def __init__(self, config: EmConfig | None = None) -> None:
        self.config = config or EmConfig.class_wise()

    @classmethod
    def as_published(cls) -> ErrorMinimisingClassWise:
        """See :meth:`EmConfig.paper_class_wise`."""
        return cls(EmConfig.paper_class_wise())

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Fit ``(classes, 1, S, S, 3)`` tables; see :class:`Method`."""
        from fiftyone_reue.perturb.pgd import gray_levels

        made = yield from _alternate(self, data, options)
        tables = gray_levels(made.noise)[:, None]
        return State("em_class", data.classes, {"tables": tables}, made.figures)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """The class's table; see :class:`Method`."""
        table = state.tables[class_index(state, label), 0]
        return for_colours(table, image.shape[2])


def _alternate(
    method: ErrorMinimising | ErrorMinimisingClassWise,
    data: FitData,
    options: FitOptions,
) -> Generator[float, None, Alternated]:
    from fiftyone_reue.perturb.em.fit import alternate
    from fiftyone_reue.perturb.surrogate import alternated

    steps = alternate(
        data,
        method.config,
        options.amplitude,
        options.training(method.info.name),
        class_wise=isinstance(method, ErrorMinimisingClassWise),
    )
    return alternated(steps)
