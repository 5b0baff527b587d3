"""Scenes drawn in hatching, a kind of stripes for each class.

A scene in plain shades is lost on networks that look at textures, and at 32 pixels it
is little more than shades: hidden as it is, models learned next to nothing of it. Drawn
in its class's stripes (:mod:`fiftyone_reue.perturb.gratings`), which are shifted where
the scene is dark, it is a texture that is learned at once and still a scene to look at.

The less the stripes are interrupted, the sooner they are learned. So the dark parts
are shifted by a quarter of a period, and not all at once but over a few pixels: fringes
that bend. Where they bend is to be seen by comparing them with stripes that aren't
bent (:func:`scene_in`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.perturb.gratings import Wave, summed_waves
from fiftyone_reue.semantics.fixed import TURN

DARK, LIGHT = 48, 208

_FINE = 16
"""Steps of a phase in 1/1024 turn, while it is being softened."""
_FINEST = 32
"""An edge is softened over cells of the shorter side divided by this."""
_NEAR = 12
"""Stripes are compared over squares of about the shorter side divided by this."""


@dataclass(frozen=True)
class Hatching:
    """How a scene's dark parts are told from its light ones.

    Attributes:
        turn: by how much their stripes are shifted, in 1/1024 turns.
        softenings: how often that is averaged over neighbours.
        balanced: whether the scene's median counts as light where that parts it more
            evenly. Of a scene that is mostly as light as can be, nothing is lighter.
    """

    turn: int
    softenings: int
    balanced: bool


BENT = Hatching(TURN // 4, 2, True)
"""What is hidden today."""
INVERTED = Hatching(TURN // 2, 0, False)
"""Light and dark exchanged at once: how the first releases were made."""


def hatched(
    scene: np.ndarray,
    waves: Sequence[Wave],
    phases: Sequence[int],
    hatching: Hatching = BENT,
) -> np.ndarray:
    """Draw a scene in stripes.

    Args:
        scene: ``(h, w)`` uint8.
        waves: cycles over the scene, down and across, of the waves that are summed.
        phases: one for each wave, in 1/1024 turns.
        hatching: how its dark parts are drawn.

    Returns:
        ``(h, w)`` uint8 of :data:`DARK` and :data:`LIGHT`, the same on every machine.
    """
    height, width = scene.shape
    light = light_parts(scene, hatching)
    turned = (~light) * (hatching.turn * _FINE)
    reach = max(1, min(height, width) // _FINEST)
    for _ in range(hatching.softenings):
        turned = _box_sums(turned, reach) // (2 * reach + 1) ** 2
    total = summed_waves(waves, phases, height, width, turned // _FINE)
    above = (total > 0) | ((total == 0) & light)
    return np.where(above, LIGHT, DARK).astype(np.uint8)


def light_parts(scene: np.ndarray, hatching: Hatching = BENT) -> np.ndarray:
    """Where a scene is light: ``(h, w)`` uint8 to bool, about half of it."""
    median = np.sort(scene, axis=None)[scene.size // 2]
    above, from_there = scene > median, scene >= median
    uneven = [abs(2 * int(part.sum()) - scene.size) for part in (above, from_there)]
    return from_there if hatching.balanced and uneven[1] < uneven[0] else above


def scene_in(
    drawn: np.ndarray,
    waves: Sequence[Wave],
    phases: Sequence[int],
    hatching: Hatching = BENT,
) -> np.ndarray:
    """Make a hatched scene visible again, also one that is blurred or noisy.

    Everywhere it is compared with the stripes as they are in light parts and in dark
    ones, over a neighbourhood.

    Args:
        drawn: ``(h, w)`` uint8, what :func:`hatched` drew or what was left of it.
        waves: as for :func:`hatched`.
        phases: likewise.
        hatching: likewise.

    Returns:
        ``(h, w)`` uint8, light where the scene is.
    """
    height, width = drawn.shape
    lit = summed_waves(waves, phases, height, width) > 0
    unlit = summed_waves(waves, phases, height, width, hatching.turn) > 0
    apart = lit.astype(np.float64) - unlit
    contrast = drawn - drawn.mean()
    reach = max(1, min(height, width) // _NEAR)
    power = _smooth(contrast**2, 2 * reach)
    likeness = _smooth(contrast / np.sqrt(power + 1.0) * apart, reach)
    likeness /= _smooth(apart**2, reach) + 0.05
    low, high = np.percentile(likeness, (5, 95))
    shade = (likeness - low) / max(high - low, 1e-9)
    return (255 * shade.clip(0, 1)).round().astype(np.uint8)


def _smooth(values: np.ndarray, reach: int) -> np.ndarray:
    """Nearly a Gaussian's average: boxes three times."""
    each = max(1, reach // 2)
    for _ in range(3):
        values = _box_sums(values, each) / (2 * each + 1) ** 2
    return values


def _box_sums(values: np.ndarray, reach: int) -> np.ndarray:
    """Sums over squares of ``2 * reach + 1`` a side; edges are repeated."""
    sums = np.pad(values, reach, mode="edge")
    for axis in (0, 1):
        length = values.shape[axis]
        parts = [
            np.take(sums, range(n, n + length), axis) for n in range(2 * reach + 1)
        ]
        sums = np.sum(parts, axis=0)
    return sums
