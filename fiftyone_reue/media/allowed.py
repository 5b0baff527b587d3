"""What of a file's metadata may leave the house: an allow-list."""

from __future__ import annotations

from dataclasses import dataclass

from fiftyone_reue.media import allowed_chunks, allowed_exif, allowed_icc
from fiftyone_reue.media.plain_text import TextGate
from fiftyone_reue.media.raster import Metadata

MOST_PROFILE_IN_PNG = (1 << 20) - 1
"""Bytes of a colour profile that readers of PNG (Pillow's limit) still open."""


@dataclass(frozen=True)
class Allowed:
    """Metadata taken apart.

    Attributes:
        metadata: what may go into copies that are handed out.
        withheld: what may not, kind by kind, each once, for a person.
    """

    metadata: Metadata
    withheld: tuple[str, ...] = ()


def allowed(metadata: Metadata, format: str = "PNG") -> Allowed:
    """Take from metadata what can't show the image that it came with.

    Programs put the image into its own metadata: thumbnails of a few kinds, previews
    in makers' notes, whole unedited pictures in private chunks. Looking for pictures
    would miss the next kind, so only what is known to hold none goes on: orientation
    and the other EXIF tags of a short list, colour profiles without private parts,
    PNG's chunks about colour and size, resolution, georeferences, and plain text. XMP
    never does, for anything can be in it. See :class:`TextGate` for what is plain.

    Args:
        metadata: as a file gave it.
        format: of the copy: colour profiles that are larger than readers open are
            withheld from ``"PNG"``.
    """
    texts = TextGate()
    found = _allowed(metadata, format, texts)
    if texts.overrun:
        return _allowed(metadata, format, TextGate(strict=True))
    return found


def _allowed(metadata: Metadata, format: str, texts: TextGate) -> Allowed:
    withheld: list[str] = []
    exif = icc = None
    raw = metadata.exif if metadata.exif is not None else _exif_in_text(metadata)
    if raw is not None:
        exif, found = allowed_exif.rebuilt(raw, texts)
        withheld += found
    if metadata.icc is not None:
        icc, found = allowed_icc.rebuilt(metadata.icc, texts)
        if icc is not None and format == "PNG" and len(icc) > MOST_PROFILE_IN_PNG:
            icc, found = None, ["colour profile larger than PNG readers open"]
        withheld += found
    if metadata.xmp is not None:
        withheld.append("XMP packet")
    chunks, found = allowed_chunks.kept(metadata.chunks, texts)
    withheld += found
    kept = Metadata(icc=icc, exif=exif, dpi=metadata.dpi, chunks=tuple(chunks))
    return Allowed(kept, tuple(dict.fromkeys(withheld)))


def _exif_in_text(metadata: Metadata) -> bytes | None:
    """The EXIF block that older ImageMagicks write as text, for its orientation."""
    for kind, payload in metadata.chunks:
        if kind in (b"tEXt", b"zTXt"):
            found = allowed_chunks.raw_profile(payload, b"exif")
            if found is not None:
                return found.removeprefix(b"Exif\0\0")
    return None
