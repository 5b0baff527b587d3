"""JPEG files: samples to look at, and the file whose coefficients carry them.

Changed samples can't be written: they go into a lossless container. Changed
coefficients can, see :func:`rendered`.

The segments are walked here. Samples are libjpeg-turbo's: simplejpeg's, which says
whether it had to guess, or Pillow's decoder's, which reads CMYK and whatever else is
uncommon; they are the same. Pillow's own reader does as the process's settings say
(``LOAD_TRUNCATED_IMAGES``, for one).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import simplejpeg
from PIL import Image

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media import ifd
from fiftyone_reue.media.carrier import Carrier, begins
from fiftyone_reue.media.jpeg_coefficients import markers
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.markers import Segment
from fiftyone_reue.media.jpeg_coefficients.reading import lay_out
from fiftyone_reue.media.jpeg_coefficients.writing import in_one_go, write
from fiftyone_reue.media.jpeg_segments import is_record, joined_record, with_record
from fiftyone_reue.media.probe import check_size
from fiftyone_reue.media.raster import Loaded, Metadata, Raster, note_left_out

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_ICC = b"ICC_PROFILE\0"
_SOI, _EOI, _SOS, _COM, _APP0 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0
_STANDALONE = (0x01, *range(0xD0, 0xD8))
_DAMAGED = re.compile(
    "remature end|bad Huffman code|bad arithmetic code|instead of RST"
    "|Inconsistent progression"
)
_LONGEST_EXIF = 16 << 20
_MOST_SCANS = 100
_MOST_WORK = 10**10  # scans times pixels, each of which is gone through in each scan
_PROGRESSIVE = (0xC2, 0xCA)
_COEFFICIENTS = 64
_NOT_SENT = 0xFF
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_COLOURS = {1: "GRAY", 3: "RGB", 4: "CMYK"}
CMYK = "CMYK colours"
"""How a file stores samples that are shown as RGB."""

_NAMES = {
    (0xE0, b"JFXX\0"): "JFXX thumbnail",
    (0xE1, _MORE_XMP): "extended XMP",
    (0xE2, b"MPF\0"): "index of further pictures (APP2)",
    (0xE2, b"FPXR\0"): "FlashPix data (APP2)",
    (0xEB, b"JP"): "JUMBF boxes (APP11)",
    (0xED, b"Photoshop 3.0\0"): "IPTC (APP13)",
}


@dataclass
class _Found:
    """What the segments hold."""

    frame: tuple[int, int, int, int, int] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    profile: dict[int, bytes] = field(default_factory=dict)
    profile_parts: int = 0
    left_out: list[str] = field(default_factory=list)
    record: list[bytes] = field(default_factory=list)
    end: int = 0
    scans: int = 0
    sent: list[tuple[int, bytearray]] = field(default_factory=list)
    """Of each component: its id, and of each coefficient the lowest bit sent so far."""


def decode(data: bytes, *, max_pixels: int, want_record: bool = True) -> Loaded:
    """Read a JPEG's samples, gray or RGB; CMYK and YCCK are shown as RGB.

    Of a file with several pictures (a phone's gain map, a stereo pair) the first, which
    is the one that viewers show, is read; the others are named as left out.

    Raises:
        UnreadableImageError: truncated or damaged.
        UnsupportedImageError: two components, more than 8 bits a sample, lossless or
            hierarchical, too large, or in too many scans.
        DamagedRecordError: the record's segments aren't all there.
    """
    found = _walk(data)
    record = joined_record(found.record) if want_record else None
    if found.frame is None:
        raise _damaged("it holds no image")
    marker, bits, height, width, components = found.frame
    _check_kind(marker, bits, components)
    if width and not height:
        raise UnsupportedImageError(
            "JPEG that says its height after its picture can't be carried; re-save it"
        )
    check_size(width, height, max_pixels)
    is_arithmetic = marker in markers.ARITHMETIC
    least = 0 if is_arithmetic else (-(-width // 8)) * (-(-height // 8))
    if not found.end or 8 * len(data) < least:
        raise _damaged("it is cut short")  # a block of 8 x 8 takes a bit at least
    _check_scans(found, width * height)
    try:
        samples = _decoded(data[: found.end], height, width, components, strictly=True)
    except UnreadableImageError:
        if not is_arithmetic:
            lay_out(data, max_pixels=max_pixels)  # which knows better what is wrong
        raise
    after = data[found.end :]
    if after.startswith(b"\xff\xd8\xff"):
        found.left_out.append("further pictures after the end")
    elif after:
        found.left_out.append("bytes after the end")
    metadata = _metadata(found)
    return Loaded(
        Raster(samples, "JPEG", metadata, coded=data),
        record,
        tuple(dict.fromkeys(found.left_out)),
        CMYK if components == 4 else None,
    )


def encode(raster: Raster, record: bytes | None) -> bytes:
    """The file that an image is carried by, with a record; see :func:`rendered`.

    Raises:
        UnsupportedImageError: the image isn't a JPEG's, or its samples were changed.
    """
    if raster.coded is None:
        raise UnsupportedImageError(
            "Changed pixels can't be written exactly as JPEG; save it as PNG"
        )
    return with_record(raster.coded, record)


def refusal(raster: Raster) -> str | None:
    """Why an image can't be written as JPEG, in words; None if it can."""
    return "changed pixels" if raster.coded is None else None


def file_of(coefficients: Coefficients, segments: Sequence[Segment]) -> bytes:
    """The file of :func:`rendered`, without looking at its picture."""
    return write(coefficients, segments, optimise=True)


def rendered(
    coefficients: Coefficients, segments: Sequence[Segment], like: Metadata
) -> Raster:
    """Coefficients as an image, and as the file that carries it.

    The file has the best Huffman tables for its coefficients, so that whoever has these
    and the segments writes the same bytes.

    Args:
        coefficients: what is shown.
        segments: APPn segments of the file, without those of a record.
        like: the image's metadata.
    """
    data = file_of(coefficients, segments)
    return Raster(_decoded(data, *_shape(coefficients)), "JPEG", like, coded=data)


def picture_of(coefficients: Coefficients, like: Metadata) -> Raster:
    """Coefficients as an image that is looked at, without a file that carries it."""
    return Raster(shown(coefficients), "JPEG", like)


def shown(coefficients: Coefficients) -> np.ndarray:
    """The samples of what coefficients are of, ``(H, W, C)`` uint8.

    Any file with these coefficients has them, as :func:`decode` reads it.
    """
    return _decoded(write(in_one_go(coefficients)), *_shape(coefficients))


def _shape(coefficients: Coefficients) -> tuple[int, int, int]:
    return coefficients.height, coefficients.width, len(coefficients.components)


def _decoded(
    data: bytes, height: int, width: int, components: int, *, strictly: bool = False
) -> np.ndarray:
    """A file's samples, ``(height, width, C)`` uint8.

    Args:
        data: the file.
        height: that it says it has.
        width: the same.
        components: the same.
        strictly: refuse a stream whose end mark hides that a part of its picture is
            missing: libjpeg fills the rest up with gray and only warns, which Pillow
            doesn't pass on.

    Raises:
        UnreadableImageError: it is damaged.
    """
    colours = _COLOURS[components]
    if colours == "CMYK" and not strictly:
        return _by_pillow(data, height, width, components)
    try:
        samples = simplejpeg.decode_jpeg(data, colours, strict=True)
        if colours != "CMYK" and samples.shape == (height, width, components):
            return samples
    except ValueError as error:
        why = str(error)
        if strictly and _DAMAGED.search(why):  # others don't touch the picture
            raise _damaged(f"its picture is cut short or damaged ({why})") from None
    return _by_pillow(data, height, width, components)


def _by_pillow(data: bytes, height: int, width: int, components: int) -> np.ndarray:
    mode = _MODES[components]
    try:
        # Pillow rather than imagecodecs, which fills a truncated image up with gray.
        raw = "CMYK;I" if mode == "CMYK" else mode
        image = Image.frombytes(mode, (width, height), data, "jpeg", (raw, ""))
        if mode == "CMYK":
            image = image.convert("RGB")
    except Exception as error:
        raise _damaged(str(error)) from None
    return np.array(image).reshape(height, width, -1)


def _check_scans(found: _Found, pixels: int) -> None:
    """Refuse what takes too long to read, and what lacks scans of its picture.

    libjpeg shows what was sent, however rough, and doesn't warn.

    Raises:
        UnreadableImageError: scans are missing.
        UnsupportedImageError: there are far too many.
    """
    if found.scans > _MOST_SCANS or found.scans * pixels > _MOST_WORK:
        raise UnsupportedImageError(
            f"the JPEG has {found.scans} scans, which would take very long to read; "
            "re-save it"
        )
    if any(any(lowest) for _, lowest in found.sent):
        raise _damaged("its picture is cut short: scans are missing")


def sides(data: bytes) -> tuple[int, int] | None:
    """The height and width that a JPEG stream says it has; None if it doesn't.

    Raises:
        UnreadableImageError: scans are missing.
        UnsupportedImageError: there are far too many.
    """
    found = _walk(data)
    if found.frame is None:
        return None
    height, width = found.frame[2:4]
    _check_scans(found, height * width)
    return height, width


def _walk(data: bytes) -> _Found:
    found = _Found()
    for marker, payload, end in _segments(data):
        if marker in markers.FRAMES:
            if found.frame is None and len(payload) >= 6:
                height, width = payload[1:3], payload[3:5]
                sides = int.from_bytes(height, "big"), int.from_bytes(width, "big")
                found.frame = (marker, payload[0], *sides, payload[5])
                ids = payload[6::3][: payload[5]]
                found.sent = [(i, bytearray([_NOT_SENT]) * _COEFFICIENTS) for i in ids]
        elif marker == _SOS:
            found.scans += 1
            _note_scan(payload, found)
        elif marker == _EOI:
            found.end = end
        elif marker == _COM:
            note_left_out(found.left_out, "JPEG comment")
        elif _APP0 <= marker <= 0xEF:
            if found.scans:  # viewers have begun to draw, and read no others
                note_left_out(found.left_out, "metadata behind the picture's beginning")
            else:
                _note(marker, payload, found)
    return found


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, payload and end of each segment; coded samples are stepped over."""
    at, size = 2, len(data)
    while at < size:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= size:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in (0, *_STANDALONE, _SOI):  # among coded samples, or junk
            at += 2
        elif marker == _EOI:
            yield marker, b"", at + 2
            return
        else:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            end = at + 2 + max(length, 2)
            if end > size:
                return
            yield marker, data[at + 4 : end], end
            at = end


def _note_scan(payload: bytes, found: _Found) -> None:
    """Enter which coefficients of which components a scan sends, and how finely."""
    count = payload[0] if payload else 0
    if found.frame is None or len(payload) < 4 + 2 * count:
        return  # which the decoder refuses
    first, last, bits = payload[1 + 2 * count :][:3]
    lowest = bits & 0x0F
    if found.frame[0] not in _PROGRESSIVE:
        first, last, lowest = 0, _COEFFICIENTS - 1, 0
    for one in payload[1 : 1 + 2 * count : 2]:
        for known, sent in found.sent:
            if known == one:
                for place in range(first, min(last + 1, _COEFFICIENTS)):
                    sent[place] = lowest


def _note(marker: int, payload: bytes, found: _Found) -> None:
    """Take what is understood of an APPn segment, and name the rest."""
    if marker == 0xE0 and payload.startswith(b"JFIF\0"):
        _note_jfif(payload, found)
    elif marker == 0xE1 and payload.startswith(_EXIF):
        if len(found.exif or b"") < _LONGEST_EXIF:
            found.exif = (found.exif or b"") + payload[len(_EXIF) :]
        else:
            note_left_out(found.left_out, "EXIF in too many pieces")
    elif marker == 0xE1 and payload.startswith(_XMP) and found.xmp is None:
        found.xmp = payload[len(_XMP) :]
    elif marker == 0xE2 and payload.startswith(_ICC) and len(payload) > 14:
        found.profile.setdefault(payload[12], payload[14:])
        found.profile_parts = payload[13]
    elif is_record(Segment(marker, payload)):
        found.record.append(payload)
    elif marker == 0xEE and payload.startswith(b"Adobe") and len(payload) == 12:
        pass  # how colours are coded: it is part of the samples
    else:
        note_left_out(found.left_out, _name(marker, payload))


def _name(marker: int, payload: bytes) -> str:
    for (known, start), name in _NAMES.items():
        if marker == known and payload.startswith(start):
            return name
    return f"APP{marker - _APP0} segment"


def _note_jfif(payload: bytes, found: _Found) -> None:
    if len(payload) < 12:
        return
    unit = payload[7]
    x, y = (int.from_bytes(payload[at : at + 2], "big") for at in (8, 10))
    scale = {1: 1.0, 2: 2.54}.get(unit)
    if scale and x and y:
        found.dpi = (x * scale, y * scale)
    elif x != y:
        note_left_out(found.left_out, "pixel aspect ratio")
    if len(payload) > 14:
        note_left_out(found.left_out, "JFIF thumbnail")


def _check_kind(marker: int, bits: int, components: int) -> None:
    why = None if marker in markers.ARITHMETIC else markers.KINDS.get(marker)
    if why is None and bits != 8:
        why = f"{bits}-bit"
    if why:
        raise UnsupportedImageError(
            f"{why} JPEG can't be carried, only 8-bit baseline and progressive; "
            "convert it to PNG first"
        )
    if components not in _MODES:
        colours = "two" if components == 2 else str(components)
        raise UnsupportedImageError(
            f"{colours}-channel JPEG files can't be carried; convert it to RGB first"
        )


def _metadata(found: _Found) -> Metadata:
    icc = None
    parts = range(1, found.profile_parts + 1)
    if found.profile:
        if found.profile.keys() == set(parts):
            icc = b"".join(found.profile[part] for part in parts)
        else:
            found.left_out.append("colour profile in pieces that don't fit")
    dpi = found.dpi
    if dpi is None and found.exif:
        dpi = ifd.block_resolution(found.exif)
    return Metadata(icc=icc or None, exif=found.exif or None, xmp=found.xmp, dpi=dpi)


def _damaged(why: str) -> UnreadableImageError:
    return UnreadableImageError(f"damaged JPEG: {why}; replace or remove it")


CARRIER = Carrier(
    "JPEG",
    (".jpg", ".jpeg", ".jpe", ".jfif"),
    begins(b"\xff\xd8\xff"),
    decode,
    encode,
    refusal,
)
