import pytest
import torch

from fiftyone_reue.networks.augment import crop_and_flip, shift_and_flip

pytestmark = pytest.mark.unit


def test_a_batch_is_shifted_within_its_padding_and_half_of_it_flipped():
    images = torch.arange(2 * 1 * 8 * 8, dtype=torch.float32).reshape(2, 1, 8, 8)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    shifts = set()
    for seed in range(200):
        made = crop_and_flip(images, torch.Generator().manual_seed(seed), 2)
        assert made.shape == images.shape
        found = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(made[1], padded[1, :, top : top + 8, left : left + 8])
        ]
        assert len(found) == 1
        top, left = found[0]
        flipped = padded[0, :, top : top + 8, left : left + 8].flip(-1)
        assert torch.equal(made[0], flipped)
        shifts.add(found[0])
    assert len(shifts) == 25


def test_gradients_pass_through():
    images = torch.rand(4, 3, 16, 16, requires_grad=True)
    crop_and_flip(images, torch.Generator().manual_seed(0), 2).sum().backward()
    assert images.grad is not None
    assert images.grad.sum() == pytest.approx(images.numel(), rel=1e-4)


def test_one_image_is_a_batch_too():
    made = crop_and_flip(torch.rand(1, 3, 8, 8), torch.Generator().manual_seed(0), 1)
    assert made.shape == (1, 3, 8, 8)


def test_each_image_is_shifted_and_flipped_by_itself():
    images = torch.arange(64 * 8 * 8, dtype=torch.float32).reshape(64, 1, 8, 8)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    made = shift_and_flip(images, torch.Generator().manual_seed(0), 2)
    draws = set()
    for image, around in zip(made, padded, strict=True):
        found = [
            (top, left, flipped)
            for top in range(5)
            for left in range(5)
            for flipped in (False, True)
            if torch.equal(
                image.flip(-1) if flipped else image,
                around[:, top : top + 8, left : left + 8],
            )
        ]
        assert len(found) == 1
        draws.update(found)
    assert len(draws) > 25
