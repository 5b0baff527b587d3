"""CUDA: a blur of each class's own.

Sadasivan et al., "CUDA: Convolution-based Unlearnable Datasets", CVPR 2023
(arXiv:2303.04278). Each class has a random 3x3 kernel, the same for all channels,
with one tap, drawn too, set to 1. An image is convolved with its class's kernel,
zeros around it, and divided by its own maximum. The kernels come from the key.

The change is as large as the blur makes it, so that the amplitude plays no part.
"""

from __future__ import annotations

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
)
from fiftyone_reue.prf import derive, keystream
from fiftyone_reue.progress import finish

BLUR = 0.3
"""Upper bound of the kernels' weights, the paper's for CIFAR-10."""

DEFAULT_SIZE = 32
"""Working size in pixels where there are no images to take it from."""

_TAPS = 9
_BATCH = 256


class ConvolutionBased(Method):
    """A keyed blur kernel a class."""

    info = MethodInfo(
        name="cuda",
        title="CUDA: a keyed blur a class",
        paper="Sadasivan et al., CVPR 2023, arXiv:2303.04278",
        needs_fit=False,
        uses_gpu=False,
        cost="none",
        bounded=False,
        variety="class",
    )

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Draw a kernel a class from the key; see :class:`Method`."""
        size = data.images.shape[1] if len(data.images) else DEFAULT_SIZE
        kernels = [
            _kernel(derive(options.key, "cuda-kernel", str(options.seed), name))
            for name in data.classes
        ]
        yield 1.0
        arrays = {"kernels": np.stack(kernels), "size": np.array(size, np.int64)}
        return State("cuda", data.classes, arrays)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """What blurring the image changes; see :class:`Method`."""
        kernel = state.arrays["kernels"][class_index(state, label)]
        colours = image.shape[2]
        square = to_square(image, colours, int(state.arrays["size"]))
        blurred = convolve(square[None], kernel[None])[0]
        change = blurred.astype(np.int16) - square
        return np.ascontiguousarray(change[..., :colours])

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """What :class:`Method` does, many images at once."""
        steps = self.fit(data, options)
        state = finish(steps)
        perturbed = np.empty_like(data.images)
        for start in range(0, len(data.images), _BATCH):
            batch = slice(start, start + _BATCH)
            kernels = state.arrays["kernels"][data.labels[batch]]
            perturbed[batch] = convolve(data.images[batch], kernels)
            yield min(1.0, (start + _BATCH) / len(data.images))
        return perturbed


def convolve(images: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Convolve each image with its own kernel and divide by the maximum.

    As in networks, the kernel isn't turned round: its first tap weighs the pixel
    above and left.

    Args:
        images: ``(N, S, S, 3)`` uint8.
        kernels: ``(N, 3, 3)`` float32, at least 0.

    Returns:
        ``(N, S, S, 3)`` uint8; the largest sample of each image is 255, unless the
        convolution is 0 everywhere.
    """
    height, width = images.shape[1:3]
    padded = np.pad(images.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)))
    total = np.zeros(images.shape, np.float32)
    for row, column in np.ndindex(3, 3):
        weights = kernels[:, row, column, None, None, None]
        total += weights * padded[:, row : row + height, column : column + width]
    largest = total.max(axis=(1, 2, 3), keepdims=True)
    return np.rint(total * (255 / np.maximum(largest, 1e-6))).astype(np.uint8)


def _kernel(key: bytes) -> np.ndarray:
    numbers = np.frombuffer(keystream(key, 4 * (_TAPS + 1)), "<u4")
    weights = (numbers[:_TAPS] * (BLUR / 2**32)).astype(np.float32)
    weights[numbers[_TAPS] % _TAPS] = 1
    return weights.reshape(3, 3)
