"""The matched filter for ``rue``'s stripes: a thief who has the package, not the key.

The code book says which frequencies the classes have. A stripe's edge is a step of
twice the amplitude along a whole row or column, and a photograph has few of those: the
stripe that, taken away, leaves the least of such steps is the one that is there.
"""

from __future__ import annotations

import numpy as np

from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import clipped
from fiftyone_reue.perturb.gratings import CELLS, class_codes, grating

PHASES = 128
"""Of each stripe that are tried."""


def stripes(classes: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Every stripe that a class may have, as a profile.

    Args:
        classes: as many as a lone wave each suffices for.
        side: of the images, pixels.

    Returns:
        ``(n, side)`` int8, -1 or 1, and ``(n,)`` bool, whether it changes from row to
        row (else from column to column).
    """
    profiles, down = [], []
    for waves in class_codes(classes):
        vertical = waves[0][0] > 0
        for phase in np.arange(PHASES) / PHASES:
            tile = grating(waves, np.array([phase]), CELLS, 1)
            if side < CELLS:
                tile = tile[:side, :side]
            whole = expand(tile, side, side)[..., 0]
            profiles.append(whole[:, 0] if vertical else whole[0])
            down.append(vertical)
    found, first = np.unique(
        np.column_stack([np.stack(profiles), np.array(down)]), axis=0, return_index=True
    )
    return found[:, :-1].astype(np.int8), np.array(down)[first]


def without_stripes(images: np.ndarray, classes: int, amplitude: int) -> np.ndarray:
    """Images without the stripe that each most likely has.

    Args:
        images: ``(N, S, S, 3)`` uint8.
        classes: how many the release has.
        amplitude: the stripes', gray levels.
    """
    side = images.shape[1]
    profiles, down = stripes(classes, side)
    gray = images.mean(axis=3, dtype=np.float32)
    steps = (
        np.median(np.diff(gray, axis=1), axis=2),
        np.median(np.diff(gray, axis=2), axis=1),
    )
    left = np.empty((len(images), len(profiles)), np.float32)
    for vertical, step in zip((True, False), steps, strict=True):
        these = np.flatnonzero(down == vertical)
        before = np.abs(step).sum(axis=1)
        for place in these:
            after = step - amplitude * np.diff(profiles[place].astype(np.int16))
            left[:, place] = np.abs(after).sum(axis=1) - before
    best = left.argmin(axis=1)
    lines = amplitude * profiles[best].astype(np.int16)
    vertical = down[best][:, None, None]
    offset = np.where(vertical, lines[:, :, None], lines[:, None, :])
    return clipped(images, -offset[..., None])
