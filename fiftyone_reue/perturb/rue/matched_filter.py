"""The matched filter for ``rue``'s bands: a thief who has the package, not the key.

Which band an image has been given shows in how strong it is beside the others. The
thief lays a grid of candidates over the frequencies that the key draws from, learns how
strong bands are with and without them on photographs of their own (a linear
discriminant over the regions' and the image's mean responses), and asks all of a
class's images together which band the class has, since they hold its labels. Then what
that band would have added is computed, and taken away again; a few times over, as it
was computed from the original. It is computed in one go, as chessboards and samples'
noise need the key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from fiftyone_reue.perturb.rue import bands, surroundings

CHUNK = 25
"""Images at a time: there are a hundred responses to each."""

ROUNDS = 10

UNLIKELY = 1e-3
"""Bands less probable than this everywhere aren't computed."""


@dataclass(frozen=True)
class BandThief:
    """What a thief has learned.

    Attributes:
        kernels: ``(n, k, k)`` float32, the candidates' filters.
        weights: ``(6 n, n)``, and
        offsets: ``(n,)`` of the discriminant.
        amplitude: gray levels.
        each: bands a class; one is the same in all regions of an image.
        config: the package's.
    """

    kernels: torch.Tensor
    weights: torch.Tensor
    offsets: torch.Tensor
    amplitude: int
    each: int
    config: bands.BandsConfig

    def without(
        self, images: torch.Tensor, labels: torch.Tensor | None
    ) -> torch.Tensor:
        """Images without the bands that they most likely were given.

        Args:
            images: ``(N, S, S, 3)`` uint8, S at least ``bands.SHORTEST``.
            labels: ``(N,)`` int64, or None where they aren't known.
        """
        gray = _gray(images)
        likely = torch.cat([self._likely(g) for g in gray.split(CHUNK)])
        if labels is not None:
            for label in labels.unique():
                own = labels == label
                total = likely[own].softmax(3).mean((0, 1, 2))
                other = total.argsort(descending=True)[self.each :]
                likely[own] = likely[own].index_fill(3, other, -torch.inf)
        made = torch.empty_like(images)
        for start in range(0, len(images), CHUNK):
            part = slice(start, start + CHUNK)
            change = self._added(gray[part], likely[part].softmax(3))
            change = _spread(change, images.shape[1])
            after = images[part].float() - change[..., None]
            made[part] = after.round().clamp(0, 255).to(torch.uint8)
        return made

    def _likely(self, gray: torch.Tensor) -> torch.Tensor:
        found = features(gray, self.kernels, self.config) @ self.weights + self.offsets
        if self.each == 1:
            found = found.mean((1, 2), keepdim=True).expand_as(found)
        return found

    def _added(self, gray: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        shares = _over_pixels(shares, self.config.region, gray.shape[1])
        before = gray
        for _ in range(ROUNDS):
            change = added(before, shares, self.kernels, self.amplitude, self.config)
            before = before + 0.6 * (gray - change - before)
        return gray - before


def candidates() -> np.ndarray:
    """``(n, 2)`` frequencies half a cycle apart, of those that a key may draw."""
    step = bands.GRID // 2
    places = np.indices((bands.HIGHEST // step + 1,) * 2).reshape(2, -1).T * step
    far = (places**2).sum(axis=1)
    return places[(far >= bands.LOWEST**2) & (far <= bands.HIGHEST**2)]


def band_kernels(
    frequencies: np.ndarray, side: int, device: torch.device
) -> torch.Tensor:
    """What the package's filters do to a point, of all that releases may have been.

    In PNG files bands are as they are, in JPEG files of this size as
    :mod:`~.surroundings` lays them, and a release of larger files that was reduced to
    this size has as many waves as those have.

    Args:
        frequencies: ``(n, 2)`` in 1/GRID half cycles a block.
        side: the images' pixels a side.
        device: of the result.

    Returns:
        ``(m n, k, k)`` float32, m at least 2.
    """
    short, long = surroundings.SHORT, surroundings.LONG
    whole = surroundings.WHOLE
    scale = surroundings.scale_of(side, side, short)
    reduced = max(scale, whole * short.working // side)
    longer = surroundings.scale_of(side, side, long)
    kinds = [(one, long.width) for one in sorted({longer, whole})]
    kinds += [(one, short.width) for one in sorted({scale, reduced})]
    k = max(2 * len(surroundings.window(*kind)) - 1 for kind in kinds)
    made = np.stack([_kernel(f, *kind, k) for kind in kinds for f in frequencies])
    return torch.from_numpy(made).float().to(device)


def responses(gray: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """``(N, S, S)``, filtered by ``(n, k, k)``, to ``(N, n, S, S)``.

    Kernels are even, and there are many: they are multiplied as spectra.
    """
    reach, side = kernels.shape[-1] // 2, gray.shape[-1]
    padded = functional.pad(gray[:, None], (reach,) * 4, mode="reflect")
    size = padded.shape[-2:]
    there = torch.fft.rfft2(padded) * torch.fft.rfft2(kernels, s=size)
    made = torch.fft.irfft2(there, s=size)
    return made[..., 2 * reach :, 2 * reach :][..., :side, :side]


def added(
    gray: torch.Tensor,
    shares: torch.Tensor,
    kernels: torch.Tensor,
    amplitude: int,
    config: bands.BandsConfig,
) -> torch.Tensor:
    """What the package adds to images, in the mean over bands of these shares.

    Args:
        gray: ``(N, S, S)`` gray levels.
        shares: ``(N, n, S, S)``, how probable each band is.
        kernels: as :func:`band_kernels` gives.
        amplitude: gray levels.
        config: the package's.
    """
    # Most bands are of no image here, and each takes a filter.
    likely = shares.amax((0, 2, 3)) > UNLIKELY
    shares, kernels = shares[:, likely], kernels[likely]
    found = responses(gray, kernels)
    near = functional.pad(gray[:, None], (4, 4, 4, 4), mode="reflect")
    texture = (gray - functional.avg_pool2d(near, 9, 1)[:, 0]).abs().mean((1, 2))
    much = texture.clamp(min=config.least) * config.strength / 100
    mean = (found.abs() * shares).sum(1).mean((1, 2)) + 1e-6
    steps = found * (much / mean)[:, None, None, None]
    return (steps.clamp(-amplitude, amplitude) * shares).sum(1)


def features(
    gray: torch.Tensor, kernels: torch.Tensor, config: bands.BandsConfig
) -> torch.Tensor:
    """``(N, a, a, 6 n)``: how strong each band is in each region and in the image."""
    found = responses(gray, kernels).abs()
    scale = kernels.abs().sum((1, 2))[:, None, None]
    small = found.minimum(4 * scale)
    side = config.region
    pooled = [
        functional.avg_pool2d(one, side) for one in (found, small, found.square())
    ]
    logs = [torch.log(one + 0.05 * scale) for one in (*pooled[:2], pooled[2].sqrt())]
    here = torch.cat(logs, 1)
    whole = here.mean((2, 3), keepdim=True).expand_as(here)
    return torch.cat([here, whole], 1).permute(0, 2, 3, 1)


def learned(
    own: torch.Tensor,
    classes: int,
    amplitude: int,
    config: bands.BandsConfig = bands.DEFAULT,
    seed: int = 0,
) -> BandThief:
    """What the thief learns from photographs of their own.

    Args:
        own: ``(N, S, S, 3)`` uint8, as :meth:`BandThief.without` takes them, at
            least one.
        classes: how many the release has.
        amplitude: the bands', gray levels.
        config: the package's.
        seed: of the bands that the thief draws.
    """
    each = bands.class_bands(classes, bytes(32)).shape[1]
    cell = bands.cell_of(*own.shape[1:3])
    kernels = band_kernels(candidates(), own.shape[1] // cell, own.device)
    count = len(kernels)
    # Few photographs are taken more than once, so that every candidate is there.
    own = own.repeat(-(-2 * count // len(own)), 1, 1, 1)
    draw = np.random.default_rng(seed)
    side = own.shape[1] // cell // config.region
    found, wanted = [], []
    for start in range(0, len(own), CHUNK):
        gray = _gray(own[start : start + CHUNK])
        # Every candidate has its turn, or nothing would be known of it.
        turn = (start + np.arange(len(gray)))[:, None]
        others = 1 + draw.random((len(gray), count - 1)).argsort(1)[:, : each - 1]
        some = (turn + np.concatenate([np.zeros_like(turn), others], 1)) % count
        which = draw.integers(0, each, (len(gray), side * side))
        which = np.take_along_axis(some, which, 1).reshape(-1, side, side)
        drawn = torch.from_numpy(which).to(own.device)
        shares = functional.one_hot(drawn, count).float()
        shares = _over_pixels(shares, config.region, gray.shape[1])
        change = added(gray, shares, kernels, amplitude, config)
        changed = (gray + change).round().clamp(0, 255)
        found.append(features(changed, kernels, config).flatten(0, 2))
        wanted.append(drawn.flatten())
    x, y = torch.cat(found).double(), torch.cat(wanted)
    means = torch.stack([x[y == label].mean(0) for label in range(count)])
    apart = x - means[y]
    spread = apart.T @ apart / len(x)
    spread += 1e-4 * spread.diagonal().mean() * torch.eye(len(spread), device=x.device)
    weights = torch.linalg.solve(spread, means.T)
    offsets = -0.5 * (means * weights.T).sum(1)
    return BandThief(kernels, weights.float(), offsets.float(), amplitude, each, config)


def _kernel(frequency: np.ndarray, scale: int, wide: int, k: int) -> np.ndarray:
    """Of one frequency, ``(k, k)``, without its share of the mean."""
    even = _both(surroundings.window(scale, wide))
    down, across = (
        _both(surroundings.taps(int(number), scale, wide)) for number in frequency
    )
    share = down.sum() * across.sum() / even.sum() ** 2
    kernel = np.outer(down, across) - share * np.outer(even, even)
    return np.pad(kernel, (k - len(even)) // 2) / (1 << 10)


def _both(half: np.ndarray) -> np.ndarray:
    """An even filter, of its half from the middle on."""
    return np.concatenate([half[:0:-1], half]).astype(np.float64)


def _gray(images: torch.Tensor) -> torch.Tensor:
    """``(N, S, S, 3)`` uint8 to the means of cells, whole ones, float32."""
    cell = bands.cell_of(images.shape[1], images.shape[2])
    return functional.avg_pool2d(images.float().mean(3), cell)


def _over_pixels(shares: torch.Tensor, region: int, side: int) -> torch.Tensor:
    """``(N, a, a, n)`` of regions to ``(N, n, side, side)``; the last ones reach on."""
    place = (torch.arange(side, device=shares.device) // region).clamp(
        max=shares.shape[1] - 1
    )
    return shares[:, place][:, :, place].permute(0, 3, 1, 2)


def _spread(change: torch.Tensor, side: int) -> torch.Tensor:
    """Of cells to pixels; those of no whole cell have the last one's."""
    cell = bands.cell_of(side, side)
    place = (torch.arange(side, device=change.device) // cell).clamp(
        max=change.shape[1] - 1
    )
    return change[:, place][:, :, place]
