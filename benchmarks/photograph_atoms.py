"""Candidates for photographs: signs of 8x8 cosine atoms on JPEG's grid.

Not a method of the package: a lead that is measured before it becomes one. Every
block of an image gets the sign of one atom of the block's cosine transform, with a
sign of its own from the sample's key, the same in all channels.

- ``candidate_atoms``: a class has one atom.
- ``candidate_pool``: a class has three of the twenty, and every block draws one.

Beside them is what a thief does who has the package: matched filters that find the
atoms in the images and take them away, without the key and without labels.
"""

from __future__ import annotations

import numpy as np

from fiftyone_reue.perturb.base import FitOptions, clipped, keyed_order
from fiftyone_reue.prf import derive, keystream

BLOCK = 8
"""Pixels a side of JPEG's blocks."""

ATOMS = (
    *((3, 1), (1, 3), (2, 2), (4, 1), (1, 4), (1, 2), (2, 1), (4, 0), (0, 4), (1, 1)),
    *((3, 2), (2, 3), (0, 3), (3, 0), (3, 3), (4, 2), (2, 4), (5, 1), (1, 5), (0, 2)),
)
"""Half cycles down and across a block."""

POOL_STEPS = (0, 3, 9)
"""Where a class's three atoms stand from its first one: any two classes whose first
atoms are an even number of places apart share at most one."""


def atom_signs() -> np.ndarray:
    """``(20, 8, 8)`` int8, -1 or 1: no sample of a block's cosines is 0."""
    place = (2 * np.arange(BLOCK) + 1) * np.pi / (2 * BLOCK)
    drawn = [np.outer(np.cos(u * place), np.cos(v * place)) for u, v in ATOMS]
    return np.where(np.stack(drawn) > 0, 1, -1).astype(np.int8)


def class_atoms(classes: int, each: int, key: bytes) -> np.ndarray:
    """``(classes, each)`` int64 indices into :data:`ATOMS`.

    Args:
        classes: at most 20 with one atom each, 10 with three.
        each: 1 or 3.
        key: 32 bytes; it draws the atoms' order.
    """
    order = keyed_order(derive(key, "candidate-atoms"), len(ATOMS))
    stride = 1 if each == 1 else 2
    steps = np.array(POOL_STEPS[:each])
    return order[(stride * np.arange(classes)[:, None] + steps) % len(ATOMS)]


def pattern(atoms: np.ndarray, side: int, amplitude: int, key: bytes) -> np.ndarray:
    """One image's change.

    Args:
        atoms: ``(n,)`` the atoms that blocks draw from.
        side: of the image, pixels.
        amplitude: gray levels.
        key: 32 bytes of this sample.

    Returns:
        ``(side, side, 1)`` int8, each value ``amplitude`` or ``-amplitude``.
    """
    across = -(-side // BLOCK)
    drawn = np.frombuffer(keystream(key, 2 * across * across), np.uint8)
    signs, chosen = drawn.reshape(2, across * across).astype(np.int64)
    blocks = atom_signs()[atoms[chosen % len(atoms)]]
    blocks = blocks * np.where(signs & 1, amplitude, -amplitude)[:, None, None]
    grid = blocks.reshape(across, across, BLOCK, BLOCK).transpose(0, 2, 1, 3)
    whole = grid.reshape(across * BLOCK, across * BLOCK)
    return whole[:side, :side, None].astype(np.int8)


def perturbed(
    images: np.ndarray, labels: np.ndarray, each: int, amplitude: int, key: bytes
) -> np.ndarray:
    """Images with their classes' atoms on.

    Args:
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64.
        each: atoms a class, 1 or 3.
        amplitude: gray levels.
        key: 32 bytes.
    """
    tables = class_atoms(int(labels.max()) + 1, each, key)
    changed = np.empty_like(images)
    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        sample = FitOptions(amplitude, each, key).sample_key(place)
        offset = pattern(tables[label], images.shape[1], amplitude, sample)
        changed[place] = clipped(image, offset)
    return changed


def without_atoms(
    images: np.ndarray, amplitude: int, *, by_block: bool, tolerance: float = 2.0
) -> np.ndarray:
    """The matched filter: what a thief with the package makes of images.

    Args:
        images: ``(N, S, S, 3)`` uint8, S a multiple of 8.
        amplitude: gray levels, which the thief knows.
        by_block: take the largest atom of each block away; else find the one atom of
            an image by how many blocks lie near the amplitude, and take that away.
        tolerance: how near, gray levels.
    """
    count, side = images.shape[:2]
    across = side // BLOCK
    signs = atom_signs().reshape(len(ATOMS), -1).astype(np.float32)
    gray = images.mean(axis=3, dtype=np.float32)
    blocks = gray.reshape(count, across, BLOCK, across, BLOCK).transpose(0, 1, 3, 2, 4)
    found = blocks.reshape(count, across * across, -1) @ signs.T / BLOCK**2
    near = np.abs(np.abs(found) - amplitude) < tolerance
    if by_block:
        chosen = np.abs(found).argmax(axis=2)
    else:
        whole = near.sum(axis=1).argmax(axis=1)
        chosen = np.repeat(whole[:, None], across * across, axis=1)
    size = np.take_along_axis(found, chosen[..., None], axis=2)[..., 0]
    taken = signs[chosen] * (amplitude * np.sign(size))[..., None]
    grid = taken.reshape(count, across, across, BLOCK, BLOCK).transpose(0, 1, 3, 2, 4)
    offset = np.rint(grid.reshape(count, side, side, 1)).astype(np.int16)
    return clipped(images, -offset)
