import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import (
    DEFAULT_NETWORK,
    create_network,
    list_networks,
    network_info,
)

pytestmark = pytest.mark.unit


def test_networks_are_listed_and_made_by_name():
    names = [info.name for info in list_networks()]
    assert names[0] == DEFAULT_NETWORK
    assert len(set(names)) == len(names)
    for info in list_networks():
        assert network_info(info.name) is info
        assert info.title
        assert info.paper
    with pytest.raises(InputError, match=r"no network 'ResNet'.*small_resnet"):
        create_network("ResNet", 2, 32, seed=0)


def test_a_seed_gives_the_same_weights_again():
    first = create_network(DEFAULT_NETWORK, 3, 32, seed=5)
    torch.rand(3)  # what others draw must not matter
    again = create_network(DEFAULT_NETWORK, 3, 32, seed=5)
    other = create_network(DEFAULT_NETWORK, 3, 32, seed=6)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_a_network_adapts_the_recipe_to_itself():
    recipe = Recipe(epochs=7)
    assert network_info("small_resnet").adapted(recipe) == recipe
    adapted = network_info("vit_small").adapted(recipe)
    assert (adapted.optimiser, adapted.epochs) == ("adamw", 7)
    assert adapted.learning_rate == 1e-3
