"""What is attacked in an audit: originals, a method's images, and check rows."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace

import numpy as np

from fiftyone_reue.auditing.grid import Attacked
from fiftyone_reue.auditing.holdings import Holdings
from fiftyone_reue.auditing.results import ORIGINALS, Subject
from fiftyone_reue.perturb.base import FitData, FitOptions, Method, clipped
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.progress import mapped

RANDOM_NOISE = "random_noise"
SHUFFLED_LABELS = "shuffled_labels"


def originals(holdings: Holdings) -> Attacked:
    """The originals, which every other subject is compared with."""
    subject = Subject(ORIGINALS, "Originals", "reference")
    return Attacked(subject, replace(holdings, images=holdings.originals))


def random_noise(holdings: Holdings, amplitude: int, seed: int) -> Attacked:
    """The originals with uniform noise of the same size: must be as learnable.

    Args:
        holdings: with the originals.
        amplitude: gray levels; every sample changes by at most so many.
        seed: of the noise.
    """
    draw = np.random.default_rng(seed)
    shape = holdings.originals.shape
    noise = draw.integers(-amplitude, amplitude + 1, shape, np.int16)
    images = clipped(holdings.originals, noise)
    title = f"Random noise of ±{amplitude}"
    return Attacked(
        _described(RANDOM_NOISE, title, "reference", holdings, images),
        replace(holdings, images=images),
    )


def shuffled_labels(holdings: Holdings, seed: int) -> Attacked:
    """The originals under wrong labels: a victim must stay at chance."""
    labels = np.random.default_rng(seed).permutation(holdings.labels)
    subject = Subject(SHUFFLED_LABELS, "Originals, labels shuffled", "reference")
    return Attacked(
        subject, replace(holdings, images=holdings.originals, labels=labels)
    )


def method_subject(
    name: str,
    holdings: Holdings,
    class_names: tuple[str, ...],
    options: FitOptions,
    *,
    published: bool = False,
) -> Generator[float, None, Attacked]:
    """The originals perturbed by a method of the registry, without a watermark.

    Args:
        name: the method's registry key.
        holdings: with the originals.
        class_names: for the labels, sorted.
        options: of the fit.
        published: at its paper's expense.

    Yields:
        The fraction done.

    Raises:
        InputError: there is no such method.
    """
    method = create_method(name, published=published)
    title = method.info.title
    return (yield from perturbed(name, title, method, holdings, class_names, options))


def perturbed(
    name: str,
    title: str,
    method: Method,
    holdings: Holdings,
    class_names: tuple[str, ...],
    options: FitOptions,
) -> Generator[float, None, Attacked]:
    """The originals perturbed by a method of any configuration; see above.

    Args:
        name: unique in the audit.
        title: a few words for a table.
        method: configured.
        holdings, class_names, options: as above.
    """
    started = time.monotonic()
    data = FitData(holdings.originals, holdings.labels, class_names)
    images = yield from mapped(method.perturb_steps(data, options), float)
    seconds = round(time.monotonic() - started, 1)
    subject = _described(name, title, "method", holdings, images)
    return Attacked(replace(subject, seconds=seconds), replace(holdings, images=images))


def release_subject(release_id: str, name: str, holdings: Holdings) -> Attacked:
    """A release's protected images, watermark included, as they are in holdings.

    The subject has the release's id, since its name may be any word.
    """
    title = f"Release {name}"
    subject = _described(release_id, title, "release", holdings, holdings.images)
    return Attacked(subject, holdings)


def _described(
    name: str, title: str, role: str, holdings: Holdings, images: np.ndarray
) -> Subject:
    change = images.astype(np.int16) - holdings.originals
    squares = np.square(change, dtype=np.float32).mean(axis=(1, 2, 3))
    decibels = 10 * np.log10(255**2 / np.maximum(squares, 1e-6))
    return Subject(
        name,
        title,
        role,
        psnr=round(float(decibels.mean()), 2),
        largest_change=int(np.abs(change).max()),
    )
