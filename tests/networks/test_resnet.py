import pytest
import torch

from fiftyone_reue.networks.registry import create_network

pytestmark = pytest.mark.unit


def sides(size: int) -> tuple[int, int]:
    """Of the map that the first block sees, and of the last one."""
    network = create_network("resnet18", 2, size, seed=0).eval()
    seen = []
    for stage in (network[1].layer1, network[1].layer4):
        stage.register_forward_hook(lambda _, x, y: seen.append((x[0], y)))
    with torch.no_grad():
        network(torch.rand(1, 3, size, size))
    return seen[0][0].shape[-1], seen[1][1].shape[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "first", "last"),
    [(17, 17, 3), (32, 32, 4), (48, 48, 6), (64, 32, 4), (100, 50, 7), (224, 56, 7)],
)
def test_the_stem_leaves_a_map_that_stages_can_halve(size, first, last):
    assert sides(size) == (first, last)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "millions"), [("resnet18", 11.17), ("resnet50", 23.52)]
)
def test_it_has_the_published_number_of_weights(name, millions):
    weights = sum(p.numel() for p in create_network(name, 10, 32, seed=0).parameters())
    assert weights / 1e6 == pytest.approx(millions, abs=0.01)
