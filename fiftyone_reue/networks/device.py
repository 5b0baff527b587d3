"""Which device to compute on, and how to compute fast there."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator

import torch

from fiftyone_reue.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes a GPU when there is one.

    Raises:
        InputError: the device isn't there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:
        raise InputError(
            f"Device {name!r} can't be used here; use --device auto or cpu"
        ) from error
    return device


@contextlib.contextmanager
def few_threads() -> Iterator[None]:
    """Compute on half of the cores while inside.

    The networks here are narrow: a second thread on the second core gains little,
    and costs a factor of ten as soon as anything else runs there.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, max(1, (os.cpu_count() or 2) // 2)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(device: torch.device) -> contextlib.AbstractContextManager:
    """bfloat16 autocast where the device computes in it, else float32.

    A processor with bfloat16 instructions is three times as fast with them for narrow
    networks; one without emulates them, twelve times slower than float32.
    """
    fast = has_bfloat16(device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=fast)


@functools.cache
def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has bfloat16 instructions."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    capabilities: dict = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(k) for k in ("avx512_bf16", "amx_bf16", "bf16"))
