"""Filters of spectra: what classes or images differ in.

- ``with_class_spectra``: a linear filter for each class, after which its images have
  the mean spectrum of all; takes labels, which thieves have.
- ``with_mean_spectra``: every image's smoothed spectrum is made that of all images.
"""

from __future__ import annotations

import torch
from torch.nn import functional

AROUND = 5
"""Frequencies a side that an image's spectrum is smoothed over."""
FARTHEST = 4.0
"""The most that a frequency is made stronger or weaker by."""
CHUNK = 300


def with_class_spectra(
    images: torch.Tensor, labels: torch.Tensor | None
) -> torch.Tensor:
    """``(N, S, S, 3)`` uint8 to the same; unchanged without labels."""
    if labels is None:
        return images
    logs = torch.cat([_log_spectra(part) for part in images.split(CHUNK)])
    made = torch.empty_like(images)
    for label in labels.unique():
        own = labels == label
        gain = (logs.mean(0) - logs[own].mean(0)).exp()
        made[own] = _with_gain(images[own], gain)
    return made


def with_mean_spectra(release: torch.Tensor):
    """The filter for a release's images and for others.

    Args:
        release: ``(N, S, S, 3)`` uint8.
    """
    wanted = torch.stack(
        [_smooth(_log_spectra(part)).sum(0) for part in release.split(CHUNK)]
    ).sum(0) / len(release)

    def filtered(images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        made = []
        for part in images.split(CHUNK):
            gain = (wanted - _smooth(_log_spectra(part))).exp()
            made.append(_with_gain(part, gain.clamp(1 / FARTHEST, FARTHEST)))
        return torch.cat(made)

    return filtered


def _log_spectra(images: torch.Tensor) -> torch.Tensor:
    """``(N, S, S)`` natural logarithms, the frequency 0 in the middle."""
    spectra = torch.fft.fft2(images.float().mean(3))
    return torch.fft.fftshift(spectra.abs() + 1, dim=(1, 2)).log()


def _smooth(logs: torch.Tensor) -> torch.Tensor:
    frame = (AROUND // 2,) * 4
    padded = functional.pad(logs[:, None], frame, mode="circular")
    return functional.avg_pool2d(padded, AROUND, 1)[:, 0]


def _with_gain(images: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    """The same change in all colours; the mean stays."""
    gray = images.float().mean(3)
    gain = torch.fft.ifftshift(gain, dim=(-2, -1)).clone()
    gain[..., 0, 0] = 1
    after = torch.fft.ifft2(torch.fft.fft2(gray) * gain).real
    changed = images.float() + (after - gray)[..., None]
    return changed.round().clamp(0, 255).to(torch.uint8)
