"""From soft bits to the recipients whose copies a set of suspects was made from.

Every image counts for at most 1 (:mod:`fiftyone_reue.watermark.weights`), and how
likely chance makes a code fit so well is bounded for any file, any order of images and
any reason to stop (:mod:`fiftyone_reue.watermark.bounds`). The bound is multiplied by
the number of recipients, by 2 for the first culprit, 4 for the second and so on, and
by the ways in which the images could have been chosen out of those that were seen
before (:mod:`fiftyone_reue.watermark.looks`).

Culprits are found one after the other. What the codes of those who were found explain
of each image is taken off before the next one is looked for: to an innocent's code,
what is left is as independent as the file was.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.watermark.bounds import log_chance, needed_growth, needed_z
from fiftyone_reue.watermark.codes import code, fits
from fiftyone_reue.watermark.weights import weighted

FALSE_ACCUSATION = 1e-6
"""The bound below which a recipient is named."""

SMALLEST = 1e-300
"""Bounds are cut here, so that none is printed as zero."""

DECOYS = 1000
"""Codes that nobody was ever given, tested beside the recipients' as a check."""

FROM_ONE_IMAGE = 1e-3
"""The bound below which an image is said to be from one of the culprits."""

_LIMIT = math.log(FALSE_ACCUSATION)


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
class Culprit:
    """A recipient from whose copy some of the suspects were made.

    Attributes:
        recipient_id: who.
        z: their statistic, after what the culprits before explain was taken off.
        p_value: the bound on naming anybody so by chance.
        share: of what all culprits together explain, 0 to 1 but for rounding.
        images: ids of the originals whose suspects point to them by themselves, with a
            bound of FROM_ONE_IMAGE among the culprits.
    """

    recipient_id: str
    z: float
    p_value: float
    share: float
    images: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What a set of suspects says.

    Attributes:
        recipient_id: the best recipient, or None without any reading.
        z: that recipient's statistic, the fit over the square root of the energy.
        p_value: the bound on naming somebody this firmly by chance, 0 to 1.
        best_innocent_p: the same bound for the best code of anybody who is neither
            named nor the best recipient, decoys included.
        best_innocent_z: its statistic.
        recipients_tested: by how many the bounds were multiplied.
        images: how many originals went in.
        decided: whether ``p_value`` is at most FALSE_ACCUSATION.
        more_images: how many more such images a decision would need, or None.
        scores: each recipient's Z.
        energy: the sum of the images' weights, at most ``images``.
        log_ways: natural logarithm of the ways that the images could have been chosen.
        culprits: everybody who is named, the firmest first.
    """

    recipient_id: str | None
    z: float
    p_value: float
    best_innocent_p: float
    best_innocent_z: float
    recipients_tested: int
    images: int
    decided: bool
    more_images: int | None
    scores: dict[str, float]
    energy: float
    log_ways: float
    culprits: tuple[Culprit, ...]

    def chance(self, z: float) -> float:
        """The bound of a statistic over these images, as for the first culprit."""
        fit = z * math.sqrt(self.energy)
        return bound(fit, self.energy, self.recipients_tested, self.log_ways)

    @property
    def needed_z(self) -> float:
        """From which statistic on the first culprit would be named."""
        if self.energy <= 0:
            return math.inf
        factor = log_factor(self.recipients_tested, self.log_ways, 1)
        return needed_z(_LIMIT - factor, self.energy)


def bound(
    fit: float, energy: float, tested: int, log_ways: float = 0.0, step: int = 1
) -> float:
    """The chance, at most, that an innocent code is ever the one named so firmly.

    Args:
        fit: the sum of code bits times weighted soft bits.
        energy: the sum of the squares of the latter.
        tested: how many recipients there are.
        log_ways: see :class:`Evidence`.
        step: 1 for the first culprit, 2 for the second ...
    """
    log = log_chance(fit, energy) + log_factor(tested, log_ways, step)
    return min(1.0, max(math.exp(min(0.0, log)), SMALLEST))


def log_factor(tested: int, log_ways: float, step: int) -> float:
    """By what a single code's bound is multiplied, as a natural logarithm."""
    return math.log(max(1, tested)) + log_ways + step * math.log(2)


def statistic(readings: Sequence[Reading], code_seed: bytes) -> float:
    """Z of one code seed over the readings."""
    soft = _weighted(readings)
    energy = _energy(soft)
    return float(fits(soft, [code_seed])[0]) / math.sqrt(energy) if energy > 0 else 0.0


def weigh(
    readings: Sequence[Reading],
    code_seeds: Mapping[str, bytes],
    log_ways: float = 0.0,
    *,
    tested: int | None = None,
) -> Evidence:
    """Test every recipient on the readings.

    Args:
        readings: at most one an original.
        code_seeds: every recipient's code seed by recipient id; all of them, not
            only those under suspicion, since their number is part of the bound.
        log_ways: natural logarithm of the ways in which these images could have been
            chosen, see :func:`fiftyone_reue.watermark.looks.log_ways`.
        tested: how many recipients there are, where not all seeds are at hand; by
            default as many as there are seeds.

    Returns:
        The evidence; with no reading or no recipient, one that names nobody.
    """
    tested = max(1, len(code_seeds), tested or 0)
    soft = _weighted(readings)
    energy = _energy(soft)
    ids = list(code_seeds)
    totals = fits(soft, list(code_seeds.values()))
    root = math.sqrt(energy) if energy > 0 else math.inf
    scores = {who: float(fit) / root for who, fit in zip(ids, totals, strict=True)}
    if not readings or not ids:
        return Evidence(
            recipient_id=None,
            z=0.0,
            p_value=1.0,
            best_innocent_p=1.0,
            best_innocent_z=0.0,
            recipients_tested=tested,
            images=len(readings),
            decided=False,
            more_images=None,
            scores=scores,
            energy=energy,
            log_ways=log_ways,
            culprits=(),
        )
    first = int(np.argmax(totals))
    found = _stepwise(soft, totals, code_seeds, tested, log_ways)
    named = {ids[first], *(who for who, _, _ in found)}
    innocents = [fit for who, fit in zip(ids, totals, strict=True) if who not in named]
    innocent = float(max([*innocents, *_decoy_fits(soft, DECOYS)]))
    p_value = bound(scores[ids[first]] * root, energy, tested, log_ways)
    return Evidence(
        recipient_id=ids[first],
        z=scores[ids[first]],
        p_value=p_value,
        best_innocent_p=bound(innocent, energy, tested, log_ways),
        best_innocent_z=innocent / root,
        recipients_tested=tested,
        images=len(readings),
        decided=bool(found),
        more_images=None
        if found
        else _more(scores[ids[first]], energy, len(readings), tested, log_ways),
        scores=scores,
        energy=energy,
        log_ways=log_ways,
        culprits=_culprits(soft, found, code_seeds),
    )


Found = list[tuple[str, float, float]]
"""Recipient, Z and bound of those who are named, in the order of finding."""


def _stepwise(
    soft: dict[str, np.ndarray],
    totals: np.ndarray,
    code_seeds: Mapping[str, bytes],
    tested: int,
    log_ways: float,
) -> Found:
    """Who is named, one after the other, until nobody's evidence holds any more."""
    ids, seeds = list(code_seeds), list(code_seeds.values())
    left, found = soft, Found()
    while len(found) < len(ids):
        energy = _energy(left)
        best = int(np.argmax(totals))
        step = len(found) + 1
        p_value = bound(float(totals[best]), energy, tested, log_ways, step)
        if p_value > FALSE_ACCUSATION:
            break
        z = float(totals[best]) / math.sqrt(energy)
        found.append((ids[best], z, p_value))
        left = _unexplained(soft, [code_seeds[who] for who, _, _ in found])
        totals = fits(left, seeds)
        totals[[ids.index(who) for who, _, _ in found]] = -math.inf
    return found


def _unexplained(
    soft: Mapping[str, np.ndarray], seeds: Sequence[bytes]
) -> dict[str, np.ndarray]:
    """What is left of each image's bits by its best fit of some codes."""
    return {
        image_id: bits - _explained(_codes(seeds, image_id, len(bits)), bits)[1]
        for image_id, bits in soft.items()
    }


def _explained(codes: np.ndarray, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least-squares coefficients of codes, and their sum."""
    amounts = np.linalg.lstsq(codes.T, bits, rcond=None)[0]
    return amounts, amounts @ codes


def _codes(seeds: Sequence[bytes], image_id: str, bit_count: int) -> np.ndarray:
    """``(len(seeds), bit_count)`` float64."""
    made = [code(seed, image_id, bit_count) for seed in seeds]
    return np.array(made, np.float64).reshape(len(seeds), bit_count)


def _culprits(
    soft: Mapping[str, np.ndarray], found: Found, code_seeds: Mapping[str, bytes]
) -> tuple[Culprit, ...]:
    """What each of those who were found contributed, and to which images."""
    if not found:
        return ()
    seeds = [code_seeds[who] for who, _, _ in found]
    shares = np.zeros(len(found))
    images: list[list[str]] = [[] for _ in found]
    for image_id, bits in soft.items():
        codes = _codes(seeds, image_id, len(bits))
        amounts, _ = _explained(codes, bits)
        shares += amounts * (codes @ bits)
        for place in range(len(found)):
            others = np.delete(codes, place, axis=0)
            alone = bits - _explained(others, bits)[1] if len(others) else bits
            if _points_to(alone, codes[place], len(found)):
                images[place].append(image_id)
    shares /= shares.sum()
    return tuple(
        Culprit(who, z, p_value, float(share), tuple(own))
        for (who, z, p_value), share, own in zip(found, shares, images, strict=True)
    )


def _points_to(bits: np.ndarray, own: np.ndarray, culprits: int) -> bool:
    """Whether one image's bits fit a code so well that it is from that culprit."""
    energy = float(bits @ bits)
    if energy <= 0:
        return False
    z = float(bits @ own) / math.sqrt(energy)
    return z > 0 and culprits * math.exp(-z * z / 2) <= FROM_ONE_IMAGE


def decoy_statistics(readings: Sequence[Reading], count: int = DECOYS) -> np.ndarray:
    """Z of ``count`` codes that nobody holds, the same ones at every call.

    Returns:
        ``(count,)`` float64, standard normal when all is well.
    """
    soft = _weighted(readings)
    energy = _energy(soft)
    totals = _decoy_fits(soft, count)
    return totals / math.sqrt(energy) if energy > 0 else totals


def _decoy_fits(soft: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    totals = np.zeros(count)
    for image_id, values in soft.items():
        bits = len(values)
        stream = hashlib.shake_256(b"reue-decoy" + image_id.encode())
        raw = np.frombuffer(stream.digest(count * bits // 8), np.uint8)
        ones = np.unpackbits(raw).reshape(count, bits)
        totals += 2 * (ones @ values) - values.sum()
    return totals


def _weighted(readings: Sequence[Reading]) -> dict[str, np.ndarray]:
    return {one.image_id: weighted(one.soft) for one in readings}


def _energy(soft: Mapping[str, np.ndarray]) -> float:
    return sum(float(bits @ bits) for bits in soft.values())


def _more(
    z: float, energy: float, images: int, tested: int, log_ways: float
) -> int | None:
    """The fit grows with the images; a Z below 2 may be chance."""
    if z < 2:
        return None
    limit = _LIMIT - log_factor(tested, log_ways, 1)
    growth = needed_growth(z * math.sqrt(energy), energy, limit)
    return None if growth is None else max(1, math.ceil(images * growth) - images)
