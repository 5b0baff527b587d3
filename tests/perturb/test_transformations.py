import io

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.transformations import (
    TRANSFORMATIONS,
    compress,
    transformation,
)

pytestmark = pytest.mark.unit


def photograph(size: int = 32) -> torch.Tensor:
    """Smooth shapes with some texture, ``(1, 3, size, size)``."""
    draw = np.random.default_rng(0)
    small = draw.integers(30, 226, (size // 8, size // 8, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((size, size), 2), np.float32)
    textured = smooth + draw.normal(0, 6, smooth.shape)
    pixels = torch.from_numpy(textured.clip(0, 255).astype(np.uint8))
    return pixels.permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("size", [32, 41])
def test_transformations_keep_the_shape_and_range_and_have_gradients(name, size):
    images = photograph(48)[..., :size, :size].clone().requires_grad_(True)
    made = transformation(name)(images, torch.Generator().manual_seed(3))
    assert made.shape == images.shape
    assert made.detach().min() >= -1e-6
    assert made.detach().max() <= 1 + 1e-6
    (gradient,) = torch.autograd.grad(made.square().sum(), images)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("quality", [10, 30, 50, 75])
def test_compression_is_nearly_that_of_libjpeg(quality):
    images = photograph(64)
    pixels = (images[0] * 255).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    wanted = np.asarray(Image.open(file), np.float32)
    made = compress(images, quality)[0].permute(1, 2, 0).numpy() * 255
    lost = np.abs(wanted - pixels).mean()
    assert np.abs(made - wanted).mean() < 0.5 * lost


def test_grayscale_has_equal_channels():
    made = transformation("grayscale")(photograph(), torch.Generator())
    assert torch.equal(made[:, 0], made[:, 1])
    assert torch.equal(made[:, 0], made[:, 2])


def test_blur_and_resize_take_off_fine_stripes():
    stripes = torch.zeros(1, 3, 32, 32)
    stripes[..., ::2] = 1
    for name in ("blur", "resize"):
        made = transformation(name)(stripes, torch.Generator())
        assert made[..., 8:24, 8:24].std() < 0.1 * stripes.std()


def test_bit_depth_leaves_four_levels():
    made = transformation("bit_depth")(photograph(), torch.Generator())
    assert set((made * 3).round(decimals=4).unique().tolist()) <= {0, 1, 2, 3}


def test_an_unknown_transformation_is_named():
    with pytest.raises(InputError, match=r"'sepia'.*grayscale, jpeg"):
        transformation("sepia")


def test_images_that_are_not_square_are_compressed_block_by_block():
    images = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    whole, square = compress(images, 50), compress(images[..., :32], 50)
    assert whole.shape == images.shape
    # Chroma is interpolated over the border between the two halves.
    assert torch.allclose(whole[..., :28], square[..., :28], atol=1e-5)
    assert compress(images[..., :21, :50], 50).shape == (2, 3, 21, 50)
