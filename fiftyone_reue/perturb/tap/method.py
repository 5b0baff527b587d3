"""TAP: targeted adversarial poisoning.

Fowl et al., "Adversarial Examples Make Strong Poisons", NeurIPS 2021
(arXiv:2106.10807): a network is trained on the clean images, and then every image is
changed until that network names it as another class, one and the same for all images
of a class. A model trained on them finds each class's features under another name.
Which class goes to which is drawn from the key.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    Method,
    MethodInfo,
    State,
    class_index,
    clipped,
    keyed_order,
)
from fiftyone_reue.perturb.tap.config import TapConfig
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import mapped

if TYPE_CHECKING:
    from fiftyone_reue.perturb.tap.fit import Trained


class TargetedPoisoning(Method):
    """Every image moved to another class, fixed for its own; see the module."""

    info = MethodInfo(
        name="tap",
        title="TAP: targeted adversarial noise",
        paper="Fowl et al., NeurIPS 2021, arXiv:2106.10807",
        needs_fit=True,
        uses_gpu=True,
        cost="minutes for 2,000 small images on a processor, seconds on a GPU",
        variety="sample",
    )
    Config = TapConfig

    @classmethod
    def as_published(cls) -> TargetedPoisoning:
        """See :meth:`TapConfig.paper`."""
        return cls(TapConfig.paper())

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Train the surrogate on the clean images; see :class:`Method`.

        Raises:
            InputError: the surrogate is too big for a State, or there are fewer than
                two classes.
        """
        from fiftyone_reue.perturb.surrogate import fitted_state, require_storable

        size = data.images.shape[1]
        targets = target_classes(len(data.classes), options)
        require_storable(self.config.surrogate, len(data.classes), size)
        started = time.monotonic()
        made = yield from self._train(data, options)
        figures = {
            "surrogate": self.config.surrogate,
            "size": size,
            "amplitude": options.amplitude,
            "images": len(data.images),
            "surrogate_accuracy": round(made.accuracy, 4),
            "seconds": round(time.monotonic() - started, 1),
        }
        return fitted_state("tap", data.classes, made.network, figures, targets=targets)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """Move this image to its class's target; see :class:`Method`."""
        from fiftyone_reue.networks.device import choose_device
        from fiftyone_reue.perturb.pgd import SignSteps, image_pattern
        from fiftyone_reue.perturb.surrogate import class_loss, restored

        device = choose_device()
        target = int(state.arrays["targets"][class_index(state, label)])
        return image_pattern(
            partial(class_loss, restored(state, device), target),
            image,
            state.summary["size"],
            device,
            SignSteps.scaled(
                state.summary["amplitude"], self.config.step, self.config.steps
            ),
        )

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """Train on these images, then move each; see :class:`Method`.

        Raises:
            InputError: there are fewer than two classes.
        """
        from fiftyone_reue.networks.device import few_threads
        from fiftyone_reue.perturb.pgd import gray_levels
        from fiftyone_reue.perturb.tap.fit import move

        targets = target_classes(len(data.classes), options)
        made = yield from mapped(
            self._train(data, options), lambda fraction: fraction / 2
        )
        steps = move(
            made.network,
            data.images,
            targets[data.labels],
            self.config,
            amplitude=options.amplitude,
            seed=options.secret_seed("tap-noise"),
        )
        with few_threads():
            noise = yield from mapped(steps, lambda fraction: (1 + fraction) / 2)
        return clipped(data.images, gray_levels(noise))

    def _train(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, Trained]:
        from fiftyone_reue.perturb.tap.fit import train_surrogate

        return train_surrogate(data, self.config, options.training("tap"))


def target_classes(
    classes: int, options: FitOptions, method: str = "tap"
) -> np.ndarray:
    """For each class the one that its images are moved to, drawn from the key.

    Args:
        classes: how many, 2 or more.
        options: the key and the seed of the draw.
        method: whose draw it is.

    Returns:
        ``(classes,)`` int64, a permutation of 0..classes-1 without fixed points: all
        classes stand in one circle, and each one's target is the next.

    Raises:
        InputError: there are fewer than two classes.
    """
    if classes < 2:
        raise InputError(
            f"Use images of at least two classes: {method} moves each class to another "
            "one"
        )
    key = derive(options.key, f"{method}-targets", str(options.seed))
    circle = keyed_order(key, classes)
    targets = np.empty(classes, np.int64)
    targets[circle] = np.roll(circle, -1)
    return targets
