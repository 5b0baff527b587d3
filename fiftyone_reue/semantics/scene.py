"""What a scene consists of: integers and names, nothing drawn yet.

Lengths are in units of ``fixed.UNIT`` to half the visible side, angles in parts of
``fixed.TURN``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fiftyone_reue.semantics.fixed import ONE, TURN, cosine, sine

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""
Spot = tuple[int, int, int]
"""Across, down and radius of an object."""

PATTERNS = ("stripes", "dots", "checker", "rings")
BACKGROUNDS = ("flat", "gradient", "horizon", "vignette", "split", "bands", "quarters")
NO_SCALING = 1024
"""The camera's scale at which nothing grows or shrinks."""


@dataclass(frozen=True)
class Texture:
    """A two-coloured pattern.

    Attributes:
        kind: one of PATTERNS, or "plain".
        angle: in parts of a turn.
        period: length of one repetition, at least 2.
        phase: how far it is moved along.
        colours: the pattern's two; of a plain one, the first only.
    """

    kind: str
    angle: int
    period: int
    phase: int
    colours: tuple[Colour, Colour]


@dataclass(frozen=True)
class Background:
    """What is behind the objects.

    Attributes:
        kind: one of BACKGROUNDS.
        angle: in parts of a turn, of those with a direction.
        level: where the border lies, or the width of a band, in lengths.
        near: the texture of the ground, the centre, the first half.
        far: the texture of the sky, the edge, the second half.
    """

    kind: str
    angle: int
    level: int
    near: Texture
    far: Texture


@dataclass(frozen=True)
class Thing:
    """An object, drawn once at each of its spots.

    Attributes:
        shape: one of ``shapes.SHAPES``.
        angle: in parts of a turn.
        mirrored: whether left and right are exchanged.
        texture: what it is filled with.
    """

    shape: str
    angle: int
    mirrored: bool
    texture: Texture


@dataclass(frozen=True)
class Camera:
    """Where the scene is seen from.

    Attributes:
        across: how far everything is moved to the right.
        down: how far everything is moved down.
        scale: how large everything is, in units of 1/NO_SCALING.
        angle: how far everything is turned clockwise, in parts of a turn.
    """

    across: int = 0
    down: int = 0
    scale: int = NO_SCALING
    angle: int = 0


@dataclass(frozen=True)
class Scene:
    """A scene, all that its image depends on.

    Attributes:
        background: what is behind.
        layout: one of LAYOUTS.
        things: take the layout's spots in turn; at least one.
        camera: where it is seen from.
    """

    background: Background
    layout: str
    things: tuple[Thing, ...]
    camera: Camera = Camera()


def _around(count: int, distance: int, radius: int) -> tuple[Spot, ...]:
    angles = [TURN * spot // count - TURN // 4 for spot in range(count)]
    return tuple(
        (distance * cosine(angle) // ONE, distance * sine(angle) // ONE, radius)
        for angle in angles
    )


def _lattice(
    columns: tuple[int, ...], rows: tuple[int, ...], radius: int
) -> tuple[Spot, ...]:
    return tuple((across, down, radius) for down in rows for across in columns)


_WIDE, _NARROW = (-2600, 0, 2600), (-1950, 1950)

_LAYOUTS: dict[str, tuple[Spot, ...]] = {
    "single": ((0, 0, 3400),),
    "giant": ((0, 0, 5300),),
    "upper left": ((-1300, -1300, 2600),),
    "upper right": ((1300, -1300, 2600),),
    "lower left": ((-1300, 1300, 2600),),
    "lower right": ((1300, 1300, 2600),),
    "left edge": ((-3300, 0, 4200),),
    "right edge": ((3300, 0, 4200),),
    "upper edge": ((0, -3300, 4200),),
    "lower edge": ((0, 3300, 4200),),
    "beside": _lattice(_NARROW, (0,), 1900),
    "above": _lattice((0,), _NARROW, 1900),
    "row": _lattice(_WIDE, (0,), 1350),
    "column": _lattice((0,), _WIDE, 1350),
    "two rows": _lattice(_WIDE, (-1900, 1900), 1300),
    "two columns": _lattice((-1900, 1900), _WIDE, 1300),
    "four": _lattice(_NARROW, _NARROW, 1800),
    "nine": _lattice(_WIDE, _WIDE, 1250),
    "falling": ((-2500, -2500, 1550), (0, 0, 1550), (2500, 2500, 1550)),
    "rising": ((-2500, 2500, 1550), (0, 0, 1550), (2500, -2500, 1550)),
    "circle": _around(6, 2650, 1250),
    "trio": _around(3, 2100, 1700),
    "framed": ((0, 0, 2000), *_lattice((-2950, 2950), (-2950, 2950), 1000)),
    "moon": ((-1100, 900, 2500), (2500, -2500, 1150)),
}

LAYOUTS: Mapping[str, tuple[Spot, ...]] = MappingProxyType(_LAYOUTS)
"""Where a scene's objects stand."""
