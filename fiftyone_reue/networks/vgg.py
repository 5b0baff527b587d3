"""VGG-19 with batch normalisation and one linear layer as its head.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015, arXiv:1409.1556, configuration E. As is usual for CIFAR, the
three fully connected layers give way to one on the 512 globally pooled features; at
32 pixels, 20 million weights are left of 144 million.
"""

from __future__ import annotations

from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from fiftyone_reue.networks.normalise import Normalise


def build(name: str, classes: int, size: int) -> nn.Module:
    """See :func:`fiftyone_reue.networks.registry.create_network`."""
    features = make_layers(cfgs["E"], batch_norm=True)
    if size < 32:
        features[-1] = nn.Identity()  # the fifth halving would leave no pixel
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    head = nn.Linear(512, classes)
    return nn.Sequential(
        Normalise(), features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    )
