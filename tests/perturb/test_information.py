import math

import pytest
import torch

from fiftyone_reue.perturb.rue.information import class_information, class_spread

pytestmark = pytest.mark.unit


def test_information_is_nothing_when_all_outputs_of_a_class_agree():
    same = torch.tensor([[0.7, 0.3], [0.7, 0.3], [0.2, 0.8]])
    assert class_information(same, torch.tensor([0, 0, 1])).item() == pytest.approx(0)


def test_information_is_a_bit_when_a_class_is_split_in_two():
    split = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = class_information(split, torch.tensor([0, 0])).item()
    assert found == pytest.approx(math.log(2), abs=1e-5)
    # Between classes, different outputs carry nothing within them.
    assert class_information(split, torch.tensor([0, 1])).item() == pytest.approx(0)


def test_information_is_the_textbooks_and_never_negative():
    draw = torch.Generator().manual_seed(0)
    outputs = torch.rand(60, 4, generator=draw).softmax(1)
    labels = torch.randint(0, 4, (60,), generator=draw)
    wanted = 0.0
    for kind in range(4):
        rows = outputs[labels == kind]
        mean = rows.mean(0)
        marginal = -(mean * mean.log()).sum()
        conditional = -(rows * rows.log()).sum(1).mean()
        wanted += float(marginal - conditional) * len(rows) / 60
    assert class_information(outputs, labels).item() == pytest.approx(wanted, abs=1e-5)
    assert wanted >= 0


def test_collinear_features_of_a_class_have_no_spread():
    features = torch.tensor([[1.0, 2.0], [3.0, 6.0], [-1.0, 0.0], [-4.0, 0.0]])
    labels = torch.tensor([0, 0, 1, 1])
    assert class_spread(features, labels).item() == pytest.approx(0, abs=1e-6)


def test_spread_is_one_minus_the_mean_cosine_over_pairs_of_a_class():
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(12, 5, generator=draw)
    labels = torch.tensor([0] * 5 + [2] * 7)
    cosines = [
        torch.cosine_similarity(features[i], features[j], dim=0).item()
        for i in range(12)
        for j in range(12)
        if i != j and labels[i] == labels[j]
    ]
    wanted = 1 - sum(cosines) / len(cosines)
    assert class_spread(features, labels).item() == pytest.approx(wanted, abs=1e-5)


def test_spread_without_any_pair_is_nothing_and_has_a_gradient():
    features = torch.randn(2, 3, requires_grad=True)
    spread = class_spread(features, torch.tensor([0, 1]))
    spread.backward()
    assert spread.item() == 0
