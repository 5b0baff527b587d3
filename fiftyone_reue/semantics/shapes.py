"""The silhouettes of the bank, each a test of points.

Every silhouette lies in the disc of radius ``UNIT`` around the origin and fills much
of it. A test takes ``x`` (across) and ``y`` (down), int64 of one shape, and returns
bool of that shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from fiftyone_reue.semantics.fixed import ONE, SINES, TURN, UNIT, cosine, root, sine

Test = Callable[[np.ndarray, np.ndarray], np.ndarray]
Corner = tuple[int, int]


def _disc(x: np.ndarray, y: np.ndarray, r: int, cx: int = 0, cy: int = 0) -> np.ndarray:
    return (x - cx) ** 2 + (y - cy) ** 2 <= r * r


def _box(
    x: np.ndarray, y: np.ndarray, left: int, top: int, right: int, bottom: int
) -> np.ndarray:
    return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


def _polygon(*corners: Corner) -> Test:
    """The inside of a polygon, by the crossings of a ray to the right."""

    def test(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        inside = np.zeros(x.shape, bool)
        for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
            if y1 == y2:
                continue
            if y1 > y2:
                x1, y1, x2, y2 = x2, y2, x1, y1
            left = (x - x1) * (y2 - y1) < (y - y1) * (x2 - x1)
            inside ^= (y >= y1) & (y < y2) & left
        return inside

    return test


def _rounded(radii: tuple[int, ...], corners: int) -> Test:
    """A polygon around the origin whose corners take these distances in turn."""
    points = []
    for corner in range(corners):
        angle = TURN * corner // corners - TURN // 4
        radius = radii[corner % len(radii)]
        points.append((_along(radius, cosine(angle)), _along(radius, sine(angle))))
    return _polygon(*points)


def _along(length: int, part: int) -> int:
    return length * part // ONE


def _ring(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _disc(x, y, 4000) & ~_disc(x, y, 2100)


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _box(x, y, -2880, -2880, 2880, 2880)


def _frame(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _square(x, y) & ~_box(x, y, -1500, -1500, 1500, 1500)


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    across, down = np.abs(x), np.abs(y)
    return (np.minimum(across, down) <= 1250) & (np.maximum(across, down) <= 3850)


def _crescent(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _disc(x, y, 4000) & ~_disc(x, y, 3100, 1900, -700)


def _heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    lobes = _disc(x, y, 1940, -1750, -1250) | _disc(x, y, 1940, 1750, -1250)
    return lobes | _HEART_POINT(x, y)


_HEART_POINT = _polygon((-3370, -170), (0, -1900), (3370, -170), (0, 3900))


def _spiral(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # A corner-wise angle, 0..4 * UNIT once round, stands in for the true one.
    span = np.abs(x) + np.abs(y) + 1
    quarter = np.where(x >= 0, y * UNIT // span, 2 * UNIT - y * UNIT // span)
    arm = (2 * root(x * x + y * y) - quarter * 2900 // (2 * UNIT)) % 5800
    return _disc(x, y, 4050) & (arm < 3100)


def _wave(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    middle = SINES[(x * TURN // 4200) % TURN] * 1150 // ONE
    bands = np.abs((y - middle + 950) % 1900 - 950) <= 520
    return bands & (np.abs(y - middle) <= 1900 + 520) & _disc(x, y, UNIT)


def _tree(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    crown = _TREE_TOP(x, y) | _TREE_MIDDLE(x, y) | _TREE_FOOT(x, y)
    return crown | _box(x, y, -560, 2000, 560, 3900)


_TREE_TOP = _polygon((0, -4000), (1500, -1700), (-1500, -1700))
_TREE_MIDDLE = _polygon((0, -2900), (2200, 300), (-2200, 300))
_TREE_FOOT = _polygon((0, -1400), (2900, 2500), (-2900, 2500))


def _house(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    walls = _box(x, y, -2500, -500, 2500, 3100) | _box(x, y, 1300, -3100, 2100, -800)
    holes = _box(x, y, -600, 900, 600, 3100) | _box(x, y, 1150, 400, 2000, 1300)
    return (walls | _ROOF(x, y)) & ~holes


_ROOF = _polygon((-3500, -400), (0, -3700), (3500, -400))


def _fish(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    body = ((x + 700) * 2000 // 3200) ** 2 + y * y <= 2000 * 2000
    eye = _disc(x, y, 430, -2300, -500)
    return (body & ~eye) | _FIN(x, y)


_FIN = _polygon((1500, 0), (3500, -1950), (3000, 0), (3500, 1950))


def _drop(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _disc(x, y, 2600, 0, 1350) | _DROP_POINT(x, y)


_DROP_POINT = _polygon((0, -4050), (2330, 200), (-2330, 200))


def _mushroom(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    cap = (x * 3000 // 3700) ** 2 + (y - 100) ** 2 <= 3000 * 3000
    spots = _disc(x, y, 560, -1300, -1050) | _disc(x, y, 560, 1200, -1250)
    return ((cap & (y <= 100)) & ~spots) | _box(x, y, -1000, 0, 1000, 3700)


def _flower(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    inside = np.zeros(x.shape, bool)
    for petal in range(6):
        angle = TURN * petal // 6
        centre = _along(2500, cosine(angle)), _along(2500, sine(angle))
        inside |= _disc(x, y, 1380, *centre)
    return (inside | _disc(x, y, 1900)) & ~_disc(x, y, 900)


def _boat(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _HULL(x, y) | _SAIL(x, y) | _JIB(x, y)


_HULL = _polygon((-3600, 1500), (3600, 1500), (2300, 3200), (-2300, 3200))
_SAIL = _polygon((200, -3900), (3000, 1000), (200, 1000))
_JIB = _polygon((-300, -3000), (-300, 1000), (-2500, 1000))


def _cat(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    head = _disc(x, y, 2900, 0, 800) | _EAR_LEFT(x, y) | _EAR_RIGHT(x, y)
    eyes = _disc(x, y, 520, -1150, 300) | _disc(x, y, 520, 1150, 300)
    return head & ~eyes & ~_NOSE(x, y)


_EAR_LEFT = _polygon((-2750, 200), (-2600, -3000), (-300, -1800))
_EAR_RIGHT = _polygon((2750, 200), (300, -1800), (2600, -3000))
_NOSE = _polygon((-500, 1500), (500, 1500), (0, 2200))


def _leaf(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    blade = _disc(x, y, 4600, -2700, 0) & _disc(x, y, 4600, 2700, 0)
    return blade & ~_box(x, y, -170, -2300, 170, 4096)


def _car(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wheels = _disc(x, y, 950, -2000, 1500) | _disc(x, y, 950, 2000, 1500)
    gaps = _disc(x, y, 1200, -2000, 1500) | _disc(x, y, 1200, 2000, 1500)
    windows = _box(x, y, -1300, -1600, -150, -500) | _box(x, y, 200, -1600, 1250, -500)
    body = _box(x, y, -3600, -300, 3600, 1500) | _CABIN(x, y)
    return (body & ~gaps & ~windows) | wheels


_CABIN = _polygon((-2500, 0), (-1700, -2100), (1500, -2100), (2600, 0))


def _umbrella(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    scallops = _disc(x, y, 1300, -2550, 0) | _disc(x, y, 1300, 2550, 0)
    dome = _disc(x, y, 3900) & (y <= 300) & ~scallops & ~_disc(x, y, 1300)
    hook = _disc(x, y, 950, 650, 2800) & ~_disc(x, y, 420, 650, 2800) & (y >= 2800)
    return dome | _box(x, y, -280, -1400, 280, 2800) | hook


_SHAPES: dict[str, Test] = {
    "disc": lambda x, y: _disc(x, y, 3700),
    "ring": _ring,
    "square": _square,
    "frame": _frame,
    "triangle": _polygon((0, -3900), (3377, 1950), (-3377, 1950)),
    "star": _rounded((4050, 1700), 10),
    "burst": _rounded((4050, 2500), 24),
    "hexagon": _rounded((3900,), 6),
    "cross": _cross,
    "crescent": _crescent,
    "spiral": _spiral,
    "wave": _wave,
    "hourglass": _polygon((-2700, -3000), (2700, -3000), (-2700, 3000), (2700, 3000)),
    "arrow": _polygon(
        (0, -3950),
        (2900, -700),
        (1200, -700),
        (1200, 3500),
        (-1200, 3500),
        (-1200, -700),
        (-2900, -700),
    ),
    "bolt": _polygon(
        (500, -4000),
        (-2300, 500),
        (-300, 500),
        (-1100, 3900),
        (2300, -900),
        (300, -900),
        (1900, -3600),
    ),
    "stairs": _polygon(
        (-2800, 2800),
        (-2800, 1000),
        (-900, 1000),
        (-900, -900),
        (900, -900),
        (900, -2800),
        (2800, -2800),
        (2800, 2800),
    ),
    "heart": _heart,
    "tree": _tree,
    "house": _house,
    "fish": _fish,
    "drop": _drop,
    "mushroom": _mushroom,
    "flower": _flower,
    "boat": _boat,
    "cat": _cat,
    "leaf": _leaf,
    "car": _car,
    "umbrella": _umbrella,
}

SHAPES: Mapping[str, Test] = MappingProxyType(_SHAPES)
"""The silhouettes by name."""

UPRIGHT = frozenset({"tree", "house", "mushroom", "boat", "cat", "car", "umbrella"})
"""Those that are drawn standing, since turned they are hard to recognise."""
