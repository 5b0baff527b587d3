"""What a suspect may be a copy of: originals, and copies without their marks."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.batch.folders import image_items
from fiftyone_reue.errors import FATAL, InputError, ReueError
from fiftyone_reue.media import alpha, offsets
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import with_range
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.names import contained
from fiftyone_reue.releases.originals import Originals
from fiftyone_reue.releases.recent import Recent
from fiftyone_reue.stores.address import Place, place
from fiftyone_reue.vault import records
from fiftyone_reue.vault.entities import Image, Record
from fiftyone_reue.vault.ledger.problems import BACKUP, NOT_FOUND, quoted
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import reducing

_MOST_KEPT, _MOST_BYTES_KEPT = 64, 64 << 20
"""Originals that are kept for the next suspect, and what they take together."""


class GoneError(InputError):
    """An original isn't there any more, nor is a protected copy of it."""


@dataclass(frozen=True)
class Reference:
    """What a suspect may be a copy of, without its mark.

    It has the size at which the original is compared, see
    :mod:`fiftyone_reue.watermark.reducing`; of one with alpha that is its own.

    Attributes:
        state: "protected" or "licensed".
        luma: ``(H, W)`` float32; on black where there is an opacity.
        opacity: ``(H, W)`` float32 in [0, 1], if it was laid on a flat background.
        shown: ``(H, W)`` float32 in [0, 1], how much of a mark shows in each pixel;
            None where all of it does.
    """

    state: str
    luma: np.ndarray
    opacity: np.ndarray | None = None
    shown: np.ndarray | None = None


class References:
    """Loads originals, and what was made of them. Usable from threads.

    Args:
        vault: the owner's.
        originals: takes copies back to what they were made of.
        moved: another place to look for originals.
        max_pixels: larger images are refused before they are decoded.
    """

    def __init__(
        self, vault: Vault, originals: Originals, moved: Place | None, max_pixels: int
    ) -> None:
        self._vault = vault
        self._originals = originals
        self._moved = moved
        self._max_pixels = max_pixels
        self.original = Recent(
            self._load_original, _bytes_of, _MOST_BYTES_KEPT, _MOST_KEPT
        )

    def luma(self, image_id: str) -> np.ndarray | None:
        """An original's luma as it is compared, alpha dropped; None if it isn't there
        any more."""
        raster = self.raster(image_id)
        return None if raster is None else compared_luma(raster, raster.peak)

    def raster(self, image_id: str) -> Raster | None:
        """An original's samples; None if it isn't there any more."""
        try:
            return self.original(image_id)
        except FATAL:
            raise
        except ReueError:
            return None

    def of(self, image: Image) -> Iterable[Reference]:
        """What a suspect may be a copy of, without its mark.

        That is the original, or the original with what one of its protected copies
        had added to the mark; with alpha dropped, or laid on a background.
        """
        raster = self.original(image.id)
        if (raster.height, raster.width) != (image.height, image.width):
            raise InputError(
                f"The ledger says that the original {image.source} has {image.width} x "
                f"{image.height} pixels, but it has {raster.width} x {raster.height}: "
                "its entry was changed; restore the ledger from a backup"
            )
        luma = compared_luma(raster, raster.peak)
        opacity = alpha.opacity(raster.samples, raster.colour_channels)
        # Of a JPEG file's copies its coefficients tell, and the samples take room.
        samples = raster if raster.coded is None else None
        del raster
        shown = None
        if opacity is not None:
            shown = self._shown_without_alpha(image, opacity)
        for state, one in self._lumas(image, luma, samples):
            yield Reference(state, one, shown=shown)
            if opacity is not None and opacity.any():
                yield Reference(state, one * opacity, opacity, opacity)

    def _lumas(
        self, image: Image, luma: np.ndarray, original: Raster | None
    ) -> Iterable[tuple[str, np.ndarray]]:
        """The lumas of the original and of its protected copies without their marks,
        alpha dropped, and "licensed" or "protected"; see :meth:`_unmarked`."""
        yield "licensed", luma
        for record in self._vault.ledger.records_by_image(image.id):
            unmarked = self._unmarked(record, luma, original)
            if unmarked is not None:
                yield "protected", unmarked

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
        self, record: Record, luma: np.ndarray, original: Raster | None
    ) -> np.ndarray | None:
        """The luma of a protected copy without its mark, alpha dropped.

        Args:
            record: the copy's.
            luma: the original's, as it is compared.
            original: its samples; None where they have to be loaded again.

        Returns:
            As the original's; None of a licensee's copy, to which nothing but the mark
            was added, and where what was added isn't known.
        """
        change = None
        try:
            envelope = records.unpack(record.blob)
            if envelope.header.tier == "licensed":
                return None
            peak = envelope.header.peak
            original = original or self.original(record.image_id)
            if not envelope.header.in_coefficients:
                change = self._originals.change(original, envelope)
            elif original.coded is not None:
                coded, most = original.coded, original.height * original.width
                del original
                copy = self._originals.unmarked(coded, envelope, max_pixels=most)
                return compared_luma(copy, peak)
        except FATAL:
            raise
        except ReueError as error:
            self._leave_out(record, error)
            return None
        if change is not None:
            protected, _ = offsets.add(
                original.samples, change, original.colour_channels, peak
            )
            return compared_luma(original.with_samples(protected), peak)
        # The record holds W and no more, or the original JPEG isn't there, so that only
        # the release's own file tells what was added. If it is gone, this copy is only
        # known when unchanged.
        added = self._added_luma(record)
        return None if added is None else luma + added

    def lost(self, image_id: str) -> str:
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
        return compared_luma(raster, peak) - compared_luma(licensed, peak)

    def _delivered(self, record: Record) -> Raster | None:
        """The release's file of a record, if it is there."""
        try:
            release = self._vault.ledger.release(record.release_id)
            if release is None:
                return None
            path = contained.inside(place(release.output), record.output)
            return load(path, max_pixels=self._max_pixels).raster
        except FATAL:
            raise
        except ReueError:
            return None

    def _load_original(self, image_id: str) -> Raster:
        image = self._vault.ledger.image(image_id)
        if image is None:  # it was there when all of them were read
            raise InputError(self.lost(image_id))
        for load_it in (self._from_source, self._from_release, self._from_folder):
            raster = load_it(image)
            if raster is not None:
                return with_range(raster)
        raise GoneError(
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


def _bytes_of(raster: Raster) -> int:
    return raster.samples.nbytes + len(raster.coded or b"")


def compared_luma(raster: Raster, peak: int | None) -> np.ndarray:
    """An original's luma, or a copy's, at the size at which it is compared.

    Args:
        raster: of the original, or of a copy as it was delivered.
        peak: the largest value of the data's range; None: the samples' type's.

    Returns:
        ``(h, w)`` float32, alpha dropped. One with alpha isn't made smaller: what is
        seen of it on another ground can't be told from means.
    """
    samples, colours = raster.samples, raster.colour_channels
    size = raster.height, raster.width
    if not alpha.hides(samples, colours):
        size = reducing.reduced_size(*size, reducing.ORIGINALS)
    return reducing.reduced_luma(samples, colours, peak, size)


def _if_same(path: str, digest: bytes, max_pixels: int) -> Raster | None:
    try:
        raster = load(path, max_pixels=max_pixels).raster
    except ReueError:
        return None
    return raster if sample_digest(raster.samples) == digest else None
