"""The carriers that there are."""

from __future__ import annotations

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media import bmp, gif, jpeg, png, pnm, tiff, webp
from fiftyone_reue.media.carrier import Carrier
from fiftyone_reue.media.probe import foreign

CARRIERS: tuple[Carrier, ...] = (
    png.CARRIER,
    jpeg.CARRIER,
    webp.CARRIER,
    tiff.CARRIER,
    bmp.CARRIER,
    gif.CARRIER,
    pnm.CARRIER,
)
"""In the order in which a file's first bytes are compared with them."""

FALLBACK = png.CARRIER
"""What images are written as that their own carrier can't hold exactly."""


def sniff(data: bytes) -> Carrier:
    """The carrier of a file's bytes.

    Args:
        data: the whole file or at least its first 32 bytes.

    Raises:
        UnreadableImageError: the file is empty or isn't an image.
        UnsupportedImageError: an image in a container that can't be carried.
    """
    if not data:
        raise UnreadableImageError("the file is empty; replace or remove it")
    for one in CARRIERS:
        if one.is_mine(data):
            return one
    raise foreign(data)


def named(format: str) -> Carrier:
    """The carrier of a name.

    Args:
        format: its name, or one of its variants.

    Raises:
        UnsupportedImageError: there is none.
    """
    for one in CARRIERS:
        if format == one.name or format in one.variants:
            return one
    names = ", ".join(one.name for one in CARRIERS)
    raise UnsupportedImageError(f"{format!r} isn't a format; use one of {names}")


def writer(format: str) -> Carrier | None:
    """The carrier that writes images of this very format, or None."""
    return next(
        (one for one in CARRIERS if one.name == format and one.encode is not None),
        None,
    )
