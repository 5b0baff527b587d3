"""PIL: noise that makes a linear classifier certain, taken away from the images.

Liu, Chen and Zhang, "Perturbation-Induced Linearization", ICLR 2026
(arXiv:2601.19967). Two linear layers, without biases and without a nonlinearity, are
trained on the clean images. Each image then gets noise, from a random start by sign
steps, that by itself this classifier takes for the image's class, and without which
the image tells it nothing. The published image is the image minus the noise.
"""

from __future__ import annotations

import time
from collections.abc import Generator

import numpy as np

from fiftyone_reue.media.square import to_square
from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    Method,
    MethodInfo,
    State,
    class_index,
    clipped,
)
from fiftyone_reue.perturb.pil.config import PilConfig
from fiftyone_reue.prf import derive, keystream
from fiftyone_reue.progress import mapped

_BATCH = 512


class PerturbationInducedLinearization(Method):
    """Image-wise noise from a linear classifier; see the module's text."""

    info = MethodInfo(
        name="pil",
        title="PIL: noise from a linear classifier",
        paper="Liu et al., ICLR 2026, arXiv:2601.19967",
        needs_fit=True,
        uses_gpu=True,
        cost="seconds to a minute",
        variety="sample",
    )
    Config = PilConfig

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Train the linear classifier on the images; see :class:`Method`."""
        from fiftyone_reue.networks.device import few_threads
        from fiftyone_reue.perturb.pil.fit import fit_linear

        started = time.monotonic()
        steps = fit_linear(data, self.config, options.training("pil"))
        with few_threads():
            first, second, accuracy = yield from steps
        arrays = {
            "first": first,
            "second": second,
            "size": np.array(data.images.shape[1], np.int64),
            "amplitude": np.array(options.amplitude, np.int64),
        }
        figures = {
            "surrogate_accuracy": round(accuracy, 4),
            "seconds": round(time.monotonic() - started, 1),
            "images": len(data.images),
        }
        return State("pil", data.classes, arrays, figures)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """Make the noise of one image, and turn its sign; see :class:`Method`."""
        labels = np.array([class_index(state, label)])
        colours = image.shape[2]
        square = to_square(image, colours, int(state.arrays["size"]))
        return self._patterns(
            state, square[None], labels, [sample_key], colours, "cpu"
        )[0]

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """What :class:`Method` does, many images at once."""
        from fiftyone_reue.networks.device import few_threads

        steps = self.fit(data, options)
        state = yield from mapped(steps, lambda fraction: 0.7 * fraction)
        count = len(data.images)
        perturbed = np.empty_like(data.images)
        for start in range(0, count, _BATCH):
            stop = min(start + _BATCH, count)
            images, labels = data.images[start:stop], data.labels[start:stop]
            keys = [options.sample_key(index) for index in range(start, stop)]
            with few_threads():
                offsets = self._patterns(state, images, labels, keys, 3, options.device)
            perturbed[start:stop] = clipped(images, offsets)
            yield 0.7 + 0.3 * stop / count
        return perturbed

    def _patterns(
        self,
        state: State,
        images: np.ndarray,
        labels: np.ndarray,
        sample_keys: list[bytes],
        colours: int,
        device: str,
    ) -> np.ndarray:
        """What to add to the images, ``(N, size, size, colours)`` int8."""
        from fiftyone_reue.networks.device import choose_device
        from fiftyone_reue.perturb.pil.fit import make_noise

        shape = (*images.shape[1:3], colours)
        starts = np.stack([_uniform(sample_key, shape) for sample_key in sample_keys])
        noise = make_noise(
            state.arrays["first"] @ state.arrays["second"],
            images,
            labels,
            starts,
            self.config,
            amplitude=int(state.arrays["amplitude"]),
            device=choose_device(device),
        )
        return -noise


def _uniform(sample_key: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Keyed draws, float32 from -1 to 1."""
    key = derive(sample_key, "pil-start")
    numbers = np.frombuffer(keystream(key, 4 * int(np.prod(shape))), "<u4")
    return (numbers / 2**31 - 1).astype(np.float32).reshape(shape)
