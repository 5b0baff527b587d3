"""Small copies of an image that hide in its metadata."""

import re
from dataclasses import replace

from fiftyone_reue.media.raster import Metadata

_EMBEDDED_JPEG = re.compile(rb"\xff\xd8\xff.*?(?:\xff\xd9|\Z)", re.DOTALL)


def without_previews(metadata: Metadata) -> Metadata:
    """Blank the pictures that an EXIF block holds.

    Cameras put a thumbnail of about 160 x 120 pixels there, and larger previews into
    their own notes. In a protected copy these would show, and train on, the original.

    Args:
        metadata: as a file gave it.

    Returns:
        The same with each embedded JPEG overwritten by zeros, in place, so that
        nothing that points into the block moves.
    """
    if metadata.exif is None or not _EMBEDDED_JPEG.search(metadata.exif):
        return metadata
    blanked = _EMBEDDED_JPEG.sub(lambda found: bytes(len(found[0])), metadata.exif)
    return replace(metadata, exif=blanked)
