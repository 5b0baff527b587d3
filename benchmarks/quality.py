"""How alike two images are."""

from __future__ import annotations

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def psnr(true: np.ndarray, image: np.ndarray) -> float:
    """In dB; infinite for the same samples.

    Args:
        true: ``(H, W, 3)`` uint8.
        image: likewise.
    """
    if np.array_equal(true, image):
        return float("inf")
    return float(peak_signal_noise_ratio(true, image, data_range=255))


def ssim(true: np.ndarray, image: np.ndarray) -> float:
    """Structural similarity, 1 for the same samples; its paper's Gaussian window.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE TIP 2004. The mean over the three channels.

    Args:
        true: ``(H, W, 3)`` uint8, H and W at least 11.
        image: likewise.
    """
    return float(
        structural_similarity(
            true,
            image,
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )
