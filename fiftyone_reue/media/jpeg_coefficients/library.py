"""The compiled part, called with arrays; see ``codec.c``.

Calls leave Python's lock free, and keep no state: any number of threads may make them.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import numpy as np

from fiftyone_reue.compiled import Part

OK, FULL, NO_CODE = 0, -6, -7
PROBLEMS = {
    -1: "it is cut short",
    -2: "a code in its coded data can't be read",
    -3: "a coefficient is out of range",
    -4: "a block has too many coefficients",
    -5: "a restart marker is missing",
    -8: "a Huffman table makes no sense",
    -9: "its scans don't fit each other",
}
"""What is wrong with a file, by the number that reading it gave."""

CODEC = Part(
    Path(__file__).with_name("codec.c"),
    "The part that reads JPEG files",
    "use the pixel carrier",
)
"""What :func:`codec` loads."""

TABLE = 272
"""Bytes of a Huffman table: how many codes each length has, then 256 symbols."""


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


class Cells(ctypes.Structure):
    """A change that is known of cells; see ``codec.c``."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("rows", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("cell", ctypes.c_int64),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("most", ctypes.c_int32),
        ("bits", ctypes.c_int32),
        ("field", ctypes.c_int64),
        ("number", ctypes.c_int64),
        ("lines", ctypes.c_void_p * 2),
    )


@functools.cache
def codec() -> ctypes.CDLL:
    """The compiled part.

    Raises:
        MissingPackageError: it isn't there and can't be compiled.
    """
    return bound(CODEC.load())


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
    library.jc_filter.argtypes = (
        *(address, ctypes.c_int64, ctypes.c_int64),
        *(address, address, ctypes.c_int64, address, address),
    )
    library.jc_lower.argtypes = (
        *(ctypes.c_char_p, ctypes.c_int64, ctypes.c_uint8),
        *(address, size),
    )
    library.jc_raise.argtypes = (
        *(ctypes.c_char_p, size, ctypes.c_uint8),
        *(ctypes.c_int64, address),
    )
    library.jc_lower.restype = size
    library.jc_fields.argtypes = (ctypes.POINTER(Cells), address)
    library.jc_share.argtypes = (
        *(address, ctypes.c_int64, address),
        *(ctypes.c_int64, ctypes.c_int64, address),
    )
    without = ("fit", "wanted", "stop", "projected", "spread", "gather", "raise")
    for name in (*without, "filter", "fields", "share"):
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
    table = ctypes.create_string_buffer(TABLE)
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
    blocks: np.ndarray, offsets: np.ndarray, looked: np.ndarray | None = None
) -> np.ndarray:
    """Take a block's offsets away where a coefficient would leave its range.

    That is -1024 to 1023 of the first, ±1023 of the others; one that is out of it
    already may not change.

    Args:
        blocks: (rows, columns, 8, 8) int16, each row without gaps.
        offsets: the same shape without gaps, int16, what is added; it is changed.
        looked: (rows, columns) bool without gaps: the blocks to look at; None: all.

    Returns:
        (rows, columns) bool: where they were taken away.
    """
    stopped = np.empty(blocks.shape[:2], np.uint8)
    native = _change(blocks, None, offsets, looked=looked)
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
        base: the same in rows of the same length, what the offsets are added to; None:
            the blocks.
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
    if not offsets.flags.c_contiguous:
        raise ValueError("offsets must be without gaps")
    if base is not None and base.strides != blocks.strides:
        raise ValueError("what is changed must be in rows of the same length")
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


def lowered(numbers: bytes, top: int) -> bytes:
    """Numbers that are mostly the largest or near it, in few bytes; see ``codec.c``.

    Args:
        numbers: a byte each, none above ``top``.
        top: 0 to 255.
    """
    room = len(numbers) + 16
    while True:
        out = np.empty(room, np.uint8)
        used = codec().jc_lower(numbers, len(numbers), top, out.ctypes.data, room)
        if used <= room:
            return out[:used].tobytes()
        room = used


def raised(data: bytes, top: int, count: int) -> bytes:
    """Undo :func:`lowered`; other bytes give other numbers up to ``top``.

    Args:
        data: what it gave.
        top: as there.
        count: how many numbers there are.
    """
    numbers = np.empty(count, np.uint8)
    codec().jc_raise(data, len(data), top, count, numbers.ctypes.data)
    return numbers.tobytes()


MOST_FILTERED, MOST_TAPS = 1 << 14, 1 << 15
"""The largest value that :func:`filtered` takes, and what taps' sizes add up to."""

_AT_ONCE = 32


def filtered(values: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Symmetric filters down and across, exactly; borders are mirrored.

    Args:
        values: (h, w) integers, over 32 a side.
        down: (reach + 1,) integers, from the middle on.
        across: the same.

    Returns:
        (h, w) int64.

    Raises:
        ValueError: they reach over a side, or numbers are too large to be exact.
    """
    taps = [np.ascontiguousarray(one, np.int32) for one in (down, across)]
    reach = len(taps[0]) - 1
    given = np.ascontiguousarray(values, np.int32)
    sums = [2 * int(np.abs(one).sum()) for one in taps]
    if len(taps[1]) != reach + 1 or min(given.shape) <= max(reach, _AT_ONCE):
        raise ValueError("the filters don't fit the values")
    if max(sums) > MOST_TAPS or np.abs(given).max(initial=0) > MOST_FILTERED:
        raise ValueError("the values or filters are too large")
    room = np.empty(given.shape[1] + 2 * reach)
    made = np.empty(given.shape, np.int64)
    places = [one.ctypes.data for one in (*taps, room, made)]
    codec().jc_filter(given.ctypes.data, *given.shape, *places[:2], reach, *places[2:])
    return made


def fields(
    cells: np.ndarray,
    cell: int,
    sides: tuple[int, int],
    most: int,
    bits: int,
    field: int,
    number: int,
) -> np.ndarray:
    """A change of cells, interpolated to pixels in half of a chessboard's fields.

    Args:
        cells: (ceil(height / cell), ceil(width / cell)) int16 in 1 / 2^bits gray
            levels, at most 2^14.
        cell: pixels a side of a cell, a power of two.
        sides: height and width in pixels.
        most: the largest change, in the cells' unit, at most 127 gray levels.
        bits: see ``cells``, 1 to 7.
        field: pixels a side of a field.
        number: which fields are filled: 0, those of the first one's colour, or 1.

    Returns:
        (height, width) int8, 0 in the other fields.
    """
    given = np.ascontiguousarray(cells, np.int16)
    made = np.empty(sides, np.int8)
    if given.shape != tuple(-(-side // cell) for side in sides):
        raise ValueError("the cells are of another picture")
    lines = np.empty((2, (cell + 4) * given.shape[1] * cell), np.int16)
    room = (ctypes.c_void_p * 2)(*(one.ctypes.data for one in lines))
    native = Cells(
        given.ctypes.data,
        *given.shape,
        cell,
        *sides,
        most,
        bits,
        field,
        number,
        room,
    )
    codec().jc_fields(native, made.ctypes.data)
    return made


def share(seen: np.ndarray, change: np.ndarray) -> tuple[int, int]:
    """Sums of products over blocks of 8 x 8 pixels, each less its mean.

    Args:
        seen: (height, width, channels) uint8, both sides multiples of 8.
        change: (height, width) int8.

    Returns:
        Of the change with what is seen, all channels together, and with itself; in
        parts of 64 x 64.
    """
    there = np.ascontiguousarray(seen, np.uint8)
    added = np.ascontiguousarray(change, np.int8)
    height, width, channels = there.shape
    if added.shape != (height, width) or height % 8 or width % 8:
        raise ValueError("the change isn't of whole blocks of this picture")
    sums = np.empty(2, np.int64)
    places = there.ctypes.data, channels, added.ctypes.data
    codec().jc_share(*places, height, width, sums.ctypes.data)
    return int(sums[0]), int(sums[1])


if __name__ == "__main__":
    codec()
