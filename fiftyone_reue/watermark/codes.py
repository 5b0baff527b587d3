"""Code bits: what a recipient's copy of an image says.

Bits come from a pseudo-random function of the recipient's secret code seed and the
image, so that for anyone else's file they are fair coins, which is all that the
error bound of :mod:`fiftyone_reue.watermark.bounds` needs.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from fiftyone_reue.errors import MissingPackageError
from fiftyone_reue.watermark import many_codes

MANY = 20_000
"""So many codes are worth compiling something for."""

_TOGETHER = 4096
"""Recipients whose codes are laid out at once."""

_KEPT = 256 << 20
"""Bytes of codes that a book keeps at most."""


def code(code_seed: bytes, image_id: str, bit_count: int) -> np.ndarray:
    """The code of one recipient on one image.

    Args:
        code_seed: 16 to 64 secret bytes of the recipient.
        image_id: which original.
        bit_count: how many bits, a multiple of 8 up to 512.

    Returns:
        ``(bit_count,)`` int8, -1 or 1.
    """
    return unpacked(code_bytes(code_seed, image_id, bit_count))


def unpacked(packed: bytes) -> np.ndarray:
    """``(bits,)`` int8, -1 or 1, of what :func:`code_bytes` gives."""
    return np.unpackbits(np.frombuffer(packed, np.uint8)).astype(np.int8) * 2 - 1


def code_bytes(code_seed: bytes, image_id: str, bit_count: int) -> bytes:
    """The same as packed bytes, most significant bit first."""
    digest = hashlib.blake2b(
        image_id.encode(),
        key=code_seed,
        digest_size=bit_count // 8,
        person=b"reue-code",
    )
    return digest.digest()


def fits(soft: Mapping[str, np.ndarray], code_seeds: Sequence[bytes]) -> np.ndarray:
    """How well each recipient's codes fit soft bits, over all images.

    Args:
        soft: ``(bits,)`` float64 by image id, zeros where nothing was read.
        code_seeds: as for :func:`code`.

    Returns:
        ``(len(code_seeds),)`` float64, the sums of code bits times soft bits.
    """
    return sized_fits(soft, code_seeds)[0]


def sized_fits(
    soft: Mapping[str, np.ndarray], code_seeds: Sequence[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """The same, and how well they fit with each image's sign left open.

    Many are computed by a compiled part where there is a C compiler, with the same
    result but for rounding.

    Args:
        soft: as for :func:`fits`.
        code_seeds: as for :func:`code`.

    Returns:
        What :func:`fits` does, and ``(len(code_seeds),)`` float64, the sums of what
        each image adds to it, taken without its sign.
    """
    if not soft or not code_seeds:
        return np.zeros(len(code_seeds)), np.zeros(len(code_seeds))
    if len(soft) * len(code_seeds) >= MANY:
        with contextlib.suppress(MissingPackageError):
            return many_codes.sized_fits(soft, code_seeds)
    return few_fits(soft, code_seeds)


def few_fits(
    soft: Mapping[str, np.ndarray], code_seeds: Sequence[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`sized_fits` without the compiled part."""
    values = np.concatenate(list(soft.values()))
    lengths = [len(bits) for bits in soft.values()]
    starts = np.cumsum([0, *lengths[:-1]])
    counts = list(zip(soft, lengths, strict=True))
    plain, sized = np.empty(len(code_seeds)), np.empty(len(code_seeds))
    for place, seed in enumerate(code_seeds):
        raw = b"".join(code_bytes(seed, *one) for one in counts)
        signs = np.unpackbits(np.frombuffer(raw, np.uint8)) * 2.0 - 1
        added = np.add.reduceat(signs * values, starts)
        plain[place], sized[place] = added.sum(), np.abs(added).sum()
    return plain, sized


class Codebook:
    """Everybody's codes on every image.

    Where several readings of one image are weighed, and again for every culprit, codes
    are made once and kept.

    Args:
        code_seeds: as for :func:`code`.
    """

    def __init__(self, code_seeds: Sequence[bytes]) -> None:
        self._seeds = code_seeds
        self._kept: dict[tuple[str, int], np.ndarray] = {}
        self._size = 0

    def __len__(self) -> int:
        """How many there are on an image."""
        return len(self._seeds)

    def sized_fits(self, soft: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """See :func:`sized_fits`."""
        return sized_fits(soft, self._seeds)

    def fits_of_each(self, image_id: str, readings: np.ndarray) -> np.ndarray:
        """How well codes fit several readings of one image, each by itself.

        Args:
            image_id: which.
            readings: ``(k, bits)`` float64, soft bits.

        Returns:
            ``(k, n)`` float64.
        """
        packed = self._packed(image_id, readings.shape[1])
        return np.concatenate(
            [
                signed_sums(packed[start : start + _TOGETHER], readings)
                for start in range(0, len(packed), _TOGETHER)
            ]
            or [np.zeros((len(readings), 0))],
            axis=1,
        )

    def _packed(self, image_id: str, bit_count: int) -> np.ndarray:
        """``(n, bit_count / 8)`` uint8."""
        known = self._kept.get((image_id, bit_count))
        if known is not None:
            return known
        raw = b"".join(code_bytes(seed, image_id, bit_count) for seed in self._seeds)
        made = np.frombuffer(raw, np.uint8).reshape(-1, bit_count // 8)
        if self._size + made.nbytes <= _KEPT:
            self._kept[image_id, bit_count] = made
            self._size += made.nbytes
        return made


def signed_sums(packed: np.ndarray, readings: np.ndarray) -> np.ndarray:
    """Sums of code bits times soft bits.

    Args:
        packed: ``(n, bits / 8)`` uint8, see :func:`code_bytes`.
        readings: ``(k, bits)`` float64.

    Returns:
        ``(k, n)`` float64.
    """
    ones = np.unpackbits(packed, axis=1).astype(np.float64)
    sums: np.ndarray = 2 * (readings @ ones.T) - readings.sum(axis=1, keepdims=True)
    return sums
