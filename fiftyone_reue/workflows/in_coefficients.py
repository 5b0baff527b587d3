"""Copies of JPEG files that are carried by their coefficients: JPEG in, JPEG out."""

from __future__ import annotations

from functools import partial

import numpy as np

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
from fiftyone_reue.perturb.base import State
from fiftyone_reue.perturb.reversal import Content
from fiftyone_reue.releases.originals import mark_offsets
from fiftyone_reue.workflows.copies import Copy, Job, Tried, Try

ENOUGH = 0.6
"""So much of a mark is to be left in whole steps of a file's coefficients; where it
isn't, the mark gets a larger share of epsilon."""


def begin(job: Job) -> Try:
    """``O -> W -> P`` on coefficients, for any state of the method.

    What is returned raises InputError where the class is not among those fitted.

    Raises:
        UnreadableImageError, UnsupportedImageError: the file's coefficients can't be
            taken.
        MissingPackageError: what reads them isn't there.
        VerificationError: the mark would change a sample too much.
    """
    found = _read(job)
    beside = beside_of(found, job.raster.samples)
    licensed, lost = _licensed(job, found, beside)
    _require_near(job, jpeg.shown(licensed))

    def tried(state: State) -> Tried:
        copy, content = coefficients.perturb(
            job.method,
            state,
            found,
            licensed,
            lambda: jpeg.shown(licensed),
            job.label,
            job.sample_key,
            name=job.name,
            epsilon=job.epsilon,
            amplitude=job.epsilon - job.mark_amplitude,
            beside=beside,
        )
        making = partial(_copy, job, (found, licensed, copy), lost, content)
        return Tried(lambda: jpeg.shown(copy), making)

    return tried


def _copy(
    job: Job,
    pictures: tuple[Coefficients, Coefficients, Coefficients],
    lost: bytes,
    content: Content,
) -> Copy:
    """The copy of O, W and P."""
    found, licensed, copy = pictures
    carried = allowed(job.raster.metadata, "JPEG")
    segments = [*colour_segments(found), *metadata_segments(carried.metadata)]
    protected = jpeg.file_of(copy, segments)
    # Proven by these, for the coefficients of a large picture take a lot of memory.
    of_o, of_w, of_p = (coefficient_digest(one) for one in (found, licensed, copy))
    file = describe_coded(job.source, found, segments, job.suffix)

    def prove(again: Loaded) -> None:
        sides = job.raster.samples.shape[:2]
        try:
            back = read(again.raster.coded or b"")
            _require(job, coefficient_digest(back) == of_p)
            way = coefficients.unpack(content.data, sides)
            back = coefficients.licensed_of(way, back, own=True)
            _require(job, coefficient_digest(back) == of_w)
            back = subtracted(back, mark_offsets(back, job.mark, lost), keep=())
            _require(job, coefficient_digest(back) == of_o)
            _require(job, rebuild_coded(file.content, back).data == job.source)
        except VerificationError:
            raise
        except ReueError as error:
            raise _inexact(job) from error
        _require_near(job, again.raster.samples)

    return Copy(
        "JPEG",
        lambda record: with_record(protected, record),
        (of_o, of_w, of_p),
        content,
        lost,
        file,
        carried.withheld,
        prove,
    )


def _licensed(
    job: Job, found: Coefficients, beside: Beside
) -> tuple[Coefficients, bytes]:
    """W, and the mark's limits."""
    held = marked(found, job.mark[..., 0], job.mark_amplitude, job.epsilon, beside)
    return added(found, held.offsets), packed_limits(held.limits)


def _require_near(job: Job, samples: np.ndarray) -> None:
    if largest_difference(samples, job.raster.samples) > job.epsilon:
        raise VerificationError(
            f"{job.name}: a sample would change by more than {job.epsilon} "
            "gray levels, so it was not written; please report this file"
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


def beside_of(found: Coefficients, samples: np.ndarray) -> Beside:
    """The original as a decoder shows it; of CMYK files there are other samples."""
    known = samples.shape[2] == len(found.components)
    return Beside(found, samples if known else None)


def marked(
    found: Coefficients, mark: np.ndarray, share: int, epsilon: int, beside: Beside
) -> Held:
    """A mark as offsets: as little as leaves enough of it.

    Args:
        found: of the original.
        mark: ``(H, W)`` integers, what the mark would change pixels by.
        share: gray levels of it.
        epsilon: gray levels, of which the perturbation gets the rest.
        beside: the original as a decoder shows it.
    """
    wanted = targets(found, mark)
    least = share + share // 2
    most = max(least, epsilon - share)
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
