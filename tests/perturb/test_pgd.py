import numpy as np
import pytest
import torch

from fiftyone_reue.perturb.pgd import (
    SignSteps,
    descend,
    gray_levels,
    image_batch,
    image_pattern,
)

pytestmark = pytest.mark.unit


def images(count: int = 4, size: int = 8) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    whole = torch.randint(0, 256, (count, 3, size, size), generator=draw)
    whole[0] = 0
    whole[1] = 255
    return whole / 255


def brightness(batch: torch.Tensor) -> torch.Tensor:
    return batch.sum()


@pytest.mark.parametrize(("step", "steps", "far"), [(2, 2, 4), (3, 9, 5)])
def test_steps_lower_the_loss_within_the_amplitude_and_the_range(step, steps, far):
    batch = images()
    delta = descend(
        brightness, batch, torch.zeros_like(batch), SignSteps(5, step, steps)
    )
    assert not delta.requires_grad
    expected = (batch - far / 255).clamp(0, 1) - batch
    assert torch.allclose(delta, expected, atol=1e-6)


def test_it_starts_where_it_is_told_and_comes_back_into_the_bounds():
    batch = images()
    start = torch.full_like(batch, 20 / 255)
    kept = descend(lambda changed: 0 * changed.sum(), batch, start, SignSteps(5, 1, 1))
    assert torch.allclose(kept, (batch + 5 / 255).clamp(0, 1) - batch)
    again = descend(brightness, batch, start, SignSteps(5, 1, 0))
    assert torch.equal(again, start)


def test_a_network_names_images_better_after_it():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))
    batch, labels = images(), torch.tensor([0, 1, 2, 0])

    def loss(changed: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(network(changed), labels)

    zero = torch.zeros_like(batch)
    delta = descend(loss, batch, zero, SignSteps(8, 1, 10))
    assert loss(batch + delta) < loss(batch) - 0.05
    assert torch.equal(delta, descend(loss, batch, zero, SignSteps(8, 1, 10)))


def test_whole_gray_levels_keep_the_bounds():
    draw = torch.Generator().manual_seed(1)
    delta = (torch.rand(2, 3, 4, 5, generator=draw) * 2 - 1) * 127 / 255
    whole = gray_levels(delta)
    assert whole.shape == (2, 4, 5, 3)
    assert whole.dtype == np.int8
    assert np.abs(whole - delta.permute(0, 2, 3, 1).numpy() * 255).max() <= 0.5001


def test_batches_are_the_chosen_images_in_the_range():
    pixels = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).reshape(2, 3, 4, 4)
    batch = image_batch(pixels, torch.tensor([1, 0, 1]))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal((batch * 255).round().to(torch.uint8), pixels[[1, 0, 1]])


@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 255), (np.uint16, 65535)])
@pytest.mark.parametrize("colours", [1, 3])
def test_an_image_of_any_size_gets_a_pattern_of_the_working_size(dtype, peak, colours):
    image = np.full((40, 24, colours), peak // 2, dtype)
    made = image_pattern(brightness, image, 16, torch.device("cpu"), SignSteps(6, 2, 4))
    assert made.dtype == np.int8
    assert made.shape == (16, 16, colours)
    assert (made == -6).all()
