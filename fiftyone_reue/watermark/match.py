"""Find a suspect's original by how it looks.

A descriptor is the luma averaged over 16 by 16 areas. It outlives re-compression,
resizing and colour changes, not crops or rotations. The choice never looks at a
code, so it costs the evidence nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

SIDE = 16

FLAT = 2.0
"""A descriptor of less contrast than this, in gray levels, says little."""

ORIENTATIONS = 8
"""Four quarter turns, each plain and mirrored."""


def descriptor(luma: np.ndarray) -> bytes:
    """The descriptor of an image.

    Args:
        luma: ``(H, W)`` float32 in [0, 255].

    Returns:
        SIDE * SIDE bytes.
    """
    small = Image.fromarray(luma).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.round(np.asarray(small)).clip(0, 255).astype(np.uint8).tobytes()


def orient(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an ``(H, W, ...)`` array; 0 leaves it, 4 to 7 mirror it first.

    Args:
        samples: the array.
        orientation: 0..7.
    """
    mirrored = samples[:, ::-1] if orientation >= 4 else samples
    return np.ascontiguousarray(np.rot90(mirrored, orientation % 4))


def resize(samples: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring an ``(H, W)`` float32 luma to another size; the same one is kept."""
    if samples.shape == (height, width):
        return samples
    resized = Image.fromarray(samples).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized)


@dataclass(frozen=True)
class Candidate:
    """A possible original.

    Attributes:
        image_id: which.
        orientation: how the suspect must be turned (see :func:`orient`).
        distance: between the descriptors without brightness and contrast, 0 to 2.
    """

    image_id: str
    orientation: int
    distance: float


class Index:
    """All originals' descriptors in one array.

    Args:
        image_ids: N ids.
        descriptors: N byte strings from :func:`descriptor`.
    """

    def __init__(self, image_ids: list[str], descriptors: list[bytes]) -> None:
        self._ids = image_ids
        joined = np.frombuffer(b"".join(descriptors), np.uint8)
        self._vectors = _normalise(joined.reshape(-1, SIDE * SIDE))
        self._norms = np.einsum("ij,ij->i", self._vectors, self._vectors)

    def __len__(self) -> int:
        return len(self._ids)

    def nearest(self, luma: np.ndarray, count: int = 5) -> list[Candidate]:
        """The originals that a suspect looks most like, nearest first.

        Args:
            luma: ``(H, W)`` float32 of the suspect.
            count: how many at most.
        """
        if not self._ids:
            return []
        query = np.frombuffer(descriptor(luma), np.uint8).reshape(SIDE, SIDE)
        turned = _normalise(
            np.stack([orient(query, o).ravel() for o in range(ORIENTATIONS)])
        )
        own = np.einsum("ij,ij->i", turned, turned)
        squared = self._norms[None] + own[:, None] - 2 * turned @ self._vectors.T
        flat = np.argsort(squared, axis=None, kind="stable")[: 4 * count]
        found: dict[str, Candidate] = {}
        for place in flat:
            orientation, row = divmod(int(place), len(self._ids))
            distance = float(np.sqrt(max(squared[orientation, row], 0.0)))
            candidate = Candidate(self._ids[row], orientation, distance)
            found.setdefault(candidate.image_id, candidate)
        return list(found.values())[:count]


def _normalise(vectors: np.ndarray) -> np.ndarray:
    """Take off brightness and contrast; flat images stay near nothing."""
    floats = vectors.astype(np.float32)
    floats -= floats.mean(axis=1, keepdims=True)
    size = np.sqrt(np.einsum("ij,ij->i", floats, floats))
    return floats / (size + FLAT * SIDE)[:, None]
