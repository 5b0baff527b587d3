"""DenseNet-121 with a stem that fits the images' size.

Huang et al., "Densely Connected Convolutional Networks", CVPR 2017,
arXiv:1608.06993. Up to 48 pixels, the stem is a 3x3 convolution without stride or
pooling; up to 128 pixels, the 7x7 convolution with stride 2, without pooling; above,
the paper's. The last map has 4x4 values at 32 and 64 pixels and 7x7 at 224.
"""

from __future__ import annotations

from torch import nn
from torchvision.models import densenet121

from fiftyone_reue.networks.normalise import Normalise


def build(name: str, classes: int, size: int) -> nn.Module:
    """See :func:`fiftyone_reue.networks.registry.create_network`."""
    network = densenet121(weights=None, num_classes=classes)
    if size <= 48:
        network.features.conv0 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        nn.init.kaiming_normal_(network.features.conv0.weight)
    if size <= 128:
        network.features.pool0 = nn.Identity()
    return nn.Sequential(Normalise(), network)
