"""Victims that start from a ResNet which already knows other images.

Kornblith et al., "Do Better ImageNet Models Transfer Better?", CVPR 2019,
arXiv:1805.08974: a linear probe (only a new head learns) and fine-tuning (everything
learns). Nothing is downloaded: the environment variable REUE_PRETRAINED names a file
with the weights of torchvision's resnet18 or resnet50. Where it names several, as
:mod:`fiftyone_reue.networks.extractors` reads them, victims start from the first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import ResNet, resnet18, resnet50

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.normalise import Normalise

VARIABLE = "REUE_PRETRAINED"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_MAKERS = {"resnet18": resnet18, "resnet50": resnet50}
_HOW_TO_SAVE = (
    "a file saved with torch.save(network.state_dict(), path), where network is "
    f"torchvision's {' or '.join(_MAKERS)}"
)


class Pretrained(nn.Module):
    """Classifier of ``(N, 3, S, S)`` images in [0, 1]; returns ``(N, classes)``.

    Args:
        body: a torchvision ResNet; its head is replaced.
        classes: how many logits.
        side: the images are resized to so many pixels a side.
        probe: whether all but the head is frozen, the statistics of the batch
            normalisation included.
    """

    def __init__(self, body: ResNet, classes: int, side: int, probe: bool) -> None:
        super().__init__()
        self.side = side
        self.probe = probe
        self.normalise = Normalise(IMAGENET_MEAN, IMAGENET_DEVIATION)
        self.head = nn.Linear(body.fc.in_features, classes)
        body.fc = nn.Identity()
        self.body = body
        self.body.requires_grad_(not probe)
        self.train()

    def train(self, mode: bool = True) -> Pretrained:
        """As any module's, but a probe's body stays in evaluation mode."""
        super().train(mode)
        if self.probe:
            self.body.eval()
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        resized = functional.interpolate(
            x,
            size=(self.side, self.side),
            mode="bilinear",
            antialias=x.shape[-1] > self.side,
        )
        return self.head(self.body(self.normalise(resized)))


def build(name: str, classes: int, size: int) -> Pretrained:
    """``pretrained_probe`` or ``pretrained_finetune`` from the user's weights.

    Images up to 64 pixels are resized to 128, others to 224. See
    :func:`fiftyone_reue.networks.registry.create_network`.

    Raises:
        InputError: REUE_PRETRAINED isn't set, or its file is missing or doesn't hold
            the weights of one of the known networks.
    """
    body = load_body(_weights_path())
    side = 128 if size <= 64 else 224
    return Pretrained(body, classes, side, probe=name == "pretrained_probe")


def _weights_path() -> Path:
    value = os.environ.get(VARIABLE, "").split(os.pathsep)[0]
    if not value:
        raise InputError(
            f"Set the environment variable {VARIABLE} to the path of {_HOW_TO_SAVE}; "
            "the pretrained victims need weights, and none are downloaded"
        )
    path = Path(value).expanduser()
    if not path.is_file():
        raise InputError(
            f"There is no file {path}; set the environment variable {VARIABLE} to the "
            f"path of {_HOW_TO_SAVE}"
        )
    return path


def load_body(path: Path) -> ResNet:
    """The network whose weights the file holds, with its old head.

    Raises:
        InputError: it holds no known network's.
    """
    weights = _read_weights(path)
    for make in _MAKERS.values():
        with torch.device("meta"):
            expected = _shapes(make(weights=None).state_dict())
        if _shapes(weights) == expected:
            body = make(weights=None)
            # The head may be for other classes, and old files lack the batch
            # normalisation's counters; the comparison above saw all the rest.
            kept = {k: v for k, v in weights.items() if not k.startswith("fc.")}
            body.load_state_dict(kept, strict=False)
            return body
    raise InputError(
        f"{path} doesn't hold the weights of {' or '.join(_MAKERS)}; set the "
        f"environment variable {VARIABLE} to the path of {_HOW_TO_SAVE}"
    )


def _read_weights(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    # Anything may be in the file, and the unpickler raises many kinds of errors.
    except Exception as error:
        raise InputError(
            f"{path} can't be read as PyTorch weights; set the environment variable "
            f"{VARIABLE} to the path of {_HOW_TO_SAVE}"
        ) from error
    return content if _holds_tensors(content) else {}


def _holds_tensors(content: Any) -> bool:
    return isinstance(content, Mapping) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor)
        for name, value in content.items()
    )


def _shapes(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    """The shape of every weight but the head's and the counters."""
    return {
        name: value.shape
        for name, value in weights.items()
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked")
    }
