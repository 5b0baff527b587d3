"""Where networks are computed in a test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch

CHOOSING = "fiftyone_reue.networks.device.choose_device"


@contextmanager
def computed_on(device: str) -> Iterator[None]:
    """Everything that chooses a device by itself gets this one."""
    with patch(CHOOSING, lambda name="auto": torch.device(device)):
        yield


def on_both(compute: Callable[[], list[tuple[np.ndarray, ...]]]) -> None:
    """What is computed on the first GPU is what is computed on the processor."""
    with computed_on("cpu"):
        here = compute()
    with computed_on("cuda"):
        there = compute()
    assert same(here, there)


def same(
    some: list[tuple[np.ndarray, ...]], others: list[tuple[np.ndarray, ...]]
) -> bool:
    """Whether all arrays of all images are equal, types included."""
    return len(some) == len(others) and all(
        a.dtype == b.dtype and np.array_equal(a, b)
        for one, other in zip(some, others, strict=True)
        for a, b in zip(one, other, strict=True)
    )
