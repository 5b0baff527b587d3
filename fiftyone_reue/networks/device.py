"""Which device to compute on, and how to compute fast there."""

from __future__ import annotations

import contextlib
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
    """bfloat16 autocast: on a CPU three times as fast for narrow networks."""
    return torch.autocast(device.type, dtype=torch.bfloat16)
