"""Huffman tables: the standard's own, and the best ones for what is coded."""

from __future__ import annotations

import numpy as np

from fiftyone_reue.media.jpeg_coefficients import library


def _table(*parts: str) -> bytes:
    return bytes.fromhex("".join(parts)).ljust(library.TABLE, b"\0")


STANDARD_DC = {
    0: _table(
        "00010501010101010100000000000000000102030405060708090a0b",
    ),
    1: _table(
        "00030101010101010101010000000000000102030405060708090a0b",
    ),
}
"""The DC tables of the standard's section K.3 for luma and for colour."""

STANDARD_AC = {
    0: _table(
        "0002010303020403050504040000017d01020300041105122131410613516107",
        "227114328191a1082342b1c11552d1f02433627282090a161718191a25262728",
        "292a3435363738393a434445464748494a535455565758595a63646566676869",
        "6a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7",
        "a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2",
        "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
    ),
    1: _table(
        "0002010204040304070504040001027700010203110405213106124151076171",
        "1322328108144291a1b1c109233352f0156272d10a162434e125f11718191a26",
        "2728292a35363738393a434445464748494a535455565758595a636465666768",
        "696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5",
        "a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9da",
        "e2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
    ),
}
"""The same for AC."""


def best(counts: np.ndarray) -> bytes:
    """The table that codes symbols in the fewest bits, as libjpeg makes it.

    Args:
        counts: (256,) integers, how often each symbol is needed.

    Returns:
        16 counts of codes and 256 symbols.

    Raises:
        ValueError: a code would be longer than libjpeg can shorten.
    """
    made = library.best_table(counts)
    if made is None:
        raise ValueError("a Huffman code is too long")
    return made


def packed(kind: int, number: int, table: bytes) -> bytes:
    """A table as a DHT segment has it.

    Args:
        kind: 0 for DC, 1 for AC.
        number: of the table, 0 to 3.
        table: 16 counts and 256 symbols.
    """
    return bytes((kind << 4 | number,)) + table[: 16 + sum(table[:16])]
