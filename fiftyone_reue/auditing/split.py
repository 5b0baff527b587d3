"""Which images are protected and stolen, which a thief has clean, which test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiftyone_reue.errors import InputError

LEAST_IMAGES = 20
TEST_SHARE = 0.25
CLEAN_SHARE = 0.1


@dataclass(frozen=True)
class Split:
    """Indices of images, each class in every part as evenly as it goes.

    Attributes:
        train: ``(N,)`` int64, those that are protected and stolen.
        clean: ``(M,)`` int64, those that a thief may have clean.
        test: ``(T,)`` int64, clean images to test on.
    """

    train: np.ndarray
    clean: np.ndarray
    test: np.ndarray


def split(labels: np.ndarray, *, train: int, clean: int, test: int, seed: int) -> Split:
    """Split images at random, class by class.

    A quarter tests, a tenth may be clean in a thief's hands, the rest trains; each
    part is then cut to its largest size.

    Args:
        labels: ``(N,)`` int64.
        train: how many to train on at most.
        clean: how many a thief has clean at most.
        test: how many to test on at most.
        seed: of the choice.

    Raises:
        InputError: too few images or classes to measure anything.
    """
    present = np.unique(labels)
    if len(labels) < LEAST_IMAGES or len(present) < 2:
        raise InputError(
            f"{len(labels)} images of {len(present)} classes are too few for an audit; "
            f"at least {LEAST_IMAGES} images of 2 classes are needed, some hundreds a "
            "class for figures that mean something"
        )
    order = _interleaved(labels, np.random.default_rng(seed))
    testing = max(len(present), round(TEST_SHARE * len(order)))
    cleaning = round(CLEAN_SHARE * len(order))
    return Split(
        train=order[testing + cleaning :][:train],
        clean=order[testing : testing + cleaning][:clean],
        test=order[:testing][:test],
    )


def _interleaved(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """All indices, so that any stretch of them has the classes in their shares."""
    positions = np.empty(len(labels))
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        start = generator.random()
        positions[members] = (np.arange(len(members)) + start) / len(members)
    return np.argsort(positions, kind="stable")
