"""COCO's run lengths, as numbers or as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_FIRST = 48
"""The character that stands for 0."""


def counts_of(runs: str | Sequence[int], pixels: int) -> np.ndarray:
    """The lengths of a mask's runs.

    Args:
        runs: numbers, or the text that pycocotools makes of them: each run less the
            one before the last, in digits of five bits, the lowest one first.
        pixels: of the mask.

    Returns:
        ``(n,)`` int64, what isn't of the mask first.

    Raises:
        ValueError: they aren't of a mask with so many pixels.
    """
    numbers = _from_text(runs) if isinstance(runs, str) else list(runs)
    if not all(isinstance(n, int) and 0 <= n <= pixels for n in numbers):
        raise ValueError("a run is negative, too long or no whole number")
    if sum(numbers) != pixels:
        raise ValueError(f"its runs make {sum(numbers)} pixels, not {pixels}")
    return np.array(numbers, np.int64)


def _from_text(text: str) -> list[int]:
    numbers: list[int] = []
    number = digits = 0
    for character in text:
        digit = ord(character) - _FIRST
        if not 0 <= digit < 64 or digits > 12:
            raise ValueError("its text isn't what run lengths are written as")
        number |= (digit & 31) << 5 * digits
        digits += 1
        if digit & 32:
            continue
        if digit & 16:
            number -= 1 << 5 * digits
        numbers.append(number + (numbers[-2] if len(numbers) > 2 else 0))
        number = digits = 0
    if digits:
        raise ValueError("its text is cut short")
    return numbers
