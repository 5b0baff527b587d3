"""The compiled part: found, or compiled once, and called.

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
_TABLE = 272


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


class Plane(ctypes.Structure):
    """A change of pixels, and the component that it is for; see ``codec.c``."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("down", ctypes.c_int64),
        ("across", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("share", ctypes.c_int64),
    )


class Change(ctypes.Structure):
    """Offsets of a component; see ``codec.c``."""

    _fields_ = (
        ("blocks", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("base", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("steps", ctypes.c_void_p),
        ("looked", ctypes.c_void_p),
    )


class Seen(ctypes.Structure):
    """What a decoder shows of the original; see ``codec.c``."""

    _fields_ = (
        ("samples", ctypes.c_void_p),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("epsilon", ctypes.c_int32),
    )


@functools.cache
def codec() -> ctypes.CDLL:
    """The compiled part.

    Raises:
        MissingPackageError: it isn't there and can't be compiled.
    """
    return bound(ctypes.CDLL(str(_found() or _compiled())))


def bound(library: ctypes.CDLL) -> ctypes.CDLL:
    """The same, knowing what its functions take and give."""
    size, address = ctypes.c_size_t, ctypes.c_void_p
    scan, end = ctypes.POINTER(Scan), ctypes.POINTER(ctypes.c_size_t)
    library.jc_read.argtypes = (ctypes.c_char_p, size, size, scan, address, end)
    library.jc_write.argtypes = (address, size, scan, ctypes.c_char_p, address, end)
    library.jc_fit.argtypes = (*(address,) * 4, ctypes.c_int64, address)
    library.jc_wanted.argtypes = (ctypes.POINTER(Plane), address)
    library.jc_shown.argtypes = (address, address, ctypes.c_int64, address)
    change = ctypes.POINTER(Change)
    library.jc_stop.argtypes = (change, address)
    library.jc_changed.argtypes = (change, ctypes.POINTER(Seen), address)
    library.jc_projected.argtypes = (*(address,) * 3, ctypes.c_int64, address)
    library.jc_spread.argtypes = (address, ctypes.c_int64, address, address)
    library.jc_gather.argtypes = (address, address, ctypes.c_int64, address)
    for name in ("fit", "wanted", "stop", "projected", "spread", "gather"):
        library[f"jc_{name}"].restype = None
    library.jc_best.argtypes = (address, address)
    library.jc_add.argtypes = (change, address, ctypes.c_int)
    for count in (library.jc_shown, library.jc_changed):
        count.restype = ctypes.c_int64
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


def best_table(counts: np.ndarray) -> bytes | None:
    """The Huffman table that codes symbols in the fewest bits, as libjpeg makes it.

    Args:
        counts: (256,) integers, how often each symbol is needed.

    Returns:
        16 counts of codes and 256 symbols; None where a code would be longer than
        libjpeg can shorten.
    """
    given = np.ascontiguousarray(counts, np.uint64)
    table = ctypes.create_string_buffer(_TABLE)
    error = codec().jc_best(given.ctypes.data, table)
    return None if error else table.raw


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


def wanted(
    plane: np.ndarray,
    shrinking: tuple[int, int],
    blocks: tuple[int, int],
    parts: int,
) -> np.ndarray:
    """What a change of pixels is in a component's coefficients, before rounding.

    Args:
        plane: (height, width) int8, int16 or int32, at most 2^18 in all that is of one
            of the component's own samples; beyond it, it goes on as its edge does.
        shrinking: how many values are of one of these, down and across.
        blocks: the component's rows and columns of blocks.
        parts: of a gray level, that the values are in.

    Returns:
        (rows, columns, 8, 8) int32, coefficients times steps, in parts of 64.
    """
    given = np.ascontiguousarray(plane)
    (down, across), (rows, columns) = shrinking, blocks
    native = Plane(
        given.ctypes.data,
        *given.shape,
        given.itemsize,
        down,
        across,
        rows,
        columns,
        down * across * parts,
    )
    made = np.empty((rows, columns, 8, 8), np.int32)
    codec().jc_wanted(native, made.ctypes.data)
    return made


def projection(
    wanted: np.ndarray, offsets: np.ndarray, quantisation: np.ndarray
) -> tuple[int, int]:
    """Sums of products over a component.

    Args:
        wanted: (..., 8, 8) int32.
        offsets: the same shape, int16.
        quantisation: (8, 8), the steps.

    Returns:
        Of what is wanted with offsets times steps, and with itself.
    """
    given = np.ascontiguousarray(wanted, np.int32)
    there = np.ascontiguousarray(offsets, np.int16)
    steps = np.ascontiguousarray(quantisation, np.int32)
    sums = np.empty(2, np.int64)
    places = [one.ctypes.data for one in (given, there, steps)]
    codec().jc_projected(*places, given.size // 64, sums.ctypes.data)
    return int(sums[0]), int(sums[1])


def shown(blocks: np.ndarray, quantisation: np.ndarray) -> np.ndarray | None:
    """What a usual decoder shows of a component's blocks.

    Args:
        blocks: (n, 8, 8) int16.
        quantisation: (8, 8), the steps.

    Returns:
        (n, 8, 8) uint8; None where decoders may differ, as no usual file makes them.
    """
    given = np.ascontiguousarray(blocks, np.int16)
    steps = np.ascontiguousarray(quantisation, np.int32)
    pixels = np.empty(given.shape, np.uint8)
    unsure = codec().jc_shown(
        given.ctypes.data, steps.ctypes.data, len(given), pixels.ctypes.data
    )
    return None if unsure else pixels


def stop(
    blocks: np.ndarray,
    base: np.ndarray | None,
    offsets: np.ndarray,
    looked: np.ndarray | None = None,
) -> np.ndarray:
    """Take a block's offsets away where a coefficient would leave its range.

    That is -1024 to 1023 of the first, ±1023 of the others; one that is out of it
    already may not change.

    Args:
        blocks: (rows, columns, 8, 8) int16, each row without gaps.
        base: the same shape without gaps, int16, what is added before; None: nothing.
        offsets: the same, what is added; it is changed.
        looked: (rows, columns) bool without gaps: the blocks to look at; None: all.

    Returns:
        (rows, columns) bool: where they were taken away.
    """
    stopped = np.empty(blocks.shape[:2], np.uint8)
    native = _change(blocks, base, offsets, looked=looked)
    codec().jc_stop(native, stopped.ctypes.data)
    return stopped.view(bool)


def add(blocks: np.ndarray, offsets: np.ndarray, sign: int) -> bool:
    """Add offsets to blocks, or take them away.

    Args:
        blocks: as for :func:`stop`; they are changed.
        offsets: the same shape, int16.
        sign: 1, or -1 to take them away.

    Returns:
        Whether all sums are of 16 bits; otherwise the blocks are of no use any more.

    Raises:
        ValueError: a shape or type doesn't fit.
    """
    given = np.ascontiguousarray(offsets)
    native = _change(blocks, None, given)
    return not codec().jc_add(native, blocks.ctypes.data, sign)


NEAR, FAR, CUT_OFF = 0, 1, 2
"""What :func:`changed` says of a block: no sample changes too much, one does, or one
may do, which depends on colours that are cut off at black or white."""


def changed(
    blocks: np.ndarray,
    base: np.ndarray | None,
    offsets: np.ndarray,
    quantisation: np.ndarray,
    before: np.ndarray,
    epsilon: int,
    looked: np.ndarray | None = None,
) -> np.ndarray | None:
    """Where a usual decoder shows a sample changed by more than epsilon.

    Args:
        blocks: luma's, as for :func:`stop`.
        base: as there.
        offsets: as there, but not changed.
        quantisation: (8, 8), the steps.
        before: (height, width, 1 or 3) uint8, what a decoder shows of the original;
            gray, or what is made of luma and colour differences.
        epsilon: gray levels.
        looked: as there.

    Returns:
        (rows, columns) uint8, NEAR, FAR or CUT_OFF; None where decoders may differ.
    """
    found = np.empty(blocks.shape[:2], np.uint8)
    steps = np.ascontiguousarray(quantisation, np.int32)
    samples = np.ascontiguousarray(before, np.uint8)
    native = _change(blocks, base, offsets, steps, looked)
    seen = Seen(samples.ctypes.data, *samples.shape, epsilon)
    unsure = codec().jc_changed(native, seen, found.ctypes.data)
    return None if unsure else found


def _change(
    blocks: np.ndarray,
    base: np.ndarray | None,
    offsets: np.ndarray,
    steps: np.ndarray | None = None,
    looked: np.ndarray | None = None,
) -> Change:
    """The arrays must outlive it."""
    rows, columns = blocks.shape[:2]
    for one in (blocks, base, offsets):
        if one is not None and (one.dtype != np.int16 or one.shape != blocks.shape):
            raise ValueError("offsets must be int16, and of their component's shape")
    if not offsets.flags.c_contiguous or not (base is None or base.flags.c_contiguous):
        raise ValueError("offsets must be without gaps")
    if blocks.strides[1:] != (128, 16, 2) or blocks.strides[0] % 128:
        raise ValueError("a component's rows of blocks must be without gaps")
    return Change(
        blocks.ctypes.data,
        blocks.strides[0] // 128,
        rows,
        columns,
        None if base is None else base.ctypes.data,
        offsets.ctypes.data,
        None if steps is None else steps.ctypes.data,
        None if looked is None else looked.ctypes.data,
    )


def spread(offsets: np.ndarray) -> bytes:
    """Offsets as bytes, zeros together.

    Args:
        offsets: (..., 8, 8) int16.

    Returns:
        Of each coefficient, row by row, all blocks, 0, -1, 1, -2 ... as 0, 1, 2, 3 ...:
        the low byte of each, then the high one of each.
    """
    given = np.ascontiguousarray(offsets, np.int16)
    made = np.empty((2, given.size), np.uint8)
    low, high = (one.ctypes.data for one in made)
    codec().jc_spread(given.ctypes.data, given.size // 64, low, high)
    return made.tobytes()


def gathered(numbers: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Undo :func:`spread`.

    Args:
        numbers: what it gave.
        shape: of the offsets, (..., 8, 8).

    Raises:
        ValueError: there are too few or too many.
    """
    made = np.empty(shape, np.int16)
    if len(numbers) != made.nbytes:
        raise ValueError("there are too few or too many numbers")
    halves = np.frombuffer(numbers, np.uint8).reshape(2, -1)
    low, high = (one.ctypes.data for one in halves)
    codec().jc_gather(low, high, made.size // 64, made.ctypes.data)
    return made


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
