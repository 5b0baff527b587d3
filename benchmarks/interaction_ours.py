"""How well our mark is read: alone, and under perturbations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from interaction_images import EDITS, ImageSet, Pixels, edited, mean, mean_psnr
from interaction_noise import KEY, Noise

from fiftyone_reue.media import offsets
from fiftyone_reue.perturb.base import clipped
from fiftyone_reue.prf import derive
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.watermark import codes, embed, patterns, read
from fiftyone_reue.watermark.evidence import decoy_statistics, weigh
from fiftyone_reue.watermark.readings import Reading

MARK_KEY = derive(KEY, "mark")
CODE_SEED = derive(KEY, "code")

MARK = ProtectConfig().mark_amplitude
"""Amplitude of our mark, gray levels."""

RECIPIENTS = 1000
"""Among whom one is named when an image's reading is called enough on its own."""

DECOYS = 100
"""Codes that nobody holds, read from every image to check the instrument."""


def image_id(image: Pixels) -> str:
    """Which original."""
    return hashlib.blake2b(image.tobytes(), key=KEY, digest_size=16).hexdigest()


def licensed(image: Pixels) -> Pixels:
    """W: the original with our mark, as a release has it."""
    height, width = image.shape[:2]
    which = image_id(image)
    code = codes.code(CODE_SEED, which, patterns.bit_count(height, width))
    mark = embed.mark(MARK_KEY, which, code, height, width, MARK)
    return offsets.add(image, mark, 3)[0]


def our_reading(suspect: Pixels, reference: Pixels, original: Pixels) -> Reading:
    """The soft bits that an extractor finds.

    Args:
        suspect: what is read.
        reference: what the extractor takes away: the original for restored images,
            the original with the perturbation for protected ones.
        original: whose mark it is.
    """
    left = read.residual(read.luma(suspect, 3), read.luma(reference, 3))
    which = image_id(original)
    return Reading(which, read.soft_bits(read.Difference(left), MARK_KEY, which, MARK))


def read_ours(images: ImageSet, noises: Sequence[Noise]) -> list[dict]:
    """Rows of our mark on a set of images.

    The suspects are W, and W with each noise, which is read by both extractors. The
    shortcut for unchanged files, whose digest tells the exact perturbation, isn't
    taken.
    """
    marked = [licensed(image) for image in images.images]
    rows = [_our_row(images, marked, images.images, "W", "O")]
    for noise in noises:
        suspects, perturbed = [], []
        for place, original in enumerate(images.images):
            offset = noise.offset(marked[place], images.labels[place], place)
            suspects.append(clipped(marked[place], offset))
            perturbed.append(clipped(original, offset))
        title = f"W + {noise.title}"
        rows.append(_our_row(images, suspects, perturbed, title, "O + δ"))
        rows.append(_our_row(images, suspects, images.images, title, "O"))
    return rows


def _our_row(
    images: ImageSet,
    suspects: list[Pixels],
    references: list[Pixels],
    title: str,
    subtracted: str,
) -> dict:
    found = {}
    for edit, quality in EDITS.items():
        z, right, innocent, margins, decided = [], [], [], [], []
        for original, suspect, reference in zip(
            images.images, suspects, references, strict=True
        ):
            reading = our_reading(edited(suspect, quality), reference, original)
            code = codes.code(CODE_SEED, reading.image_id, len(reading.soft))
            found_alone = weigh([reading], {"recipient": CODE_SEED}, tested=RECIPIENTS)
            z.append(found_alone.z)
            decided.append(found_alone.decided)
            margins.append(margin(reading.soft * code))
            right.append(np.mean(np.where(reading.soft > 0, 1, -1) == code))
            innocent.append(decoy_statistics([reading], DECOYS))
        found[edit] = {
            "z": mean(z),
            "z_sd": float(np.std(z, ddof=1)),
            "margin": mean(margins),
            "bits": mean(right),
            "named_alone": mean(decided),
            "decoys_z": float(np.mean(innocent)),
            "decoys_sd": float(np.std(innocent)),
        }
    return {
        "images": images.name,
        "suspect": title,
        "subtracted": subtracted,
        "psnr": mean_psnr(images.images, suspects),
        "edits": found,
    }


def margin(agreed: np.ndarray) -> float:
    """How far soft bits are on their code's side: their mean over their spread.

    Unlike Z, which is at most the root of the number of bits, it has no ceiling.

    Args:
        agreed: ``(bits,)`` soft bits times code bits.
    """
    return float(agreed.mean() / agreed.std())
