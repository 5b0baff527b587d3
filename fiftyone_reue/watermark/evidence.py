"""From soft bits to a decision whose error rate is bounded for any file.

``Z = sum(c t) / sqrt(sum t^2)`` over all images and bits of a set of suspects. When
the code bits c are fair coins to whoever made the file, Hoeffding's inequality gives
``P(Z >= z) <= exp(-z^2 / 2)``, whatever the file is and whatever was done to it. The
bound is multiplied by the number of recipients tested.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.watermark.codes import code

FALSE_ACCUSATION = 1e-6
"""The bound below which a recipient is named."""

SMALLEST = 1e-300
"""Bounds are cut here, so that none is printed as zero."""

DECOYS = 1000
"""Codes that nobody was ever given, tested beside the recipients' as a check."""


@dataclass(frozen=True)
class Reading:
    """One matched original and what its suspects said.

    Attributes:
        image_id: which original.
        soft: ``(bits,)`` float64 from :func:`fiftyone_reue.watermark.read.soft_bits`.
    """

    image_id: str
    soft: np.ndarray


@dataclass(frozen=True)
class Evidence:
    """What a set of suspects says.

    Attributes:
        recipient_id: the best recipient, or None without any reading.
        z: that recipient's statistic.
        p_value: the bound on naming somebody this firmly by chance, 0 to 1.
        best_innocent_p: the same bound for the best code of anybody else, decoys
            and the other recipients.
        recipients_tested: by how many the bounds were multiplied.
        images: how many originals went in.
        decided: whether ``p_value`` is at most FALSE_ACCUSATION.
        more_images: how many more such images a decision would need, or None.
        scores: each recipient's Z.
    """

    recipient_id: str | None
    z: float
    p_value: float
    best_innocent_p: float
    recipients_tested: int
    images: int
    decided: bool
    more_images: int | None
    scores: dict[str, float]


def statistic(readings: list[Reading], code_seed: bytes) -> float:
    """Z of one code seed over the readings."""
    total = power = 0.0
    for reading in readings:
        bits = code(code_seed, reading.image_id, len(reading.soft))
        total += float(reading.soft @ bits)
        power += float(reading.soft @ reading.soft)
    return total / math.sqrt(power) if power > 0 else 0.0


def bound(z: float, tested: int) -> float:
    """The chance, at most, that any of ``tested`` innocent codes reaches z."""
    if z <= 0:
        return 1.0
    return min(1.0, max(tested * math.exp(-z * z / 2), SMALLEST))


def weigh(readings: list[Reading], code_seeds: dict[str, bytes]) -> Evidence:
    """Test every recipient on the readings.

    Args:
        readings: at most one an original.
        code_seeds: every recipient's code seed by recipient id; all of them, not
            only those under suspicion, since their number is part of the bound.

    Returns:
        The evidence; with no reading or no recipient, one that names nobody.
    """
    tested = max(1, len(code_seeds))
    scores = {who: statistic(readings, seed) for who, seed in code_seeds.items()}
    if not readings or not scores:
        return Evidence(None, 0.0, 1.0, 1.0, tested, len(readings), False, None, scores)
    best = max(scores, key=lambda who: scores[who])
    others = [z for who, z in scores.items() if who != best]
    innocent = max([*others, *decoy_statistics(readings)])
    p_value = bound(scores[best], tested)
    decided = p_value <= FALSE_ACCUSATION
    return Evidence(
        recipient_id=best,
        z=scores[best],
        p_value=p_value,
        best_innocent_p=bound(innocent, tested),
        recipients_tested=tested,
        images=len(readings),
        decided=decided,
        more_images=None if decided else _more(scores[best], len(readings), tested),
        scores=scores,
    )


def decoy_statistics(readings: list[Reading], count: int = DECOYS) -> np.ndarray:
    """Z of ``count`` codes that nobody holds, the same ones at every call.

    Returns:
        ``(count,)`` float64, standard normal when all is well.
    """
    totals = np.zeros(count)
    power = 0.0
    for reading in readings:
        bits = len(reading.soft)
        stream = hashlib.shake_256(b"reue-decoy" + reading.image_id.encode())
        raw = np.frombuffer(stream.digest(count * bits // 8), np.uint8)
        codes = np.unpackbits(raw).reshape(count, bits).astype(np.float64) * 2 - 1
        totals += codes @ reading.soft
        power += float(reading.soft @ reading.soft)
    return totals / math.sqrt(power) if power > 0 else totals


def _more(z: float, images: int, tested: int) -> int | None:
    """Z grows with the square root of the images; below 2 it may be chance."""
    if z < 2:
        return None
    needed = math.sqrt(2 * math.log(tested / FALSE_ACCUSATION))
    return max(1, math.ceil(images * (needed / z) ** 2) - images)
