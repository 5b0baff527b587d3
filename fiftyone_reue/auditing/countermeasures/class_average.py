"""Class averages: find what the images of a class have in common, and subtract it.

What is common to a class hides in fine detail, where natural images have little in
common. So every image is high-passed, and the residuals of a class are averaged. A
protection that flips and rolls its pattern for each image blurs that average; hence
each residual is first aligned with the class's template, by the flip and the roll of
the largest cross-correlation. Residuals of two protected images already correlate far
above chance, so the class's flattest image, which shows its pattern best, is the
first template. The correlation is that of a matched filter: each frequency counts
the less, the stronger the images themselves are there.

The template lacks what the high-pass filter takes from it. Projected on themselves, 9 %
of a pattern of random pixels and 30 % of one of 2 x 2 cells stay in the images, even
where every alignment is right, as it was for 200 CIFAR-10 images a class and 8 gray
levels.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.holdings import Effort, Holdings, TrainingSet
from fiftyone_reue.networks.context import TrainingContext

SIGMA = 1.5
"""Of the 5x5 Gaussian that is taken off an image, in pixels."""

ROUNDS = 2
"""How often the residuals are aligned and averaged again."""

_BATCH = 128


class ClassAverage(Countermeasure):
    """Subtract from each image its class's template, aligned with it.

    Two images whose patterns are rolled by an eighth of the side, to opposite sides,
    are a quarter apart: that is how far rolls are searched.
    """

    info = CountermeasureInfo(
        "class_average",
        "Class averages subtracted",
        "",
        "purification",
        parameters={
            "blur_size": 5,
            "blur_sigma": SIGMA,
            "rounds": ROUNDS,
            "largest_roll": "a quarter of the side",
        },
    )

    def prepare(
        self, holdings: Holdings, *, effort: Effort, context: TrainingContext
    ) -> Generator[float, None, TrainingSet]:
        """See the base class. A class of one image stays as it is."""
        images, labels = holdings.images, holdings.labels
        cleaned = images.copy()
        common = _mean_residual(images)
        present = np.unique(labels)
        for done, label in enumerate(present):
            members = np.flatnonzero(labels == label)
            if len(members) > 1:
                pattern = aligned_pattern(images[members], common)
                cleaned[members] = np.rint(images[members] - pattern).clip(0, 255)
            yield (done + 1) / len(present)
        return TrainingSet(cleaned, labels)


def high_pass(images: np.ndarray) -> np.ndarray:
    """What a 5x5 Gaussian blur takes away; edges are reflected.

    Args:
        images: ``(N, S, S, C)``, S at least 3.

    Returns:
        The same shape, float32, in gray levels.
    """
    values = images.astype(np.float32)
    offsets = np.arange(-2, 3)
    kernel = np.exp(-(offsets**2) / (2 * SIGMA**2)).astype(np.float32)
    kernel /= kernel.sum()
    blurred = values
    for axis in (1, 2):
        padding = [(2, 2) if a == axis else (0, 0) for a in range(4)]
        padded = np.pad(blurred, padding, mode="reflect")
        size = images.shape[axis]
        windows = (
            padded[:, i : i + size] if axis == 1 else padded[:, :, i : i + size]
            for i in range(5)
        )
        blurred = sum(k * window for k, window in zip(kernel, windows, strict=True))
    return values - blurred


def aligned_pattern(images: np.ndarray, common: np.ndarray) -> np.ndarray:
    """The pattern that the images of a class share, placed as each of them has it.

    Args:
        images: ``(N, S, S, C)`` uint8, of one class.
        common: ``(S, S, C)`` float32, the mean residual of all classes.

    Returns:
        ``(N, S, S, C)`` float32, gray levels.
    """
    residuals = high_pass(images) - common
    power = power_spectrum(residuals)
    flattest = (residuals**2).mean(axis=(1, 2, 3)).argmin()
    template = residuals[flattest]
    for _ in range(ROUNDS):
        found = align(residuals, template, power)
        template = _move_back(residuals, *found).mean(axis=0)
    return _move(template, *align(residuals, template, power))


def power_spectrum(residuals: np.ndarray) -> np.ndarray:
    """How strong each frequency is in the images, the weight against which it counts.

    Natural images are strong at low frequencies, where they would drown the pattern.

    Args:
        residuals: ``(N, S, S, C)`` float32.

    Returns:
        ``(S, S // 2 + 1, 1)`` float32, mean over images and channels, above 0.
    """
    total = np.zeros((residuals.shape[1], residuals.shape[1] // 2 + 1))
    for part in _batches(residuals):
        total += (np.abs(np.fft.rfft2(part, axes=(1, 2))) ** 2).sum(axis=(0, 3))
    mean = total / (len(residuals) * residuals.shape[3])
    return (mean + 1e-3 * mean.mean() + 1e-6).astype(np.float32)[:, :, None]


def align(
    residuals: np.ndarray, template: np.ndarray, power: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the flip and the roll of the template that each residual is most like.

    Args:
        residuals: ``(N, S, S, C)`` float32.
        template: ``(S, S, C)`` float32; flipped left to right or not, then rolled by
            up to S/4 down or up, right or left.
        power: see :func:`power_spectrum`; ones for plain cross-correlation.

    Returns:
        ``(N,)`` arrays: flipped (bool), rolled down and rolled right (int64).
    """
    size = template.shape[0]
    span = size // 4
    rolls = np.arange(-span, span + 1)
    both = np.stack([template, template[:, ::-1]])
    expected = np.fft.rfft2(both, axes=(1, 2)).conj() / power
    found = []
    for part in _batches(residuals):
        spectrum = np.fft.rfft2(part, axes=(1, 2))
        products = np.einsum("nhwc,fhwc->nfhw", spectrum, expected)
        scores = np.fft.irfft2(products, s=(size, size))
        near = scores[:, :, rolls[:, None], rolls]
        found.append(near.reshape(len(part), -1).argmax(axis=1))
    flip, down, right = np.unravel_index(
        np.concatenate(found), (2, len(rolls), len(rolls))
    )
    return flip == 1, rolls[down], rolls[right]


def _move(
    template: np.ndarray, flipped: np.ndarray, down: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """The template, flipped and rolled as :func:`align` found."""
    size = template.shape[0]
    along = np.arange(size)
    rows = (along - down[:, None]) % size
    columns = (along - right[:, None]) % size
    columns = np.where(flipped[:, None], size - 1 - columns, columns)
    return template[rows[:, :, None], columns[:, None, :]]


def _move_back(
    residuals: np.ndarray, flipped: np.ndarray, down: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Undo :func:`_move` on each residual."""
    size = residuals.shape[1]
    along = np.arange(size)
    rows = (along + down[:, None]) % size
    columns = np.where(flipped[:, None], size - 1 - along, along)
    columns = (columns + right[:, None]) % size
    chosen = np.arange(len(residuals))[:, None, None]
    return residuals[chosen, rows[:, :, None], columns[:, None, :]]


def _mean_residual(images: np.ndarray) -> np.ndarray:
    """``(S, S, C)`` float32, over all images."""
    total = np.zeros(images.shape[1:])
    for part in _batches(images):
        total += high_pass(part).sum(axis=0)
    return (total / len(images)).astype(np.float32)


def _batches(images: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(images), _BATCH):
        yield images[start : start + _BATCH]
