"""Exact carriers: image files read and written without losing a bit."""

from fiftyone_reue.media.codec import (
    IMAGE_SUFFIXES,
    encode,
    load,
    release_format,
    suffix,
)
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.media.files import (
    remove_stale_temporaries,
    write_atomic,
    write_batch,
)
from fiftyone_reue.media.previews import without_previews
from fiftyone_reue.media.raster import DEFAULT_MAX_PIXELS, Loaded, Metadata, Raster

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "IMAGE_SUFFIXES",
    "Loaded",
    "Metadata",
    "Raster",
    "encode",
    "load",
    "release_format",
    "remove_stale_temporaries",
    "sample_digest",
    "suffix",
    "without_previews",
    "write_atomic",
    "write_batch",
]
