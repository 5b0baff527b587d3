"""Small images and foreign files for the carriers' tests."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import tifffile
from PIL import Image

from fiftyone_reue.media.codec import encode
from fiftyone_reue.media.raster import Metadata, Raster

# An orientation (6) in a little-endian EXIF block.
ORIENTATION = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
RECORD = bytes(range(60))


def pillow_file(image: np.ndarray | Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(file, format, **options)
    return file.getvalue()


def tiff_file(samples: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def rgb() -> np.ndarray:
    """A smooth (23, 31, 3) uint8 image with some noise."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.integers(-9, 10, (23, 31, 3)), axis=1) + 128
    return np.clip(walk, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def rgba(rgb: np.ndarray) -> np.ndarray:
    """The same with every kind of alpha, fully transparent pixels included."""
    alpha = np.random.default_rng(1).choice([0, 1, 128, 255], rgb.shape[:2])
    return np.dstack([rgb, alpha.astype(np.uint8)])


@pytest.fixture(scope="session")
def rgb16() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 65536, (23, 31, 3), dtype=np.uint16)


@pytest.fixture(scope="session")
def pillow() -> Callable[..., bytes]:
    """Write a file as Pillow does."""
    return pillow_file


@pytest.fixture(scope="session")
def tiff() -> Callable[..., bytes]:
    """Write a TIFF as tifffile does."""
    return tiff_file


@pytest.fixture(scope="session")
def own_files(rgba: np.ndarray) -> dict[str, bytes]:
    """One file a format as this package writes it, with metadata and RECORD."""
    rich = Metadata(b"profile" * 9, ORIENTATION, b"<x/>", (72.0, 72.0))
    plain = Metadata(icc=b"profile")
    return {
        "PNG": encode(Raster(rgba, "PNG", rich), "PNG", RECORD),
        "WEBP": encode(Raster(rgba, "WEBP", rich), "WEBP", RECORD),
        "TIFF": encode(Raster(rgba, "TIFF", rich), "TIFF", RECORD),
        "BMP": encode(Raster(rgba, "BMP", plain), "BMP", RECORD),
    }


@pytest.fixture(scope="session")
def foreign_files(
    rgb: np.ndarray, rgba: np.ndarray, rgb16: np.ndarray
) -> dict[str, bytes]:
    """Files of other writers, most kinds that can be read."""
    image = Image.fromarray(rgb)
    files = {
        f"png-{mode}": pillow_file(image.convert(mode), "PNG")
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA")
    }
    files |= {
        f"bmp-{mode}": pillow_file(image.convert(mode), "BMP")
        for mode in ("1", "L", "P", "RGB", "RGBA")
    }
    files |= {
        f"tiff-{mode}": pillow_file(image.convert(mode), "TIFF")
        for mode in ("1", "L", "P", "RGB", "RGBA")
    }
    files |= {
        f"tiff-{compression}": pillow_file(image, "TIFF", compression=compression)
        for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg")
    }
    planes = np.moveaxis(rgb16, 2, 0).copy()
    files |= {
        "png-palette-alpha": pillow_file(
            image.quantize(4), "PNG", bits=2, transparency=1
        ),
        "tiff-tiles": tiff_file(
            np.tile(rgb, (2, 2, 1)),
            tile=(16, 16),
            compression="zlib",
            predictor=True,
            photometric="rgb",
        ),
        "tiff-planes": tiff_file(
            planes, planarconfig="separate", photometric="rgb", byteorder=">"
        ),
        "tiff-big": tiff_file(
            rgb, bigtiff=True, photometric="rgb", compression="lzw", rowsperstrip=5
        ),
        "webp-lossless": pillow_file(rgba, "WEBP", lossless=True, exact=True),
        "webp-lossy": pillow_file(image, "WEBP"),
        "webp-lossy-alpha": pillow_file(rgba, "WEBP"),
        "jpeg": pillow_file(image, "JPEG"),
        "jpeg-progressive": pillow_file(image.convert("L"), "JPEG", progressive=True),
        "gif": pillow_file(image.quantize(16), "GIF"),
        "ppm": pillow_file(image, "PPM"),
    }
    return files
