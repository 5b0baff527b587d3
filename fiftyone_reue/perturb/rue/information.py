"""How much of a model's input is left in its output, class by class, in two forms."""

from __future__ import annotations

import torch
from torch.nn import functional


def class_information(
    probabilities: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Mutual information of input and output within the classes, in nats.

    Args:
        probabilities: ``(N, K)`` softmax outputs.
        labels: ``(N,)`` int64 in 0..K-1.

    Returns:
        The mean over the images of ``KL(p || mean p of its class)``, which is
        ``H(E p) - E H(p)`` averaged over the classes by their shares; >= 0.
    """
    kinds = probabilities.shape[1]
    means = _class_sums(probabilities, labels, kinds)
    counts = torch.bincount(labels, minlength=kinds).clamp(min=1)
    means = (means / counts[:, None])[labels]
    small = 1e-8
    ratio = (probabilities + small).log() - (means + small).log()
    return (probabilities * ratio).sum(dim=1).mean()


def class_spread(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How far features of a class are from pointing the same way.

    The covariance within a class bounds the mutual information from above (Zhu et al.,
    "Why Do Unlearnable Examples Work: A Novel Perspective of Mutual Information", ICLR
    2026, arXiv:2603.03725), and collinear features have the least.

    Args:
        features: ``(N, F)`` float32.
        labels: ``(N,)`` int64, not negative.

    Returns:
        One minus the mean cosine between two different images of the same class, 0 to
        2; 0 if no class has two images.
    """
    kinds = int(labels.max()) + 1
    directions = functional.normalize(features, dim=1)
    sums = _class_sums(directions, labels, kinds)
    counts = torch.bincount(labels, minlength=kinds)
    pairs = (counts * (counts - 1)).sum()
    if not pairs:
        return features.sum() * 0
    cosines = sums.square().sum() - directions.square().sum()
    return 1 - cosines / pairs


def _class_sums(values: torch.Tensor, labels: torch.Tensor, kinds: int) -> torch.Tensor:
    return values.new_zeros(kinds, values.shape[1]).index_add(0, labels, values)
