"""Take the strongest lines out of each image's spectrum."""

from __future__ import annotations

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import Filter

LINES = 4
"""How many lines are taken out of each image."""
LOWEST = 4
"""Cycles an image below which a line is left: photographs have their own there."""
NEIGHBOURS = 2
"""Bins around a line, in each direction, that say what would be usual there."""


class LineFilter(Filter):
    """For a thief who knows that a perturbation is periodic, as that of ``rue`` is.

    In the spectrum of an image, the lines that stand out most beyond the 1/f of
    photographs are brought down to the median of their neighbours, in every channel
    alike. It needs nothing but the image. No paper: it is the obvious attack on
    gratings, and the audit has to hold it against them.
    """

    info = CountermeasureInfo(
        "line_filter",
        "Strongest lines of the spectrum removed",
        "",
        "filter",
        {"lines": LINES, "lowest": LOWEST, "neighbours": NEIGHBOURS},
    )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        return np.stack([without_lines(image) for image in images])


def without_lines(image: np.ndarray) -> np.ndarray:
    """Remove the strongest lines of one ``(S, S, 3)`` uint8 image."""
    size = image.shape[0]
    spectrum = np.fft.fft2(image.astype(np.float64), axes=(0, 1))
    magnitude = np.abs(spectrum).mean(axis=2)
    along = np.abs(np.fft.fftfreq(size) * size)
    radius = np.hypot(along[:, None], along[None, :])
    salience = np.where(radius >= LOWEST, radius * magnitude, 0)
    for _ in range(LINES):
        down, across = np.unravel_index(int(salience.argmax()), salience.shape)
        if not salience[down, across]:
            break  # a flat image
        wanted = _usual(magnitude, int(down), int(across))
        # A real image's spectrum has each line twice.
        for line in ((down, across), (-down % size, -across % size)):
            spectrum[line] *= min(1.0, wanted / max(magnitude[line], 1e-9))
            salience[line] = 0
    filtered = np.fft.ifft2(spectrum, axes=(0, 1)).real
    return np.rint(filtered).clip(0, 255).astype(np.uint8)


def _usual(magnitude: np.ndarray, down: int, across: int) -> float:
    size = len(magnitude)
    reach = np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    around = magnitude[np.ix_((down + reach) % size, (across + reach) % size)]
    return float(np.median(around))
