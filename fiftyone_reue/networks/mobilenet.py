"""MobileNetV2 with strides that fit the images' size.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018,
arXiv:1801.04381. Up to 128 pixels, the second stage keeps its resolution; up to 48,
the stem does too, as is usual for CIFAR. The last map has 4x4 values at 32 and 64
pixels and 7x7 at 224. There is no dropout: its draws would not come from the
training's seed.
"""

from __future__ import annotations

from torch import nn
from torchvision.models import MobileNetV2

from fiftyone_reue.networks.normalise import Normalise


def build(name: str, classes: int, size: int) -> nn.Module:
    """See :func:`fiftyone_reue.networks.registry.create_network`."""
    second = 1 if size <= 128 else 2
    # The paper's table 2: expansion, channels, blocks and stride of each stage.
    stages = [
        [1, 16, 1, 1],
        [6, 24, 2, second],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
    ]
    network = MobileNetV2(classes, inverted_residual_setting=stages, dropout=0.0)
    if size <= 48:
        network.features[0][0].stride = (1, 1)
    return nn.Sequential(Normalise(), network)
