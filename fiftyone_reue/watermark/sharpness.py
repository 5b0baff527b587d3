"""How soft a suspect is, and what remains of it after a reference made as soft.

Blur, resizing and resampling weaken fine details. Against a sharp reference, all that
was weakened remains and drowns the mark. So the reference is softened until it fits:
the suspect is taken for a sum of the reference and of blurred ones, by least squares.
What was done to the picture was done to its mark, so that the same sum tells how much
of the mark is left at each frequency. Nothing here looks at a code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLURS = (0.7, 1.4, 2.8, 5.6)
"""Standard deviations of the blurred references, pixels."""

_SHORTER_SIDE = 384
"""Larger images are blurred by more, since a mark's waves are longer there."""


@dataclass(frozen=True)
class Response:
    """How much of a picture is left at each frequency.

    Attributes:
        shares: ``(1 + len(BLURS),)`` float64: of the reference itself, and of each
            blurred one.
        blurs: ``(len(BLURS),)`` their standard deviations, pixels.
    """

    shares: np.ndarray
    blurs: np.ndarray

    def at(self, down: np.ndarray, across: np.ndarray) -> np.ndarray:
        """What is left at frequencies, as a share; never negative.

        Args:
            down: ``(n,)`` cycles a pixel.
            across: ``(n,)`` likewise.
        """
        squared = np.square(down) + np.square(across)
        decay = np.exp(-2 * np.pi**2 * np.outer(np.square(self.blurs), squared))
        return np.asarray((self.shares[0] + self.shares[1:] @ decay).clip(0))


def softened(
    suspect: np.ndarray, reference: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, Response]:
    """What remains of a suspect after the reference, softened until it fits.

    Args:
        suspect: ``(H, W)`` float32 luma, on the reference's pixels.
        reference: ``(H, W)`` float32 luma.
        weights: ``(H, W)`` float32 in [0, 1], how much each pixel counts; None for
            all the same.

    Returns:
        ``(H, W)`` float32, in the suspect's gray levels, and how soft it is. Brightness
        and contrast are fitted as well.
    """
    import cv2

    blurs = np.array(BLURS) * max(1.0, min(reference.shape) / _SHORTER_SIDE)
    terms = [reference, *(cv2.GaussianBlur(reference, (0, 0), one) for one in blurs)]
    terms = [one - _mean(one, weights) for one in terms]
    left: np.ndarray = suspect - _mean(suspect, weights)
    count = len(terms)
    products = np.zeros((count, count))
    aims = np.zeros(count)
    for row, one in enumerate(terms):
        counted = one if weights is None else one * weights
        aims[row] = np.sum(counted * left, dtype=np.float64)
        for column in range(row + 1):
            product = np.sum(counted * terms[column], dtype=np.float64)
            products[row, column] = products[column, row] = product
    shares = np.linalg.lstsq(products, aims, rcond=1e-10)[0]
    for share, one in zip(shares, terms, strict=True):
        left = left - np.float32(share) * one
    return left, Response(shares, blurs)


def _mean(values: np.ndarray, weights: np.ndarray | None) -> np.float32:
    if weights is None:
        return np.float32(values.mean(dtype=np.float64))
    total = np.sum(weights, dtype=np.float64)
    return np.float32(np.sum(values * weights, dtype=np.float64) / total)
