"""Resizing down and up again."""

from __future__ import annotations

import numpy as np

from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.filter import Filter


class Resize(Filter):
    """To half of the side with antialiasing, and back, bilinearly.

    The trained model is asked images that were not resized.
    """

    info = CountermeasureInfo(
        "resize", "Resize to a half and back", "", "filter", {"factor": 0.5}
    )

    def apply(self, images: np.ndarray) -> np.ndarray:
        """See the base class."""
        import torch
        from torch.nn import functional

        size = images.shape[1]
        pixels = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
        small = functional.interpolate(
            pixels, size=max(1, size // 2), mode="bilinear", antialias=True
        )
        back = functional.interpolate(small, size=size, mode="bilinear")
        resized = back.round().clamp(0, 255).to(torch.uint8)
        return resized.permute(0, 2, 3, 1).contiguous().numpy()
