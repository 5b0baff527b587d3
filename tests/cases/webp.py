"""Awkward WebP files."""

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.cases.case import Case, refused
from tests.cases.jpeg import profile, xmp
from tests.cases.pictures import cutout, gray, noise, photo, saved, thumbnail


def lossless(image: np.ndarray, **options: object) -> bytes:
    return saved(image, "WEBP", lossless=True, **options)


def lossy(image: np.ndarray, **options: object) -> bytes:
    return saved(image, "WEBP", quality=80, **options)


def with_chunk(data: bytes, kind: bytes, payload: bytes) -> bytes:
    """A chunk more at the end, and the whole's length put right."""
    made = data + kind + struct.pack("<I", len(payload)) + payload
    made += b"\0" * (len(payload) % 2)
    return made[:4] + struct.pack("<I", len(made) - 8) + made[8:]


def cases() -> Iterator[Case]:
    """All of them."""

    def exact(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"webp/{name}.webp", kind, data, "exact", **options)

    def kept(name: str, kind: str, data: bytes, **options: bool) -> Case:
        return Case(f"webp/{name}.webp", kind, data, "file", **options)

    yield exact("lossless", "lossless", lossless(photo()))
    gray_rgb = np.repeat(gray()[..., None], 3, 2)
    yield exact("gray", "gray, as RGB", lossless(gray_rgb))
    yield exact("cutout", "lossless cutout", lossless(cutout()))
    yield exact("hidden", "colour under transparency", lossless(cutout(), exact=True))
    data = lossless(photo(), icc_profile=profile())
    yield exact("profile", "colour profile", data)
    image = photo()
    data = lossless(image, xmp=xmp(thumbnail(image)))
    yield exact("xmp_thumb", "XMP thumbnail", data)
    data = with_chunk(lossless(photo(), icc_profile=profile()), b"ABCD", noise(301))
    yield exact("unknown", "an unknown chunk", data)
    yield exact("trailing", "bytes behind it", lossless(photo()) + noise(100))
    yield kept("lossy", "lossy", lossy(photo()))
    yield kept("lossy_cutout", "lossy cutout", lossy(cutout()))
    image = photo()
    data = lossy(image, xmp=xmp(thumbnail(image)))
    yield kept("lossy_xmp", "lossy, XMP thumbnail", data)
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    yield kept("lossy_turned", "lossy, EXIF orientation 6", lossy(photo(), exif=turned))

    frames = [Image.fromarray(photo()) for _ in range(3)]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    yield refused("webp/animated.webp", "three frames", data, "frames")
    data = lossless(photo())
    half = data[: len(data) // 2]
    yield refused(
        "webp/truncated.webp", "cut off", half, "cut|truncated|damaged|decoded"
    )
