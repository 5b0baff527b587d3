"""Plane geometry in integers, so that a scene has the same bytes on every machine.

The visible square reaches from ``-UNIT`` to ``UNIT`` both across and down. Angles are
in ``TURN`` parts of a full turn, clockwise, since down is positive. Divisions round
down everywhere. Nothing passes through floating point but square roots, which
IEEE 754 rounds correctly.
"""

from __future__ import annotations

import numpy as np

UNIT = 4096
"""Half the side of what is visible."""
TURN = 1024
"""Parts of a full turn."""
ONE = 16384
"""What the table of sines calls 1."""

_PI = 3141592653589793238462643383279
_SCALE = 10**30


def _sine(angle: int) -> int:
    """A sine in units of 1/ONE, exactly rounded: a Taylor series in big integers.

    Args:
        angle: within the first quarter turn, 0..TURN // 4.
    """
    x = 2 * _PI * angle // TURN
    term, total, order, sign = x, x, 1, -1
    while term:
        term = term * x // _SCALE * x // _SCALE // ((order + 1) * (order + 2))
        total += sign * term
        order, sign = order + 2, -sign
    return (total * ONE * 2 + _SCALE) // (2 * _SCALE)


def _sines() -> np.ndarray:
    quarter = [_sine(angle) for angle in range(TURN // 4 + 1)]
    half = quarter + quarter[-2:0:-1]
    return np.array(half + [-sine for sine in half], np.int64)


SINES = _sines()
"""``(TURN,)`` int64, the sine of every angle in units of 1/ONE."""


def sine(angle: int) -> int:
    """The sine of any angle in units of 1/ONE."""
    return int(SINES[angle % TURN])


def cosine(angle: int) -> int:
    """The cosine of any angle in units of 1/ONE."""
    return sine(angle + TURN // 4)


def turned(x: np.ndarray, y: np.ndarray, angle: int) -> tuple[np.ndarray, np.ndarray]:
    """Where points lie for somebody who has turned by an angle.

    Args:
        x: across, int64, any shape.
        y: down, the same shape.
        angle: in parts of a turn, clockwise.

    Returns:
        Both coordinates, int64, the same shape.
    """
    if angle % TURN == 0:
        return x, y
    s, c = sine(angle), cosine(angle)
    return (x * c + y * s) // ONE, (y * c - x * s) // ONE


def root(squares: np.ndarray) -> np.ndarray:
    """The largest integers whose squares are at most these.

    Args:
        squares: int64, 0..2**52, any shape.
    """
    # Correctly rounded, no root of fewer than 53 bits reaches the next integer.
    return np.sqrt(squares.astype(np.float64)).astype(np.int64)
