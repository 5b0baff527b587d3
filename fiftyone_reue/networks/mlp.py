"""A multilayer perceptron: a victim that knows no neighbourhoods.

Rumelhart, Hinton and Williams, "Learning representations by back-propagating
errors", Nature 323, 1986; here with three hidden layers of 1024 rectified units, each
with batch normalisation. Images of other sizes are averaged down (or repeated up) to
32x32 pixels first, so that it always has 5.3 million weights.
"""

from __future__ import annotations

from torch import nn

from fiftyone_reue.networks.normalise import Normalise

SIDE = 32
WIDTH = 1024


def build(name: str, classes: int, size: int) -> nn.Module:
    """See :func:`fiftyone_reue.networks.registry.create_network`."""
    return nn.Sequential(
        Normalise(),
        nn.AdaptiveAvgPool2d(SIDE),
        nn.Flatten(),
        *_hidden(3 * SIDE * SIDE),
        *_hidden(WIDTH),
        *_hidden(WIDTH),
        nn.Linear(WIDTH, classes),
    )


def _hidden(inputs: int) -> list[nn.Module]:
    # The normalisation subtracts what a bias would add.
    return [nn.Linear(inputs, WIDTH, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU()]
