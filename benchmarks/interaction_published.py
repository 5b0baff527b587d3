"""How well published marks are read: alone, under perturbations, and over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from interaction_images import EDITS, ImageSet, Pixels, edited, mean, mean_psnr
from interaction_noise import Noise, perturbed
from published_marks import PublishedMark

BITS = 32
"""Of a published mark; SMALL_BITS are all that blind_watermark can put in 32 px."""
SMALL_BITS = 8


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
