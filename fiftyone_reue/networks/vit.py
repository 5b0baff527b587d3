"""A small vision transformer.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, arXiv:2010.11929, in
the width of ViT-S: 384 values a token, 6 heads, 1536 hidden units. Patches have 4
pixels a side for images up to 48, 8 up to 128, and 16 above. 7 layers up to 128
pixels (12.5 million weights), where data are few; above, the 12 of ViT-S.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import VisionTransformer

from fiftyone_reue.networks.normalise import Normalise


class PadToMultiple(nn.Module):
    """Pads ``(N, C, H, W)`` with zeros, right and below, to multiples of a length.

    After the normalisation, zero is the mean gray.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        height, width = x.shape[-2:]
        return functional.pad(x, (0, -width % self.length, 0, -height % self.length))


def build(name: str, classes: int, size: int) -> nn.Module:
    """See :func:`fiftyone_reue.networks.registry.create_network`."""
    patch = 4 if size <= 48 else 8 if size <= 128 else 16
    network = VisionTransformer(
        image_size=size + -size % patch,
        patch_size=patch,
        num_layers=7 if size <= 128 else 12,
        num_heads=6,
        hidden_dim=384,
        mlp_dim=1536,
        num_classes=classes,
    )
    # torchvision's zeros would give an untrained network no gradient to attack.
    nn.init.trunc_normal_(network.heads.head.weight, std=0.02)
    return nn.Sequential(Normalise(), PadToMultiple(patch), network)
