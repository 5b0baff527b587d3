"""Codes of very many recipients on many images, by ``codes.c``."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fiftyone_reue.compiled import Part
from fiftyone_reue.errors import MissingPackageError

MOST_SEED, MOST_ID = 64, 128
"""Bytes."""

_CODES = Part(
    Path(__file__).with_name("codes.c"),
    "What weighs many recipients at once",
    "wait some times as long",
)
_TOGETHER = 4096
"""Recipients that one call is for."""


def sized_fits(
    soft: Mapping[str, np.ndarray], code_seeds: Sequence[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`fiftyone_reue.watermark.codes.sized_fits`, a thread for each core.

    Raises:
        MissingPackageError: the library isn't there and can't be compiled, or a seed or
            an id is longer than it takes.
    """
    ids = [one.encode() for one in sorted(soft, key=lambda one: len(soft[one]))]
    if max(map(len, ids)) > MOST_ID or max(map(len, code_seeds)) > MOST_SEED:
        raise MissingPackageError("The compiled part takes no ids or seeds so long")
    names, lengths = _padded(ids, MOST_ID)
    keys, sizes = _padded(code_seeds, MOST_SEED)
    bits = [np.asarray(soft[one.decode()], np.float64) for one in ids]
    widths = np.array([len(one) // 8 for one in bits], np.uint8)
    values = np.concatenate(bits)
    totals, sizes_of_fits = np.empty(len(code_seeds)), np.empty(len(code_seeds))
    library = _library()

    def part(first: int) -> None:
        end = min(first + _TOGETHER, len(code_seeds))
        library.rc_fits(
            keys[first:end].ctypes.data,
            sizes[first:end].ctypes.data,
            end - first,
            names.ctypes.data,
            lengths.ctypes.data,
            widths.ctypes.data,
            len(ids),
            values.ctypes.data,
            totals[first:end].ctypes.data,
            sizes_of_fits[first:end].ctypes.data,
        )

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(part, range(0, len(code_seeds), _TOGETHER)))
    return totals, sizes_of_fits


def _padded(texts: Sequence[bytes], width: int) -> tuple[np.ndarray, np.ndarray]:
    """``(n, width)`` uint8, filled up with zeros, and ``(n,)`` uint8 lengths."""
    joined = b"".join(one.ljust(width, b"\0") for one in texts)
    made = np.frombuffer(joined, np.uint8).reshape(-1, width)
    return made, np.array([len(one) for one in texts], np.uint8)


@functools.cache
def _library() -> ctypes.CDLL:
    library = _CODES.load()
    address, count = ctypes.c_void_p, ctypes.c_int64
    library.rc_fits.argtypes = (
        *(address, address, count),
        *(address, address, address, count),
        *(address, address, address),
    )
    library.rc_fits.restype = None
    return library
