"""AR: noise in which every pixel follows from its neighbours by a class's filter.

Sandoval-Segura et al., "Autoregressive Perturbations for Data Poisoning", NeurIPS
2022 (arXiv:2206.03693). Each class has a 3x3 filter a channel, whose eight free
coefficients sum to 1. Run over a Gaussian start, pixel by pixel, it makes noise that
a convolution with the same filter (-1 in its last place) cancels. Filters are drawn
at random; one is kept if its noise stays bounded and every filter kept before
responds to it.

The paper bounds the noise's L2 norm alone, by 1 for a 32-pixel image; its largest
values are then about three times the usual 8 gray levels. :class:`AutoregressiveL2` is
that method. :class:`Autoregressive` clips the noise at the amplitude, so that the
budget holds in every sample. This breaks the recurrence at one pixel in twelve and
takes a sixth of the norm, and networks learn the shortcut much more slowly.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import numpy as np

from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    Method,
    MethodInfo,
    State,
    class_index,
    clipped,
)
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import mapped

PAPER_SIZE = 32
"""Side that the paper's figures are for, and that is used where nothing is fitted."""

PAPER_AMPLITUDE = 8
"""Gray levels that stand for an L2 norm of 1 at the paper's size."""

CROP = 4
"""Rows and columns at the start that still show the Gaussian draws."""

LARGEST_NORM = 50.0
"""A filter is unstable if a signal from it is longer, at the paper's size."""

FEW_CLASSES = 10
LEAST_RESPONSE_FEW = 10.0
LEAST_RESPONSE_MANY = 3.0
"""Response of the other filters to a signal of norm 1, at the paper's size."""

_TRIALS = 3
_CANDIDATES = 512
_PATIENCE = 32
_BATCH = 128


class Autoregressive(Method):
    """Keyed noise, a filter a class, a start a sample, clipped at the amplitude."""

    info = MethodInfo(
        name="ar",
        title="AR: keyed autoregressive noise, clipped",
        paper="Sandoval-Segura et al., NeurIPS 2022, arXiv:2206.03693",
        needs_fit=False,
        uses_gpu=False,
        cost="about ten seconds, to find filters for ten classes",
        variety="class and sample",
    )

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Search a filter for each class with keyed draws; see :class:`Method`."""
        size = data.images.shape[1] if len(data.images) else PAPER_SIZE
        draw = _generator(derive(options.key, "ar-filters", str(options.seed)))
        filters, required = yield from find_filters(len(data.classes), size, draw)
        arrays = {
            "filters": filters,
            "size": np.array(size, np.int64),
            "amplitude": np.array(options.amplitude, np.int64),
            "limit": np.array(
                options.amplitude if self.info.bounded else 255, np.int64
            ),
        }
        figures = {"least_response": round(required, 2)}
        return State(self.info.name, data.classes, arrays, figures)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """Run the class's filter over the sample's start; see :class:`Method`."""
        labels = np.array([class_index(state, label)])
        return _patterns(state, labels, [sample_key], image.shape[2])[0]

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """What :class:`Method` does, many images at once."""
        steps = self.fit(data, options)
        state = yield from mapped(steps, lambda fraction: 0.5 * fraction)
        count = len(data.images)
        perturbed = np.empty_like(data.images)
        for start in range(0, count, _BATCH):
            stop = min(start + _BATCH, count)
            keys = [options.sample_key(index) for index in range(start, stop)]
            offsets = _patterns(state, data.labels[start:stop], keys, 3)
            perturbed[start:stop] = clipped(data.images[start:stop], offsets)
            yield 0.5 + 0.5 * stop / count
        return perturbed


class AutoregressiveL2(Autoregressive):
    """The same noise as published: of a given L2 norm, but with large values."""

    info = replace(
        Autoregressive.info,
        name="ar_l2",
        title="AR: keyed autoregressive noise of a given norm",
        bounded=False,
    )


def autoregress(filters: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Replace every pixel but the first two rows and columns by its recurrence.

    Args:
        filters: ``(N, C, 3, 3)`` float32; the last place, the pixel itself, is not
            read.
        start: ``(N, C, side, side)`` float32.

    Returns:
        ``(N, C, side, side)`` float32, where each pixel is the sum of the eight
        above and left of it, weighted by the filter.
    """
    side = start.shape[-1]
    rows, columns = np.indices((side, side))
    # The pixels of an anti-diagonal don't depend on each other, so that each is
    # computed at once: diagonals[i + j, ..., i] is the pixel in row i, column j.
    diagonals = np.zeros((2 * side - 1, *start.shape[:2], side), start.dtype)
    diagonals[rows + columns, :, :, rows] = start.transpose(2, 3, 0, 1)
    neighbours = [(up, left) for up in range(3) for left in range(3) if up or left]
    for diagonal in range(4, 2 * side - 1):
        first = max(2, diagonal - side + 1)
        last = min(side - 1, diagonal - 2)
        total = np.zeros((*start.shape[:2], last + 1 - first), start.dtype)
        for up, left in neighbours:
            weights = filters[:, :, 2 - up, 2 - left, None]
            earlier = diagonals[diagonal - up - left]
            total += weights * earlier[..., first - up : last + 1 - up]
        diagonals[diagonal, ..., first : last + 1] = total
    return diagonals[rows + columns, :, :, rows].transpose(2, 3, 0, 1)


def response(signals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How strongly a class's filter answers to signals: 0 if it made them.

    Args:
        signals: ``(N, C, h, w)`` float32.
        weights: ``(C, 3, 3)`` float32, an autoregressive filter.

    Returns:
        ``(N,)`` float32, the sum of the positive part of the convolution, over all
        channels, with the filter that has -1 for the pixel itself.
    """
    kernel = weights.copy()
    kernel[:, 2, 2] = -1
    windows = np.lib.stride_tricks.sliding_window_view(signals, (3, 3), (2, 3))
    answers = np.einsum("nchwij,cij->nhw", windows, kernel)
    return np.maximum(answers, 0).sum(axis=(1, 2))


def find_filters(
    classes: int, size: int, draw: np.random.Generator
) -> Generator[float, None, tuple[np.ndarray, float]]:
    """Draw filters until each class has one, yielding the fraction done.

    Returns:
        ``(classes, 3, 3, 3)`` float32, and the response that was required. It is the
        paper's, unless :data:`_PATIENCE` batches of candidates held none: it is then
        lowered by a tenth, as often as needed.
    """
    scale = size / PAPER_SIZE
    required = LEAST_RESPONSE_FEW if classes <= FEW_CLASSES else LEAST_RESPONSE_MANY
    kept: list[np.ndarray] = []
    fruitless = 0
    while len(kept) < classes:
        before = len(kept)
        for weights, signal in _stable(size, draw):
            answers = [response(signal, other).item() for other in kept]
            if len(kept) < classes and min(answers, default=np.inf) > required * scale:
                kept.append(weights)
        fruitless = fruitless + 1 if len(kept) == before else 0
        if fruitless == _PATIENCE:
            required, fruitless = 0.9 * required, 0
        yield len(kept) / classes
    return np.stack(kept), required


def _stable(
    size: int, draw: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Those of a batch of drawn filters whose signals stay bounded.

    Yields:
        The filter, ``(3, 3, 3)``, and a signal of norm 1, ``(1, 3, size, size)``.
    """
    filters = draw.standard_normal((_CANDIDATES, 3, 3, 3), dtype=np.float32)
    filters[:, :, 2, 2] = 0
    filters /= filters.sum(axis=(2, 3), keepdims=True)
    # In most filters a channel diverges; one signal a channel drops nearly all.
    for channel in range(3):
        signals = _signals(filters[:, channel : channel + 1], size, draw)
        filters = filters[_bounded(signals, size)]
    for weights in filters:
        signals = _signals(np.stack([weights] * _TRIALS), size, draw)
        if _bounded(signals, size).all():
            yield weights, signals[-1:] / _norms(signals[-1:])


def _signals(filters: np.ndarray, size: int, draw: np.random.Generator) -> np.ndarray:
    """One cropped signal a filter, ``(N, C, size, size)``, some of them not finite."""
    side = size + CROP
    shape = (*filters.shape[:2], side, side)
    start = draw.standard_normal(shape, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return autoregress(filters, start)[..., CROP:, CROP:]


def _norms(signals: np.ndarray) -> np.ndarray:
    """L2 norms, ``(N, 1, 1, 1)`` float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(np.square(signals).sum(axis=(1, 2, 3), keepdims=True))


def _bounded(signals: np.ndarray, size: int) -> np.ndarray:
    norms = _norms(signals)[:, 0, 0, 0]
    return norms <= LARGEST_NORM * size / PAPER_SIZE


def _patterns(
    state: State, labels: np.ndarray, sample_keys: Sequence[bytes], colours: int
) -> np.ndarray:
    """Noise in gray levels, ``(N, size, size, colours)``, int8 if that holds it."""
    size = int(state.arrays["size"])
    amplitude = int(state.arrays["amplitude"])
    side = size + CROP
    starts = [
        _generator(derive(sample_key, "ar-start")).standard_normal(
            (colours, side, side), dtype=np.float32
        )
        for sample_key in sample_keys
    ]
    filters = state.arrays["filters"][labels, :colours]
    signals = autoregress(filters, np.stack(starts))[..., CROP:, CROP:]
    length = 255 * np.sqrt(colours * size**2 / (3 * PAPER_SIZE**2))
    length *= amplitude / PAPER_AMPLITUDE
    levels = np.rint(signals * (length / _norms(signals)))
    limit = int(state.arrays["limit"])
    whole = levels.clip(-limit, limit).astype(np.int8 if limit < 128 else np.int16)
    return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))


def _generator(key: bytes) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "big")))
