"""What a carrier is: one kind of image file, which can be read and maybe written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fiftyone_reue.media.raster import Loaded, Raster


class Decode(Protocol):
    """Reads a file; see :func:`fiftyone_reue.media.codec.load`."""

    def __call__(
        self, data: bytes, *, max_pixels: int, want_record: bool = True
    ) -> Loaded:
        """The image and its record."""


@dataclass(frozen=True)
class Carrier:
    """One kind of image file.

    Each is defined at the end of its own file and listed in
    :mod:`fiftyone_reue.media.carriers`; nothing else has to know it.

    Attributes:
        name: what errors and :attr:`Raster.format` call it.
        suffixes: of its files' names, in lower case; the first is the usual one.
        is_mine: whether a file's first bytes, 32 or more, are of this kind.
        decode: reads a file.
        encode: writes an image and its record, exactly; None where only reading is
            possible.
        refusal: why an image can't be written exactly, in words; None where it can.
        variants: other values of :attr:`Raster.format` that its files are read as, and
            that aren't written.
    """

    name: str
    suffixes: tuple[str, ...]
    is_mine: Callable[[bytes], bool]
    decode: Decode
    encode: Callable[[Raster, bytes | None], bytes] | None = None
    refusal: Callable[[Raster], str | None] = lambda _: None
    variants: tuple[str, ...] = ()


def begins(*magics: bytes) -> Callable[[bytes], bool]:
    """A test for files that begin with one of these."""
    return lambda data: data.startswith(magics)
