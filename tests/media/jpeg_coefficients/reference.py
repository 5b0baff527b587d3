"""What the compiled part computes, written plainly."""

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
