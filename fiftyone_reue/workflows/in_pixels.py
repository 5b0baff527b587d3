"""Copies that are carried by their samples, in a lossless file."""

from __future__ import annotations

from functools import partial

import numpy as np

from fiftyone_reue.errors import UnsupportedImageError, VerificationError
from fiftyone_reue.media import jpeg, offsets
from fiftyone_reue.media.allowed import allowed
from fiftyone_reue.media.codec import encode, release_format
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.media.original import describe
from fiftyone_reue.media.raster import Loaded, Raster
from fiftyone_reue.perturb import reversal
from fiftyone_reue.perturb.base import State
from fiftyone_reue.workflows.copies import Copy, Job, Tried, Try


def begin(job: Job) -> Try:
    """``O -> W -> P`` on samples, for any state of the method.

    What is returned raises InputError, UnsupportedImageError and VerificationError as
    :mod:`fiftyone_reue.perturb.reversal` does.

    Raises:
        UnsupportedImageError: the file can't be carried as pixels.
    """
    if job.loaded.stored == jpeg.CMYK:
        raise UnsupportedImageError(
            f"{job.name}: CMYK JPEG files can't be carried as pixels; leave "
            "--carrier pixels out, or convert it to RGB first"
        )
    raster, peak = job.raster, job.raster.peak
    colours = raster.colour_channels
    licensed, lost = offsets.add(raster.samples, job.mark, colours, peak)

    def tried(state: State) -> Tried:
        perturbed = reversal.perturb(
            job.method,
            state,
            licensed,
            colours,
            job.label,
            job.sample_key,
            name=job.name,
            peak=peak,
        )
        making = partial(_copy, job, licensed, lost, perturbed)
        return Tried(lambda: perturbed.samples, making)

    return tried


def _copy(
    job: Job, licensed: np.ndarray, lost: bytes, perturbed: reversal.Perturbed
) -> Copy:
    raster, peak = job.raster, job.raster.peak
    original, colours = raster.samples, raster.colour_channels
    content = reversal.smallest(perturbed, licensed, colours, name=job.name, peak=peak)
    kind = release_format(raster)
    carried = allowed(raster.metadata, kind)
    protected = Raster(perturbed.samples, raster.format, carried.metadata)

    def prove(again: Loaded) -> None:
        if not np.array_equal(again.raster.samples, protected.samples):
            raise VerificationError(
                f"{job.name}: the encoded file doesn't decode to what was protected, "
                "so it was not written; please report this image's format"
            )
        back = offsets.subtract(licensed, job.mark, colours, lost, peak)
        if not np.array_equal(back, original):
            raise VerificationError(
                f"{job.name}: it would not restore exactly, so it was not written"
            )

    return Copy(
        kind,
        lambda record: encode(protected, kind, record),
        (job.digest, sample_digest(licensed), sample_digest(perturbed.samples)),
        content,
        lost,
        describe(job.source, job.loaded, job.suffix, whole=job.whole_files),
        carried.withheld,
        prove,
    )
