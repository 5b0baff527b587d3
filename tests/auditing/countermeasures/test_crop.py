import pytest
import torch
from torch.nn import functional

from fiftyone_reue.auditing.countermeasures.crop import (
    RandomResizedCrop,
    draw_boxes,
    resized_crop,
)

pytestmark = pytest.mark.unit


def test_boxes_lie_within_the_image_and_have_the_stated_areas_and_ratios():
    boxes = draw_boxes(2000, torch.Generator().manual_seed(0))
    left, top, width, height = boxes.unbind(1)
    assert left.min() >= 0
    assert top.min() >= 0
    assert (left + width).max() <= 1 + 1e-6
    assert (top + height).max() <= 1 + 1e-6
    area, ratio = width * height, width / height
    assert area.min() > 0.2499
    assert area.min() < 0.27
    assert area.max() > 0.95
    assert ratio.min() > 3 / 4 - 1e-4
    assert ratio.max() < 4 / 3 + 1e-4
    assert ratio.max() > 1.3


def test_a_box_is_enlarged_as_plain_resizing_does():
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    made = resized_crop(images, torch.tensor([[0.25, 0.5, 0.5, 0.25]]))
    box = images[:, :, 16:24, 8:24]
    expected = functional.interpolate(box, size=32, mode="bilinear")
    # Within the box both do the same; at its edges one of them looks beyond.
    assert torch.allclose(made[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4], atol=1e-5)


def test_the_whole_image_is_the_whole_image():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(2, 4)
    assert torch.allclose(resized_crop(images, whole), images, atol=1e-5)


def test_a_constant_image_stays_constant():
    images = torch.full((8, 3, 32, 32), 0.7)
    generator = torch.Generator().manual_seed(0)
    made, _ = RandomResizedCrop().augment(images, torch.ones(8, 1), generator)
    assert torch.allclose(made, images, atol=1e-6)
