"""Which device to compute on, and how to compute fast there."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Any

import torch

from fiftyone_reue.errors import InputError

BFLOAT16_VARIABLE = "REUE_BFLOAT16"
"""The one place that decides for or against bfloat16; see :func:`uses_bfloat16`."""


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


def autocast(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """bfloat16 autocast where :func:`uses_bfloat16` says so, else float32."""
    enabled = uses_bfloat16(device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def uses_bfloat16(device: torch.device) -> bool:
    """Whether networks are computed in bfloat16 on a device: if it is fast there.

    A processor with bfloat16 instructions is three times as fast with them for narrow
    networks; one without emulates them, twelve times slower than float32. The variable
    ``REUE_BFLOAT16`` (``on`` or ``off``) decides otherwise, for the same figures on
    different machines; it is asked each time.

    Raises:
        InputError: the variable is something else.
    """
    wanted = os.environ.get(BFLOAT16_VARIABLE) or "auto"
    if wanted not in ("on", "off", "auto"):
        raise InputError(
            f"{BFLOAT16_VARIABLE} is {wanted!r}; set it to on or off, or unset it"
        )
    return has_bfloat16(device) if wanted == "auto" else wanted == "on"


@functools.cache
def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has bfloat16 instructions."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    capabilities: dict[str, Any] = getattr(
        torch.cpu, "get_capabilities", dict[str, Any]
    )()
    return any(capabilities.get(k) for k in ("avx512_bf16", "amx_bf16", "bf16"))
