"""What kind of files a release will have, and how large, before it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.media import jpeg
from fiftyone_reue.samples.database_errors import plain_errors

if TYPE_CHECKING:
    import fiftyone.core.collections as foc

JPEG_GROWTH, PNG_GROWTH = 1.1, 10
"""About how much larger copies of JPEG files are, as JPEG and as PNG."""


@plain_errors()
def expected_files(samples: foc.SampleCollection, carrier: str) -> str:
    """What the copies of JPEG files will be, in a sentence or two.

    Args:
        samples: a dataset or view.
        carrier: "auto" or "pixels".

    Returns:
        Text; it says a size where the samples' metadata is known.
    """
    from fiftyone import ViewField

    ends = "|".join(suffix[1:] for suffix in jpeg.CARRIER.suffixes)
    files = samples.match(ViewField("filepath").re_match(rf"(?i)\.({ends})$"))
    count, total = files.count(), samples.count()
    if not count:
        return "No sample is a JPEG file; copies are written without any loss."
    growth = PNG_GROWTH if carrier == "pixels" else JPEG_GROWTH
    become = "become PNG files" if carrier == "pixels" else "stay JPEG files"
    text = (
        f"{count} of {total} are JPEG files and {become}, about {growth} times as large"
    )
    known = files.sum("metadata.size_bytes")
    if known:
        text += f": {_megabytes(known)} become {_megabytes(growth * known)}"
    return f"{text}."


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"
