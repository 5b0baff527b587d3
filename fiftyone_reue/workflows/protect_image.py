"""One image protected in memory: ``O -> W -> P``, verified before it is written."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import (
    InputError,
    UnsupportedImageError,
    VerificationError,
    named,
)
from fiftyone_reue.media import alpha, viewers
from fiftyone_reue.media.codec import (
    load,
    load_with_bytes,
    suffix,
)
from fiftyone_reue.media.depth import require_levels, with_range
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.media.displayed import NOTABLE, largest_shown, orientation_of
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.media.visibility import SMALLEST, middle, ssimulacra2
from fiftyone_reue.perturb.base import Method, State
from fiftyone_reue.perturb.weaker import weaker
from fiftyone_reue.releases.changes import digest_of, made_of
from fiftyone_reue.releases.prepare import sample_key
from fiftyone_reue.vault import records
from fiftyone_reue.vault.commitments import Original
from fiftyone_reue.vault.entities import Image, Recipient, Record, Release
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import codes, embed, match, patterns
from fiftyone_reue.workflows import in_coefficients, in_pixels
from fiftyone_reue.workflows.amplitudes import strongest
from fiftyone_reue.workflows.copies import Copy, Job, Try

LARGEST_LEDGER_FILE = 8 << 10
"""What describes an original file goes into the ledger too, up to so many bytes."""

FOUND_RANGE = (
    "16-bit samples don't use their whole range: epsilon and PSNR are of the largest "
    "value that the file states or that was found; --depth says otherwise"
)

UNPERTURBED = (
    "there is no room in it for a perturbation, so that it teaches what the original "
    "does: a JPEG is quantised too coarsely, or epsilon is too small; raise epsilon, "
    "or take it as pixels (--carrier pixels)"
)

NOTHING_ADDED = (
    "there is no room in it for a perturbation or a watermark, so that its copy would "
    "be the original: a JPEG is quantised too coarsely, all of it is white or black, "
    "or epsilon is too small; raise epsilon, take a JPEG as pixels (--carrier pixels), "
    "or leave it out"
)

UNLABELLED = (
    "nothing of any class is annotated in it, so that nothing but the watermark was "
    "added"
)

UNMARKED = (
    "there is no room in it for a watermark, so that it can't be traced: a JPEG is "
    "quantised too coarsely, or epsilon is too small; raise epsilon, or take it as "
    "pixels (--carrier pixels)"
)

COARSE = (
    "no amplitude leaves the quality asked for, so the one that looks best was taken: "
    "the watermark alone shows as much, or the image is smooth; leave it out, or ask "
    "for less"
)

UNTOLD = (
    f"under {SMALLEST} pixels a side visual quality can't be told, so it isn't held to "
    "what was asked for; ask for a smaller epsilon instead"
)

LEAST_SEEN = 16
"""An image of which fewer pixels are seen, the others being transparent, is refused."""


@dataclass(frozen=True)
class Protected:
    """One protected image, ready to be written.

    Attributes:
        item: what it was made from.
        data: the file's bytes.
        record: its ledger entry; ``record.output`` is the file below the release.
        image: the original's ledger entry.
        payload: the watermark's code bits as hex digits.
        converted: the original's format if it could not be kept, else None.
        notes: what the owner should know of this image.
        withheld: kinds of what its file holds and the copy doesn't; sealed for the
            owner.
        differs: why the owner won't get this very file back, only its pixels and
            metadata; None: byte for byte.
        ssimulacra2: how much alike the original and the copy look, see
            :mod:`fiftyone_reue.media.visibility`; None where it wasn't measured.
    """

    item: Item
    data: bytes
    record: Record
    image: Image
    payload: str
    converted: str | None
    notes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    differs: str | None = None
    ssimulacra2: float | None = None

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.data)


@dataclass(frozen=True)
class Boxes:
    """What a release's records are sealed with; a worker needs it.

    Attributes:
        vault_id: which vault makes them.
        recipient: for whom they are.
        owner: the release's key for owner's boxes, which opens no other release's.
    """

    vault_id: str
    recipient: RecipientKey
    owner: bytes = field(repr=False)


@dataclass(frozen=True)
class Own:
    """What is one image's own in a release, derived from keys that no worker needs.

    Attributes:
        image_id: the original's id.
        digest: of the original's samples, as they were when it was committed to.
        carrier: what the places of its marks follow from.
        code: its code bits for this recipient, packed.
        sample: its name in public headers, 16 hex digits.
        sample_key: what is its own in the release's perturbation.
    """

    image_id: str
    digest: bytes
    carrier: bytes = field(repr=False)
    code: bytes = field(repr=False)
    sample: str
    sample_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of an original before anything is made of it.

    Attributes:
        sample_id: which.
        digest: of its samples.
        bits: how many code bits an image of its size carries.
    """

    sample_id: str
    digest: bytes
    bits: int

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return 256


@dataclass(frozen=True)
class Secrets:
    """The keys that protecting needs, derived once a run; no worker has them."""

    image_id: bytes = field(repr=False)
    sample: bytes = field(repr=False)
    mark: bytes = field(repr=False)
    code_seed: bytes = field(repr=False)
    release_seed: bytes = field(repr=False)
    release_id: str
    boxes: Boxes

    @classmethod
    def of(
        cls, vault: Vault, recipient: Recipient, release_id: str, release_seed: bytes
    ) -> Secrets:
        """Derive them for a release."""
        return cls(
            image_id=vault.derive("image-id"),
            sample=vault.derive("sample-id"),
            mark=vault.derive("watermark"),
            code_seed=vault.code_seed(recipient),
            release_seed=release_seed,
            release_id=release_id,
            boxes=Boxes(
                vault.vault_id,
                vault.recipient_key(recipient),
                records.release_key(vault.derive_newest("owner-box"), release_id),
            ),
        )

    def original(self, seen: Seen) -> Original:
        """What a release commits to of an original."""
        one = image_id(self.image_id, seen.digest)
        return Original(one, seen.digest, patterns.carrier_key(self.mark, one))

    def own(self, seen: Seen) -> Own:
        """What is the image's own in the release."""
        original = self.original(seen)
        return Own(
            image_id=original.image_id,
            digest=seen.digest,
            carrier=original.carrier_key,
            code=codes.code_bytes(self.code_seed, original.image_id, seen.bits),
            sample=sample_hash(self.sample, self.release_id, seen.sample_id),
            sample_key=sample_key(self.release_seed, seen.sample_id),
        )


def image_id(key: bytes, digest: bytes) -> str:
    """An original's id: 32 hex digits that tell nothing without the key."""
    return hashlib.blake2b(digest, key=key, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Look:
    """Looks at originals before anything is made of them; it takes no key for that.

    Attributes:
        max_pixels: larger images are refused before they are decoded.
        depth: bits that 16-bit data has, see :func:`media.depth.with_range`.
    """

    max_pixels: int
    depth: int | None

    def __call__(self, item: Item) -> Seen:
        """Look at one.

        Raises:
            UnreadableImageError, UnsupportedImageError: the image can't be used.
        """
        name = item.sample_id
        raster = load(item.path, name=name, max_pixels=self.max_pixels).raster
        with named(name):
            digest = sample_digest(with_range(raster, self.depth).samples)
        bits = patterns.bit_count(raster.height, raster.width)
        return Seen(name, digest, bits)


def sample_hash(key: bytes, release_id: str, sample_id: str) -> str:
    """A sample's id in a public header: 16 hex digits."""
    named = f"{release_id}\0{sample_id}".encode()
    return hashlib.blake2b(named, key=key, digest_size=8).hexdigest()


def protect_image(
    item: Item,
    own: Own | None,
    boxes: Boxes,
    release: Release,
    method: Method,
    state: State,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    depth: int | None = None,
    whole_files: bool = False,
    carrier: str = "auto",
    measure: bool = False,
) -> Protected:
    """Protect one image in memory and prove that it can be given back.

    Args:
        item: the original.
        own: what is its own; None of one that couldn't be looked at.
        boxes: what its record is sealed with.
        release: what it is protected for; its id and parameters matter.
        method: what perturbs it.
        state: what that was fitted to.
        max_pixels: larger images are refused before they are decoded.
        depth: bits that 16-bit data has, see :func:`media.depth.with_range`.
        whole_files: see :func:`media.original.describe`.
        carrier: "auto", by which a JPEG's coefficients carry its copies, or "pixels".
        measure: whether to measure how visible the change is; it is measured anyway
            where the release has a least quality.

    Raises:
        MissingPackageError: coefficients can't be read on this machine.
        UnreadableImageError, UnsupportedImageError: the image can't be used.
        InputError: it is a protected copy itself, of an unknown class, or not what
            was looked at.
        VerificationError: the result would not restore exactly.
    """
    made, looked = _protected(
        item,
        own,
        boxes,
        release,
        method,
        state,
        max_pixels=max_pixels,
        depth=depth,
        whole_files=whole_files,
        carrier=carrier,
        measure=measure,
    )
    if looked is None:
        return made
    # Only now, for it takes as much memory as a large image itself.
    return replace(made, ssimulacra2=ssimulacra2(*looked))


_Looked = tuple[np.ndarray, np.ndarray, int, int]
"""What :func:`ssimulacra2` is given."""


def _protected(
    item: Item,
    own: Own | None,
    boxes: Boxes,
    release: Release,
    method: Method,
    state: State,
    *,
    max_pixels: int,
    depth: int | None,
    whole_files: bool,
    carrier: str,
    measure: bool,
) -> tuple[Protected, _Looked | None]:
    """:func:`protect_image`, but for how visible the change is where that is still to
    be measured: then what of both images is looked at."""
    source, loaded = load_with_bytes(
        item.path, name=item.sample_id, max_pixels=max_pixels
    )
    if loaded.record is not None:
        raise InputError(
            f"{item.sample_id}: this is a protected or licensed copy already; protect "
            "the original"
        )
    with named(item.sample_id):
        raster = with_range(loaded.raster, depth)
        require_levels(raster)
    if carrier == "pixels":
        raster = replace(raster, coded=None)
    peak = raster.peak
    height, width, colours = raster.height, raster.width, raster.colour_channels
    if min(height, width) < patterns.SMALLEST_SIDE:
        raise UnsupportedImageError(
            f"{item.sample_id}: {width} x {height} pixels are too few to carry a mark; "
            f"use images of at least {patterns.SMALLEST_SIDE} pixels a side"
        )
    original = raster.samples
    if alpha.seen(original, colours) < LEAST_SEEN:
        raise UnsupportedImageError(
            f"{item.sample_id}: all but {alpha.seen(original, colours):.0f} of its "
            "pixels are transparent, too few to carry a mark that could be seen; leave "
            "it out, or take its alpha channel off if that isn't about transparency"
        )
    if item.regions is not None:
        turned = orientation_of(raster.metadata)
        with named(item.sample_id):
            regions = item.regions.on(height, width, turned)
            method = method.by_region(regions)
    digest_o = sample_digest(original)
    if own is None or own.digest != digest_o:
        raise InputError(
            f"{item.sample_id}: it was changed while the release was being made; "
            "protect it again"
        )
    amplitude = int(release.parameters["mark_amplitude"])
    code = codes.unpacked(own.code)
    mark = embed.carried_mark(own.carrier, code, height, width, amplitude)
    mark = embed.spared(mark, original, colours)
    job = Job(
        item.sample_id,
        source,
        replace(loaded, raster=raster),
        _name_to_seal(item),
        digest_o,
        mark,
        amplitude,
        method,
        item.label or "",
        own.sample_key,
        int(release.parameters["epsilon"]),
        whole_files,
    )
    making = in_pixels if raster.coded is None else in_coefficients
    quality = release.parameters.get("quality")
    with_state = making.begin(job)
    seen: float | None = None
    looks: tuple[str, ...] = ()
    if quality is not None and min(height, width) < SMALLEST:
        looks = (UNTOLD,)
    elif quality is not None:
        state, seen = _within_quality(with_state, state, job, int(quality))
        looks = (COARSE,) if seen < quality else ()
    copy = with_state(state).copy()
    del with_state  # of a large picture its coefficients take much memory
    if copy.digests[2] == copy.digests[0]:
        raise UnsupportedImageError(f"{item.sample_id}: {NOTHING_ADDED}")
    made = _written(item, release, own, boxes, job, copy, max_pixels)
    data = made.data
    looked: _Looked | None = None
    if measure and seen is None:
        both = middle(original).copy(), middle(made.samples).copy()
        looked = (*both, colours, peak)
    _, digest_w, digest_p = copy.digests
    now = time.time()
    protected = Protected(
        item=item,
        data=data,
        record=Record(
            id=f"{release.id}-{own.sample}",
            release_id=release.id,
            sample_id=item.sample_id,
            image_id=own.image_id,
            label=item.label,
            source=item.path,
            output=item.output + suffix(copy.format),
            digest_p=digest_p,
            digest_w=digest_w,
            blob=_ledgers_copy(made.envelope).pack(),
            psnr=psnr(original, made.samples, colours, peak),
            created=now,
            file_digest=made_of(item, source),
            copy_digest=digest_of(data),
        ),
        image=Image(
            id=own.image_id,
            digest=digest_o,
            source=item.path,
            label=item.label,
            height=height,
            width=width,
            descriptor=match.descriptors_of(original, colours, peak),
        ),
        payload=own.code.hex(),
        converted=raster.format if copy.format != raster.format else None,
        notes=_notes(raster, int(release.parameters["epsilon"]), depth)
        + _unchanged(item, *copy.digests)
        + looks,
        withheld=tuple(dict.fromkeys(loaded.left_out + copy.withheld)),
        differs=copy.file.differs,
        ssimulacra2=seen,
    )
    return protected, looked


@dataclass(frozen=True, eq=False)
class _Written:
    """A copy with its record, as it was read back from its file's bytes."""

    copy: Copy
    data: bytes
    envelope: records.Envelope
    samples: np.ndarray


def _within_quality(
    with_state: Try, state: State, job: Job, quality: int
) -> tuple[State, float]:
    """The state whose change is the strongest that looks well enough; and how it looks.

    No file is made of what is only looked at.
    """
    most = job.epsilon - job.mark_amplitude
    raster = job.raster

    def less(amplitude: int) -> State:
        return state if amplitude == most else weaker(state, amplitude, most)

    def look(amplitude: int) -> float:
        shown = with_state(less(amplitude)).shown()
        seen = ssimulacra2(raster.samples, shown, raster.colour_channels, raster.peak)
        assert seen is not None  # the image isn't too small
        return seen

    amplitude, seen = strongest(look, most, quality)
    return less(amplitude), seen


def _written(
    item: Item,
    release: Release,
    own: Own,
    boxes: Boxes,
    job: Job,
    copy: Copy,
    max_pixels: int,
) -> _Written:
    """Seal a copy's record, make its file, and prove that it comes back."""
    raster = job.raster
    sealed_o, digest_w, digest_p = copy.digests
    envelope = records.seal_protected(
        records.Header(
            "protected",
            boxes.vault_id,
            release.id,
            own.sample,
            boxes.recipient.key_id,
            digest_p,
            copy.content.version,
            None if raster.white is None else raster.peak,
            nonces=True,
        ),
        boxes.recipient.key,
        records.RecipientPart(copy.content.data, digest_w),
        boxes.owner,
        records.OwnerPart(
            boxes.recipient.recipient_id,
            own.image_id,
            job.mark_amplitude,
            copy.lost,
            sealed_o,
            visible=raster.has_alpha,
        ),
        copy.file.content,
    )
    blob = envelope.pack()
    data = copy.written(blob)
    again = load(data, name=item.sample_id, max_pixels=max_pixels)
    _verify(item, again.record, blob)
    copy.prove(again)
    _verify_opens(item, data, job.source)
    return _Written(copy, data, envelope, again.raster.samples)


def _name_to_seal(item: Item) -> str:
    """The original's name where its copy has another, else only the suffix."""
    path = Path(item.path)
    renamed = PurePosixPath(item.output).name != path.stem
    return path.name if item.keep_name and renamed else path.suffix


def _verify(item: Item, record: bytes | None, blob: bytes) -> None:
    if record != blob:
        raise VerificationError(
            f"{item.sample_id}: the encoded file doesn't hold its record, so it was "
            "not written; please report this image's format"
        )


def _verify_opens(item: Item, data: bytes, source: bytes) -> None:
    """Nobody may lose an image because a reader refuses what travels with it."""
    lost = set(viewers.unopened_alike(data))
    if lost:
        lost -= set(viewers.unopened(source))
    if lost:
        raise VerificationError(
            f"{item.sample_id}: {' and '.join(sorted(lost))} would open the original "
            "but not the protected copy, so it was not written; please report this "
            "image's format"
        )


def _ledgers_copy(envelope: records.Envelope) -> records.Envelope:
    """What the ledger keeps of a record; whole files stay in the copies alone."""
    if len(envelope.file_box) <= LARGEST_LEDGER_FILE:
        return envelope
    return envelope.without_file()


def _unchanged(
    item: Item, original: bytes, licensed: bytes, protected: bytes
) -> tuple[str, ...]:
    """What the owner should know where digests say that nothing was added."""
    notes = []
    if protected == licensed:
        empty = item.regions is not None and not item.regions.names
        notes.append(UNLABELLED if empty else UNPERTURBED)
    if licensed == original:
        notes.append(UNMARKED)
    return tuple(notes)


def _notes(raster: Raster, epsilon: int, depth: int | None) -> tuple[str, ...]:
    notes = []
    if raster.white is not None and depth is None:
        notes.append(FOUND_RANGE)
    shown = largest_shown(raster, epsilon)
    if shown > NOTABLE * epsilon:
        notes.append(
            f"a change of {epsilon} is shown as up to {shown} of 255 in dark parts: "
            "the file's gamma or colour profile brightens what is stored; choose a "
            "smaller epsilon if that is too much"
        )
    return tuple(notes)
