"""One image protected in memory: ``O -> W -> P``, verified before it is written."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import (
    InputError,
    UnsupportedImageError,
    VerificationError,
    named,
)
from fiftyone_reue.media import alpha, viewers
from fiftyone_reue.media.codec import (
    largest_file,
    load,
    read_file,
    suffix,
)
from fiftyone_reue.media.depth import require_levels, with_range
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.media.displayed import NOTABLE, largest_shown
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.perturb.base import Method, State
from fiftyone_reue.releases.changes import digest_of
from fiftyone_reue.releases.prepare import sample_key
from fiftyone_reue.vault import records
from fiftyone_reue.vault.entities import Image, Recipient, Record, Release
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import codes, embed, match, patterns, read
from fiftyone_reue.workflows import in_coefficients, in_pixels
from fiftyone_reue.workflows.copies import Job

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

UNMARKED = (
    "there is no room in it for a watermark, so that it can't be traced: a JPEG is "
    "quantised too coarsely, or epsilon is too small; raise epsilon, or take it as "
    "pixels (--carrier pixels)"
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

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.data)


@dataclass(frozen=True)
class Secrets:
    """The keys that protecting needs, derived once a run."""

    image_id: bytes
    sample: bytes
    mark: bytes
    owner_box: bytes
    code_seed: bytes
    recipient: RecipientKey
    release_seed: bytes

    @classmethod
    def of(cls, vault: Vault, recipient: Recipient, release_seed: bytes) -> Secrets:
        """Derive them."""
        return cls(
            image_id=vault.derive("image-id"),
            sample=vault.derive("sample-id"),
            mark=vault.derive("watermark"),
            owner_box=vault.derive_newest("owner-box"),
            code_seed=vault.code_seed(recipient),
            recipient=vault.recipient_key(recipient),
            release_seed=release_seed,
        )


def image_id(key: bytes, digest: bytes) -> str:
    """An original's id: 32 hex digits that tell nothing without the key."""
    return hashlib.blake2b(digest, key=key, digest_size=16).hexdigest()


def sample_hash(key: bytes, release_id: str, sample_id: str) -> str:
    """A sample's id in a public header: 16 hex digits."""
    named = f"{release_id}\0{sample_id}".encode()
    return hashlib.blake2b(named, key=key, digest_size=8).hexdigest()


def protect_image(
    item: Item,
    release: Release,
    secrets: Secrets,
    method: Method,
    state: State,
    vault: Vault,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    depth: int | None = None,
    whole_files: bool = False,
    carrier: str = "auto",
) -> Protected:
    """Protect one image in memory and prove that it can be given back.

    Args:
        item: the original.
        release: what it is protected for.
        secrets: the vault's and the recipient's.
        method: what perturbs it.
        state: what that was fitted to.
        vault: the owner's.
        max_pixels: larger images are refused before they are decoded.
        depth: bits that 16-bit data has, see :func:`media.depth.with_range`.
        whole_files: see :func:`media.original.describe`.
        carrier: "auto", by which a JPEG's coefficients carry its copies, or "pixels".

    Raises:
        MissingPackageError: coefficients can't be read on this machine.
        UnreadableImageError, UnsupportedImageError: the image can't be used.
        InputError: it is a protected copy itself, or of an unknown class.
        VerificationError: the result would not restore exactly.
    """
    most = largest_file(max_pixels)
    source = read_file(item.path, name=item.sample_id, most=most)
    loaded = load(
        source,
        name=item.sample_id,
        max_pixels=max_pixels,
        ending=Path(item.path).suffix,
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
    digest_o = sample_digest(original)
    image = image_id(secrets.image_id, digest_o)
    amplitude = int(release.parameters["mark_amplitude"])
    bits = patterns.bit_count(height, width)
    code = codes.code(secrets.code_seed, image, bits)
    mark = embed.mark(secrets.mark, image, code, height, width, amplitude)
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
        state,
        item.label or "",
        sample_key(secrets.release_seed, item.sample_id),
        int(release.parameters["epsilon"]),
        whole_files,
    )
    making = in_pixels if raster.coded is None else in_coefficients
    copy = making.make(job)
    sealed_o, digest_w, digest_p = copy.digests
    sample = sample_hash(secrets.sample, release.id, item.sample_id)
    envelope = records.seal_protected(
        records.Header(
            "protected",
            vault.vault_id,
            release.id,
            sample,
            secrets.recipient.key_id,
            digest_p,
            copy.content.version,
            None if raster.white is None else peak,
            nonces=True,
        ),
        secrets.recipient.key,
        records.RecipientPart(copy.content.data, digest_w),
        secrets.owner_box,
        records.OwnerPart(
            secrets.recipient.recipient_id,
            image,
            amplitude,
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
    _verify_opens(item, data, source)
    now = time.time()
    return Protected(
        item=item,
        data=data,
        record=Record(
            id=f"{release.id}-{sample}",
            release_id=release.id,
            sample_id=item.sample_id,
            image_id=image,
            label=item.label,
            source=item.path,
            output=item.output + suffix(copy.format),
            digest_p=digest_p,
            digest_w=digest_w,
            blob=_ledgers_copy(envelope).pack(),
            psnr=psnr(original, again.raster.samples, colours, peak),
            created=now,
            file_digest=digest_of(source),
            copy_digest=digest_of(data),
        ),
        image=Image(
            id=image,
            digest=digest_o,
            source=item.path,
            label=item.label,
            height=height,
            width=width,
            descriptor=match.descriptors(
                read.luma(original, colours, peak), alpha.opacity(original, colours)
            ),
        ),
        payload=codes.code_bytes(secrets.code_seed, image, bits).hex(),
        converted=raster.format if copy.format != raster.format else None,
        notes=_notes(raster, int(release.parameters["epsilon"]), depth)
        + _unchanged(*copy.digests),
        withheld=tuple(dict.fromkeys(loaded.left_out + copy.withheld)),
        differs=copy.file.differs,
    )


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
    lost = set(viewers.unopened(data))
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


def _unchanged(original: bytes, licensed: bytes, protected: bytes) -> tuple[str, ...]:
    """What the owner should know where digests say that nothing was added."""
    notes = []
    if protected == licensed:
        notes.append(UNPERTURBED)
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
