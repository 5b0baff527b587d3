import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.device import (
    autocast,
    choose_device,
    few_threads,
    has_bfloat16,
)

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


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ({"avx2": True, "avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_autocast_computes_in_bfloat16_only_with_instructions_for_it(
    monkeypatch, capabilities, dtype
):
    monkeypatch.delenv("REUE_BFLOAT16")
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: capabilities, raising=False
    )
    has_bfloat16.cache_clear()
    try:
        with autocast(torch.device("cpu")):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    finally:
        has_bfloat16.cache_clear()


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    ("wanted", "dtype"), [("on", torch.bfloat16), ("off", torch.float32)]
)
def test_a_variable_decides_whatever_the_instructions(
    monkeypatch, there, wanted, dtype
):
    monkeypatch.setattr("fiftyone_reue.networks.device.has_bfloat16", lambda _: there)
    monkeypatch.setenv("REUE_BFLOAT16", wanted)
    with autocast(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_variable_that_says_something_else_is_refused(monkeypatch):
    monkeypatch.setenv("REUE_BFLOAT16", "yes")
    with pytest.raises(InputError, match="REUE_BFLOAT16 is 'yes'; set it to on or off"):
        autocast(torch.device("cpu"))


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
