"""Scenes drawn from pseudo-random bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from fiftyone_reue.prf import keystream
from fiftyone_reue.semantics.fixed import TURN, UNIT
from fiftyone_reue.semantics.scene import (
    BACKGROUNDS,
    LAYOUTS,
    PATTERNS,
    Background,
    Colour,
    Scene,
    Texture,
    Thing,
)
from fiftyone_reue.semantics.shapes import SHAPES, UPRIGHT

DRAWS = 64
"""Numbers that one scene may use."""

_HUES: tuple[Colour, ...] = (
    (230, 40, 40),
    (240, 130, 20),
    (235, 210, 30),
    (130, 200, 40),
    (30, 150, 60),
    (20, 170, 160),
    (40, 140, 230),
    (40, 60, 200),
    (120, 50, 200),
    (210, 50, 190),
    (240, 90, 140),
    (140, 90, 50),
    (128, 128, 128),
)
_SHAPE_NAMES, _LAYOUT_NAMES = tuple(SHAPES), tuple(LAYOUTS)

T = TypeVar("T")


class Draws:
    """Numbers from a row of pseudo-random words, one after the other."""

    def __init__(self, words: Sequence[int]) -> None:
        """Args: words: 0..2**32 - 1 each."""
        self._words = iter(words)

    def below(self, end: int) -> int:
        """A number of 0..end - 1."""
        return next(self._words) * end >> 32

    def within(self, lowest: int, highest: int) -> int:
        """A number of ``lowest``..``highest``, both included."""
        return lowest + self.below(highest - lowest + 1)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of some things."""
        return choices[self.below(len(choices))]


def keyed_words(key: bytes, rows: int, columns: int) -> list[list[int]]:
    """Rows of pseudo-random words, each 0..2**32 - 1; ``key`` has 32 bytes."""
    words = np.frombuffer(keystream(key, rows * columns * 4), "<u4")
    return words.reshape(rows, columns).tolist()


def drawn_scene(draws: Draws) -> Scene:
    """Any scene: light objects before something dark, or dark before light."""
    dark_behind = draws.below(2) == 1
    background = _drawn_background(draws, dark_behind)
    layout = draws.one_of(_LAYOUT_NAMES)
    kinds = 1 if len(LAYOUTS[layout]) == 1 else draws.within(1, 2)
    things = tuple(_drawn_thing(draws, not dark_behind) for _ in range(kinds))
    return Scene(background, layout, things)


def toned(hue: Colour, luma: int) -> Colour:
    """A hue as dark or light as it should be, 0..255 in luma."""
    has = (77 * hue[0] + 150 * hue[1] + 29 * hue[2]) // 256
    if luma <= has:
        red, green, blue = (value * luma // has for value in hue)
    else:
        red, green, blue = (
            value + (255 - value) * (luma - has) // (255 - has) for value in hue
        )
    return red, green, blue


def _drawn_background(draws: Draws, dark: bool) -> Background:
    kind = draws.one_of(BACKGROUNDS)
    # Middling tones leave the objects their contrast.
    tones = ((8, 40), (60, 105)) if dark else ((215, 248), (150, 195))
    order = draws.below(2)
    near = _drawn_texture(draws, tones[order], plain=4)
    far = _drawn_texture(draws, tones[1 - order], plain=9)
    level = draws.within(1000, 2200) if kind == "bands" else draws.within(-900, 1700)
    return Background(kind, draws.below(16) * TURN // 16, level, near, far)


def _drawn_thing(draws: Draws, dark: bool) -> Thing:
    shape = draws.one_of(_SHAPE_NAMES)
    steps, mirrored = draws.below(16), draws.below(2) == 1
    angle = 0 if shape in UPRIGHT else steps * TURN // 16
    tones = (5, 45) if dark else (210, 252)
    return Thing(shape, angle, mirrored, _drawn_texture(draws, tones, plain=2))


def _drawn_texture(draws: Draws, tones: tuple[int, int], plain: int) -> Texture:
    """A texture whose first colour has a luma in a range.

    It is plain ``plain`` times as often as it is any other kind.
    """
    kind = draws.one_of(("plain",) * plain + PATTERNS)
    first, second = draws.one_of(_HUES), draws.one_of(_HUES)
    luma = draws.within(*tones)
    # The other colour is nearer to the middle, so that both stand out.
    other = luma + draws.within(45, 80) * (1 if luma < 128 else -1)
    return Texture(
        kind,
        draws.below(16) * TURN // 16,
        draws.within(UNIT // 5, UNIT // 2),
        draws.below(UNIT),
        (toned(first, luma), toned(second, other)),
    )
