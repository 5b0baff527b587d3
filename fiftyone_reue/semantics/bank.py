"""A bank of scenes: one a class, far apart, and variants of each that are alike.

Everything follows from a key. What decides is integers, so that two machines never
disagree about a scene.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.prf import derive
from fiftyone_reue.semantics.draws import DRAWS, Draws, drawn_scene, keyed_words
from fiftyone_reue.semantics.fixed import TURN, UNIT
from fiftyone_reue.semantics.render import bank_image
from fiftyone_reue.semantics.scene import (
    NO_SCALING,
    Background,
    Camera,
    Colour,
    Scene,
    Texture,
    Thing,
)

MOST_CLASSES = 2048
"""Half of the largest pool: with more there would be little to choose from."""
_SMALLEST_POOL, _LARGEST_POOL = 512, 2 * MOST_CLASSES
_POOL_A_CLASS = 8

_SHIFT = 2 * UNIT * 6 // 100
_GROWTH = NO_SCALING // 10
_TILT = TURN * 8 // 360
"""How far a variant's camera goes: 6 % of the side, a tenth, 8 degrees."""
_TINT = 12
"""How far a variant's colours go, in each channel."""

_DESCRIBED = 16
"""The side of the image that a scene is described by."""


def class_scenes(classes: int, key: bytes) -> list[Scene]:
    """A scene for each class, as far apart as a pool of them goes.

    Args:
        classes: 1..MOST_CLASSES.
        key: at least 16 random bytes; the scenes depend on nothing else.

    Raises:
        InputError: there are too many classes.
    """
    if classes > MOST_CLASSES:
        raise InputError(
            f"{classes} classes are more than the {MOST_CLASSES} that the bank of "
            "scenes can tell apart; give a folder of your own images to hide, or "
            "choose another method, such as lsp"
        )
    pool = min(max(_SMALLEST_POOL, _POOL_A_CLASS * classes), _LARGEST_POOL)
    rows = keyed_words(derive(key, "semantic-scenes"), pool, DRAWS)
    scenes = [drawn_scene(Draws(row)) for row in rows]
    points = np.stack([descriptor(_sketch(scene)) for scene in scenes])
    return [scenes[index] for index in _farthest(points, classes)]


def variant(scene: Scene, key: bytes, number: int) -> Scene:
    """The same scene seen and painted a little differently.

    Args:
        scene: what it is a variant of.
        key: at least 16 random bytes, another one for each scene.
        number: which variant, any integer.
    """
    (row,) = keyed_words(derive(key, "semantic-variant", str(number)), 1, DRAWS)
    draws = Draws(row)
    camera = Camera(
        _around_zero(draws, _SHIFT),
        _around_zero(draws, _SHIFT),
        NO_SCALING + _around_zero(draws, _GROWTH),
        _around_zero(draws, _TILT),
    )
    return replace(
        scene,
        background=_varied_background(draws, scene.background),
        things=tuple(_varied_thing(draws, thing) for thing in scene.things),
        camera=camera,
    )


def class_images(classes: int, key: bytes, variants: int, size: int) -> np.ndarray:
    """The bank's images of so many classes.

    Args:
        classes: 1..MOST_CLASSES.
        key: at least 16 random bytes.
        variants: images a class, at least 1.
        size: side in pixels.

    Returns:
        ``(classes, variants, size, size, 3)`` uint8.

    Raises:
        InputError: there are too many classes.
    """
    images = np.empty((classes, variants, size, size, 3), np.uint8)
    for index, scene in enumerate(class_scenes(classes, key)):
        own_key = derive(key, "semantic-class", str(index))
        for number in range(variants):
            images[index, number] = bank_image(variant(scene, own_key, number), size)
    return images


def descriptor(image: np.ndarray) -> np.ndarray:
    """What is compared when scenes are to be far apart.

    Args:
        image: ``(S, S, 3)`` uint8, S a multiple of 8.

    Returns:
        ``(68,)`` int64: luma in 8 x 8 cells, how much luma changes across and down,
        and how far red and blue lie from green.
    """
    wide = image.astype(np.int64)
    luma = wide @ np.array([77, 150, 29])
    cell = len(image) // 8
    cells = luma.reshape(8, cell, 8, cell).sum(axis=(1, 3)) // (256 * cell * cell)
    changes = [
        np.abs(np.diff(luma, axis=axis)).sum() // (32 * luma.size) for axis in (0, 1)
    ]
    red, green, blue = wide.reshape(-1, 3).sum(axis=0) * 2 // luma.size
    return np.array([*cells.ravel(), *changes, red - green, blue - green], np.int64)


def _sketch(scene: Scene) -> np.ndarray:
    """The image that a scene is described by, ``(16, 16, 3)`` uint8."""
    return bank_image(scene, _DESCRIBED, samples=2)


def _farthest(points: np.ndarray, count: int) -> list[int]:
    """So many points, each the farthest from those before it; the first comes first.

    Args:
        points: ``(N, D)`` int64.
        count: at most N.
    """
    chosen = [0]
    nearest = np.full(len(points), np.iinfo(np.int64).max)
    while len(chosen) < count:
        apart = points - points[chosen[-1]]
        nearest = np.minimum(nearest, (apart * apart).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return chosen


def _around_zero(draws: Draws, most: int) -> int:
    """A number of -most..most, more often a small one."""
    return draws.within(0, most) - draws.within(0, most)


def _varied_background(draws: Draws, background: Background) -> Background:
    near = _varied_texture(draws, background.near)
    return replace(background, near=near, far=_varied_texture(draws, background.far))


def _varied_thing(draws: Draws, thing: Thing) -> Thing:
    return replace(thing, texture=_varied_texture(draws, thing.texture))


def _varied_texture(draws: Draws, texture: Texture) -> Texture:
    one, other = texture.colours
    quarter = texture.period // 4
    return replace(
        texture,
        period=texture.period * draws.within(92, 108) // 100,
        phase=texture.phase + draws.within(-quarter, quarter),
        colours=(_varied_colour(draws, one), _varied_colour(draws, other)),
    )


def _varied_colour(draws: Draws, colour: Colour) -> Colour:
    red, green, blue = (
        min(max(value + draws.within(-_TINT, _TINT), 0), 255) for value in colour
    )
    return red, green, blue
