"""How well published marks are read: alone, under perturbations, and over them.

Their packages are no dependencies of this project.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from interaction_images import EDITS, ImageSet, Pixels, edited, mean, mean_psnr
from interaction_noise import Noise, perturbed

from fiftyone_reue.errors import InputError

BITS = 32
"""Of a published mark; SMALL_BITS are all that blind_watermark can put in 32 px."""
SMALL_BITS = 8

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


def payloads(count: int, bits: int) -> np.ndarray:
    """``(count, bits)`` uint8: a payload an image, half of its bits 1.

    blind_watermark sorts bits into two groups and fails where there is but one.
    """
    draw = np.random.default_rng(0)
    half = np.arange(bits) < bits // 2
    return np.stack([draw.permutation(half) for _ in range(count)]).astype(np.uint8)


def read_published(
    images: ImageSet, mark: PublishedMark, noises: Sequence[Noise], bits: int = BITS
) -> list[dict]:
    """Rows of a published mark: alone, under each noise, and over it.

    A mark that refuses these images gets one row that says so.
    """
    sent = payloads(len(images.images), bits)
    about = {
        "images": images.name,
        "count": len(images.images),
        "mark": mark.name,
        "bits": bits,
    }
    try:
        marked = written(mark, images.images, sent)
        rows = [_published_row(images, mark, sent, marked, "W'")]
        for noise in noises:
            under = perturbed(noise, marked, images.labels)
            title = f"W' + {noise.title}"
            rows.append(_published_row(images, mark, sent, under, title))
            first = perturbed(noise, images.images, images.labels)
            over = written(mark, first, sent)
            title = f"{noise.title}, then marked"
            rows.append(_published_row(images, mark, sent, over, title))
    except (RuntimeError, AssertionError) as error:
        # The one's message is in Chinese; both say that the image is too small.
        reason = f"refused with {type(error).__name__}: the images are too small"
        return [{**about, "suspect": "W'", "refused": reason}]
    return [{**about, **row} for row in rows]


def written(
    mark: PublishedMark, images: Sequence[Pixels], sent: np.ndarray
) -> list[Pixels]:
    """Images with a mark's payload each."""
    return [mark.write(*pair) for pair in zip(images, sent, strict=True)]


def _published_row(
    images: ImageSet,
    mark: PublishedMark,
    sent: np.ndarray,
    suspects: list[Pixels],
    title: str,
) -> dict:
    found = {}
    for edit, quality in EDITS.items():
        right = [
            float(np.mean(mark.read(edited(suspect, quality), len(bits)) == bits))
            for suspect, bits in zip(suspects, sent, strict=True)
        ]
        found[edit] = {
            "bits": mean(right),
            "all_right": mean([share == 1 for share in right]),
        }
    return {
        "suspect": title,
        "psnr": mean_psnr(images.images, suspects),
        "edits": found,
    }
