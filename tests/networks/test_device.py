import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.device import autocast, choose_device, few_threads

pytestmark = pytest.mark.unit


def test_auto_takes_a_gpu_only_where_there_is_one(monkeypatch):
    assert choose_device("cpu") == torch.device("cpu")
    for there, kind in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert choose_device().type == kind


@pytest.mark.parametrize("name", ["nonsense", "cuda:99", "", "cpu:x"])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(InputError, match="use --device auto or cpu"):
        choose_device(name)


def test_autocast_computes_in_bfloat16():
    with autocast(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_few_threads_are_half_of_the_cores_and_only_inside(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with few_threads():
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
