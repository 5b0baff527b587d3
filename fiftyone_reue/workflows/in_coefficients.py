"""Copies of JPEG files that are carried by their coefficients: JPEG in, JPEG out."""

from __future__ import annotations

from fiftyone_reue.errors import (
    MissingPackageError,
    ReueError,
    UnreadableImageError,
    UnsupportedImageError,
    VerificationError,
)
from fiftyone_reue.media import jpeg
from fiftyone_reue.media.allowed import allowed
from fiftyone_reue.media.digest import coefficient_digest
from fiftyone_reue.media.jpeg_coefficients.coefficients import (
    Coefficients,
    same_picture,
)
from fiftyone_reue.media.jpeg_coefficients.decoding import Beside
from fiftyone_reue.media.jpeg_coefficients.limits import (
    Held,
    added,
    hold,
    packed_limits,
    subtracted,
)
from fiftyone_reue.media.jpeg_coefficients.planes import require_gray, targets
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.rounding import strength
from fiftyone_reue.media.jpeg_coefficients.writing import colour_segments
from fiftyone_reue.media.jpeg_segments import metadata_segments, with_record
from fiftyone_reue.media.original import describe_coded, rebuild_coded
from fiftyone_reue.media.quality import largest_difference
from fiftyone_reue.media.raster import Loaded
from fiftyone_reue.perturb import coefficients
from fiftyone_reue.releases.originals import mark_offsets
from fiftyone_reue.workflows.copies import Copy, Job

ENOUGH = 0.6
"""So much of a mark is to be left in whole steps of a file's coefficients; where it
isn't, the mark gets a larger share of epsilon."""


def make(job: Job) -> Copy:
    """``O -> W -> P`` on coefficients.

    Raises:
        UnreadableImageError, UnsupportedImageError: the file's coefficients can't be
            taken.
        MissingPackageError: what reads them isn't there.
        InputError: the class is not among those fitted.
    """
    found = _read(job)
    carried = allowed(job.raster.metadata, "JPEG")
    segments = [*colour_segments(found), *metadata_segments(carried.metadata)]
    beside = _beside(found, job)
    mark = _marked(found, job, beside)
    licensed = added(found, mark.offsets)
    shown = jpeg.shown(licensed)
    copy, content = coefficients.perturb(
        job.method,
        job.state,
        found,
        mark.offsets,
        shown,
        job.label,
        job.sample_key,
        name=job.name,
        epsilon=job.epsilon,
        amplitude=job.epsilon - job.mark_amplitude,
        beside=beside,
    )
    protected = jpeg.file_of(copy, segments)
    digests = (
        coefficient_digest(found),
        coefficient_digest(licensed),
        coefficient_digest(copy),
    )
    lost = packed_limits(mark.limits)
    file = describe_coded(job.source, found, segments, job.suffix)

    def prove(again: Loaded) -> None:
        try:
            back = read(again.raster.coded or b"")
            _require(job, same_picture(back, copy))
            way = coefficients.unpack(content.data, job.raster.samples.shape[:2])
            back = coefficients.licensed_of(way, back)
            _require(job, same_picture(back, licensed))
            back = subtracted(back, mark_offsets(back, job.mark, lost))
            _require(job, same_picture(back, found))
            _require(job, rebuild_coded(file.content, back).data == job.source)
        except VerificationError:
            raise
        except ReueError as error:
            raise _inexact(job) from error
        for changed in (shown, again.raster.samples):
            if largest_difference(changed, job.raster.samples) > job.epsilon:
                raise VerificationError(
                    f"{job.name}: a sample would change by more than {job.epsilon} "
                    "gray levels, so it was not written; please report this file"
                )

    return Copy(
        "JPEG",
        lambda record: with_record(protected, record),
        digests,
        content,
        lost,
        file,
        carried.withheld,
        prove,
    )


def _read(job: Job) -> Coefficients:
    raster = job.raster
    try:
        found = read(job.source, max_pixels=raster.height * raster.width)
        require_gray(found)
        return found
    except (UnreadableImageError, UnsupportedImageError) as error:
        raise type(error)(
            f"{job.name}: {error}; or take it as pixels, which makes a PNG of it "
            "(--carrier pixels)"
        ) from None
    except MissingPackageError as error:
        raise MissingPackageError(f"{error} (--carrier pixels)") from None


def _beside(found: Coefficients, job: Job) -> Beside:
    """The original as a decoder shows it; of CMYK files the job has other samples."""
    samples = job.raster.samples
    known = samples.shape[2] == len(found.components)
    return Beside(found, samples if known else None)


def _marked(found: Coefficients, job: Job, beside: Beside) -> Held:
    """The mark as offsets: as little as leaves enough of it."""
    wanted = targets(found, job.mark[..., 0])
    least = job.mark_amplitude + job.mark_amplitude // 2
    most = max(least, job.epsilon - job.mark_amplitude)
    held = None
    for limit in range(least, most + 1):
        held = hold(found, wanted, limit, beside=beside)
        if strength(wanted, held.offsets, found) >= ENOUGH:
            break
    assert held is not None
    return held


def _require(job: Job, same: bool) -> None:
    if not same:
        raise _inexact(job)


def _inexact(job: Job) -> VerificationError:
    return VerificationError(
        f"{job.name}: it would not restore exactly, so it was not written; please "
        "report this file"
    )
