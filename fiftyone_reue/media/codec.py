"""Files to rasters and back: the entry to this package.

Every decoder raises errors that say what is wrong; the name of the file is put in
front of them here, once.
"""

import errno
import os
import stat
from pathlib import Path, PurePath

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsafePathError,
    UnsupportedImageError,
)
from fiftyone_reue.media import carriers, foreign
from fiftyone_reue.media.carrier import Carrier
from fiftyone_reue.media.carriers import CARRIERS, FALLBACK
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.raster import Loaded, Raster
from fiftyone_reue.names import filenames
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, is_url

# A few bytes can stand for any number of like pixels, of which each takes up to forty
# bytes while it is worked on: 34 bytes of WebP took 7 GB and three minutes. Photographs
# take a byte for ten pixels, of poor quality one for thirty.
_ALWAYS_READ = 25_000_000
_PIXELS_A_BYTE = 32
_ROOM = 256 << 20
_PIECE = 16 << 20

# Camera raw files are TIFFs to look at, whose first picture is a preview.
_RAW = {
    **{".3fr": "3FR", ".arw": "ARW", ".cr2": "CR2", ".cr3": "CR3", ".dng": "DNG"},
    **{".erf": "ERF", ".iiq": "IIQ", ".kdc": "KDC", ".mos": "MOS", ".mrw": "MRW"},
    **{".nef": "NEF", ".nrw": "NRW", ".orf": "ORF", ".pef": "PEF", ".raf": "RAF"},
    **{".raw": "Camera raw", ".rw2": "RW2", ".rwl": "RWL", ".sr2": "SR2"},
    **{".srf": "SRF", ".srw": "SRW", ".x3f": "X3F"},
}
_FOREIGN = {
    **_RAW,
    **{".avif": "AVIF", ".avifs": "AVIF", ".heic": "HEIC", ".heif": "HEIF"},
    **{".hif": "HEIF", ".jp2": "JPEG 2000", ".j2c": "JPEG 2000", ".j2k": "JPEG 2000"},
    **{".jpc": "JPEG 2000", ".jpf": "JPEG 2000", ".jpx": "JPEG 2000"},
    **{".jls": "JPEG-LS", ".jxl": "JPEG XL", ".jxr": "JPEG XR", ".wdp": "JPEG XR"},
    **{".tga": "TGA", ".icb": "TGA", ".vda": "TGA", ".vst": "TGA", ".pcx": "PCX"},
    **{".pbm": "PBM", ".pam": "PAM", ".pfm": "PFM", ".xbm": "XBM", ".xpm": "XPM"},
    **{".psd": "Photoshop", ".psb": "Photoshop", ".xcf": "GIMP", ".kra": "Krita"},
    **{".exr": "OpenEXR", ".hdr": "Radiance HDR", ".dds": "DDS", ".qoi": "QOI"},
    **{".ico": "Icon", ".cur": "Cursor", ".icns": "Icon", ".sgi": "SGI", ".ras": "Sun"},
    **{".svg": "SVG", ".svgz": "SVG", ".eps": "EPS", ".wmf": "WMF", ".emf": "EMF"},
    **{".dcm": "DICOM", ".dicom": "DICOM", ".nii": "NIfTI", ".fit": "FITS"},
    **{".fits": "FITS", ".djvu": "DjVu", ".flif": "FLIF", ".bpg": "BPG"},
    **{".jng": "JNG", ".mng": "MNG", ".im": "IM"},
}

READABLE_SUFFIXES: frozenset[str] = frozenset(
    suffix for one in CARRIERS for suffix in one.suffixes
)
"""Suffixes, in lower case, of images that can be protected."""

# Foreign images are refused by name rather than passed over in silence.
IMAGE_SUFFIXES: frozenset[str] = frozenset((*READABLE_SUFFIXES, *_FOREIGN))
"""Suffixes, in lower case, of what a walk through a folder takes for an image."""


def load(
    source: str | os.PathLike[str] | Address | bytes,
    *,
    name: str | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    ignore_record: bool = False,
    any_kind: bool = False,
    ending: str | None = None,
) -> Loaded:
    """Read an image file once: samples, metadata and record.

    The EXIF orientation is not applied. Thread-safe.

    Args:
        source: a path, an object's address or URL, or the file's bytes.
        name: what errors call the file; by default its path.
        max_pixels: refuse images with more pixels before decoding them. By default
            also those of more than 25 million that have more than 32 for each byte of
            their file, which no photograph has; another number is taken as it is.
        ignore_record: don't read the record, so that a damaged one doesn't hide the
            image.
        any_kind: read what is only to be looked at, too: see
            :mod:`fiftyone_reue.media.foreign`.
        ending: the suffix of its file, which names formats that the bytes don't; by
            default that of the path or name.

    Returns:
        The raster and the record (None if the file holds none).

    Raises:
        UnreadableImageError: missing, empty, not an image, truncated or damaged.
        UnsupportedImageError: animated, CMYK, float, too large, or of an unknown kind.
        DamagedRecordError: the record was edited or cut short.
    """
    if isinstance(source, bytes):
        label = name or f"image of {len(source)} bytes"
        data = source
    else:
        source = str(source) if isinstance(source, Address) else source
        label = name or filenames.shown(source)
        data = read_file(source, name=label, most=largest_file(max_pixels))
    try:
        if ending is None:
            ending = PurePath(label if isinstance(source, bytes) else source).suffix
        ending, most = ending.lower(), most_pixels(len(data), max_pixels)
        try:
            carrier = _carrier(data, ending)
            return carrier.decode(data, max_pixels=most, want_record=not ignore_record)
        except UnsupportedImageError:
            found = None
            if any_kind and ending not in _RAW:
                found = foreign.decode(data, max_pixels=most)
            if found is None:
                raise
            return found
    except (UnreadableImageError, UnsupportedImageError, DamagedRecordError) as error:
        raise type(error)(f"{label}: {error}") from None
    except MemoryError:
        raise UnreadableImageError(
            f"{label}: decoding it needs more memory than there is; lower --max-pixels "
            "or free some"
        ) from None
    except Exception as error:
        # Decoders are other people's; any bytes at all must give one of our errors.
        raise UnreadableImageError(
            f"{label}: can't be decoded ({type(error).__name__}: {error}); replace or "
            "remove it"
        ) from error


def load_with_bytes(
    path: str, *, name: str, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[bytes, Loaded]:
    """A file's bytes, and what :func:`load` makes of them; it is read once.

    Args:
        path: the file, or an object's URL.
        name: what errors call it.
        max_pixels: as for :func:`load`.

    Raises:
        UnreadableImageError, UnsupportedImageError, DamagedRecordError: see
            :func:`load`.
    """
    data = read_file(path, name=name, most=largest_file(max_pixels))
    ending = PurePath(path).suffix
    return data, load(data, name=name, max_pixels=max_pixels, ending=ending)


def most_pixels(size: int, max_pixels: int) -> int:
    """How many pixels a file of so many bytes may have, see :func:`load`."""
    if max_pixels != DEFAULT_MAX_PIXELS:
        return max_pixels  # somebody said so
    return min(max_pixels, max(_ALWAYS_READ, size * _PIXELS_A_BYTE))


def is_image(head: bytes) -> bool:
    """Whether a file's first bytes, 32 or more, are those of an image of any kind."""
    try:
        kind = carriers.sniff(head).name
    except UnsupportedImageError:
        return not head.startswith(b"%PDF")
    except UnreadableImageError:
        return False
    # Two letters begin many a text: a bitmap's header has one of these sizes, too.
    sizes = (12, 16, 40, 52, 56, 64, 108, 124)
    return kind != "BMP" or int.from_bytes(head[14:18], "little") in sizes


def _carrier(data: bytes, ending: str) -> Carrier:
    """The carrier of a file's bytes; the suffix names those without a magic.

    Raises:
        UnreadableImageError, UnsupportedImageError: it can't be decoded here.
    """
    other = _FOREIGN.get(ending)
    refused = UnsupportedImageError(
        f"{other} files can't be carried exactly; convert it to PNG first"
    )
    try:
        found = carriers.sniff(data)
    except UnreadableImageError:
        if data and other:
            raise refused from None
        raise
    if found.name == "TIFF" and ending in _RAW:
        raise refused
    return found


def encode(raster: Raster, format: str, record: bytes | None = None) -> bytes:
    """Make a file that ``load`` reads back sample for sample.

    Args:
        raster: the image; its metadata goes along. PNG's own chunks go only into PNG.
        format: ``"PNG"``, ``"WEBP"`` (lossless), ``"TIFF"`` or ``"BMP"``.
        record: bytes to carry, or None.

    Returns:
        The file's bytes.

    Raises:
        UnsupportedImageError: the format can't hold this raster or its metadata
            exactly, or isn't one that can be written.
    """
    carrier = carriers.writer(format)
    if carrier is None or carrier.encode is None:
        written = ", ".join(one.name for one in CARRIERS if one.encode is not None)
        raise UnsupportedImageError(
            f"{format} can't be written exactly; use one of {written}"
        )
    return carrier.encode(raster, record)


def release_format(raster: Raster) -> str:
    """The format for a protected or restored copy: its own if exact, else PNG."""
    own = carriers.writer(raster.format)
    if own is not None and own.refusal(raster) is None:
        return own.name
    return FALLBACK.name


def suffix(format: str) -> str:
    """The usual suffix of a format's files, with its dot.

    Raises:
        UnsupportedImageError: no such format.
    """
    return carriers.named(format).suffixes[0]


def largest_file(max_pixels: int) -> int:
    """How many bytes an image file of so many pixels may have.

    Those of samples as large as there are, and room for metadata and a record that
    holds another file. Longer files are refused before they are read.
    """
    return 8 * max_pixels + _ROOM


LARGEST_FILE = largest_file(DEFAULT_MAX_PIXELS)


def read_file(
    path: str | os.PathLike[str] | Address,
    *,
    name: str | None = None,
    most: int = LARGEST_FILE,
) -> bytes:
    """The bytes of a regular file, or of an object in a store.

    A link is followed. What isn't a file (a folder, a named pipe, a device) is never
    opened: reading some of these waits for ever, or never ends.

    Args:
        path: the file, or an object's address or URL.
        name: what errors call it; by default its path.
        most: bytes that it may have.

    Raises:
        UnreadableImageError: it is missing, isn't a regular file or can't be read, or
            its name could be neither stored nor printed.
        UnsupportedImageError: it is longer.
    """
    if isinstance(path, Address):
        path = str(path)
    label = name or filenames.shown(path)
    if not filenames.is_text(path):
        raise UnreadableImageError(f"{label}: the name isn't valid UTF-8; rename it")
    if is_url(path):
        return _read_object(str(path), label, most)
    try:
        found = os.stat(path)
        mode = found.st_mode
        if stat.S_ISREG(mode):
            data = _read_at_most(Path(path), found.st_size, most)
            if data is not None:
                return data
            raise _too_long(label, most)
        if stat.S_ISDIR(mode):
            os.scandir(path).close()  # or it is here since it can't be read
        why = _IRREGULAR.get(stat.S_IFMT(mode), "not a regular file; remove it")
    except FileNotFoundError:
        why = "no such file; check the path"
        if os.path.islink(path):
            why = "a link to a file that isn't there; mend or remove it"
    except PermissionError:
        why = "no permission to read it; change its mode or owner"
    except (OSError, ValueError) as error:
        why = f"can't be read ({_reason(error)})"
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            why = "a link that leads to itself; remove it"
    raise UnreadableImageError(f"{label}: {why}")


def _read_object(url: str, label: str, most: int) -> bytes:
    try:
        Address.of(url.removesuffix("/"))
        if url.endswith("/"):  # it is here since it can't be looked into
            objects.listing(url.removesuffix("/"))
            raise UnreadableImageError(f"{label}: a folder, not an image file")
        data = objects.read(url, most + 1)
    except FileNotFoundError:
        why = "no such object; check the address"
    except UnsafePathError as error:
        why = str(error)
    except OSError as error:
        why = f"can't be read from the store: {objects.reason(error)}"
    else:
        if len(data) > most:
            raise _too_long(label, most)
        return data
    raise UnreadableImageError(f"{label}: {why}")


def _too_long(label: str, most: int) -> UnsupportedImageError:
    return UnsupportedImageError(
        f"{label}: the file has more than the {most >> 20} MB that are read of "
        "an image; if you trust it, raise the limit with --max-pixels"
    )


def _read_at_most(path: Path, size: int, most: int) -> bytes | None:
    """A file's bytes; None if there are more, whatever its size is said to be."""
    if size > most:
        return None
    with path.open("rb") as file:
        data = file.read(size)
        while more := file.read(_PIECE):  # it has grown, or its size wasn't known
            data += more
            if len(data) > most:
                return None
    return data


_IRREGULAR = {
    stat.S_IFDIR: "a folder, not an image file",
    stat.S_IFIFO: "a named pipe, not a file; remove it",
    stat.S_IFCHR: "a device, not a file; remove it",
    stat.S_IFBLK: "a device, not a file; remove it",
    stat.S_IFSOCK: "a socket, not a file; remove it",
}


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
