"""A small residual network that two processor cores can train in minutes.

He et al., "Deep Residual Learning", CVPR 2016, section 4.2: the CIFAR layout
(3x3 stem, three stages of widths w, 2w and 4w), one block a stage. Inputs of more
than 48 pixels get a stride in the stem, so that they cost the same.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H/stride, W/stride)``."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class SmallResNet(nn.Module):
    """Classifier of ``(N, 3, S, S)`` images in [0, 1]; returns ``(N, classes)``.

    Args:
        classes: how many logits.
        width: channels of the first stage.
        size: S, the images' side in pixels.
    """

    def __init__(self, classes: int, width: int = 16, size: int = 32) -> None:
        super().__init__()
        stem_stride = 2 if size > 48 else 1
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stem_stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.stages = nn.Sequential(
            Block(width, width, 1),
            Block(width, 2 * width, 2),
            Block(2 * width, 4 * width, 2),
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        features = self.stages(self.stem((x - 0.5) * 4)).mean(dim=(2, 3))
        return self.head(features)


def build(name: str, classes: int, size: int) -> SmallResNet:
    """The 16-wide one; see :func:`fiftyone_reue.networks.registry.create_network`."""
    return SmallResNet(classes, 16, size)
