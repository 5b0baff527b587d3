import pytest
import torch

from fiftyone_reue.auditing.countermeasures.rand_augment import (
    GROUP,
    RandAugment,
    apply_in_groups,
)

pytestmark = pytest.mark.unit


def test_a_group_shares_its_draws_and_groups_differ():
    images = torch.full((4 * GROUP, 3, 8, 8), 0.5)

    def shade(group):
        assert group.dtype == torch.uint8
        return group + torch.randint(1, 100, (1,)).to(torch.uint8)

    made = apply_in_groups(shade, images, torch.Generator().manual_seed(0))
    for group in made.split(GROUP):
        assert len(group.unique()) == 1
    assert len(made.unique()) == 4
    assert made.dtype == torch.float32


def test_what_the_policy_leaves_stays_to_eight_bits():
    images = torch.rand(GROUP + 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    made = apply_in_groups(lambda group: group, images, torch.Generator())
    assert (made - images).abs().max() <= 0.5 / 255 + 1e-6
    again = apply_in_groups(lambda group: group, made, torch.Generator())
    assert torch.equal(again, made)


def test_operations_vary_from_group_to_group():
    ramp = torch.linspace(0.1, 0.9, 32).expand(3, 32, 32)
    images = ramp.expand(40 * GROUP, 3, 32, 32)
    generator = torch.Generator().manual_seed(0)
    made, _ = RandAugment().augment(images, torch.ones(len(images), 1), generator)
    kinds = {round(float(group.mean()), 3) for group in made.split(GROUP)}
    assert len(kinds) > 5
