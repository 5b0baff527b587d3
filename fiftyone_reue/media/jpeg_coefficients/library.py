"""The compiled entropy coder: found, or compiled once, and called.

The C file is compiled when it is first needed, into this package's folder, or where
that can't be written into the user's cache. The library's name holds the source's
digest, so another version never loads it. Calls leave Python's lock free, and keep no
state: any number of threads may make them.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fiftyone_reue.errors import MissingPackageError

OK, FULL, NO_CODE = 0, -6, -7
PROBLEMS = {
    -1: "it is cut short",
    -2: "a code in its coded data can't be read",
    -3: "a coefficient is out of range",
    -4: "a block has too many coefficients",
    -5: "a restart marker is missing",
    -8: "a Huffman table can't be",
    -9: "its scans don't fit each other",
}
"""What is wrong with a file, by the number that reading it gave."""

_SOURCE = Path(__file__).with_name("codec.c")
_FLAGS = ("-std=c99", "-O3", "-shared", "-fPIC", "-fvisibility=hidden")
_MOST_SECONDS = 300


class Component(ctypes.Structure):
    """A component of a scan; see ``codec.c``."""

    _fields_ = (
        ("blocks", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
        ("wide", ctypes.c_int64),
        ("high", ctypes.c_int64),
        ("h", ctypes.c_int32),
        ("v", ctypes.c_int32),
        ("dc", ctypes.c_char_p),
        ("ac", ctypes.c_char_p),
    )


class Scan(ctypes.Structure):
    """A scan; see ``codec.c``."""

    _fields_ = (
        ("count", ctypes.c_int32),
        ("progressive", ctypes.c_int32),
        ("first", ctypes.c_int32),
        ("last", ctypes.c_int32),
        ("high_bit", ctypes.c_int32),
        ("low_bit", ctypes.c_int32),
        ("restart", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("wide", ctypes.c_int64),
        ("high", ctypes.c_int64),
        ("components", Component * 4),
    )


@functools.cache
def codec() -> ctypes.CDLL:
    """The compiled entropy coder.

    Raises:
        MissingPackageError: it isn't there and can't be compiled.
    """
    library = ctypes.CDLL(str(_found() or _compiled()))
    size, address = ctypes.c_size_t, ctypes.c_void_p
    scan, end = ctypes.POINTER(Scan), ctypes.POINTER(ctypes.c_size_t)
    library.jc_read.argtypes = (ctypes.c_char_p, size, size, scan, address, end)
    library.jc_write.argtypes = (address, size, scan, ctypes.c_char_p, address, end)
    library.jc_fit.argtypes = (*(address,) * 4, ctypes.c_int64, address)
    library.jc_fit.restype = None
    return library


def read_scan(data: bytes, at: int, scan: Scan, stretches: int) -> tuple[int, bytes]:
    """Read one scan's coefficients into the arrays that it points to.

    Args:
        data: the file.
        at: where the scan's coded data begins.
        scan: what is read; its arrays hold what earlier scans gave.
        stretches: how many stretches lie between its restart markers.

    Returns:
        Where the coded data ends, and a byte a stretch: 255 where its last byte is
        filled up with ones, else the bits that fill it.

    Raises:
        ValueError: what is wrong with the data, in words.
    """
    paddings = ctypes.create_string_buffer(stretches)
    end = ctypes.c_size_t()
    error = codec().jc_read(data, len(data), at, scan, paddings, end)
    if error:
        raise ValueError(PROBLEMS[error])
    return end.value, paddings.raw


def write_scan(scan: Scan, paddings: bytes | None, room: int) -> bytes | None:
    """Write one scan's coded data.

    Args:
        scan: what is written.
        paddings: as :func:`read_scan` gave them, or None: ones.
        room: bytes that the data may take at first; it is doubled as needed.

    Returns:
        The data, or None where the Huffman tables have no code for something.

    Raises:
        ValueError: a coefficient, or a step between two, is out of range.
    """
    while True:
        out = np.empty(room, np.uint8)
        end = ctypes.c_size_t()
        error = codec().jc_write(out.ctypes.data, room, scan, paddings, None, end)
        if not error:
            return out[: end.value].tobytes()
        if error == NO_CODE:
            return None
        if error != FULL:
            raise ValueError(PROBLEMS[error])
        room *= 2


def count_symbols(scan: Scan) -> np.ndarray:
    """How often a scan needs each symbol.

    Returns:
        (4, 2, 256) uint32: of each component of the scan the DC table's symbols and the
        AC table's.

    Raises:
        ValueError: a coefficient, or a step between two, is out of range.
    """
    counts = np.zeros((4, 2, 256), np.uint32)
    end = ctypes.c_size_t()
    error = codec().jc_write(None, 0, scan, None, counts.ctypes.data, end)
    if error:
        raise ValueError(PROBLEMS[error])
    return counts


def fit(
    wanted: np.ndarray, steps: np.ndarray, basis: np.ndarray, limits: np.ndarray
) -> np.ndarray:
    """Whole offsets for a wanted change; see ``codec.c``.

    Args:
        wanted: (n, 64) int32, coefficients times steps, in parts of 64.
        steps: (64,) int32.
        basis: (64, 64) int32, of each coefficient the pixels, in parts of 2^14.
        limits: (n,) int32, of a pixel's change, in parts of 2^14.

    Returns:
        (n, 64) int16.
    """
    given = [
        np.ascontiguousarray(one, np.int32) for one in (wanted, steps, basis, limits)
    ]
    offsets = np.empty(wanted.shape, np.int16)
    places = [one.ctypes.data for one in given]
    codec().jc_fit(*places, len(wanted), offsets.ctypes.data)
    return offsets


def _name() -> str:
    digest = hashlib.sha256(_SOURCE.read_bytes() + " ".join(_FLAGS).encode())
    machine = f"{sys.platform}-{platform.machine()}".lower()
    return f"codec-{machine}-{digest.hexdigest()[:16]}.so"


def _folders() -> Iterator[Path]:
    """Where the library may lie: places that nobody else can write to."""
    yield _SOURCE.parent / "built"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    yield Path(cache) / "fiftyone-reue"


def _found() -> Path | None:
    places = (folder / _name() for folder in _folders())
    return next((place for place in places if place.is_file()), None)


def _compiled() -> Path:
    command = compiler()
    if command is None:
        raise MissingPackageError(
            "JPEG files need a C compiler, once, and there is none: install one (apt "
            "install gcc libc6-dev, xcode-select --install, or pip install ziglang), "
            "or use the pixel carrier"
        )
    why = "no folder can be written"
    for folder in _folders():
        target = folder / _name()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=folder, suffix=".so")
        except OSError as error:
            why = str(error)
            continue
        os.close(handle)
        try:
            subprocess.run(
                [*command, *_FLAGS, str(_SOURCE), "-o", temporary],
                check=True,
                capture_output=True,
                text=True,
                timeout=_MOST_SECONDS,
            )
            os.replace(temporary, target)
            return target
        except (OSError, subprocess.SubprocessError) as error:
            lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            why = lines[-1] if lines else str(error)
        finally:
            Path(temporary).unlink(missing_ok=True)
    raise MissingPackageError(
        f"The part that reads JPEG files can't be compiled ({why}); install gcc and "
        "libc6-dev, or use the pixel carrier"
    )


def compiler() -> list[str] | None:
    """The C compiler's command: ``CC``, the system's, or the one of ``ziglang``."""
    chosen = os.environ.get("CC")
    if chosen:
        return shlex.split(chosen)
    for name in ("cc", "gcc", "clang", sysconfig.get_config_var("CC") or ""):
        words = shlex.split(name)
        if words and shutil.which(words[0]):
            return words
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


if __name__ == "__main__":
    codec()
