"""How many images it takes until their recipient is named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fiftyone_reue.watermark import evidence
from fiftyone_reue.watermark.readings import Reading

RECIPIENTS = 1000
"""Among so many the recipient is named, at 1e-6."""

SETS = 200
SHARE = 0.95


def images_needed(
    readings: Sequence[Reading | None], seed: bytes, most: int
) -> int | None:
    """How many images name their recipient in 95 % of sets; None for more than most.

    Args:
        readings: of one recipient's images; None of those whose original wasn't found,
            which count as images all the same.
        seed: of the recipient's codes.
        most: more aren't tried, nor more than there are.
    """
    draw = np.random.default_rng(0)

    def named(count: int) -> float:
        found = 0
        for _ in range(SETS):
            places = draw.choice(len(readings), count, replace=False)
            some = [one for place in places if (one := readings[place]) is not None]
            seen = evidence.weigh(some, {"recipient": seed}, tested=RECIPIENTS)
            found += seen.decided
        return found / SETS

    most = min(most, len(readings))
    low, high = 0, 1
    while named(high) < SHARE:
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if named(middle) >= SHARE else (middle, high)
    return high
