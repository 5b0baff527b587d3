"""How likely chance alone makes a code fit this well, at most.

A recipient's fit to one image is ``s = sum(c u)`` of its code bits c and the image's
weighted soft bits u, and ``v = sum(u^2)``. Whoever made the file doesn't know the code,
so to them its bits are fair coins, and ``E exp(l s - l^2 v / 2) <= 1`` for every l,
whatever u is (Hoeffding's lemma). So with S and V the sums of s and v over images,
``exp(l S - l^2 V / 2)`` is a supermartingale as images come in, also where the next
image was chosen by what the ones before showed; and so is its mean over l, here over
the positive half of a normal distribution of variance 1 / PRIOR. By Ville's inequality
that mean ever reaches x with a probability of at most 1 / x: after how many images
somebody looks, and why they stop, doesn't matter (Robbins 1970).
"""

from __future__ import annotations

import math

PRIOR = 0.1
"""In images. Small: a few good images decide; with very many, it costs the logarithm
of their number."""

_TWO_ROOT = math.sqrt(2)


def log_chance(fit: float, energy: float) -> float:
    """The bound for one code that nobody tried to fit, as a natural logarithm.

    Args:
        fit: S, the sum over all images of code bits times weighted soft bits.
        energy: V >= 0, the sum of the weighted soft bits' squares.

    Returns:
        At most 0.
    """
    if fit <= 0:
        return 0.0
    total = energy + PRIOR
    below = 0.5 * math.erfc(-fit / math.sqrt(total) / _TWO_ROOT)
    growth = fit * fit / (2 * total) - 0.5 * math.log(total / PRIOR)
    return min(0.0, -(growth + math.log(2 * below)))


def needed_z(log_limit: float, energy: float) -> float:
    """From which ``S / sqrt(V)`` on the bound is below a limit.

    Args:
        log_limit: the limit's natural logarithm, < 0.
        energy: V; infinity is told where it isn't above 0.
    """
    if not 0 < energy < math.inf:
        return math.inf
    low, high = 0.0, 1.0
    root = math.sqrt(energy)
    while log_chance(high * root, energy) > log_limit:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if log_chance(middle * root, energy) > log_limit:
            low = middle
        else:
            high = middle
    return high


def needed_growth(fit: float, energy: float, log_limit: float) -> float | None:
    """How many times as many such images bring the bound below a limit.

    Args:
        fit: S of the images that there are.
        energy: their V.
        log_limit: the limit's natural logarithm, < 0.

    Returns:
        At least 1; None where a million times as many don't.
    """
    low, high = 1.0, 1.0
    while log_chance(fit * high, energy * high) > log_limit:
        low, high = high, 2 * high
        if high > 1e6:
            return None
    for _ in range(60):
        middle = (low + high) / 2
        if log_chance(fit * middle, energy * middle) > log_limit:
            low = middle
        else:
            high = middle
    return high
