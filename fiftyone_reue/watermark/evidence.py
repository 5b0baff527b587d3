"""From soft bits to the recipients whose copies a set of suspects was made from.

Every image counts for at most 1 (:mod:`fiftyone_reue.watermark.weights`), and how
likely chance makes a code fit so well is bounded for any file, any order of images and
any reason to stop (:mod:`fiftyone_reue.watermark.bounds`). The bound is multiplied by
the number of recipients, by 2 for the first culprit, 4 for the second and so on, and
by the ways in which the images could have been chosen out of those that were seen
before (:mod:`fiftyone_reue.watermark.looks`).

A file that fits a code the wrong way round, as often as a mark is -1 where it should be
1, depends on that code no less than one that fits: several recipients who mix their
copies can turn their marks round so. And several suspects of one original are joined
(:mod:`fiftyone_reue.watermark.joining`), which says little where they contradict one
another. So everybody is weighed in three ways, and that counts which suits them best:

- on what is joined, as it is: to this go eight tenths of the whole error;
- on the same with every sign turned round: a tenth;
- on a choice, for each original, of one of its n + 1 readings, joined or a suspect's
  own, and of its sign: a tenth.

Bounds that hold for each choice by itself are inverses of nonnegative means, and so is
that of their mean: the price is their number.

Culprits are found one after the other. What the codes of those who were found explain
of each image is taken off before the next one is looked for: to an innocent's code,
what is left is as independent as the file was.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fiftyone_reue.watermark.bounds import PRIOR, log_chance, needed_growth, needed_z
from fiftyone_reue.watermark.codes import Codebook, code, fits, signed_sums
from fiftyone_reue.watermark.joining import Joined, joined
from fiftyone_reue.watermark.readings import Reading

FALSE_ACCUSATION = 1e-6
"""The bound below which a recipient is named."""

SMALLEST = 1e-300
"""Bounds are cut here, so that none is printed as zero."""

DECOYS = 1000
"""Codes that nobody was ever given, tested beside the recipients' as a check."""

FROM_ONE_IMAGE = 1e-3
"""The bound below which an image is said to be from one of the culprits."""

_CHOICE = 0.1
"""The share of the whole error for choosing among the readings of an original."""

_TURNED = 0.1
"""That for all signs turned round."""

_GROWTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""What suits a recipient is chosen for a fit of so many times the energy."""

_LIMIT = math.log(FALSE_ACCUSATION)


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
        readings: places of the readings that do so, each alone.
        turned: ids of the originals whose suspects, one at least, show the mark the
            wrong way round.
        all_turned: whether they were weighed on all signs turned round.
    """

    recipient_id: str
    z: float
    p_value: float
    share: float
    images: tuple[str, ...]
    readings: tuple[int, ...]
    turned: tuple[str, ...] = ()
    all_turned: bool = False


@dataclass(frozen=True)
class Evidence:
    """What a set of suspects says.

    Attributes:
        recipient_id: the best recipient, or None without any reading.
        z: that recipient's statistic, the fit of joined readings over the square root
            of the energy; for who was weighed in another way, the one that would be as
            unlikely by chance.
        p_value: the bound on naming somebody this firmly by chance, 0 to 1.
        best_innocent_p: the same bound for the best code of anybody who is neither
            named nor the best recipient, decoys included.
        best_innocent_z: its statistic.
        recipients_tested: by how many the bounds were multiplied.
        images: how many originals went in.
        decided: whether ``p_value`` is at most FALSE_ACCUSATION.
        more_images: how many more such images a decision would need, or None.
        scores: each recipient's Z.
        chances: each recipient's bound, as for the first culprit.
        energy: the sum of the images' weights, at most ``images``: of each original's
            fullest reading, for joined ones that cancel have none.
        log_price: natural logarithm of what joined readings' bounds are multiplied by.
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
    chances: dict[str, float]
    energy: float
    log_price: float
    log_ways: float
    culprits: tuple[Culprit, ...]

    def chance(self, z: float) -> float:
        """The bound of a statistic over these images, as for the first culprit."""
        fit = z * math.sqrt(self.energy)
        factor = log_factor(self.recipients_tested, self.log_ways, 1)
        return _chance(log_chance(fit, self.energy) + self.log_price + factor)

    @property
    def needed_z(self) -> float:
        """From which statistic on the first culprit would be named."""
        if self.energy <= 0:
            return math.inf
        factor = log_factor(self.recipients_tested, self.log_ways, 1) + self.log_price
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
    return _chance(log_chance(fit, energy) + log_factor(tested, log_ways, step))


def _chance(log: float) -> float:
    return min(1.0, max(math.exp(min(0.0, log)), SMALLEST))


def log_factor(tested: int, log_ways: float, step: int) -> float:
    """By what a single code's bound is multiplied, as a natural logarithm."""
    return math.log(max(1, tested)) + log_ways + step * math.log(2)


def statistic(readings: Sequence[Reading], code_seed: bytes) -> float:
    """Z of one code seed over the readings, joined."""
    soft = _together(joined(readings))
    energy = _energy(soft)
    return float(fits(soft, [code_seed])[0]) / math.sqrt(energy) if energy > 0 else 0.0


def weigh(
    readings: Sequence[Reading],
    code_seeds: Mapping[str, bytes],
    log_ways: float = 0.0,
    *,
    tested: int | None = None,
    turned: bool = True,
) -> Evidence:
    """Test every recipient on the readings.

    Args:
        readings: several of an original are joined.
        code_seeds: every recipient's code seed by recipient id; all of them, not
            only those under suspicion, since their number is part of the bound.
        log_ways: natural logarithm of the ways in which these images could have been
            chosen, see :func:`fiftyone_reue.watermark.looks.log_ways`.
        tested: how many recipients there are, where not all seeds are at hand; by
            default as many as there are seeds.
        turned: whether marks the wrong way round are weighed too. Cases that were
            written before they were are weighed without.

    Returns:
        The evidence; with no reading or no recipient, one that names nobody.
    """
    tested = max(1, len(code_seeds), tested or 0)
    originals = joined(readings)
    energy = _fullest(originals) if turned else _energy(_together(originals))
    log_price = _prices(originals, turned).joint
    factor = log_factor(tested, log_ways, 1)
    ids = list(code_seeds)
    book = Codebook(list(code_seeds.values()))
    weighed = _weighed(originals, book, turned)
    scores = dict(zip(ids, weighed.z.tolist(), strict=True))
    chances = {who: _chance(weighed.log(i) + factor) for i, who in enumerate(ids)}
    if not readings or not ids:
        return Evidence(
            recipient_id=None,
            z=0.0,
            p_value=1.0,
            best_innocent_p=1.0,
            best_innocent_z=0.0,
            recipients_tested=tested,
            images=len(originals),
            decided=False,
            more_images=None,
            scores=scores,
            chances=chances,
            energy=energy,
            log_price=log_price,
            log_ways=log_ways,
            culprits=(),
        )
    first = ids[weighed.best]
    found = _stepwise(originals, weighed, book, code_seeds, tested, log_ways, turned)
    named = {first, *(who for who, *_ in found)}
    decoys = _weighed(originals, _Decoys(DECOYS), turned)
    innocents = [who for who in ids if who not in named]
    p_values = [chances[who] for who in innocents]
    return Evidence(
        recipient_id=first,
        z=scores[first],
        p_value=chances[first],
        best_innocent_p=min([*p_values, _chance(decoys.log(decoys.best) + factor)]),
        best_innocent_z=max([*map(scores.__getitem__, innocents), *decoys.z.tolist()]),
        recipients_tested=tested,
        images=len(originals),
        decided=bool(found),
        more_images=None
        if found
        else _more(scores[first], energy, len(originals), factor + log_price),
        scores=scores,
        chances=chances,
        energy=energy,
        log_price=log_price,
        log_ways=log_ways,
        culprits=_culprits(originals, found, code_seeds, turned),
    )


Soft = dict[str, np.ndarray]
"""Weighted soft bits by image id."""


@dataclass(frozen=True, eq=False)
class _Weighed:
    """How well codes fit, each on what suits it.

    Attributes:
        fit: ``(n,)`` float64, sums of code bits times weighted soft bits.
        energy: ``(n,)`` float64, of the latter.
        price: ``(n,)`` float64, natural logarithms of what the bounds are multiplied
            by.
        turned: ``(n,)`` bool, whether that is on all signs turned round.
    """

    fit: np.ndarray
    energy: np.ndarray
    price: np.ndarray
    turned: np.ndarray

    @property
    def growth(self) -> np.ndarray:
        """``(n,)``, the larger the less likely by chance."""
        return _growth(self.fit, self.energy, self.price)

    @property
    def best(self) -> int:
        """Which code fits best."""
        return int(np.argmax(self.growth))

    @property
    def z(self) -> np.ndarray:
        """``(n,)``, fits over the roots of energies; 0 where there is nothing."""
        roots = np.sqrt(self.energy)
        return np.divide(self.fit, roots, out=np.zeros(len(roots)), where=roots > 0)

    def log(self, place: int) -> float:
        """The bound of one code that nobody tried to fit, as a natural logarithm."""
        fit, energy = float(self.fit[place]), float(self.energy[place])
        return log_chance(fit, energy) + float(self.price[place])

    def without(self, places: Sequence[int]) -> _Weighed:
        """The same, with some codes out of question."""
        fit = self.fit.copy()
        fit[list(places)] = -math.inf
        return replace(self, fit=fit)


def _growth(fit: np.ndarray, energy: np.ndarray, price: np.ndarray) -> np.ndarray:
    """About ``-log_chance``, less a price; falls for fits below 0."""
    total = energy + PRIOR
    return fit * np.abs(fit) / (2 * total) - 0.5 * np.log(total / PRIOR) - price


@dataclass(frozen=True)
class _Prices:
    """What bounds are multiplied by, as natural logarithms; infinite where a way to
    weigh isn't tried.

    Attributes:
        joint: of joined readings.
        turned: of these, turned round.
        choice: of a choice.
    """

    joint: float
    turned: float
    choice: float


def _prices(originals: Sequence[Joined], turned: bool) -> _Prices:
    ways = [len(one.ways) for one in originals if one.alone or turned]
    if not ways:
        return _Prices(0.0, math.inf, math.inf)
    signs = 2 if turned else 1
    choice = sum(math.log(signs * count) for count in ways) - math.log(_CHOICE)
    if not turned:
        return _Prices(-math.log(1 - _CHOICE), math.inf, choice)
    return _Prices(-math.log(1 - _CHOICE - _TURNED), -math.log(_TURNED), choice)


class Codes(Protocol):
    """Some people's codes on every image."""

    def __len__(self) -> int: ...

    def sized_fits(self, soft: Soft) -> tuple[np.ndarray, ...]:
        """How well each fits soft bits, and with each image's sign left open."""

    def fits_of_each(self, image_id: str, readings: np.ndarray) -> np.ndarray:
        """``(k, n)``: how well each fits each of ``(k, bits)`` readings of an image."""


def _weighed(originals: Sequence[Joined], codes: Codes, turned: bool) -> _Weighed:
    """How well codes fit, each in the way that suits it.

    Args:
        originals: what their suspects say.
        codes: whose.
        turned: whether marks the wrong way round are weighed too.
    """
    prices = _prices(originals, turned)
    rest = _together([one for one in originals if not one.alone])
    several = [one for one in originals if one.alone]
    plain, sized = codes.sized_fits(rest)
    joint = plain.copy()
    shape = len(_GROWTHS) if several else 1, len(codes)
    chosen = np.zeros(shape) + (sized if turned else plain)
    energies = np.full(shape, _energy(rest))
    for one in several:
        ways = np.array(one.ways)
        fits_ = codes.fits_of_each(one.image_id, ways)
        joint += fits_[0]
        sizes = np.einsum("ij,ij->i", ways, ways)
        for row, growth in enumerate(_GROWTHS):
            own, size = _suiting(np.abs(fits_) if turned else fits_, sizes, growth)
            chosen[row] += own
            energies[row] += size
    found = _priced(joint, _energy(_together(originals)), prices.joint)
    if math.isinf(prices.choice):
        return found
    if turned:
        found = _better(found, _turned_round(found, prices.turned))
    for fits_, energy_ in zip(chosen, energies, strict=True):
        found = _better(found, _priced(fits_, energy_, prices.choice))
    return _on_one_scale(found, _fullest(originals), prices.joint) if turned else found


def _suiting(
    fits_: np.ndarray, sizes: np.ndarray, growth: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of each code that of an original's ways that suits it for a growth: its fit and
    its energy, ``(n,)`` each."""
    gains = growth * fits_ - growth**2 / 2 * sizes[:, None]
    best = np.argmax(gains, axis=0)
    return fits_[best, np.arange(len(best))], sizes[best]


def _turned_round(joined_: _Weighed, price: float) -> _Weighed:
    everybody = np.ones(len(joined_.fit), bool)
    made = _priced(-joined_.fit, joined_.energy, price)
    return replace(made, turned=everybody)


def _on_one_scale(found: _Weighed, energy: float, price: float) -> _Weighed:
    """Fits that would be as unlikely by chance with one energy and price: a statistic
    that means the same whatever a code was weighed on."""
    total = energy + PRIOR
    above = found.growth + price + 0.5 * math.log(total / PRIOR)
    fit = np.sign(above) * np.sqrt(2 * total * np.abs(above))
    return replace(_priced(fit, energy, price), turned=found.turned)


def _fullest(originals: Sequence[Joined]) -> float:
    """The energy if each original were weighed on the fullest of its readings."""
    return sum(max(float(bits @ bits) for bits in one.ways) for one in originals)


def _priced(fit: np.ndarray, energy: np.ndarray | float, price: float) -> _Weighed:
    """Fits of codes that all have the same price."""
    shape = fit.shape
    full = np.broadcast_to(np.asarray(energy, np.float64), shape)
    return _Weighed(fit, full, np.full(shape, price), np.zeros(shape, bool))


def _better(one: _Weighed, other: _Weighed) -> _Weighed:
    """Of each code that which is less likely by chance."""
    takes = other.growth > one.growth
    return _Weighed(
        np.where(takes, other.fit, one.fit),
        np.where(takes, other.energy, one.energy),
        np.where(takes, other.price, one.price),
        np.where(takes, other.turned, one.turned),
    )


Found = list[tuple[str, float, float, bool]]
"""Recipient, Z and bound of those who are named, and whether on all signs turned round,
in the order of finding."""


def _stepwise(
    originals: Sequence[Joined],
    weighed: _Weighed,
    book: Codebook,
    code_seeds: Mapping[str, bytes],
    tested: int,
    log_ways: float,
    turned: bool,
) -> Found:
    """Who is named, one after the other, until nobody's evidence holds any more."""
    ids = list(code_seeds)
    found = Found()
    while len(found) < len(ids):
        best = weighed.best
        factor = log_factor(tested, log_ways, len(found) + 1)
        p_value = _chance(weighed.log(best) + factor)
        if p_value > FALSE_ACCUSATION:
            break
        z, wrong_way = float(weighed.z[best]), bool(weighed.turned[best])
        found.append((ids[best], z, p_value, wrong_way))
        known = [code_seeds[who] for who, *_ in found]
        left = [_unexplained(one, known) for one in originals]
        weighed = _weighed(left, book, turned)
        weighed = weighed.without([ids.index(who) for who, *_ in found])
    return found


def _unexplained(one: Joined, seeds: Sequence[bytes]) -> Joined:
    """What is left of an original's bits by their best fit of some codes."""
    codes = _codes(seeds, one.image_id, len(one.bits))
    first, *others = (bits - _explained(codes, bits)[1] for bits in one.ways)
    return replace(one, bits=first, alone=tuple(others))


def _explained(codes: np.ndarray, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least-squares coefficients of codes, and their sum."""
    amounts = np.linalg.lstsq(codes.T, bits, rcond=None)[0]
    return amounts, amounts @ codes


def _codes(seeds: Sequence[bytes], image_id: str, bit_count: int) -> np.ndarray:
    """``(len(seeds), bit_count)`` float64."""
    made = [code(seed, image_id, bit_count) for seed in seeds]
    return np.array(made, np.float64).reshape(len(seeds), bit_count)


def _culprits(
    originals: Sequence[Joined],
    found: Found,
    code_seeds: Mapping[str, bytes],
    turned: bool,
) -> tuple[Culprit, ...]:
    """What each of those who were found contributed, and to which images."""
    if not found:
        return ()
    seeds = [code_seeds[who] for who, *_ in found]
    shares = np.zeros(len(found))
    images: list[list[str]] = [[] for _ in found]
    readings: list[list[int]] = [[] for _ in found]
    wrong_way: list[list[str]] = [[] for _ in found]
    for one in originals:
        codes = _codes(seeds, one.image_id, len(one.bits))
        # Of several suspects each says whose it is; together they may be mush.
        said = [_parts(codes, bits).clip(0) for bits in one.alone or (one.bits,)]
        shares += np.mean(said, axis=0)
        for place, own in enumerate(codes):
            others = np.delete(codes, place, axis=0)
            points = [_points_to(bits, own, others, one, turned) for bits in one.ways]
            if any(points):
                images[place].append(one.image_id)
                if -1 in points:
                    wrong_way[place].append(one.image_id)
            alone = points[1:] or points
            readings[place] += [
                which for which, does in zip(one.places, alone, strict=True) if does
            ]
    shares /= shares.sum()
    return tuple(
        Culprit(
            recipient_id=who,
            z=z,
            p_value=p_value,
            share=float(share),
            images=tuple(own),
            readings=tuple(places),
            turned=tuple(reversed_),
            all_turned=all_turned,
        )
        for (who, z, p_value, all_turned), share, own, places, reversed_ in zip(
            found, shares, images, readings, wrong_way, strict=True
        )
    )


def _parts(codes: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """What each code explains of one image's bits, ``(len(codes),)``."""
    made: np.ndarray = _explained(codes, bits)[0] * (codes @ bits)
    return made


def _points_to(
    bits: np.ndarray, own: np.ndarray, others: np.ndarray, one: Joined, turned: bool
) -> int:
    """Whether one image's bits fit a code so well that it is from that culprit: 1, or
    -1 where they fit the wrong way round, or 0."""
    alone = bits - _explained(others, bits)[1] if len(others) else bits
    energy = float(alone @ alone)
    if energy <= 0:
        return 0
    z = float(alone @ own) / math.sqrt(energy)
    share = _TURNED if z < 0 else 1 - _TURNED
    if not turned:
        share = float(z > 0)
    tried = (len(others) + 1) * len(one.ways)
    far = tried * math.exp(-z * z / 2) <= FROM_ONE_IMAGE * share
    return int(math.copysign(1, z)) if far else 0


def pointed_to(
    culprits: Sequence[Culprit], image_ids: Sequence[str]
) -> list[list[Culprit]]:
    """Whom each reading points to.

    Of an original's suspects those that tell each alone are told apart; where none of
    them does, but all together do, that is said of each.

    Args:
        culprits: of the evidence, the firmest first.
        image_ids: of the readings that it is of, in their order.

    Returns:
        Of each reading the culprits whose it is, the firmest first.
    """
    telling = {place for one in culprits for place in one.readings}
    found: list[list[Culprit]] = [[] for _ in image_ids]
    for culprit in culprits:
        own = set(culprit.readings)
        images = set(culprit.images) - {image_ids[place] for place in own}
        for place, image_id in enumerate(image_ids):
            if place in own or (place not in telling and image_id in images):
                found[place].append(culprit)
    return found


def decoy_statistics(readings: Sequence[Reading], count: int = DECOYS) -> np.ndarray:
    """Z of ``count`` codes that nobody holds, the same ones at every call.

    Returns:
        ``(count,)`` float64, standard normal when all is well.
    """
    soft = _together(joined(readings))
    energy = _energy(soft)
    totals, _ = _Decoys(count).sized_fits(soft)
    return totals / math.sqrt(energy) if energy > 0 else totals


@dataclass(frozen=True)
class _Decoys:
    """Codes that nobody holds, as :class:`fiftyone_reue.watermark.codes.Codebook`."""

    count: int

    def __len__(self) -> int:
        return self.count

    def sized_fits(self, soft: Soft) -> tuple[np.ndarray, ...]:
        totals, sized = np.zeros(self.count), np.zeros(self.count)
        for image_id, values in soft.items():
            added = self.fits_of_each(image_id, values[None])[0]
            totals += added
            sized += np.abs(added)
        return totals, sized

    def fits_of_each(self, image_id: str, readings: np.ndarray) -> np.ndarray:
        stream = hashlib.shake_256(b"reue-decoy" + image_id.encode())
        raw = stream.digest(self.count * readings.shape[1] // 8)
        packed = np.frombuffer(raw, np.uint8).reshape(self.count, -1)
        return signed_sums(packed, readings)


def _together(originals: Sequence[Joined]) -> Soft:
    return {one.image_id: one.bits for one in originals}


def _energy(soft: Mapping[str, np.ndarray]) -> float:
    return sum((float(bits @ bits) for bits in soft.values()), 0.0)


def _more(z: float, energy: float, images: int, factor: float) -> int | None:
    """The fit grows with the images; a Z below 2 may be chance."""
    if z < 2:
        return None
    growth = needed_growth(z * math.sqrt(energy), energy, _LIMIT - factor)
    return None if growth is None else max(1, math.ceil(images * growth) - images)
