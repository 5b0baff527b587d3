"""Networks that already know other images, as what they make of an image: features.

The environment variable REUE_PRETRAINED names their files, several with the path
separator between them (``:``, on Windows ``;``). A file holds the weights of one of
torchvision's networks that :mod:`fiftyone_reue.networks.pretrained` knows, or any
network as a program: what ``torch.export.save`` writes, named ``.pt2``. Nothing is
downloaded.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.device import autocast
from fiftyone_reue.networks.normalise import Normalise
from fiftyone_reue.networks.pretrained import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    VARIABLE,
    load_body,
)

PROGRAM = ".pt2"
SIDES = (192, 224)
"""Pixels at which networks are asked that take any size."""

_PORTION = 1 << 20  # bytes of a file hashed at a time
_HOW_TO_EXPORT = (
    "torch.export.save(torch.export.export(network, (images,), dynamic_shapes=...), "
    "path), where network makes (N, features) of (N, 3, S, S) images in [0, 1]"
)


@dataclass(frozen=True)
class ExtractorFile:
    """A file that holds such a network.

    Attributes:
        path: where it is.
        digest: SHA-256 of its bytes, 16 hex digits.
    """

    path: Path
    digest: str


class Extractor(nn.Module):
    """``(N, 3, S, S)`` float32 images in [0, 1] to ``(N, features)`` float32.

    Frozen, in evaluation mode; gradients go through to the images.

    Args:
        body: does it.
        sides: pixels at which it may be asked; other images are resized by it.
    """

    layout = torch.channels_last
    """In memory; what convolutions are fastest in."""

    def __init__(self, body: nn.Module, sides: tuple[int, ...]) -> None:
        super().__init__()
        self.body = body.requires_grad_(False)
        self.sides = sides

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class."""
        side = images.shape[-1]
        if side not in self.sides:
            images = resized(images, self.sides[-1])
        with autocast(images.device):
            features = self.body(images.contiguous(memory_format=self.layout))
        return features.float()


def extractor_files() -> tuple[ExtractorFile, ...]:
    """The files that the environment variable names.

    Raises:
        InputError: it isn't set, or names a file that isn't there or can't be read.
    """
    named = [one for one in os.environ.get(VARIABLE, "").split(os.pathsep) if one]
    if not named:
        raise InputError(
            f"Set the environment variable {VARIABLE} to the files of the pretrained "
            f"networks that thieves may start from, with {os.pathsep!r} between them: "
            f"weights of torchvision's, or {PROGRAM} files of {_HOW_TO_EXPORT}"
        )
    return tuple(_file(Path(one).expanduser()) for one in named)


def load_extractor(path: Path, device: torch.device) -> Extractor:
    """The network in a file, on the device.

    Args:
        path: of the file. A program is code: take none from people you don't trust.
        device: where to compute.

    Raises:
        InputError: it holds none, or one that doesn't make features of images.
    """
    if path.suffix == PROGRAM:
        body, sides = _program(path)
    else:
        network = load_body(path)
        network.fc = nn.Identity()
        normalise = Normalise(IMAGENET_MEAN, IMAGENET_DEVIATION)
        body, sides = nn.Sequential(normalise, network).eval(), SIDES
    placed = Extractor(body, sides).to(device)
    placed = placed.to(memory_format=torch.channels_last)
    _require_features(placed, path, device)
    return placed


def resized(images: torch.Tensor, side: int) -> torch.Tensor:
    """Square images at another size, bilinear, averaged where they shrink."""
    if images.shape[-1] == side:
        return images
    return functional.interpolate(
        images,
        (side, side),
        mode="bilinear",
        antialias=images.shape[-1] > side,
    )


def _file(path: Path) -> ExtractorFile:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while portion := file.read(_PORTION):
                digest.update(portion)
    except OSError as error:
        raise InputError(
            f"{path}: this file can't be read ({error.strerror}); correct the "
            f"environment variable {VARIABLE}"
        ) from error
    return ExtractorFile(path, digest.hexdigest()[:16])


def _program(path: Path) -> tuple[nn.Module, tuple[int, ...]]:
    """The program, and the sides that it was exported for."""
    try:
        program = torch.export.load(path)
        (name,) = program.graph_signature.user_inputs
        (node,) = (one for one in program.graph.nodes if one.name == name)
        height, width = node.meta["val"].shape[2:]
        body = program.module()
    # Anything may be in the file, and the reader raises many kinds of errors.
    except Exception as error:
        raise InputError(
            f"{path} can't be read as a network; write it by {_HOW_TO_EXPORT}"
        ) from error
    if isinstance(height, int) and isinstance(width, int):
        if height != width:
            raise InputError(
                f"{path} is a network for images of {width} x {height} pixels; export "
                "it for square ones"
            )
        return body, (height,)
    return body, SIDES


def _require_features(network: Extractor, path: Path, device: torch.device) -> None:
    try:
        shape = _asked(network, device).shape
    except Exception as error:
        raise InputError(
            f"{path} holds a network that can't be asked for two images of "
            f"{network.sides[-1]} pixels a side ({str(error).splitlines()[0]}); write "
            f"it by {_HOW_TO_EXPORT}, for any number of images"
        ) from error
    if len(shape) != 2 or shape[0] != 2 or shape[1] < 2:
        raise InputError(
            f"{path} makes {tuple(shape)} of two images, where (2, features) is "
            f"wanted; write it by {_HOW_TO_EXPORT}"
        )


def _asked(network: Extractor, device: torch.device) -> torch.Tensor:
    """Features of two images, in the layout that the network takes."""
    side = network.sides[-1]
    images = torch.zeros(2, 3, side, side, device=device)
    with torch.no_grad():
        try:
            return network(images)
        except RuntimeError:
            # A program may say how its numbers lie in memory.
            network.layout = torch.contiguous_format
            return network(images)
