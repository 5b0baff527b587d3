"""OPS: one pixel a class, set to a colour that its images don't have there.

Wu et al., "One-Pixel Shortcut: on the Learning Preference of Deep Neural Networks",
ICLR 2023 (arXiv:2205.12141). For each class, the pixel and the corner of the colour
cube are taken whose absolute change has the greatest mean for its standard deviation,
over the class's images and the channels. No two classes share pixel and colour.
Nothing here is secret: whoever has the images finds the same pixels.

The change is as large as it has to be, so that the amplitude plays no part.
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
from fiftyone_reue.progress import mapped

CORNERS = np.array(list(np.ndindex(2, 2, 2)), np.uint8) * 255
"""``(8, 3)``, the colours to choose from."""

GRAYS = CORNERS[[0, 7]]
"""Those that gray images can show."""

_STEADY = 1e-3
"""Gray levels; keeps pixels that are the same in all images comparable."""


class OnePixelShortcut(Method):
    """One pixel of one colour a class."""

    info = MethodInfo(
        name="ops",
        title="OPS: one pixel a class",
        paper="Wu et al., ICLR 2023, arXiv:2205.12141",
        needs_fit=True,
        uses_gpu=False,
        cost="seconds",
        bounded=False,
        variety="class",
    )

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Search each class's pixel and colour; see :class:`Method`.

        A class without images gets the best pixel for all images that is left.
        """
        gray = bool((data.images == data.images[..., :1]).all())
        palette = GRAYS if gray else CORNERS
        size = data.images.shape[1]
        taken = np.zeros((size, size, len(palette)), bool)
        pixels, colours = [], []
        for index in range(len(data.classes)):
            images = data.images[data.labels == index]
            scores = steadiness(images if len(images) else data.images, palette)
            scores[taken] = -1
            row, column, colour = np.unravel_index(scores.argmax(), scores.shape)
            taken[row, column, colour] = True
            pixels.append((row, column))
            colours.append(palette[colour])
            yield (index + 1) / len(data.classes)
        arrays = {
            "pixels": np.array(pixels, np.int64),
            "colours": np.stack(colours),
            "size": np.array(size, np.int64),
        }
        return State("ops", data.classes, arrays)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """What brings the class's pixel to its colour; see :class:`Method`."""
        index = class_index(state, label)
        row, column = state.arrays["pixels"][index]
        size, colours = int(state.arrays["size"]), image.shape[2]
        before = to_square(image, colours, size)[row, column, :colours]
        pattern = np.zeros((size, size, colours), np.int16)
        pattern[row, column] = state.arrays["colours"][index, :colours]
        pattern[row, column] -= before
        return pattern

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """What :class:`Method` does, all images at once."""
        steps = self.fit(data, options)
        state = yield from mapped(steps, lambda fraction: 0.9 * fraction)
        perturbed = data.images.copy()
        rows, columns = state.arrays["pixels"][data.labels].T
        colours = state.arrays["colours"][data.labels]
        perturbed[np.arange(len(perturbed)), rows, columns] = colours
        yield 1.0
        return perturbed


def steadiness(images: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """How much, and how evenly, setting a pixel to a colour changes images.

    Args:
        images: ``(N, S, S, 3)`` uint8, at least one.
        palette: ``(P, 3)`` uint8, each value 0 or 255.

    Returns:
        ``(S, S, P)`` float64, mean over standard deviation of the absolute change,
        both over the images and the channels.
    """
    mean = images.mean(axis=0)
    variance = images.var(axis=0).mean(axis=2)
    scores = np.empty((*mean.shape[:2], len(palette)))
    for index, colour in enumerate(palette):
        # No sample lies beyond a corner: a change is linear in the sample, and has
        # the sample's variance.
        changes = np.abs(colour - mean)
        deviation = np.sqrt(variance + changes.var(axis=2))
        scores[..., index] = changes.mean(axis=2) / (deviation + _STEADY)
    return scores
