import numpy as np
import pytest
import torch
from torch import nn

from fiftyone_reue.auditing.countermeasures.purifier_model import minimise, transform
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")


def test_a_loss_goes_down_and_hears_how_far_it_is():
    network = nn.Linear(4, 1)
    inputs = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    wanted = inputs.sum(dim=1, keepdim=True)
    heard, losses = [], []

    def loss(done):
        assert network.training
        heard.append(done)
        value = (network(inputs) - wanted).square().mean()
        losses.append(value.item())
        return value

    steps = list(minimise(network, loss, steps=50, learning_rate=0.1))
    assert steps == [(step + 1) / 50 for step in range(50)]
    assert heard == [step / 50 for step in range(50)]
    assert losses[-1] < 0.01 * losses[0]
    assert not network.training


def test_images_are_passed_in_chunks_rounded_and_clipped():
    images = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 3), np.uint8)
    starts = []

    def brighter(batch, start):
        assert batch.shape[1:] == (3, 4, 4)
        assert torch.equal(batch[0, :, 0, 0], torch.tensor(images[start, 0, 0]).float())
        starts.append(start)
        return batch + 20.6

    changed = finish(transform(images, brighter, CPU))
    assert changed.dtype == np.uint8
    assert np.array_equal(changed, (images + 21.0).clip(0, 255).astype(np.uint8))
    assert starts == [0, 256]
    steps = list(transform(images, brighter, CPU))
    assert steps == [256 / 300, 1]
