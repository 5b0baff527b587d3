"""What the compiled part computes, written plainly."""

import cv2
import numpy as np

from fiftyone_reue.media.jpeg_coefficients.transform import forward

PARTS = 64


def wanted(
    plane: np.ndarray,
    shrinking: tuple[int, int],
    blocks: tuple[int, int],
    parts: int,
) -> np.ndarray:
    """What :func:`library.wanted` gives."""
    (down, across), (rows, columns) = shrinking, blocks
    height, width = 8 * rows * down, 8 * columns * across
    more = max(height - plane.shape[0], 0), max(width - plane.shape[1], 0)
    filled = np.pad(plane.astype(np.int64), ((0, more[0]), (0, more[1])), mode="edge")[
        :height, :width
    ]
    small = filled.reshape(8 * rows, down, 8 * columns, across).sum((1, 3))
    made = forward(small.reshape(rows, 8, columns, 8).swapaxes(1, 2))
    return np.rint(made / (down * across * parts) * PARTS).astype(np.int32)


def folded(offsets: np.ndarray) -> bytes:
    """What :func:`library.spread` gives."""
    numbers = offsets.reshape(-1, 64).T.ravel().astype(int)
    whole = np.where(numbers < 0, -2 * numbers - 1, 2 * numbers)
    return (whole & 255).astype(np.uint8).tobytes() + (whole >> 8).astype(
        np.uint8
    ).tobytes()


def filtered(values: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """What :func:`library.filtered` gives."""
    whole = [np.concatenate([one[:0:-1], one]).astype(float) for one in (down, across)]
    border = cv2.BORDER_REFLECT_101
    made = cv2.sepFilter2D(
        values.astype(float), cv2.CV_64F, whole[1], whole[0], borderType=border
    )
    return made.astype(np.int64)


def fields(
    cells: np.ndarray,
    cell: int,
    sides: tuple[int, int],
    most: int,
    bits: int,
    field: int,
    number: int,
) -> np.ndarray:
    """What :func:`library.fields` gives."""
    fine = cells.astype(int)
    for _ in range(cell.bit_length() - 1):
        fine = doubled(doubled(fine).T).T
    height, width = sides
    rows, columns = np.ogrid[:height, :width]
    there = (rows // field + columns // field) % 2 == number
    return (
        there * (fine[:height, :width].clip(-most, most) + (1 << bits - 1) >> bits)
    ).astype(np.int8)


def doubled(lines: np.ndarray) -> np.ndarray:
    """Twice as many lines, interpolated."""
    before = np.concatenate([lines[:1], lines[:-1]])
    after = np.concatenate([lines[1:], lines[-1:]])
    both = np.stack([3 * lines + before + 2 >> 2, 3 * lines + after + 2 >> 2], axis=1)
    return both.reshape(-1, lines.shape[1])


def share(seen: np.ndarray, change: np.ndarray) -> tuple[int, int]:
    """What :func:`library.share` gives."""
    high, wide = (side // 8 for side in change.shape)
    there, added = (
        64 * one - one.sum(axis=(1, 3), keepdims=True)
        for one in (
            part.astype(int).reshape(high, 8, wide, 8)
            for part in (seen.sum(axis=2, dtype=int), change)
        )
    )
    return int((there * added).sum()), int((added * added).sum())
