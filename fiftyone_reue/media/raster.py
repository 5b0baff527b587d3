"""What an image is once its file is read: samples, and what must travel with them."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Metadata:
    """What is kept beside the samples when an image is protected and restored.

    Attributes:
        icc: the colour profile, as bytes.
        exif: the EXIF block, TIFF-structured, without an ``Exif\\0\\0`` prefix. The
            orientation lives in here; it is never applied to the samples.
        xmp: the XMP packet, as bytes.
        dpi: horizontal and vertical resolution in dots per inch.
        chunks: a PNG's other ancillary chunks, as ``(type, payload)``, verbatim. They
            are PNG's own: only a PNG carries them on.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, eq=False)
class Raster:
    """An image as stored: nothing rotated, blended or converted.

    Attributes:
        samples: ``(H, W, C)`` uint8 or uint16, native-endian and C-contiguous. ``C`` is
            1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGBA).
        format: the container it came from: ``"PNG"``, ``"WEBP"``, ``"TIFF"``,
            ``"BMP"``, ``"JPEG"``, ``"WEBP-LOSSY"``, ``"GIF"`` or ``"PNM"``.
        metadata: what else the file says about the image.
        white: the largest value of the data's range, 1 to 65535, where 16-bit samples
            don't use all of theirs; None where they do. See
            :func:`fiftyone_reue.media.depth.with_range`.

    Raises:
        ValueError: ``samples`` isn't such an array.
    """

    samples: np.ndarray
    format: str
    metadata: Metadata = Metadata()
    white: int | None = None

    def __post_init__(self) -> None:
        a = self.samples
        if a.ndim != 3 or not 1 <= a.shape[2] <= 4 or not a.size:
            raise ValueError(f"samples must be (H, W, 1..4), not {a.shape}")
        if a.dtype != np.uint8 and a.dtype != np.uint16:
            raise ValueError(f"samples must be uint8 or uint16, not {a.dtype}")
        if not a.flags.c_contiguous or not a.dtype.isnative:
            raise ValueError("samples must be C-contiguous and native-endian")

    @property
    def height(self) -> int:
        return self.samples.shape[0]

    @property
    def width(self) -> int:
        return self.samples.shape[1]

    @property
    def channels(self) -> int:
        """1 to 4, alpha included."""
        return self.samples.shape[2]

    @property
    def colour_channels(self) -> int:
        """1 (gray) or 3 (RGB)."""
        return 1 if self.channels <= 2 else 3

    @property
    def has_alpha(self) -> bool:
        return self.channels in (2, 4)

    @property
    def depth(self) -> int:
        """Bits a sample: 8 or 16."""
        return 8 * self.samples.itemsize

    @property
    def peak(self) -> int:
        """The largest value of the data's range; 255 for 8-bit samples."""
        return (1 << self.depth) - 1 if self.white is None else self.white

    def with_samples(self, samples: np.ndarray) -> "Raster":
        """The same container and metadata around other samples."""
        return replace(self, samples=np.ascontiguousarray(samples))


_MOST_LEFT_OUT = 64


def note_left_out(left_out: list[str], what: str) -> None:
    """Add a kind to what :class:`Loaded` says was left out; each once, not too many.

    A file may have as many parts as it has bytes, each of a kind of its own.
    """
    if len(left_out) >= _MOST_LEFT_OUT:
        what = "further kinds of parts"
    if what not in left_out:
        left_out.append(what)


@dataclass(frozen=True, eq=False)
class Loaded:
    """What one read of a file gives.

    Attributes:
        raster: the image.
        record: the sealed record that the file carries, or None.
        left_out: what else the file holds that neither the samples nor the metadata
            do, kind by kind, each once, for a person.
        stored: how the file stores samples that were expanded on reading, in a few
            words for a person ("a palette", "1-bit samples and interlacing"). None
            where they are as stored: gray, RGB and alpha of 8 or 16 bits, zero black.
    """

    raster: Raster
    record: bytes | None = None
    left_out: tuple[str, ...] = ()
    stored: str | None = None
