"""MI-UE: unlearnable examples that lower the mutual information of features.

Zhu et al., "Why Do Unlearnable Examples Work: A Novel Perspective of Mutual
Information", ICLR 2026 (arXiv:2603.03725): a surrogate's training and the noise's
take turns, as in EM, but the noise makes the features of a class point the same way,
apart from those of other classes. Then little of what the clean image shows is left
in them: the covariance within a class bounds the mutual information from above.
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
)
from fiftyone_reue.perturb.mi_ue.config import MiUeConfig

if TYPE_CHECKING:
    from fiftyone_reue.perturb.surrogate import Alternated


class MutualInformation(Method):
    """Noise for each image that makes its class's features collinear; see the
    module."""

    info = MethodInfo(
        name="mi_ue",
        title="MI-UE: noise of little mutual information",
        paper="Zhu et al., ICLR 2026, arXiv:2603.03725",
        needs_fit=True,
        uses_gpu=True,
        cost="minutes for 2,000 small images on a processor, seconds on a GPU",
        variety="sample",
    )
    Config = MiUeConfig

    @classmethod
    def as_published(cls) -> MutualInformation:
        """See :meth:`MiUeConfig.paper`."""
        return cls(MiUeConfig.paper())

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Fit the surrogate and the classes' mean features, together with noise that
        is not kept; see :class:`Method`.

        Raises:
            InputError: the surrogate is too big for a State.
        """
        from fiftyone_reue.perturb.mi_ue.fit import mean_features
        from fiftyone_reue.perturb.surrogate import fitted_state, require_storable

        require_storable(self.config.surrogate, len(data.classes), data.images.shape[1])
        made = yield from self._alternate(data, options)
        means = mean_features(made.network, data, made.noise, self.config.noise_batch)
        return fitted_state(
            "mi_ue", data.classes, made.network, made.figures, means=means
        )

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """Turn this image's features to its class's mean, and away from the others';
        see :class:`Method`."""
        from fiftyone_reue.networks.device import choose_device
        from fiftyone_reue.perturb.mi_ue.fit import mean_loss
        from fiftyone_reue.perturb.pgd import SignSteps, image_pattern
        from fiftyone_reue.perturb.surrogate import restored

        device = choose_device()
        loss = partial(
            mean_loss,
            restored(state, device),
            state.arrays["means"],
            class_index(state, label),
            self.config.temperature,
        )
        amplitude = state.summary["amplitude"]
        steps = SignSteps.scaled(
            amplitude, self.config.last_step, self.config.pattern_steps
        )
        return image_pattern(
            loss,
            image,
            state.summary["size"],
            device,
            steps,
        )

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """Add the noise that the alternation ended with; see :class:`Method`."""
        from fiftyone_reue.perturb.pgd import gray_levels

        made = yield from self._alternate(data, options)
        return clipped(data.images, gray_levels(made.noise))

    def _alternate(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, Alternated]:
        from fiftyone_reue.perturb.mi_ue.fit import alternate
        from fiftyone_reue.perturb.surrogate import alternated

        steps = alternate(
            data, self.config, options.amplitude, options.training("mi_ue")
        )
        return alternated(steps)
