"""What thieves do to photographs before and while they train, in tiers.

T0 is nothing and the usual; T1 are countermeasures from papers and filters that a
pattern invites, T1+ some that only some subjects were held against; T2 are matched
filters of a thief who has the package, and a denoiser trained with it. Filters change
the images once, before training; the model is asked both clean and filtered images.
Augmentations are tables of draws for the whole training, so that a victim's step is
the same work whatever they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from photograph_atoms import without_atoms
from photograph_denoiser import denoised, trained
from photograph_images import MARK_AMPLITUDE
from photograph_spectra import with_class_spectra, with_mean_spectra
from photograph_stripes import without_stripes
from torch.nn import functional

from fiftyone_reue.auditing.countermeasures.cosine_shrinkage import shrunk
from fiftyone_reue.auditing.countermeasures.jpeg import compress
from fiftyone_reue.auditing.countermeasures.line_medians import without_lines
from fiftyone_reue.perturb.rue.matched_filter import learned

CHUNK = 128
"""Images filtered at a time on a device."""

Tensors = Callable[[torch.Tensor], torch.Tensor]
Arrays = Callable[[np.ndarray], np.ndarray]
Labelled = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
"""Of ``(N, S, S, 3)`` uint8 images and their ``(N,)`` labels, None for a test's."""
Learned = Callable[["Lesson"], Labelled]


@dataclass(frozen=True)
class Lesson:
    """What a thief learns from.

    Attributes:
        subject: what is to be attacked.
        release: ``(N, S, S, 3)`` uint8, its images.
        own: ``(M, S, S, 3)`` uint8, other photographs.
        classes: how many.
        amplitude: the perturbation's, gray levels.
        pairs: makes ``(C, M, S, S, 3)`` uint8: what the package made of ``own``, with
            keys of the thief's, or, if asked so, what the release's key drew.
        steps: that a network is trained for.
    """

    subject: str
    release: torch.Tensor
    own: torch.Tensor
    classes: int
    amplitude: int
    pairs: Callable[[bool], torch.Tensor]
    steps: int


def _by_denoiser(known: bool, lesson: Lesson) -> Labelled:
    network = trained(lesson.own, lesson.pairs(known), lesson.steps)
    return lambda images, labels: denoised(network, images)


def _by_bands(lesson: Lesson) -> Labelled:
    return learned(lesson.own, lesson.classes, lesson.amplitude).without


def _by_class_spectra(lesson: Lesson) -> Labelled:
    return with_class_spectra


def _by_mean_spectra(lesson: Lesson) -> Labelled:
    return with_mean_spectra(lesson.release)


@dataclass(frozen=True)
class Thief:
    """What one does.

    Attributes:
        name: of the column.
        title: a few words for a table.
        tier: "T0", "T1", "T1+" or "T2".
        tensors: a filter of ``(N, 3, S, S)`` float32 gray levels, on any device.
        arrays: a filter of ``(N, S, S, 3)`` uint8, on a processor.
        learned: what a thief makes a filter of before it is used.
        draws: "shift", "crop", "jitter", "randaugment" or "adversarial", while
            training.
        against: subjects that it is meant for; empty for all.
    """

    name: str
    title: str
    tier: str
    tensors: Tensors | None = None
    arrays: Arrays | None = None
    learned: Learned | None = None
    draws: str = "shift"
    against: tuple[str, ...] = ()


def gray(x: torch.Tensor) -> torch.Tensor:
    """ITU-R 601 luma in all channels."""
    weights = x.new_tensor([0.299, 0.587, 0.114])[:, None, None]
    return (x * weights).sum(1, keepdim=True).expand_as(x)


def blurred(sigma: float, x: torch.Tensor) -> torch.Tensor:
    """A Gaussian of this many pixels."""
    reach = int(np.ceil(3 * sigma))
    place = torch.arange(-reach, reach + 1, dtype=torch.float32, device=x.device)
    weights = torch.exp(-place.square() / (2 * sigma**2))
    return _smoothed(_smoothed(x, weights, 2), weights, 3)


def _smoothed(x: torch.Tensor, weights: torch.Tensor, axis: int) -> torch.Tensor:
    reach = len(weights) // 2
    frame = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
    shape = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
    kernel = (weights / weights.sum()).reshape(shape).expand(x.shape[1], -1, -1, -1)
    padded = functional.pad(x, frame, mode="reflect")
    return functional.conv2d(padded, kernel, groups=x.shape[1])


def median_filtered(x: torch.Tensor) -> torch.Tensor:
    """The median of 3x3 pixels."""
    count, channels, height, width = x.shape
    padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    around = functional.unfold(padded, 3).reshape(count, channels, 9, height, width)
    return around.median(2).values


def halved(x: torch.Tensor) -> torch.Tensor:
    """Resized to half and back."""
    small = functional.interpolate(
        x, scale_factor=0.5, mode="bilinear", antialias=True, align_corners=False
    )
    return functional.interpolate(
        small, size=x.shape[2:], mode="bicubic", align_corners=False
    )


def jpeg(quality: int, images: np.ndarray) -> np.ndarray:
    """Pillow's, 4:2:0."""
    return np.stack([compress(image, quality) for image in images])


def _jpeg(quality: int, tier: str) -> Thief:
    made = partial(jpeg, quality)
    return Thief(f"jpeg_{quality}", f"JPEG-{quality}", tier, arrays=made)


def _stripes(
    name: str, title: str, against: str, amplitude: int, classes: int
) -> Thief:
    made = partial(without_stripes, classes=classes, amplitude=amplitude)
    return Thief(name, title, "T2", arrays=made, against=("originals", against))


def thieves(epsilon: int, classes: int) -> dict[str, Thief]:
    """All by name, in the order of tables.

    Args:
        epsilon: gray levels, which thieves of T2 know.
        classes: how many, likewise.
    """
    atoms = ("originals", "candidate_atoms", "candidate_pool")
    every = (
        Thief("none", "nothing", "T0"),
        Thief("crop", "random resized crop", "T0", draws="crop"),
        Thief("jitter", "colour jitter", "T0", draws="jitter"),
        Thief("randaugment", "RandAugment", "T0", draws="randaugment"),
        _jpeg(75, "T0"),
        _jpeg(50, "T0"),
        _jpeg(30, "T1"),
        _jpeg(10, "T1"),
        Thief("grayscale", "grayscale", "T1", gray),
        Thief("blur_1", "blur σ 1", "T1", partial(blurred, 1.0)),
        Thief("blur_2", "blur σ 2", "T1", partial(blurred, 2.0)),
        Thief("lines", "rows' and columns' medians", "T1", without_lines),
        Thief("median", "median 3x3", "T1", median_filtered),
        Thief("half", "half size and back", "T1", halved),
        Thief("shrunk", "shrunk cosines", "T1+", shrunk),
        Thief(
            "class_spectra",
            "each class's spectrum made all images'",
            "T1+",
            learned=_by_class_spectra,
        ),
        Thief(
            "mean_spectra",
            "each image's spectrum made all images'",
            "T1+",
            learned=_by_mean_spectra,
        ),
        Thief(
            "adversarial",
            "adversarial training, 4/255",
            "T1+",
            draws="adversarial",
        ),
        Thief(
            "denoiser",
            "denoiser, other keys",
            "T2",
            learned=partial(_by_denoiser, False),
        ),
        Thief(
            "denoiser_same",
            "denoiser, other keys over the same frequencies",
            "T2",
            learned=partial(_by_denoiser, True),
        ),
        Thief(
            "bands",
            "bands, matched",
            "T2",
            learned=_by_bands,
            against=(
                *("originals", "originals_jpeg"),
                *("rue", "rue_marked", "rue_jpeg"),
            ),
        ),
        _stripes("stripes", "stripes, matched", "rue_gratings", epsilon, classes),
        _stripes(
            "stripes_marked",
            "stripes, matched, ε less the mark",
            "rue_gratings_marked",
            epsilon - MARK_AMPLITUDE,
            classes,
        ),
        Thief(
            "atom_image",
            "an image's atom, matched",
            "T2",
            arrays=partial(without_atoms, amplitude=epsilon, by_block=False),
            against=atoms,
        ),
        Thief(
            "atom_block",
            "each block's atom, matched",
            "T2",
            arrays=partial(without_atoms, amplitude=epsilon, by_block=True),
            against=atoms,
        ),
    )
    return {thief.name: thief for thief in every}


def on_device(images: torch.Tensor, filtered: Tensors) -> torch.Tensor:
    """A filter over ``(N, S, S, 3)`` uint8 images, a few at a time."""
    made = torch.empty_like(images)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].permute(0, 3, 1, 2).float()
        after = filtered(part).round().clamp(0, 255).to(torch.uint8)
        made[start : start + CHUNK] = after.permute(0, 2, 3, 1)
    return made


@dataclass(frozen=True)
class Draws:
    """What every step of a training draws; the first axis is the step.

    Attributes:
        order: ``(steps, batch)`` int64 images.
        down, right: ``(steps, batch)`` int64 shifts in pixels, -pad to pad.
        flip: ``(steps, batch)`` bool.
        rich: the rest, or None where shifts and flips are all: ``affine`` ``(steps,
            batch, 2, 3)``, ``matrix`` ``(steps, batch, 3, 3)`` of the colours,
            ``contrast``, ``levels`` (posterise) and ``threshold`` (solarise)
            ``(steps, batch)``, all float32.
        adversarial: whether images are moved against the network first.
    """

    order: torch.Tensor
    down: torch.Tensor
    right: torch.Tensor
    flip: torch.Tensor
    rich: dict[str, torch.Tensor] | None
    adversarial: bool = False

    def to(self, place: torch.device) -> Draws:
        """On a device."""
        rich = self.rich and {k: v.to(place) for k, v in self.rich.items()}
        four = (self.order, self.down, self.right, self.flip)
        return Draws(*(one.to(place) for one in four), rich, self.adversarial)


def draws(kind: str, steps: int, batch: int, count: int, side: int, seed: int) -> Draws:
    """Every draw of a training.

    Args:
        kind: see :attr:`Thief.draws`.
        steps: of the training.
        batch: images a step.
        count: images there are.
        side: theirs, pixels.
        seed: of it all.
    """
    draw = np.random.default_rng(seed)
    shape = (steps, batch)
    passes = -(-steps // (count // batch))
    orders = [draw.permutation(count)[: count // batch * batch] for _ in range(passes)]
    order = np.concatenate(orders)[: steps * batch].reshape(shape)
    pad = 0 if kind == "crop" else side // 8
    down, right = draw.integers(-pad, pad + 1, (2, *shape))
    flip = draw.random(shape) < 0.5
    four = [torch.from_numpy(one) for one in (order, down, right, flip)]
    return Draws(*four, _rich(kind, shape, draw), kind == "adversarial")


def _rich(kind: str, shape: tuple[int, int], draw) -> dict[str, torch.Tensor] | None:
    if kind in ("shift", "adversarial"):
        return None
    made = {
        "affine": np.broadcast_to(np.eye(2, 3), (*shape, 2, 3)).copy(),
        "matrix": np.broadcast_to(np.eye(3), (*shape, 3, 3)).copy(),
        "contrast": np.ones(shape),
        "levels": np.full(shape, 255.0),
        "threshold": np.full(shape, 2.0),
    }
    {"crop": _crop, "jitter": _jitter, "randaugment": _randaugment}[kind](made, draw)
    return {k: torch.from_numpy(v.astype(np.float32)) for k, v in made.items()}


def _crop(made: dict[str, np.ndarray], draw) -> None:
    """torchvision's RandomResizedCrop: 0.25 to 1 of the area, sides up to 4 to 3."""
    shape = made["contrast"].shape
    area = draw.uniform(0.25, 1, shape)
    ratio = np.exp(draw.uniform(-np.log(4 / 3), np.log(4 / 3), shape) / 2)
    sides = np.minimum(np.sqrt(area)[..., None] * np.stack([ratio, 1 / ratio], -1), 1)
    middle = draw.uniform(-1, 1, (*shape, 2)) * (1 - sides)
    made["affine"][..., 0, 0], made["affine"][..., 1, 1] = sides[..., 0], sides[..., 1]
    made["affine"][..., 2] = middle


def _jitter(made: dict[str, np.ndarray], draw) -> None:
    """Brightness, contrast and saturation by 0.6 to 1.4, hue by up to a tenth."""
    shape = made["contrast"].shape
    bright, contrast, saturation = draw.uniform(0.6, 1.4, (3, *shape))
    hue = draw.uniform(-0.1, 0.1, shape)
    made["matrix"] = colour_matrix(bright, saturation, hue)
    made["contrast"] = contrast


def _randaugment(made: dict[str, np.ndarray], draw) -> None:
    """Two of nine operations for each image (Cubuk et al., 2020), magnitude 9 of 30.

    Those that need a histogram (equalise, autocontrast) and sharpness are left out.
    """
    shape = made["contrast"].shape
    bright, saturation = np.ones(shape), np.ones(shape)
    for _ in range(2):
        chosen = draw.integers(0, 10, shape)
        side = np.where(draw.random(shape) < 0.5, 1.0, -1.0)
        turn = np.broadcast_to(np.eye(2, 3), (*shape, 2, 3)).copy()
        angle = side * np.deg2rad(9.0) * (chosen == 1)
        turn[..., 0, 0] = turn[..., 1, 1] = np.cos(angle)
        turn[..., 0, 1] = np.where(chosen == 2, side * 0.09, -np.sin(angle))
        turn[..., 1, 0] = np.where(chosen == 3, side * 0.09, np.sin(angle))
        turn[..., 0, 2] = side * 0.27 * (chosen == 4)
        turn[..., 1, 2] = side * 0.27 * (chosen == 5)
        linear = made["affine"][..., :2]
        moved = linear @ turn[..., 2:] + made["affine"][..., 2:]
        made["affine"] = np.concatenate([linear @ turn[..., :2], moved], -1)
        bright *= 1 + 0.27 * side * (chosen == 6)
        saturation *= 1 + 0.27 * side * (chosen == 7)
        made["contrast"] *= 1 + 0.27 * side * (chosen == 8)
        made["levels"] = np.where(chosen == 9, 63.0, made["levels"])
        solar = (chosen == 0) & (draw.random(shape) < 0.5)
        made["threshold"] = np.where(solar, 0.7, made["threshold"])
    made["matrix"] = colour_matrix(bright, saturation, np.zeros(shape))


def colour_matrix(
    bright: np.ndarray, saturation: np.ndarray, hue: np.ndarray
) -> np.ndarray:
    """``(..., 3, 3)``: brightness, saturation and hue (in turns, about the grays)."""
    luma = np.broadcast_to(np.array([0.299, 0.587, 0.114]), (*bright.shape, 3, 3))
    saturated = luma + saturation[..., None, None] * (np.eye(3) - luma)
    cos, sin = np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue)
    third, root = (1 - cos) / 3, sin / np.sqrt(3)
    rows = [
        [cos + third, third - root, third + root],
        [third + root, cos + third, third - root],
        [third - root, third + root, cos + third],
    ]
    turned = np.stack([np.stack(row, -1) for row in rows], -2)
    return bright[..., None, None] * (turned @ saturated)
