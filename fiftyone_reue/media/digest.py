"""The digests that a record binds an image by."""

from __future__ import annotations

import hashlib

import numpy as np

from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.raster import Raster

_DOMAIN = b"reue-samples-v1"
_COEFFICIENTS = b"reue-coefficients-v1"


def sample_digest(samples: np.ndarray) -> bytes:
    """Digest samples independently of the machine and of the container.

    Args:
        samples: uint8 or uint16, any shape and memory layout.

    Returns:
        SHA-256 over a header (domain, dtype, shape) and the samples in C order,
        little-endian: 32 bytes.

    Raises:
        ValueError: the samples are neither uint8 nor uint16.
    """
    if samples.dtype.kind != "u" or samples.itemsize > 2:
        raise ValueError(f"samples must be uint8 or uint16, not {samples.dtype}")
    bits = 8 * samples.itemsize
    shape = "x".join(map(str, samples.shape))
    digest = hashlib.sha256(b"%s u%d %s\n" % (_DOMAIN, bits, shape.encode()))
    little = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    digest.update(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)
    return digest.digest()


def coefficient_digest(coefficients: Coefficients) -> bytes:
    """Digest a JPEG's coefficients independently of any decoder and of how they are
    coded: process, scans, Huffman tables and restart intervals don't count.

    Args:
        coefficients: of the file; blocks beyond the picture's edge don't count.

    Returns:
        SHA-256 over a header (domain, size, colour, components), and of each component
        its sampling factors (u8), the 64 steps row by row (u16) and the coefficients
        row by row of blocks, each block row by row (int16), little-endian: 32 bytes.
    """
    c = coefficients
    head = f"{c.width}x{c.height} {c.colour} {len(c.components)}\n"
    digest = hashlib.sha256(b"%s %s" % (_COEFFICIENTS, head.encode()))
    for one in c.components:
        digest.update(bytes((one.h, one.v)))
        digest.update(one.quantisation.astype("<u2").tobytes())
        digest.update(np.ascontiguousarray(one.blocks, "<i2").data)
    return digest.digest()


def carried_digest(raster: Raster) -> bytes:
    """The digest of what carries an image: a JPEG's coefficients, else its samples.

    Raises:
        UnreadableImageError, UnsupportedImageError, MissingPackageError: the
            coefficients can't be read, see
            :func:`fiftyone_reue.media.jpeg_coefficients.reading.read`.
    """
    if raster.coded is None:
        return sample_digest(raster.samples)
    pixels = raster.height * raster.width
    return coefficient_digest(read(raster.coded, max_pixels=pixels))
