import pytest
import torch

from fiftyone_reue.networks.registry import create_network

pytestmark = pytest.mark.unit


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "tokens", "layers"),
    [(17, 25, 7), (32, 64, 7), (64, 64, 7), (100, 169, 7), (224, 196, 12)],
)
def test_patches_and_layers_fit_the_size(size, tokens, layers):
    network = create_network("vit_small", 2, size, seed=0).eval()
    encoder = network[-1].encoder
    assert encoder.pos_embedding.shape == (1, tokens + 1, 384)
    assert len(encoder.layers) == layers
    with torch.no_grad():
        assert network(torch.rand(1, 3, size, size)).shape == (1, 2)


@pytest.mark.slow
def test_it_has_as_many_weights_as_its_description_says():
    for size, millions in ((32, 12.5), (224, 21.7)):  # ViT-S has 22 with 1000 classes
        weights = sum(
            p.numel()
            for p in create_network("vit_small", 10, size, seed=0).parameters()
        )
        assert weights / 1e6 == pytest.approx(millions, abs=0.05)


def test_padding_adds_gray_right_and_below_and_only_where_needed():
    from fiftyone_reue.networks.vit import PadToMultiple

    images = torch.rand(2, 3, 17, 20)
    padded = PadToMultiple(4)(images)
    assert padded.shape == (2, 3, 20, 20)
    assert torch.equal(padded[..., :17, :], images)
    assert not padded[..., 17:, :].any()
    assert torch.equal(PadToMultiple(4)(padded), padded)


@pytest.mark.slow
def test_pixels_beside_the_last_whole_patch_count():
    network = create_network("vit_small", 2, 17, seed=0).eval()
    images = torch.rand(1, 3, 17, 17)
    edited = images.clone()
    edited[..., 16] = 1 - edited[..., 16]
    with torch.no_grad():
        assert not torch.allclose(network(images), network(edited))
