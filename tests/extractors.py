"""A tiny network in a file, as ``REUE_PRETRAINED`` names them."""

from pathlib import Path

import torch
from torch import nn


class TinyExtractor(nn.Module):
    """``(N, 3, S, S)`` to ``(N, 12)``, always the same."""

    def __init__(self) -> None:
        super().__init__()
        numbers = torch.Generator().manual_seed(0)
        self.first = nn.Conv2d(3, 8, 5, stride=4, padding=2)
        self.second = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        for parameter in self.parameters():
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=numbers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class."""
        seen = torch.relu(self.first(images - 0.5))
        return torch.relu(self.second(seen)).mean((2, 3))


def exported(network: nn.Module, path: Path, side: int | None) -> Path:
    """The network as a program, for images of one side, or of any."""
    count = torch.export.Dim("count", min=1, max=512)
    shapes: dict = {0: count}
    if side is None:
        units = torch.export.Dim("units", min=2, max=32)
        shapes |= {2: 32 * units, 3: 32 * units}
    images = torch.rand(2, 3, side or 224, side or 224)
    program = torch.export.export(network, (images,), dynamic_shapes=(shapes,))
    torch.export.save(program, path)
    return path
