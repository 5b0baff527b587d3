"""ResNet-18 and ResNet-50 with a stem that fits the images' size.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
arXiv:1512.03385. Up to 48 pixels, the stem is the 3x3 convolution without stride or
pooling that is usual for CIFAR; up to 128 pixels, the 7x7 convolution with stride 2,
without pooling; above, the paper's. The last map has 4x4 values at 32 and 64 pixels
and 7x7 at 224.
"""

from __future__ import annotations

from torch import nn
from torchvision.models import resnet18, resnet50

from fiftyone_reue.networks.normalise import Normalise

_MAKERS = {"resnet18": resnet18, "resnet50": resnet50}


def build(name: str, classes: int, size: int) -> nn.Module:
    """See :func:`fiftyone_reue.networks.registry.create_network`."""
    network = _MAKERS[name](weights=None, num_classes=classes)
    if size <= 48:
        network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out")
    if size <= 128:
        network.maxpool = nn.Identity()
    return nn.Sequential(Normalise(), network)
