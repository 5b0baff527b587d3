"""Which original a suspect is a copy of, and where it lies on it.

A copy of the whole image is found by how it looks all over. What was cropped, turned,
framed or drawn over is found by its local features, and is then aligned with its
original. Where the suspect shows more than that, the rest is searched for others.
Nothing here looks at a code, so it costs the evidence nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fiftyone_reue.alignment import agreement, features, maps, registration
from fiftyone_reue.alignment.features import Features
from fiftyone_reue.alignment.index import FeatureIndex
from fiftyone_reue.alignment.registration import Aligned
from fiftyone_reue.errors import (
    FATAL,
    InputError,
    ReueError,
    UnalignedImageError,
)
from fiftyone_reue.media import alpha
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.releases import footprints
from fiftyone_reue.releases.footprints import Box
from fiftyone_reue.releases.overview import SMALL, Overview
from fiftyone_reue.releases.references import GoneError, Reference, References
from fiftyone_reue.vault.entities import Image
from fiftyone_reue.vault.ledger.authenticated import AuthenticatedLedger
from fiftyone_reue.watermark import match, read, reducing, sharpness

EXPLAINED = 0.6
"""A suspect belongs to an original that explains this share of the variance of what it
shows of it."""

DRIFT = 0.15
"""A suspect whose original lies this far from where it should, in pixels, isn't the
whole of it, only resized."""

WHOLE = 0.97
"""A suspect that shows this share of an original was not drawn over."""

SETTLED = 0.8
"""A suspect that is aligned with an original and shows this share of it is looked for
nowhere else: trimming, shifts and captions leave more."""

MIRRORS = (0, 4)
"""Orientations in which features are looked for: as a suspect is, and mirrored. They
find turned ones themselves."""

CANDIDATES = 5

MORE_CANDIDATES = 24
"""So many are tried of which local features speak for parts, if the first ones aren't
it: a quarter of a photograph may have few of the features that are kept of it."""

_AS_LIKELY = 0.3
"""Of the votes of one that is proven another must have this share to be tried as well:
originals that look alike have about as many."""

_UNLIKE = 0.5
"""A copy that was made of an original proves itself by it better than this: what was
added to it is small. For unrelated images it is most often about 0."""

_NOTHING = 0.25
"""A suspect that proves itself by less isn't the whole of an original. Of those of
fewer than SMALL pixels a side what was added may hide as much."""


LIKE_GONE = 0.98
"""A suspect whose original isn't there any more looks like it by as much; see
:func:`fiftyone_reue.watermark.match.likeness`."""

_GONE = (
    "It looks like none of the originals that are there; some aren't there any more, "
    "and a part or an edited copy of one of these can't be told: say where the "
    "originals are now (--originals FOLDER)"
)
"""Of a suspect of which nothing can be told. It may be anybody's picture: those that
are gone are tried for how little else looks like it, so none of them is named."""

MOST_IN_ONE = 64
"""So many originals are looked for in one suspect."""

_OVERLAP = 0.5
"""Of what an original takes up in a suspect, this share at most may be another's."""

SHORTLIST = 2000
"""So many originals are looked all over, those that look most like the suspect as a
whole."""


def views(raster: Raster) -> list[np.ndarray]:
    """What a suspect is looked at by, at the size at which it is compared.

    Programs that save an alpha channel may clear the colours that it hides.

    Args:
        raster: the suspect.

    Returns:
        ``(h, w)`` float32 lumas: alpha dropped, and on white where that is another.
    """
    samples, colours, peak = raster.samples, raster.colour_channels, raster.peak
    size = reducing.reduced_size(raster.height, raster.width, reducing.SUSPECTS)
    found = [reducing.reduced_luma(samples, colours, peak, size)]

    def on_white(some: np.ndarray) -> np.ndarray:
        opacity = alpha.share(some, colours)
        return read.luma(some, colours, peak) * opacity + 255 * (1 - opacity)

    if alpha.hides(samples, colours):
        found.append(reducing.reduced(samples, size, on_white))
    return found


class UnseenOriginalsError(Exception):
    """A suspect may be part of an original that wasn't looked at for that yet."""


@dataclass(frozen=True)
class Nearest:
    """The original that a changed copy belongs to, and how it lies on it.

    Attributes:
        image: the original's entry.
        reference: what the suspect is nearest to.
        orientation: how the suspect must be turned, see
            :func:`fiftyone_reue.watermark.match.orient`.
        luma: the suspect's, turned so and on the original's pixels; the original's
            where the suspect doesn't show it.
        left: what remains of that after the reference; 0 where the suspect doesn't
            show the original.
        distance: the root mean square of what remains, over what is seen.
        shown: ``(H, W)`` float32 in [0, 1], how much of a mark shows in each pixel;
            None where all of it does.
        proof: see :func:`fiftyone_reue.alignment.agreement.proof`.
        matrix: where the suspect lies, see :mod:`fiftyone_reue.alignment.maps`; None
            where it is the whole original, resized.
        soft: whether it is the whole original, resized, and what isn't shown of it is
            only less sharp.
    """

    image: Image
    reference: Reference
    orientation: int
    luma: np.ndarray
    left: np.ndarray
    distance: float
    shown: np.ndarray | None
    proof: float
    matrix: np.ndarray | None = None
    soft: bool = False

    @property
    def state(self) -> str:
        """ "protected" or "licensed": which copy it is nearest to."""
        return self.reference.state


class Shown(NamedTuple):
    """An original that a suspect shows, and where.

    Attributes:
        near: the original, and how the suspect lies on it.
        box: around what the suspect shows of it; None where that is all of the suspect.
    """

    near: Nearest
    box: Box | None = None


class Gone(NamedTuple):
    """An original that isn't there any more, and that a suspect looks like all over.

    Attributes:
        image: the original's entry.
        luma: the suspect's, turned and resized as the original would be compared.
        orientation: how it was turned.
    """

    image: Image
    luma: np.ndarray
    orientation: int


@dataclass(frozen=True)
class _View:
    """One way to look at a suspect: its luma, turned or mirrored."""

    luma: np.ndarray
    orientation: int


class _Known:
    """An original, and what it may have become, which is only made when it's asked for.

    Attributes:
        image: its entry.
        itself: as it is.
    """

    def __init__(self, image: Image, references: Iterable[Reference]) -> None:
        self.image = image
        self._left = iter(references)
        self.itself = next(self._left)
        self._made = [self.itself]

    @property
    def has_alpha(self) -> bool:
        """Whether it may have been laid on a ground, by which it looks otherwise."""
        return _has_alpha(self.image)

    @property
    def references(self) -> list[Reference]:
        """Itself and its copies without their marks."""
        self._made += self._left
        return self._made


class Locator:
    """Finds suspects' originals. Usable from threads.

    Args:
        ledger: the vault's.
        references: loads originals.
        overview: all originals as a whole.
        parts: all originals' features.
    """

    def __init__(
        self,
        ledger: AuthenticatedLedger,
        references: References,
        overview: Overview,
        parts: FeatureIndex,
    ) -> None:
        self._ledger = ledger
        self._references = references
        self._overview = overview
        self._parts = parts

    def nearest(self, lumas: list[np.ndarray], *, wait: bool = True) -> Nearest:
        """The original that a changed copy belongs to; of several the surest.

        Args:
            lumas: :func:`views` of the copy.
            wait: whether to look at all originals first, which takes long where none
                was looked at for its parts yet.

        Raises:
            UnseenOriginalsError: they would have to be, and nobody is to wait.
            UnalignedImageError: it looks like part of one, but doesn't lie on it.
            InputError: it belongs to none, or an original that it might belong to
                isn't there any more.
        """
        return self._found(lumas, wait)[0]

    def shown(self, lumas: list[np.ndarray], *, wait: bool = True) -> list[Shown]:
        """All originals that a changed copy shows, the surest first.

        Those beside the first are found where they have SMALL pixels a side or more.

        Args:
            lumas: as for :meth:`nearest`.
            wait: as for :meth:`nearest`.

        Raises:
            UnseenOriginalsError, UnalignedImageError, InputError: as :meth:`nearest`.
        """
        found = self._found(lumas, wait)
        first = found[0]
        if first.matrix is None or first.soft:
            return [Shown(first)]
        shape = lumas[0].shape
        collage = _Collage(shape, found)
        if collage.is_crowded:
            for luma in lumas:
                found += self._around(luma, collage.parts)
            collage = _Collage(shape, found)
        if min(first.image.height, first.image.width) < SMALL:
            return collage.parts
        for luma in lumas:
            for _ in range(MOST_IN_ONE):
                left = footprints.features_left(luma, collage.taken)
                if left is None:
                    break
                if not (wait or self._parts.is_complete):
                    raise UnseenOriginalsError
                # One that is surer than what lies in its place takes that.
                found += self._by_features(luma, left, [], [], collage)
                before, collage = collage, _Collage(shape, found)
                if collage.image_ids <= before.image_ids:
                    break
        return collage.parts

    def gone(self, lumas: list[np.ndarray]) -> list[Gone]:
        """Originals that aren't there any more of which a suspect may be a whole copy.

        It may be resized, turned and mirrored. Where nothing of the original is left
        but how it looks all over, no more can be told.

        Args:
            lumas: as for :meth:`nearest`.
        """
        found: list[Gone] = []
        for luma in lumas:
            for candidate in self._overview.index.nearest(luma, CANDIDATES):
                image = self._ledger.image(candidate.image_id)
                if image is None or _has_alpha(image):
                    continue
                turned = match.orient(luma, candidate.orientation)
                alike = match.likeness(turned, image.descriptor)
                if alike < LIKE_GONE or self._references.luma(image.id) is not None:
                    continue
                size = reducing.reduced_size(
                    image.height, image.width, reducing.ORIGINALS
                )
                resized = match.resize(turned, *size)
                found.append(Gone(image, resized, candidate.orientation))
        return found

    def _around(self, luma: np.ndarray, parts: Iterable[Shown]) -> Iterator[Nearest]:
        """What the features around each part speak for, those elsewhere left out."""
        plain = features.find(luma)
        for part in parts:
            if part.box is not None:
                near = footprints.features_around(plain, part.box, luma.shape)
                yield from self._by_features(luma, near, [], [])

    def _found(self, lumas: list[np.ndarray], wait: bool) -> list[Nearest]:
        """What a suspect is proven to show without looking further, surest first."""
        problems: list[str] = []
        alike: list[str] = []
        whole = self._as_whole(lumas, problems)
        found = [] if whole is None else [whole]
        if whole is None or not _is_settled(whole):
            found += self._as_small_part(lumas, problems)
            found.sort(key=_least_sure)
            if found and min(found[0].image.height, found[0].image.width) < SMALL:
                return found[:1]
            if not (wait or self._parts.is_complete):
                raise UnseenOriginalsError
            found += self._as_part(lumas, problems, alike)
            found.sort(key=_least_sure)
        if found:
            return found
        if problems:
            raise InputError(next((one for one in problems if one != _GONE), _GONE))
        if alike:
            raise UnalignedImageError(
                f"It looks like part of {alike[0]}, but could not be aligned with it; "
                "give a larger part, or one that is less changed"
            )
        raise InputError("It looks like none of the originals")

    def _as_whole(self, lumas: list[np.ndarray], problems: list[str]) -> Nearest | None:
        """The original that a suspect shows whole, resized or less a few pixels."""
        best: Nearest | None = None
        for known, view, resized in _likely(self._candidates(lumas, problems)):
            found = _beside(known, view, resized)
            if found is None or (best and best.distance <= found.distance):
                continue
            best, seen_as, of = found, view, known
        if best is None:
            return None
        if _drift(best) >= DRIFT:
            aligned = registration.from_whole(seen_as.luma, of.itself.luma)
            better = aligned and _beside(of, seen_as, aligned.luma, aligned)
            if better and better.proof > best.proof:
                return better
        return _without_drawn(best, of, seen_as) or best

    def _candidates(
        self, lumas: list[np.ndarray], problems: list[str]
    ) -> Iterator[_Candidate]:
        """Originals that a suspect looks like, and it turned and resized like them."""
        for luma in lumas:
            for candidate in self._overview.index.nearest(luma, CANDIDATES):
                known = self._known(candidate.image_id, problems)
                if known is None:
                    continue
                way = candidate.orientation
                view = _View(match.orient(luma, way), way)
                yield known, view, _resized(view.luma, known)

    def _as_small_part(
        self, lumas: list[np.ndarray], problems: list[str]
    ) -> Iterator[Nearest]:
        """Small originals that a suspect shows a part of, shifted and scaled."""
        if not self._overview.has_small:
            return
        for luma in lumas:
            likely = self._overview.index.nearest(luma, SHORTLIST)
            some = self._overview.small(likely)
            for part in match.parts(luma, some, CANDIDATES):
                known = self._known(part.image_id, problems)
                if known is None:
                    continue
                view = _View(match.orient(luma, part.orientation), part.orientation)
                cells = (part.top, part.left, part.cells)
                top, left, side = (one / match.SIDE for one in cells)
                aligned = registration.from_window(
                    view.luma, known.itself.luma, (top, left, side)
                )
                if aligned is None:
                    continue
                near = _beside(known, view, aligned.luma, aligned)
                if near is not None:
                    yield near

    def _as_part(
        self, lumas: list[np.ndarray], problems: list[str], alike: list[str]
    ) -> Iterator[Nearest]:
        """Originals that a suspect shows a part of, turned, at an angle or drawn
        over; notes those on which many features agree and the rest doesn't."""
        for luma in lumas:
            yield from self._by_features(luma, features.find(luma), problems, alike)

    def _by_features(
        self,
        luma: np.ndarray,
        plain: Features,
        problems: list[str],
        alike: list[str],
        beside: _Collage | None = None,
    ) -> Iterator[Nearest]:
        """The same by some of a suspect's features, beside what was found already.

        Where two are proven in one place, of one scene perhaps, features can't tell
        which of those that show it is the one: all that they speak for are tried.
        """
        views = [_View(match.orient(luma, way), way) for way in MIRRORS]
        theirs = [plain, features.mirrored(plain, luma.shape[1])]
        likely = self._parts.nearest(theirs, MORE_CANDIDATES)
        proven, crowded = 0.0, False
        beside = beside or _Collage(luma.shape, ())
        taken, there = beside.taken.copy(), beside.image_ids
        for number, (image_id, ways, votes) in enumerate(likely):
            enough = votes < _AS_LIKELY * proven or (proven and number >= CANDIDATES)
            if enough and not crowded:
                break
            if image_id in there:
                proven = max(proven, votes)  # what is left of it speaks for no other
                continue
            known = self._known(image_id, problems)
            if known is None:
                continue
            original = known.itself.luma
            ours = self._parts.of(image_id)
            for way in ways:
                view, found = views[way], theirs[way]
                aligned = registration.by_features(view.luma, original, found, ours)
                if aligned is None:
                    continue
                near = _beside(known, view, aligned.luma, aligned)
                if near is not None:
                    proven = max(proven, votes)
                    own = _lying(near, luma.shape)
                    crowded = crowded or (
                        bool(own.any()) and bool(taken[own].mean() > _OVERLAP)
                    )
                    taken |= own
                    yield near
                else:
                    alike.append(known.image.source)

    def _known(self, image_id: str, problems: list[str]) -> _Known | None:
        """An original's entry and what it may have become; notes what is missing."""
        try:
            image = self._ledger.image(image_id)
            if image is None:
                # It was there when all of them were read.
                problems.append(self._references.lost(image_id))
                return None
            return _Known(image, self._references.of(image))
        except FATAL:
            raise
        except GoneError:
            problems.append(_GONE)
            return None
        except ReueError as error:
            problems.append(str(error))
            return None


class _Collage:
    """What a suspect shows of originals that lie beside one another.

    Args:
        shape: the suspect's height and width.
        found: what it is proven to show; of what lies in one place the surest counts.

    Attributes:
        parts: the originals, the surest first.
        taken: ``(h, w)`` bool, where they lie.
        is_crowded: whether another original lies in the place of one of them.
    """

    def __init__(self, shape: tuple[int, ...], found: Iterable[Nearest]) -> None:
        self.parts: list[Shown] = []
        self.taken = np.zeros(shape, bool)
        self.is_crowded = False
        for near in sorted(found, key=_least_sure):
            if near.image.id in self.image_ids or near.matrix is None:
                continue
            own = _lying(near, shape)
            box = footprints.box(own)
            if box is None or len(self.parts) == MOST_IN_ONE:
                continue
            if self.taken[own].mean() > _OVERLAP:
                self.is_crowded = True
                continue
            self.parts.append(Shown(near, box))
            self.taken |= own

    @property
    def image_ids(self) -> set[str]:
        """Of the originals."""
        return {one.near.image.id for one in self.parts}


def _lying(near: Nearest, shape: tuple[int, ...]) -> np.ndarray:
    """Where a suspect shows an original that it is aligned with, ``(h, w)`` bool."""
    assert near.matrix is not None
    seen = np.ones(near.left.shape, bool) if near.shown is None else near.shown > 0
    return footprints.footprint(near.matrix, seen, near.orientation, shape)


def _has_alpha(image: Image) -> bool:
    return len(image.descriptor) > match.SIDE**2


def _least_sure(near: Nearest) -> float:
    return -near.proof


_Candidate = tuple[_Known, _View, np.ndarray]
"""An original, and a suspect turned as it is, before and after it was resized."""


def _likely(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """Candidates less those that show nothing of the suspect.

    What an original has become takes long to make.
    """
    found = list(candidates)
    proofs = [agreement.proof(luma, one.itself.luma) for one, _, luma in found]
    proven = max(proofs, default=0.0) >= 1
    return [
        one
        for one, proof in zip(found, proofs, strict=True)
        if proof >= (_UNLIKE if proven else _NOTHING)
        or one[0].has_alpha
        or (not proven and min(one[0].itself.luma.shape) < SMALL)
    ]


def _resized(luma: np.ndarray, known: _Known) -> np.ndarray:
    """A suspect's luma at the size at which an original is compared."""
    height, width = known.itself.luma.shape
    if (height, width) != (known.image.height, known.image.width) and (
        luma.shape[0] >= height and luma.shape[1] >= width
    ):
        # As the original was, or what a sharper filter leaves would remain.
        return reducing.averaged(luma, (height, width))
    return match.resize(luma, height, width)


def _beside(
    known: _Known, view: _View, luma: np.ndarray, aligned: Aligned | None = None
) -> Nearest | None:
    """A suspect beside what it is nearest to of an original; None if it isn't its.

    Args:
        known: the original.
        view: the suspect.
        luma: the suspect's on the original's pixels.
        aligned: how it came there, unless it was just resized.
    """
    best: Nearest | None = None
    itself = known.itself
    for one in known.references:
        covered = aligned.covered if aligned else None
        seen = None
        if aligned and one.opacity is None:
            seen = agreement.seen(luma, one.luma, aligned.covered).astype(np.float32)
            if not seen.any():
                continue
        left = read.residual(luma, one.luma, one.opacity, seen)
        weights = _product(one.opacity, seen)
        size = _size(left, weights)
        spread = _size(left + read.centred(one.luma, one.opacity, seen), weights)
        if size**2 > (1 - EXPLAINED) * spread**2 or (best and best.distance <= size):
            continue
        proof = agreement.proof(_on_black(luma, one), one.luma, covered)
        if proof < 1:
            continue
        best = Nearest(
            known.image,
            one,
            view.orientation,
            luma if seen is None else np.where(seen > 0, luma, itself.luma),
            left if seen is None else left * seen,
            size,
            _product(one.shown, seen),
            proof,
            aligned.matrix if aligned else None,
        )
    return best


def _on_black(luma: np.ndarray, reference: Reference) -> np.ndarray:
    """A suspect as the reference is: on black, whatever even ground it was laid on."""
    if reference.opacity is None:
        return luma
    through = 1 - reference.opacity
    energy = float((through * through).sum())
    if energy == 0:
        return luma
    ground = float((through * (luma - reference.luma)).sum()) / energy
    made: np.ndarray = luma - np.float32(ground) * through
    return made


def _without_drawn(near: Nearest, known: _Known, view: _View) -> Nearest | None:
    """A suspect less what was drawn over it; None if nothing much was."""
    whole = np.ones(near.luma.shape, bool)
    if near.reference.opacity is not None:
        return None
    seen = agreement.seen(near.luma, near.reference.luma, whole)
    if seen.mean() >= WHOLE:
        return None
    matrix = maps.stretched(near.luma.shape, view.luma.shape)
    aligned = Aligned(matrix, near.luma, whole, near.proof)
    less = _beside(known, view, near.luma, aligned)
    if less is None or not _is_softness(near.luma, near.reference.luma, seen):
        return less
    return replace(less, soft=True)


def _is_softness(suspect: np.ndarray, reference: np.ndarray, seen: np.ndarray) -> bool:
    """Whether what differs isn't drawn over a suspect, but details that it lost.

    Blur, or having been smaller, takes them. The reference is made as soft as the
    suspect is where both agree, and both are compared once more.

    Args:
        suspect: ``(H, W)`` float32 luma, on the reference's pixels.
        reference: ``(H, W)`` float32 luma.
        seen: ``(H, W)`` bool, where both agree as they are.
    """
    if not seen.any():
        return False
    left, _ = sharpness.softened(suspect, reference, seen.astype(np.float32))
    whole = np.ones(seen.shape, bool)
    return bool(agreement.seen(suspect, suspect - left, whole).mean() >= WHOLE)


def _is_settled(near: Nearest) -> bool:
    """Whether nothing better is to be expected than what shows about the whole."""
    aligned = near.matrix is not None and not near.soft
    if aligned and near.left.astype(bool).mean() < SETTLED:
        return False
    return _drift(near) < DRIFT


def _drift(near: Nearest) -> float:
    if near.reference.opacity is not None:
        return 0.0
    return registration.drift(near.luma, near.reference.luma)


def _product(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return other if one is None else one
    return one * other


def _size(values: np.ndarray, weights: np.ndarray | None) -> float:
    """The root mean square over what is seen."""
    return math.sqrt(read.weighted_mean(values * values, weights))
