"""Photographs as a thief sees a release of JPEG files: decoded, with mark and all.

The originals are JPEG files of one quality, of which the victims' clean pictures know
nothing; mark and perturbation are made of their coefficients, as `reue protect` makes
them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fiftyone_reue.media import jpeg
from fiftyone_reue.media.jpeg_coefficients.decoding import Beside
from fiftyone_reue.media.jpeg_coefficients.limits import added
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.perturb import coefficients
from fiftyone_reue.perturb.base import FitData, FitOptions, Method
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import finish
from fiftyone_reue.watermark import codes, embed, patterns
from fiftyone_reue.workflows.in_coefficients import marked

QUALITY = 90
"""Of the originals: what most cameras and data sets have."""


def original(image: np.ndarray, quality: int = QUALITY) -> bytes:
    """A photograph as a JPEG file.

    Args:
        image: ``(S, S, 3)`` uint8.
        quality: 1..100.
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def originals(files: Sequence[bytes]) -> np.ndarray:
    """JPEG files of one size, decoded, ``(N, S, S, 3)`` uint8."""
    return np.stack([jpeg.shown(read(file)) for file in files])


def released(
    files: Sequence[bytes],
    labels: np.ndarray,
    classes: tuple[str, ...],
    method: Method | None,
    options: FitOptions,
    share: int,
) -> np.ndarray:
    """A release's files, decoded, or what a recipient restores of them.

    Args:
        files: N JPEG files of S by S pixels in colour, the originals.
        labels: ``(N,)``, places in ``classes``.
        classes: names, sorted.
        method: what perturbs them; None for copies that were restored.
        options: of its fit; the amplitude is what the mark leaves.
        share: the mark's, gray levels.

    Returns:
        ``(N, S, S, 3)`` uint8, each at most amplitude and share away from its original.
    """
    images = originals(files)
    state = None
    if method is not None:
        state = finish(method.fit(FitData(images, labels, classes), options))
    epsilon = options.amplitude + share
    key, seed = derive(options.key, "mark"), derive(options.key, "code")
    copies = np.empty_like(images)
    height, width = images.shape[1:3]
    for place, file in enumerate(files):
        found = read(file)
        code = codes.code(seed, str(place), patterns.bit_count(height, width))
        wanted = embed.mark(key, str(place), code, height, width, share)[..., 0]
        beside = Beside(found)
        mark = marked(found, wanted, share, epsilon, beside).offsets
        licensed = added(found, mark)
        if method is None or state is None:
            copies[place] = jpeg.shown(licensed)
            continue
        copy, _ = coefficients.perturb(
            method,
            state,
            found,
            licensed,
            lambda licensed=licensed: jpeg.shown(licensed),  # type: ignore[misc]
            classes[labels[place]],
            options.sample_key(place),
            name=str(place),
            epsilon=epsilon,
            amplitude=options.amplitude,
            beside=beside,
        )
        copies[place] = jpeg.shown(copy)
    return copies
