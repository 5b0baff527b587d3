"""Which originals a suspect is a copy of, and the marks that are read from it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fiftyone_reue.alignment.index import FeatureIndex
from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import (
    InputError,
    MissingPackageError,
    ReueError,
    TamperedLedgerError,
    UnalignedImageError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media import alpha
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import with_range
from fiftyone_reue.media.digest import carried_digest, sample_digest
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases.footprints import Box
from fiftyone_reue.releases.locating import Locator, Nearest, views
from fiftyone_reue.releases.originals import Originals
from fiftyone_reue.releases.overview import Overview
from fiftyone_reue.releases.references import References, compared_luma
from fiftyone_reue.stores.address import Place
from fiftyone_reue.vault import records
from fiftyone_reue.vault.entities import Image, Record
from fiftyone_reue.vault.file_lock import file_lock
from fiftyone_reue.vault.ledger.rows import pages
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import read, sharpness, unaided
from fiftyone_reue.watermark.patterns import carrier_key
from fiftyone_reue.watermark.readings import Reading, seen_of
from fiftyone_reue.watermark.sharpness import Response

FEATURES = "features"
"""The folder, beside a vault's ledger, of its originals' features."""

ITSELF = "original"
"""The state of a suspect that is no copy, but has the original's own pixels."""

UNAIDED = (
    "read without its original, which isn't there any more; say where the originals "
    "are now (--originals FOLDER)"
)

UNREAD = (
    "looks like an original that isn't there any more, but no mark is read from it by "
    "itself: another picture of the scene, or a copy that lost too much; say where the "
    "originals are now (--originals FOLDER)"
)

_MARKED = math.log(1e-4)
"""A suspect that is read unaided shows a mark if so much of one is found by chance with
this logarithm of a chance at most. What shows less is weighed as well, since several
together may tell."""

_PAGE = 512

_ALL = 0.97
"""A box of this share of a file is all of it, but for what resampling leaves out."""


@dataclass(frozen=True)
class Suspect:
    """What was found of one suspect image, or of one of the originals in it.

    Attributes:
        sample_id: which.
        path: its file.
        image_id: the matched original, or None.
        original: the matched original's file, as known at protect time, or None.
        state: "protected" or "licensed": what the suspect is a copy of; "original"
            where it has the original's own pixels; or None where it was not matched,
            or read unaided.
        exact: whether its pixels are unchanged.
        distance: root mean square that remains after the reference, gray levels.
        payload: the hard code bits read, hex, or None.
        used: whether it went into the evidence; what says the same as another of its
            original doesn't.
        reading: the soft bits, or None.
        reason: why it was not matched, or read unaided, or None.
        unaligned: whether it looks like part of an original, but lies nowhere on it.
        unaided: whether it was read without its original, which isn't there any more.
        marked: whether a mark is read from it by itself; of one that is read unaided
            only that tells a copy from another picture of the scene.
        turned: how it must be turned to lie as its original, see
            :func:`fiftyone_reue.watermark.match.orient`, where it shows all of that;
            None where it doesn't, or hides something under an alpha channel.
        box: left, top, right and bottom of where it shows the original, in pixels of
            the file; None where that is all of it, or no original was matched.
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
    unaligned: bool = False
    unaided: bool = False
    marked: bool = True
    turned: int | None = None
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Traced:
    """What was found of one file.

    Attributes:
        suspects: one for each original that it shows, the surest first; one without an
            original where none was matched.
    """

    suspects: tuple[Suspect, ...]

    @property
    def first(self) -> Suspect:
        """The surest."""
        return self.suspects[0]

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return 2048 * len(self.suspects)


@dataclass(frozen=True)
class _Unseen:
    """An original that wasn't looked at for its parts yet."""

    path: str
    sample_id: str


class Tracer:
    """Matches suspects to originals and reads their marks. Usable from threads.

    Args:
        vault: the owner's.
        originals_folder: another place to look for originals.
        max_pixels: larger images are refused before they are decoded.
        witness: is shown what every mark is read from, with the suspect's id and its
            original's.
    """

    def __init__(
        self,
        vault: Vault,
        originals_folder: Place | None = None,
        *,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        witness: Callable[[str, str, read.Difference], None] | None = None,
    ) -> None:
        self._max_pixels = max_pixels
        self._witness = witness
        self._vault = vault
        self._mark_key = vault.derive("watermark")
        self._originals = Originals(vault)
        self._references = References(
            vault, self._originals, originals_folder, max_pixels
        )
        folder = _features_folder(vault)
        key = vault.derive_newest("originals-overview")
        self._overview = Overview(vault.ledger, folder, key)
        if not self._overview:
            raise self._nothing_to_match()
        self._parts = FeatureIndex(
            self._overview.ids, self._references.luma, folder, file_lock
        )
        self._locator = Locator(
            vault.ledger, self._references, self._overview, self._parts
        )

    def _nothing_to_match(self) -> ReueError:
        ledger = self._vault.ledger
        if ledger.problems:
            return TamperedLedgerError(
                f"The ledger has no original left that is as it was: "
                f"{ledger.problems[-1]}"
            )
        begun = ledger.releases()
        if begun:
            return InputError(
                f"Release {begun[-1].name} was cut off before any of its copies was "
                "noted, so there is nothing that a suspect could match; protect the "
                "same images again, which goes on with it"
            )
        return InputError(
            "Nothing was protected with this vault yet, so there is nothing that a "
            "suspect could match"
        )

    @property
    def knows_parts(self) -> bool:
        """Whether as many originals were looked at for their parts as there are."""
        expected = self._vault.ledger.images_expected()
        if expected is None:
            return self._parts.is_complete
        return len(self._parts) >= expected.count

    def look_at_originals(self) -> Generator[Progress, None, tuple[int, int]]:
        """Look at what tells parts of originals apart, at those where nobody did yet.

        It is kept beside the vault, so that it is done once.

        Yields:
            Progress. What was done is kept when it is closed.

        Returns:
            At how many originals it was looked, and how many more aren't there.

        Raises:
            OutputError: it can't be kept.
        """
        ledger = self._vault.ledger
        todo = [
            _Unseen(image.source, image.id)
            for page in pages(self._parts.missing(), _PAGE)
            for image in ledger.find_images(page)
        ]
        outcome: Outcome = Outcome()
        steps = pipeline.run(
            todo, lambda one: self._parts.look(one.sample_id), self._parts.add, outcome
        )
        for behind in steps:
            label = f"Looking at originals for their parts, once: {behind} of "
            yield Progress(behind / len(todo), f"{label}{len(todo)}")
        gone = sum(one.sample_id in self._parts.gone for one in todo)
        return outcome.done - gone, gone

    def trace(self, item: Item, *, wait: bool = True) -> Traced:
        """Match one file, and read the mark of every original that it shows.

        Args:
            item: which.
            wait: see :meth:`fiftyone_reue.releases.locating.Locator.nearest`.

        Raises:
            UnseenOriginalsError: see the same.
            UnreadableImageError, UnsupportedImageError: it can't be read.
        """
        raster = load(
            item.path,
            name=item.sample_id,
            max_pixels=self._max_pixels,
            ignore_record=True,
            any_kind=True,
        ).raster
        raster = with_range(raster)
        unmatched = Suspect(item.sample_id, item.path)
        exact = self.exact(raster)
        if exact is not None:
            return Traced((self._read_exact(unmatched, raster, *exact),))
        lumas = views(raster)
        size = raster.width, raster.height
        samples = sample_digest(raster.samples)
        del raster  # originals take as much memory
        try:
            found = self._locator.shown(lumas, wait=wait)
        except InputError as error:
            read_unaided = self._unaided(unmatched, lumas)
            if read_unaided is not None:
                return Traced((read_unaided,))
            lies_nowhere = isinstance(error, UnalignedImageError)
            reason = str(error)
            return Traced((replace(unmatched, reason=reason, unaligned=lies_nowhere),))
        # What hides something may have been laid on a ground, which nobody else knows.
        whole = len(lumas) == 1
        return Traced(
            tuple(
                self._read_near(
                    replace(
                        unmatched,
                        box=_pixels(box, *size),
                        turned=near.orientation
                        if whole and near.matrix is None
                        else None,
                    ),
                    near,
                    samples,
                )
                for near, box in found
            )
        )

    def _unaided(self, suspect: Suspect, lumas: list[np.ndarray]) -> Suspect | None:
        """A suspect's mark without its original; None where none that is gone looks
        like it. Of several it is the one of which there is most of a mark."""
        best: tuple[float, Image, read.Difference, int] | None = None
        for image, luma, orientation in self._locator.gone(lumas):
            difference = read.Difference(unaided.remains(luma))
            carrier = carrier_key(self._mark_key, image.id)
            chance = unaided.log_chance(read.carried(difference, carrier, AMPLITUDE))
            if best is None or chance < best[0]:
                best = chance, image, difference, orientation
        if best is None:
            return None
        chance, image, difference, orientation = best
        marked = chance <= _MARKED
        left = difference.left
        distance = float(np.sqrt(np.mean(left * left)))
        found = self._read(suspect, image, None, left, distance, exact=False)
        turned = orientation if len(lumas) == 1 else None
        reason = UNAIDED if marked else UNREAD
        return replace(found, unaided=True, marked=marked, reason=reason, turned=turned)

    def _read_near(self, suspect: Suspect, near: Nearest, samples: bytes) -> Suspect:
        itself = samples == near.image.digest
        left, response = near.left, None
        if near.reference.opacity is None:
            luma = near.reference.luma
            left, response = sharpness.softened(near.luma, luma, near.shown)
        return self._read(
            suspect,
            near.image,
            ITSELF if itself else near.state,
            left,
            near.distance,
            exact=itself,
            shown=near.shown,
            response=response,
        )

    def original(self, image_id: str) -> Raster | None:
        """An original, from wherever it is now; None where it isn't there any more."""
        return self._references.raster(image_id)

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

    def nearest(self, raster: Raster, *, wait: bool = True) -> Nearest:
        """The original that a changed copy belongs to.

        Args:
            raster: the copy.
            wait: see :meth:`fiftyone_reue.releases.locating.Locator.nearest`.

        Raises:
            UnseenOriginalsError: see the same.
            InputError: it belongs to none, or an original that it might belong to
                isn't there any more.
        """
        return self._locator.nearest(views(raster), wait=wait)

    def _read_exact(
        self, suspect: Suspect, raster: Raster, record: Record, state: str
    ) -> Suspect:
        image = self._vault.ledger.image(record.image_id)
        if image is None:
            return replace(suspect, reason=self._references.lost(record.image_id))
        envelope = records.unpack(record.blob)
        if state != "protected":
            envelope = records.licensed_envelope(envelope, record.digest_w)
        left = read.residual(
            *self._originals.lookalikes(
                raster,
                envelope,
                suspect.sample_id,
                lambda one: compared_luma(one, envelope.header.peak),
            )
        )
        if not alpha.hides(raster.samples, raster.colour_channels):
            suspect = replace(suspect, turned=0)
        return self._read(suspect, image, state, left, 0.0, exact=True)

    def _read(
        self,
        suspect: Suspect,
        image: Image,
        state: str | None,
        left: np.ndarray,
        distance: float,
        *,
        exact: bool,
        shown: np.ndarray | None = None,
        response: Response | None = None,
    ) -> Suspect:
        difference = read.Difference(left, shown, response)
        soft = read.soft_bits(difference, self._mark_key, image.id, AMPLITUDE)
        if self._witness is not None:
            self._witness(suspect.sample_id, image.id, difference)
        return replace(
            suspect,
            image_id=image.id,
            original=image.source,
            state=state,
            exact=exact,
            distance=round(distance, 3),
            payload=np.packbits(soft > 0).tobytes().hex(),
            reading=Reading(image.id, soft, seen_of(shown)),
        )


def _pixels(
    box: Box | None, width: int, height: int
) -> tuple[int, int, int, int] | None:
    """A box in pixels of a file of this size; None of what is about all of it."""
    if box is None:
        return None
    left, top, right, bottom = box
    if (right - left) * (bottom - top) > _ALL:
        return None
    ends = left * width, top * height, right * width, bottom * height
    left, top, right, bottom = (round(one) for one in ends)
    return left, top, right, bottom


def _features_folder(vault: Vault) -> Path:
    """Where originals' features are kept: beside a ledger that is a file, else in the
    user's cache. They say roughly what originals look like, as the ledger does."""
    ledger = vault.ledger.raw
    if isinstance(ledger, SqliteLedger):
        return ledger.path.parent / FEATURES
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "fiftyone-reue" / FEATURES / vault.vault_id


AMPLITUDE = 2
"""The mark amplitude that soft bits are scaled for; a common factor changes nothing."""
