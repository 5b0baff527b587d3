"""What kind of files a release will have, and how large, before it is made."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_reue.batch.classes import described
from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.media import jpeg
from fiftyone_reue.names.display import count, file_size
from fiftyone_reue.perturb.class_map import ClassMap
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.releases.config import DEFAULT_METHOD
from fiftyone_reue.releases.prepare import require_empty
from fiftyone_reue.samples import runs, source
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.several_labels import MASK, list_of
from fiftyone_reue.samples.vaults import open_ledger

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc

JPEG_GROWTH, PNG_GROWTH = 1.1, 10
"""About how much larger copies of JPEG files are, as JPEG and as PNG."""

LOOKED_AT = 200
"""Of files whose size isn't in the samples' metadata so many are looked at."""


@dataclass(frozen=True)
class Expected:
    """What can be known of a choice in a form.

    Attributes:
        text: what it leads to, a sentence; "" if there is nothing to say.
        problem: why it can't be, and what to do; None if it can.
    """

    text: str = ""
    problem: str | None = None


@plain_errors()
def expected_classes(
    samples: foc.SampleCollection,
    label_field: str,
    *,
    method: str = DEFAULT_METHOD,
    whole_images: bool = False,
) -> Expected:
    """The classes that a perturbation is made for, with how many images each has.

    Args:
        samples: a dataset or view.
        label_field: as for :func:`fiftyone_reue.samples.protect_samples`.
        method: what is chosen.
        whole_images: likewise.
    """
    try:
        source.require_images(samples)
        path = source.label_path(samples._root_dataset, label_field)
        if source.has_regions(path) and not whole_images:
            return _expected_regions(samples, path, method)
        counts = source.count_classes(samples, path)
    except InputError as error:
        return Expected(problem=str(error))
    found = {name: images for name, images in counts.items() if name is not None}
    unlabelled = counts.get(None, 0)
    text = f"{described(dict(sorted(found.items())))}.{source.slice_text(samples)}"
    if unlabelled:
        text += f" {unlabelled:,} without a class can't be protected."
    if not found:
        return Expected(
            problem=f"No image has a class in {label_field}; choose another"
        )
    if len(found) == 1:
        problem = (
            f"All images are of one class, {next(iter(found))!r}, and at least two are "
            "needed for a classifier to be misled; choose another field or other images"
        )
        return Expected(text, problem)
    return Expected(text)


def _expected_regions(
    samples: foc.SampleCollection, path: str, method: str
) -> Expected:
    """The same where each region is of a class."""
    try:
        create_method(method).by_region(ClassMap((), np.zeros((1, 1), np.uint8)))
    except InputError:
        return Expected(
            problem=f"Method {method} makes its change for a whole image: choose rue, "
            "or perturb whole images by their largest region's class (More settings)"
        )
    beside = "what is beside them keeps the image's own texture."
    if list_of(path) == MASK:
        return Expected(f"Each region of the masks gets its own class's; {beside}")
    boxes = samples.count_values(path)
    found = {name: number for name, number in boxes.items() if name is not None}
    if not found:
        return Expected(problem=f"No image has a box in {path}; choose another field")
    boxes_of = count(sum(found.values()), "box", "boxes")
    text = f"{boxes_of} of {count(len(found), 'class', 'classes')}"
    return Expected(f"{text}: each gets its own class's texture, and {beside}")


@plain_errors()
def expected_clusters(samples: foc.SampleCollection, clusters: int) -> Expected:
    """Whether there are enough images for so many clusters."""
    images = samples.count()
    if clusters > images:
        return Expected(
            problem=f"{count(images, 'image')} can't be in {clusters} clusters; choose "
            "fewer clusters, or more images"
        )
    return Expected()


@plain_errors()
def expected_release(
    dataset: fo.Dataset,
    recipient: str,
    output: Path,
    *,
    method: str,
    epsilon: float,
) -> Expected:
    """What making copies for somebody in a folder will do.

    Args:
        dataset: of the originals.
        recipient: the recipient's name.
        output: the folder.
        method: what is chosen.
        epsilon: likewise.
    """
    ledger = open_ledger()
    output = output.resolve()
    here = next((r for r in ledger.releases() if r.output == str(output)), None)
    if here is None:
        problem = _folder_problem(dataset, output)
        return Expected("" if problem else _among_originals(dataset, output), problem)
    holder = ledger.recipient(here.recipient_id)
    holds = f"{output} holds release {here.name}"
    if holder is not None and holder.name != recipient:
        problem = f"{holds}, which is for {holder.name}; choose another folder"
        return Expected(problem=problem)
    have = count(ledger.count_records(here.id), "copy", "copies")
    run = runs.get_config(dataset, here.name) or {}
    was = here.method, float(run.get("epsilon") or epsilon)
    if was != (method, float(epsilon)):
        if here.state != "done":
            return Expected("What an earlier run left unfinished stays apart.")
        return Expected(
            problem=f"{holds} with method {was[0]} and largest change {was[1]:g}. "
            f"Choose these to add images to it; {_NEW}"
        )
    return Expected(
        f"This goes on with release {here.name}, which has {have}: only "
        f"images that it lacks, or that changed, are made and added; {_NEW}."
    )


_NEW = "for a new release give it a name (More settings)"


@plain_errors()
def holds_originals(dataset: fo.Dataset, folder: Path) -> bool:
    """Whether the files of a dataset's samples are in a folder, or below it."""
    below = f"^{re.escape(str(folder.resolve()))}/"
    return bool(_of_path(dataset, below).limit(1).count())


def _among_originals(dataset: fo.Dataset, output: Path) -> str:
    """A word on a folder that lies beside originals or their folders."""
    above = output.parent
    if not holds_originals(dataset, above):
        return ""
    return (
        f"{above} holds originals too: who adds that folder to a dataset again, or "
        "protects it with a command, takes the copies for originals."
    )


def _folder_problem(dataset: fo.Dataset, output: Path) -> str | None:
    """Why no release can be begun in a folder."""
    if holds_originals(dataset, output):
        return f"{output} holds the originals; choose another folder"
    try:
        require_empty(output)
    except ReueError as error:
        return str(error)
    return None


@plain_errors()
def expected_files(samples: foc.SampleCollection, carrier: str) -> str:
    """What the copies of JPEG files will be, in a sentence or two.

    Args:
        samples: a dataset or view.
        carrier: "auto" or "pixels".

    Returns:
        Text. The size is the samples' metadata's, or where that lacks it is estimated
        from some of the files; nothing is said of it where none of these is there.
    """
    ends = "|".join(suffix[1:] for suffix in jpeg.CARRIER.suffixes)
    files = _of_path(samples, rf"(?i)\.({ends})$")
    jpegs, total = files.count(), samples.count()
    if not jpegs:
        return "No sample is a JPEG file; copies are written without any loss."
    growth = PNG_GROWTH if carrier == "pixels" else JPEG_GROWTH
    one = jpegs == 1
    are = "is a JPEG file" if one else "are JPEG files"
    become = (
        ("stays one" if one else "stay JPEG files")
        if carrier != "pixels"
        else ("becomes a PNG file" if one else "become PNG files")
    )
    text = f"{jpegs:,} of {total:,} {are} and {become}, about {growth} times as large"
    size = _size(files, jpegs)
    if size:
        text += f": {file_size(size)} become {file_size(growth * size)}"
    if jpegs == total:
        return f"{text}."
    return f"{text}. The others are written without any loss, as PNG if need be."


def _of_path(samples: foc.SampleCollection, pattern: str) -> Any:
    """Those whose files' paths match; found in FiftyOne's index of these.

    An expression of FiftyOne's would have the database read every sample.
    """
    return samples.match({"filepath": {"$regex": pattern}})


def _size(files: Any, number: int) -> float:
    """Bytes of all files, or about so many; 0 where it can't be told."""
    import fiftyone as fo

    few = files.limit(LOOKED_AT)
    if None not in few.values("metadata.size_bytes"):
        field = "metadata.size_bytes"
        known, size = files.aggregate([fo.Count(field), fo.Sum(field)])
        return number * size / known
    # Two looks, at both ends: reading all paths takes seconds where there are many.
    half = LOOKED_AT // 2
    paths = [*few.limit(half).values("filepath")]
    if number > half:
        rest = files.skip(max(half, number - half))
        paths += rest.values("filepath")
    sizes = list(_sizes(paths))
    return number * sum(sizes) / len(sizes) if sizes else 0.0


def _sizes(paths: Iterable[str]) -> Iterator[int]:
    for path in paths:
        try:
            yield os.stat(path).st_size
        except OSError:
            continue  # protecting will say so
