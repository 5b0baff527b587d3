"""Published blind watermarks, as their packages write and read them.

The packages are no dependencies of this project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import InputError

Pixels = np.ndarray
"""``(H, W, 3)`` uint8."""

MARKS = ("dwtDct", "dwtDctSvd", "rivaGan", "blind_watermark")
SLOW = ("rivaGan", "blind_watermark")
"""Those that take seconds an image."""
PACKAGES = ("invisible-watermark", "blind-watermark")


@dataclass(frozen=True)
class PublishedMark:
    """A published blind watermark.

    Attributes:
        name: one of :data:`MARKS`.
        write: of an image and ``(bits,)`` uint8, the marked image.
        read: of an image and the number of bits, ``(bits,)`` 0 or 1.
    """

    name: str
    write: Callable[[Pixels, np.ndarray], Pixels]
    read: Callable[[Pixels, int], np.ndarray]


def published_mark(name: str) -> PublishedMark:
    """A mark of :data:`MARKS`.

    Raises:
        InputError: its package isn't installed, or there is no such mark.
    """
    if name not in MARKS:
        raise InputError(f"There is no mark {name!r}; choose of {', '.join(MARKS)}")
    try:
        return _blind_watermark() if name == "blind_watermark" else _imwatermark(name)
    except ImportError as error:
        more = " onnxruntime" if name == "rivaGan" else ""
        raise InputError(
            f"{name} is not installed: pip install {' '.join(PACKAGES)}{more}, or "
            "leave the published marks out (--no-published)"
        ) from error


def _imwatermark(name: str) -> PublishedMark:
    from imwatermark import WatermarkDecoder, WatermarkEncoder

    if name == "rivaGan":
        WatermarkEncoder.loadModel()

    def write(image: Pixels, bits: np.ndarray) -> Pixels:
        encoder = WatermarkEncoder()
        encoder.set_watermark("bits", bits.tolist())
        return _as_bytes(encoder.encode(_swapped(image), name))

    def find(image: Pixels, count: int) -> np.ndarray:
        decoder = WatermarkDecoder("bits", count)
        return np.asarray(decoder.decode(_swapped(image), name)).astype(int)

    return PublishedMark(name, write, find)


def _blind_watermark() -> PublishedMark:
    import blind_watermark

    blind_watermark.bw_notes.close()

    def write(image: Pixels, bits: np.ndarray) -> Pixels:
        marker = blind_watermark.WaterMark(password_img=1, password_wm=1)
        marker.read_img(img=_swapped(image))
        marker.read_wm(bits.astype(bool), mode="bit")
        return _as_bytes(marker.embed())

    def find(image: Pixels, count: int) -> np.ndarray:
        marker = blind_watermark.WaterMark(password_img=1, password_wm=1)
        found = marker.extract(embed_img=_swapped(image), wm_shape=(count,), mode="bit")
        return np.asarray(found).astype(int)

    return PublishedMark("blind_watermark", write, find)


def _swapped(image: np.ndarray) -> np.ndarray:
    """RGB to OpenCV's BGR and back."""
    return np.ascontiguousarray(image[..., ::-1])


def _as_bytes(image: np.ndarray) -> Pixels:
    return _swapped(np.rint(image).clip(0, 255).astype(np.uint8))
