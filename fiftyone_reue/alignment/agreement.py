"""Whether two images that lie on one another are of the same thing, and where.

Two photographs may have the same layout: sky above, something dark below. What proves
that they are the same picture is that their details agree, in more places than chance
and layout explain.
"""

from __future__ import annotations

import numpy as np

OCTAVES = 4
"""Finest details that are looked at: those of up to some 30 pixels."""

ALIKE = 0.6
"""Details of an octave that correlate by this are of one picture as a whole ..."""

ALIKE_DEVIATIONS = 24.0
"""... if chance would need so many standard deviations. Of 1,800 pairs of unrelated
CIFAR-10 images, each the nearest three of 10,000, and 1,200 of photographs, the most
are 21 and 23; of 300 copies after JPEG-30 or at half size all but one in a hundred have
25 and more, photographs 55."""

PARTLY_ALIKE = 0.2
"""Less than the whole may agree, where something was pasted over the rest ..."""

PARTLY_ALIKE_DEVIATIONS = 48.0
"""... but then by more; the same pairs have 39 at most."""

_NOISE = 2.0
"""Details of so many gray levels may be rounding."""

_LEAST_PIXELS = 64

_INNER = slice(2, -2)
"""Round the sides, what looks like details may come of a slope that ends there."""

_WINDOW = 8
"""Half the side, in pixels, of what is judged at once when parts are looked for that
something else was drawn over."""

_SMALL = 96
"""Smaller originals are used as a whole."""

_CLEARLY_OTHER = 6.0
"""A part isn't the original's where so many times more remains than usually ..."""

_UNEXPLAINED = 0.5
"""... and that is more than this share of what is to be seen there."""

_LEAST_REMAINS = 4.0
"""Gray levels that may remain anywhere."""


def proof(
    suspect: np.ndarray, original: np.ndarray, covered: np.ndarray | None = None
) -> float:
    """How surely a suspect shows its original.

    Brightness, contrast and sharpness don't matter. A flat original proves nothing.

    Args:
        suspect: ``(H, W)`` float32 luma, on the original's pixels.
        original: ``(H, W)`` float32 luma.
        covered: ``(H, W)`` bool, where the suspect shows anything; None for all over.

    Returns:
        Proven from 1 on; below 0.9 for unrelated images, most often about 0.
    """
    best = 0.0
    for correlation, pixels in _correlations(suspect, original, covered):
        deviations = float(np.arctanh(min(correlation, 0.9999)) * np.sqrt(pixels))
        if correlation >= ALIKE:
            best = max(best, deviations / ALIKE_DEVIATIONS)
        elif correlation >= PARTLY_ALIKE:
            best = max(best, deviations / PARTLY_ALIKE_DEVIATIONS)
    return best


def _correlations(
    suspect: np.ndarray, original: np.ndarray, covered: np.ndarray | None
) -> list[tuple[float, int]]:
    """How each octave's details correlate, finest first, and of how many pixels."""
    import cv2

    ours, theirs, shown = original, suspect, None
    if covered is not None:
        theirs = np.where(covered, suspect, original)
        shown = covered.astype(np.float32)
    found = []
    for _ in range(OCTAVES):
        if min(ours.shape) < 8:
            break
        size = ours.shape[::-1]
        coarse = [cv2.pyrDown(one) for one in (ours, theirs)]
        pairs = zip((ours, theirs), coarse, strict=True)
        a, b = (_evened(one - cv2.pyrUp(less, dstsize=size)) for one, less in pairs)
        if shown is not None:
            less = cv2.pyrDown(shown)
            whole = (shown > 0.99) & (cv2.pyrUp(less, dstsize=size) > 0.99)
            whole = whole[_INNER, _INNER]
            shown = np.asarray(less)
            a, b = a[_INNER, _INNER][whole], b[_INNER, _INNER][whole]
        else:
            a, b = a[_INNER, _INNER], b[_INNER, _INNER]
        if a.size < _LEAST_PIXELS:
            break
        energy = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
        correlation = float((a * b).sum()) / energy if energy > 0 else 0.0
        found.append((correlation, a.size))
        ours, theirs = coarse
    return found


def _evened(details: np.ndarray) -> np.ndarray:
    """Details of like size everywhere: one strong edge must not speak for all."""
    import cv2

    around = cv2.blur(details * details, (9, 9), borderType=cv2.BORDER_REFLECT)
    return details / (np.sqrt(around.clip(0)) + np.float32(_NOISE))


def seen(suspect: np.ndarray, reference: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """What of an original a suspect shows, and nobody drew over.

    Args:
        suspect: ``(H, W)`` float32 luma, on the original's pixels.
        reference: ``(H, W)`` float32 luma.
        covered: ``(H, W)`` bool, where the suspect shows anything.

    Returns:
        ``(H, W)`` bool.
    """
    import cv2

    if min(reference.shape) < _SMALL or not covered.any():
        return covered
    weights = covered.astype(np.float32)
    size = (2 * _WINDOW + 1, 2 * _WINDOW + 1)

    def around(values: np.ndarray) -> np.ndarray:
        sums = cv2.blur(values * weights, size, borderType=cv2.BORDER_CONSTANT)
        return sums / np.maximum(counts, 1e-6)

    counts = cv2.blur(weights, size, borderType=cv2.BORDER_CONSTANT)
    theirs, ours = suspect - around(suspect), reference - around(reference)
    spread, energy = around(ours * ours), around(theirs * theirs)
    products = around(ours * theirs)
    textured = covered & (spread > _LEAST_REMAINS**2) & (energy > 1)
    alike = textured & (products > 0.7 * np.sqrt(np.abs(spread * energy)))
    if not alike.any():
        return covered
    gain = float((products[alike]).sum() / spread[alike].sum())
    light = float(np.median((suspect - gain * reference)[alike]))
    left = (suspect - light) / gain - reference
    remains = around(left * left)
    usual = max(float(np.median(remains[alike])), _LEAST_REMAINS**2)
    whole = around(reference * reference) - around(reference) ** 2
    other = (remains > _CLEARLY_OTHER * usual) & (remains > _UNEXPLAINED * whole)
    return covered & ~_grown(other)


def _grown(parts: np.ndarray) -> np.ndarray:
    """Parts and what lies round them, which the same windows judged."""
    import cv2

    kernel = np.ones((_WINDOW, _WINDOW), np.uint8)
    grown = cv2.dilate(parts.astype(np.uint8), kernel)
    return np.asarray(grown) > 0
