import pytest
import torch

from fiftyone_reue.networks.normalise import Normalise

pytestmark = pytest.mark.unit


def test_the_middle_goes_to_zero_and_a_quarter_to_one():
    levels = torch.tensor([0, 0.25, 0.5, 0.75, 1])
    images = levels[:, None, None, None].expand(5, 3, 4, 4)
    assert Normalise()(images)[:, 1, 2, 3].tolist() == [-2, -1, 0, 1, 2]


def test_every_channel_has_its_own_mean_and_deviation():
    normalise = Normalise((0.25, 0.5, 0.75), (0.25, 0.5, 0.125))
    assert normalise(torch.ones(1, 3, 1, 1)).flatten().tolist() == [3, 1, 2]


def test_weights_files_do_not_depend_on_it():
    assert not Normalise().state_dict()
