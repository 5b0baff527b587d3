"""Which original a suspect is a copy of, and the mark that is read from it."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fiftyone_reue.batch.folders import image_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import (
    FATAL,
    InputError,
    MissingPackageError,
    ReueError,
    TamperedLedgerError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media import alpha, offsets
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import with_range
from fiftyone_reue.media.digest import carried_digest, sample_digest
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.names import contained
from fiftyone_reue.releases.originals import Originals
from fiftyone_reue.vault import records
from fiftyone_reue.vault.entities import Image, Record
from fiftyone_reue.vault.ledger.problems import BACKUP, NOT_FOUND, quoted
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import match, read
from fiftyone_reue.watermark.evidence import Reading

EXPLAINED = 0.6
"""A suspect belongs to an original that explains this share of its variance ..."""

CLOSE = 4.0
"""... or that it differs from by no more than so many gray levels (flat images)."""


@dataclass(frozen=True)
class Suspect:
    """What was found of one suspect image.

    Attributes:
        sample_id: which.
        path: its file.
        image_id: the matched original, or None.
        original: the matched original's file, as known at protect time, or None.
        state: "protected" or "licensed": what the suspect is a copy of, or None.
        exact: whether its pixels are unchanged.
        distance: root mean square that remains after the reference, gray levels.
        payload: the hard code bits read, hex, or None.
        used: whether it went into the evidence (one suspect an original does).
        reading: the soft bits, or None.
        reason: why it was not matched, or None.
    """

    sample_id: str
    path: str
    image_id: str | None = None
    original: str | None = None
    state: str | None = None
    exact: bool = False
    distance: float | None = None
    payload: str | None = None
    used: bool = False
    reading: Reading | None = None
    reason: str | None = None

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return 2048


@dataclass(frozen=True)
class Nearest:
    """The original that a changed copy belongs to, and how it lies on it.

    Attributes:
        image: the original's entry.
        state: "protected" or "licensed": which copy it is nearest to.
        orientation: how the suspect must be turned, see
            :func:`fiftyone_reue.watermark.match.orient`.
        luma: the suspect's, turned so and of the original's size.
        left: what remains of that after the reference.
        distance: the root mean square of what remains, over what is seen.
        shown: ``(H, W)`` float32 in [0, 1], how much of a mark shows in each pixel;
            None where all of it does.
    """

    image: Image
    state: str
    orientation: int
    luma: np.ndarray
    left: np.ndarray
    distance: float
    shown: np.ndarray | None


@dataclass(frozen=True)
class _Reference:
    """What a suspect may be a copy of, without its mark.

    Attributes:
        state: "protected" or "licensed".
        luma: ``(H, W)`` float32; on black where there is an opacity.
        opacity: ``(H, W)`` float32 in [0, 1], if it was laid on a flat background.
        shown: see :class:`Nearest`.
    """

    state: str
    luma: np.ndarray
    opacity: np.ndarray | None = None
    shown: np.ndarray | None = None


class Tracer:
    """Matches suspects to originals and reads their marks. Usable from threads.

    Args:
        vault: the owner's.
        originals_folder: another place to look for originals.
        max_pixels: larger images are refused before they are decoded.
    """

    def __init__(
        self,
        vault: Vault,
        originals_folder: Path | None = None,
        *,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        self._max_pixels = max_pixels
        self._vault = vault
        self._mark_key = vault.derive("watermark")
        self._originals = Originals(vault)
        self._moved = originals_folder
        ids, descriptors = [], []
        for image in vault.ledger.images():
            ids.append(image.id)
            descriptors.append(image.descriptor)
        if not ids and vault.ledger.problems:
            raise TamperedLedgerError(
                f"The ledger has no original left that is as it was: "
                f"{vault.ledger.problems[-1]}"
            )
        if not ids:
            raise InputError(
                "Nothing was protected with this vault yet, so there is nothing that a "
                "suspect could match"
            )
        self._index = match.Index(ids, descriptors)
        self._reference = functools.lru_cache(maxsize=64)(self._load_original)

    def suspect(self, item: Item) -> Suspect:
        """Match and read one suspect.

        Raises:
            UnreadableImageError, UnsupportedImageError: it can't be read.
        """
        raster = load(
            item.path,
            name=item.sample_id,
            max_pixels=self._max_pixels,
            ignore_record=True,
        ).raster
        raster = with_range(raster)
        unmatched = Suspect(item.sample_id, item.path)
        exact = self.exact(raster)
        if exact is not None:
            return self._read_exact(unmatched, raster, *exact)
        try:
            near = self.nearest(raster)
        except InputError as error:
            return replace(unmatched, reason=str(error))
        return self._read(
            unmatched,
            near.image,
            near.state,
            near.left,
            near.distance,
            exact=False,
            shown=near.shown,
        )

    def exact(self, raster: Raster) -> tuple[Record, str] | None:
        """The record of a copy with these very samples, or a JPEG's coefficients, and
        which copy that is.

        Returns:
            The record and "protected" or "licensed"; None if the ledger has none.
        """
        try:
            digest = carried_digest(raster)
        except (UnreadableImageError, UnsupportedImageError, MissingPackageError):
            return None  # a JPEG that none of ours can be
        for record in self._vault.ledger.records_by_digest(digest):
            return record, "protected" if record.digest_p == digest else "licensed"
        return None

    def nearest(self, raster: Raster) -> Nearest:
        """The original that a changed copy belongs to.

        Raises:
            InputError: it belongs to none, or an original that it might belong to
                isn't there any more.
        """
        best: Nearest | None = None
        problems: list[str] = []
        for luma in _views(raster):
            for candidate in self._index.nearest(luma):
                try:
                    image = self._vault.ledger.image(candidate.image_id)
                    if image is None:
                        # It was there when all of them were read.
                        problems.append(self._lost(candidate.image_id))
                        continue
                    references = list(self._references(image))
                except FATAL:
                    raise
                except ReueError as error:
                    problems.append(str(error))
                    continue
                turned = match.orient(luma, candidate.orientation)
                turned = match.resize(turned, image.height, image.width)
                for one in references:
                    left = read.residual(turned, one.luma, one.opacity)
                    size = _size(left, one.opacity)
                    expected = read.centred(one.luma, one.opacity)
                    if not _belongs(size, _size(left + expected, one.opacity)):
                        continue
                    if best is None or size < best.distance:
                        way = candidate.orientation
                        best = Nearest(
                            image, one.state, way, turned, left, size, one.shown
                        )
        if best is None:
            raise InputError(
                problems[0] if problems else "It looks like none of the originals"
            )
        return best

    def _read_exact(
        self, suspect: Suspect, raster: Raster, record: Record, state: str
    ) -> Suspect:
        image = self._vault.ledger.image(record.image_id)
        if image is None:
            return replace(suspect, reason=self._lost(record.image_id))
        envelope = records.unpack(record.blob)
        if state != "protected":
            envelope = records.licensed_envelope(envelope, record.digest_w)
        licensed, original = self._originals.lookalikes(
            raster, envelope, suspect.sample_id
        )
        colours, peak = raster.colour_channels, envelope.header.peak
        left = read.residual(
            read.luma(licensed, colours, peak), read.luma(original, colours, peak)
        )
        return self._read(suspect, image, state, left, 0.0, exact=True)

    def _read(
        self,
        suspect: Suspect,
        image: Image,
        state: str,
        left: np.ndarray,
        distance: float,
        *,
        exact: bool,
        shown: np.ndarray | None = None,
    ) -> Suspect:
        soft = read.soft_bits(left, self._mark_key, image.id, _AMPLITUDE, shown)
        return replace(
            suspect,
            image_id=image.id,
            original=image.source,
            state=state,
            exact=exact,
            distance=round(distance, 3),
            payload=np.packbits(soft > 0).tobytes().hex(),
            reading=Reading(image.id, soft),
        )

    def _references(self, image: Image) -> Iterable[_Reference]:
        """What a suspect may be a copy of, without its mark.

        That is the original, or the original with what one of its protected copies
        had added to the mark; with alpha dropped, or laid on a background.
        """
        raster = self._reference(image.id)
        if (raster.height, raster.width) != (image.height, image.width):
            raise InputError(
                f"The ledger says that the original {image.source} has {image.width} x "
                f"{image.height} pixels, but it has {raster.width} x {raster.height}: "
                "its entry was changed; restore the ledger from a backup"
            )
        opacity = alpha.opacity(raster.samples, raster.colour_channels)
        if opacity is None:
            for state, luma in self._unmarked(image, raster):
                yield _Reference(state, luma)
            return
        shown = self._shown_without_alpha(image, opacity)
        for state, luma in self._unmarked(image, raster):
            yield _Reference(state, luma, shown=shown)
            if opacity.any():
                yield _Reference(state, luma * opacity, opacity, opacity)

    def _shown_without_alpha(
        self, image: Image, opacity: np.ndarray
    ) -> np.ndarray | None:
        """How much of a mark shows where alpha was dropped: what isn't spared."""
        for record in self._vault.ledger.records_by_image(image.id):
            try:
                if not self._originals.spares_hidden(record):
                    return None
            except FATAL:
                raise
            except ReueError as error:
                self._leave_out(record, error)
        return (opacity > 0).astype(np.float32)

    def _unmarked(
        self, image: Image, raster: Raster
    ) -> Iterable[tuple[str, np.ndarray]]:
        """The lumas of the original and of its protected copies without their marks,
        alpha dropped, and "licensed" or "protected"."""
        colours = raster.colour_channels
        luma = read.luma(raster.samples, colours, raster.peak)
        yield "licensed", luma
        for record in self._vault.ledger.records_by_image(image.id):
            copy = change = None
            try:
                envelope = records.unpack(record.blob)
                if envelope.header.in_coefficients:
                    copy = self._originals.unmarked(raster, envelope)
                else:
                    change = self._originals.change(raster, envelope)
            except FATAL:
                raise
            except ReueError as error:
                self._leave_out(record, error)
                continue
            peak = envelope.header.peak
            if copy is not None:
                yield "protected", read.luma(copy.samples, colours, peak)
                continue
            if change is not None:
                protected, _ = offsets.add(raster.samples, change, colours, peak)
                yield "protected", read.luma(protected, colours, peak)
                continue
            # The record holds W and no more, or the original JPEG isn't there, so that
            # only the release's own file tells what was added. If it is gone, this copy
            # is only known when unchanged.
            added = self._added_luma(record)
            if added is not None:
                yield "protected", luma + added

    def _lost(self, image_id: str) -> str:
        """Note that an original's row isn't found though there is one; in words."""
        self._vault.ledger.note("images", quoted(image_id), f"{NOT_FOUND}; {BACKUP}")
        return f"images, {quoted(image_id)}: {NOT_FOUND}"

    def _leave_out(self, record: Record, error: ReueError) -> None:
        """Go on without a record: the image's other copies can still be traced."""
        self._vault.ledger.note_row("records", record, str(error))

    def _added_luma(self, record: Record) -> np.ndarray | None:
        """What was added to W's luma, out of the release's file; None without it."""
        raster = self._delivered(record)
        if raster is None:
            return None
        try:
            envelope = records.unpack(record.blob)
            licensed, _ = self._originals.licensed(raster, envelope)
        except FATAL:
            raise
        except ReueError:
            return None
        peak = envelope.header.peak
        lumas = [
            read.luma(r.samples, r.colour_channels, peak) for r in (raster, licensed)
        ]
        return lumas[0] - lumas[1]

    def _delivered(self, record: Record) -> Raster | None:
        """The release's file of a record, if it is there."""
        try:
            release = self._vault.ledger.release(record.release_id)
            if release is None:
                return None
            path = contained.inside(Path(release.output), record.output)
            return load(path, max_pixels=self._max_pixels).raster
        except FATAL:
            raise
        except ReueError:
            return None

    def _load_original(self, image_id: str) -> Raster:
        image = self._vault.ledger.image(image_id)
        assert image is not None
        for load_it in (self._from_source, self._from_release, self._from_folder):
            raster = load_it(image)
            if raster is not None:
                return with_range(raster)
        raise InputError(
            f"The original {image.source} isn't there any more, nor is a protected "
            "copy of it; say where the originals are now (--originals FOLDER)"
        )

    def _from_source(self, image: Image) -> Raster | None:
        return _if_same(image.source, image.digest, self._max_pixels)

    def _from_release(self, image: Image) -> Raster | None:
        for record in self._vault.ledger.records_by_image(image.id):
            raster = self._delivered(record)
            if raster is None:
                continue
            try:
                original = self._originals.original(
                    raster, record.blob, record.sample_id
                )
            except FATAL:
                raise
            except ReueError:
                continue
            if sample_digest(original.samples) == image.digest:
                return original
        return None

    def _from_folder(self, image: Image) -> Raster | None:
        if self._moved is None:
            return None
        path = self._moved_originals.get(image.digest)
        return _if_same(path, image.digest, self._max_pixels) if path else None

    @functools.cached_property
    def _moved_originals(self) -> dict[bytes, str]:
        found = {}
        for item in image_items(self._moved) if self._moved else []:
            try:
                raster = load(item.path, max_pixels=self._max_pixels).raster
                found[sample_digest(raster.samples)] = item.path
            except ReueError:
                continue
        return found


_AMPLITUDE = 2
"""The mark amplitude that soft bits are scaled for; a common factor changes nothing."""


def _if_same(path: str, digest: bytes, max_pixels: int) -> Raster | None:
    try:
        raster = load(path, max_pixels=max_pixels).raster
    except ReueError:
        return None
    return raster if sample_digest(raster.samples) == digest else None


def _views(raster: Raster) -> Iterable[np.ndarray]:
    """A suspect's lumas: alpha dropped, and on white where that is another.

    Programs that save an alpha channel may clear the colours that it hides.
    """
    luma = read.luma(raster.samples, raster.colour_channels, raster.peak)
    yield luma
    opacity = alpha.opacity(raster.samples, raster.colour_channels)
    if opacity is not None:
        yield luma * opacity + 255 * (1 - opacity)


def _size(values: np.ndarray, opacity: np.ndarray | None) -> float:
    """The root mean square over what is seen."""
    return math.sqrt(read.weighted_mean(values * values, opacity))


def _belongs(left: float, spread: float) -> bool:
    """Whether a suspect belongs to a reference.

    Args:
        left: the root mean square of what remains of it after the reference.
        spread: the same of all of it, in gray levels of the reference.
    """
    return left <= CLOSE or left**2 <= (1 - EXPLAINED) * spread**2
