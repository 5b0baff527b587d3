"""Scenes drawn in hatching, a kind of stripes for each class.

A scene in plain shades is lost on networks that look at textures, and at 32 pixels it
is little more than shades: hidden as it is, models learned next to nothing of it. Drawn
in its class's stripes (:mod:`fiftyone_reue.perturb.gratings`), with light and dark
exchanged where the scene is light, it is a texture that is learned at once and still a
scene to look at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fiftyone_reue.perturb.gratings import Wave, summed_waves

DARK, LIGHT = 48, 208


def hatched(
    scene: np.ndarray, waves: Sequence[Wave], phases: Sequence[int]
) -> np.ndarray:
    """Draw a scene in stripes.

    Args:
        scene: ``(h, w)`` uint8.
        waves: cycles over the scene, down and across, of the waves that are summed.
        phases: one for each wave, in 1/1024 turns.

    Returns:
        ``(h, w)`` uint8 of :data:`DARK` and :data:`LIGHT`, the same on every machine.
    """
    total = summed_waves(waves, phases, *scene.shape)
    light = scene > np.sort(scene, axis=None)[scene.size // 2]
    return np.where((total >= 0) == light, LIGHT, DARK).astype(np.uint8)
