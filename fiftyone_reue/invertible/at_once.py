"""How many images a network is given at once, and how they are put side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

ON_PROCESSOR = 1 << 16
"""Pixels. Small images are mostly the cost of calling, which a batch shares: 20 ms an
image of 32 pixels alone and 6 in a batch, of RAEG's network. What is larger leaves the
caches: 8 of 112 pixels cost what they cost alone, 16 twice as much."""
ON_DEVICE = 1 << 22
"""The same on a GPU: some GB of its memory. Where it has less, it is tried by half as
many (:mod:`fiftyone_reue.together`)."""


def at_once(pixels: int, device: torch.device, larger: int = 1) -> int:
    """How many images of so many pixels to compute by one call, at most; at least 1.

    Args:
        pixels: of one image, as the network sees it.
        device: where it is computed.
        larger: so many times as many pixels, where a call costs more.
    """
    most = ON_PROCESSOR if device.type == "cpu" else ON_DEVICE
    return max(1, larger * most // pixels)


def side_by_side(images: Sequence[np.ndarray], device: torch.device) -> torch.Tensor:
    """Images of one size as a network takes them, exactly.

    Args:
        images: ``(C, h, w)`` whole numbers each.
        device: where to compute.

    Returns:
        ``(N, C, h, w)`` float64 on the device.
    """
    return torch.from_numpy(np.stack(images)).to(device).double()
