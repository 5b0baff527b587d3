"""Scenes to pixels, in integers alone."""

from __future__ import annotations

import numpy as np

from fiftyone_reue.semantics.fixed import UNIT, root, turned
from fiftyone_reue.semantics.scene import (
    LAYOUTS,
    NO_SCALING,
    Background,
    Camera,
    Scene,
    Spot,
    Texture,
    Thing,
)
from fiftyone_reue.semantics.shapes import SHAPES

SAMPLES = 4
"""Points a pixel, across and down."""


def bank_image(scene: Scene, size: int, samples: int = SAMPLES) -> np.ndarray:
    """A scene as an image, the same bytes on every machine.

    Args:
        scene: what it shows.
        size: side in pixels, at least 1.
        samples: points a pixel, across and down, that its colour is the mean of.

    Returns:
        ``(size, size, 3)`` uint8.
    """
    x, y = _seen(scene.camera, size * samples)
    points = _background(scene.background, x, y)
    spots = LAYOUTS[scene.layout]
    owner, left, top = _owners(spots, x, y)
    for index, thing in enumerate(scene.things):
        turn = owner % len(scene.things) == index
        inside = turn & _inside(thing, left, top)
        points[inside] = _filled(thing.texture, x[inside], y[inside])
    blocks = points.reshape(size, samples, size, samples, 3)
    total = blocks.sum(axis=(1, 3), dtype=np.int64)
    count = samples * samples
    return ((2 * total + count) // (2 * count)).astype(np.uint8)


def _seen(camera: Camera, side: int) -> tuple[np.ndarray, np.ndarray]:
    """What points ``side`` x ``side`` samples show of the scene, across and down."""
    line = (2 * np.arange(side, dtype=np.int64) + 1) * UNIT // side - UNIT
    across, down = np.meshgrid(line - camera.across, line - camera.down)
    x, y = turned(across, down, camera.angle)
    return x * NO_SCALING // camera.scale, y * NO_SCALING // camera.scale


def _owners(
    spots: tuple[Spot, ...], x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which spot each point belongs to, and where it lies there.

    A point belongs to the spot whose disc it is deepest in or least far from, so that
    one test of all points draws all objects of one kind.

    Returns:
        The spots' indices, and the points' coordinates across and down, as if the
        spot's centre were the origin and its radius ``UNIT``.
    """
    depths = [(x - a) ** 2 + (y - d) ** 2 - r * r for a, d, r in spots]
    owner = np.argmin(depths, axis=0)
    across, down, radius = np.array(spots, np.int64)[owner].transpose(2, 0, 1)
    return owner, (x - across) * UNIT // radius, (y - down) * UNIT // radius


def _inside(thing: Thing, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points, seen from the object's centre, are of the object."""
    x, y = turned(x, y, thing.angle)
    return SHAPES[thing.shape](-x if thing.mirrored else x, y)


def _filled(texture: Texture, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The colours of a texture's points, ``x.shape + (3,)`` int64."""
    colours = np.array(texture.colours, np.int64)
    return colours[_second(texture, x, y).astype(np.int64)]


def _second(texture: Texture, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points have the second of a texture's colours."""
    period, half = texture.period, texture.period // 2
    if texture.kind == "plain":
        return np.zeros(x.shape, bool)
    if texture.kind == "rings":
        return (root(x * x + y * y) + texture.phase) % period < half
    x, y = turned(x, y, texture.angle)
    across = (x + texture.phase) % period
    if texture.kind == "stripes":
        return across < half
    down = (y + texture.phase) % period
    if texture.kind == "checker":
        return (across < half) ^ (down < half)
    middle = (across - half) ** 2 + (down - half) ** 2
    return middle * 10 <= period * period


def _background(background: Background, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The colours behind the objects, ``x.shape + (3,)`` int64."""
    near = _filled(background.near, x, y)
    if background.kind == "flat":
        return near
    weight = _distance(background, x, y)[..., None]
    far = _filled(background.far, x, y)
    return (near * (UNIT - weight) + far * weight) // UNIT


def _distance(background: Background, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How much of the far colours points have, 0..UNIT."""
    kind, level = background.kind, background.level
    if kind == "vignette":
        return (root(x * x + y * y) * 3 // 4).clip(0, UNIT)
    if kind == "horizon":
        return np.where(y < level, UNIT, 0)
    x, y = turned(x, y, background.angle)
    if kind == "gradient":
        return ((x + UNIT) // 2).clip(0, UNIT)
    if kind == "split":
        return np.where(x < level, UNIT, 0)
    if kind == "bands":
        return np.where(x % (2 * level) < level, UNIT, 0)
    return np.where((x < 0) ^ (y < 0), UNIT, 0)
