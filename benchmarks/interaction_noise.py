"""Perturbations of the watermark interaction benchmark, fitted once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from data import shown
from interaction_images import Pixels

from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import FitData, FitOptions, State, clipped
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.releases.config import ProtectConfig

CACHE = Path(__file__).parent / "cache"
KEY = hashlib.sha256(b"benchmarks/watermark_interaction").digest()

PERTURBATION = ProtectConfig().perturbation_amplitude
"""Amplitude of our perturbation, gray levels."""

PUBLISHED = 8
"""Amplitude of the published noises, gray levels."""


@dataclass(frozen=True)
class Noise:
    """A perturbation that is ready to be added."""

    title: str
    method: str
    state: State

    def offset(self, image: Pixels, label: int, place: int) -> np.ndarray:
        """The perturbation of one image.

        Args:
            image: what it is added to.
            label: its class.
            place: its number, which a sample's variety is drawn by.

        Returns:
            ``(H, W, c)`` int8, c 1 or 3.
        """
        sample_key = derive(KEY, "variety", str(place))
        name = self.state.classes[label]
        pattern = create_method(self.method).pattern(
            self.state, image, name, sample_key
        )
        return expand(pattern, *image.shape[:2])


def make_noise(
    method: str, amplitude: int, data: FitData, device: str = "auto"
) -> Noise:
    """Fit a method on CIFAR-10, or take the fit of an earlier run from the cache."""
    found = hashlib.sha256(data.images.tobytes() + data.labels.tobytes()).hexdigest()
    kept = CACHE / f"interaction_{method}_{amplitude}_{found[:16]}.state"
    title = f"{method} ±{amplitude}"
    info = create_method(method).info
    if info.needs_fit and kept.exists():
        return Noise(title, method, State.from_bytes(kept.read_bytes()))
    steps = create_method(method).fit(data, FitOptions(amplitude, 0, KEY, device))
    state = shown(mapped(steps, lambda done: Progress(done, f"Perturbation: {title}")))
    if info.needs_fit:
        CACHE.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(state.to_bytes())
    return Noise(title, method, state)


def perturbed(
    noise: Noise, images: Sequence[Pixels], labels: Sequence[int]
) -> list[Pixels]:
    """Images with a noise added, each in its place and of its class."""
    return [
        clipped(image, noise.offset(image, label, place))
        for place, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
