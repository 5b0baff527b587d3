"""A dataset or view as a job: which samples, of which class, from which files."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Failure
from fiftyone_reue.batch.regions import BACKGROUND, Regions
from fiftyone_reue.errors import InputError, UnreadableImageError
from fiftyone_reue.names.display import printable
from fiftyone_reue.names.filenames import component, portable
from fiftyone_reue.samples.database_errors import plain_errors, require_dataset
from fiftyone_reue.samples.regions import regions_of
from fiftyone_reue.samples.several_labels import (
    BOXES,
    LABELS,
    MASK,
    list_of,
    of_boxes,
    of_labels,
)
from fiftyone_reue.stores.address import is_url

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc

_OTHER_MEDIA = {
    "video": "a video",
    "point-cloud": "a point cloud",
    "3d": "a 3D scene",
}
_STEM_BYTES = 120
"""Of an original's name so much goes into its copy's."""

_OWN_FIELDS = (
    "filepath",
    "protected_filepath",
    "restored_filepath",
    "revealed_filepath",
)


@dataclass(frozen=True)
class Job:
    """What can be worked on, and what can't.

    Attributes:
        items: one for each usable sample, its output named for class and sample.
        failures: one for each other sample, with the reason.
    """

    items: list[Item]
    failures: list[Failure]

    @property
    def total(self) -> int:
        """Samples in the job."""
        return len(self.items) + len(self.failures)


def dataset_of(samples: foc.SampleCollection) -> fo.Dataset:
    """The dataset that samples belong to, as it is in the database now.

    Raises:
        InputError: the view shows patches, frames or clips, not the samples; or the
            dataset was deleted.
    """
    if samples._is_generated:
        raise InputError(
            "This view shows patches, frames or clips; go back to the samples and "
            "choose those that you want"
        )
    dataset = samples._root_dataset
    require_dataset(dataset)
    with plain_errors():
        dataset.reload()  # another process may have added fields or runs
    return dataset


def source_of(dataset: fo.Dataset) -> str:
    """What a release of this dataset has as its source; outlives a renaming."""
    return f"fiftyone:{dataset._doc.id}"


def require_images(samples: foc.SampleCollection) -> None:
    """Raise unless there are samples, and of a kind that images are of.

    Raises:
        InputError: there are none, or all are videos, point clouds or 3D scenes.
    """
    kind = _OTHER_MEDIA.get(samples.media_type or "")
    if kind is not None:
        raise InputError(
            f"Each sample of {samples._root_dataset.name} is {kind}; only images can "
            "be used"
        )
    with plain_errors():
        none = not samples.limit(1).count()
    if none and samples is samples._root_dataset:
        raise InputError("The dataset has no samples; add images to it first")


def slice_text(samples: foc.SampleCollection) -> str:
    """Which of a group's images are taken, a sentence with a space before it.

    FiftyOne runs on the slice that is shown, whatever its form says of all slices.
    """
    if samples.media_type != "group":
        return ""
    others = sorted(set(samples.group_slices or ()) - {samples.group_slice})
    if not others:
        return ""
    return (
        f" These are of slice {samples.group_slice!r} alone, which is shown; of the "
        f"others ({', '.join(others)}) nothing is taken: show one, and run it again."
    )


def label_fields(dataset: fo.Dataset) -> list[str]:
    """The fields that a class can be taken from.

    Those with one Classification a sample first, then strings, then Detections,
    Segmentation and Classifications.
    """
    import fiftyone as fo

    strings = dataset.get_field_schema(ftype=fo.StringField)
    own = [name for name in strings if name not in _OWN_FIELDS]
    several = [
        name
        for kind in (fo.Detections, fo.Segmentation, fo.Classifications)
        for name in _fields_of(dataset, kind)
    ]
    return [*_fields_of(dataset, fo.Classification), *own, *several]


def label_path(dataset: fo.Dataset, field: str | None) -> str:
    """The path of the class labels.

    Args:
        dataset: the dataset.
        field: a Classification, string, Detections, Segmentation or Classifications
            field, or its path down to ``label``, or ``mask``; None takes the only
            Classification field there is.

    Raises:
        InputError: there is no such field, or none or several to choose from.
    """
    import fiftyone as fo

    if field is None:
        return _only_classification(dataset)
    schema = dataset.get_field_schema(flat=True)
    found = schema.get(field)
    if isinstance(found, fo.StringField) and not _below_other_list(schema, field):
        return field
    mask_field = field.removesuffix(f".{MASK}")
    if mask_field in _fields_of(dataset, fo.Segmentation):
        return f"{mask_field}.{MASK}"
    if isinstance(found, fo.EmbeddedDocumentField):
        for inner in ("label", f"{BOXES}.label", f"{LABELS}.label"):
            path = f"{field}.{inner}"
            if isinstance(schema.get(path), fo.StringField):
                return path
    if found is None:
        problem = f"The dataset has no field {field!r}"
    else:
        problem = f"The field {field!r} doesn't hold one class a sample"
    raise InputError(f"{problem}; {_choices(dataset)}")


def _only_classification(dataset: fo.Dataset) -> str:
    import fiftyone as fo

    found = _fields_of(dataset, fo.Classification)
    if len(found) == 1:
        return f"{found[0]}.label"
    if found:
        raise InputError(
            f"The dataset has {len(found)} fields with classes; say which one to use "
            f"(label_field): {', '.join(found)}"
        )
    raise InputError(
        "The dataset has no Classification field, and the perturbation is made class "
        f"by class; {_choices(dataset)}"
    )


def _fields_of(dataset: fo.Dataset, kind: type) -> list[str]:
    import fiftyone as fo

    schema = dataset.get_field_schema(
        ftype=fo.EmbeddedDocumentField, embedded_doc_type=kind
    )
    return list(schema)


def _below_other_list(schema: dict[str, Any], path: str) -> bool:
    """Whether a sample has several values there, and no rule says which counts."""
    import fiftyone as fo

    if list_of(path) is not None:
        return False
    parts = path.split(".")
    above = (".".join(parts[:end]) for end in range(1, len(parts)))
    return any(isinstance(schema.get(name), fo.ListField) for name in above)


def _labels(samples: foc.SampleCollection, path: str) -> list[Any]:
    """Each sample's class, by the rules for several labels where it has several."""
    through = list_of(path)
    if through is None:
        return _values(samples, path)[0]
    if through == LABELS:
        return [of_labels(some) for some in _values(samples, path)[0]]
    if through == MASK:
        found = (regions.label for regions in regions_of(samples, path))
        return [None if label == BACKGROUND else label for label in found]
    boxes = f"{path.removesuffix('.label')}.bounding_box"
    both = _values(samples, path, boxes)
    return [of_boxes(*one) for one in zip(*both, strict=True)]


def _choices(dataset: fo.Dataset) -> str:
    names = label_fields(dataset)
    if not names:
        return "add a Classification field with each sample's class, or choose clusters"
    return f"choose as label_field one of: {', '.join(names)}; or choose clusters"


IN_A_STORE = (
    "its file is in a store; have it mounted or fetched, or protect the store itself "
    "with reue protect"
)
"""Whoever can write a dataset could else have this machine ask any address."""


def has_regions(path: str) -> bool:
    """Whether labels of this path say where in an image a class is."""
    return list_of(path) in (BOXES, MASK)


def labelled_job(
    samples: foc.SampleCollection, path: str, *, regions: bool = False
) -> Job:
    """The originals of some samples, with their classes.

    Args:
        samples: a dataset or view; of groups, the active slice.
        path: of the class labels, see :func:`label_path`.
        regions: whether each is to have its regions, of a path that has some.

    Raises:
        InputError: the view leaves out the label field.
    """
    ids, files = _values(samples, "id", "filepath")
    origin = source_of(samples._root_dataset)
    items: list[Item] = []
    failures: list[Failure] = []
    if regions:
        places = regions_of(samples, path)
        for sample_id, file, found in zip(ids, files, places, strict=True):
            made = _with_regions(sample_id, file, found, origin)
            (items if isinstance(made, Item) else failures).append(made)  # type: ignore[arg-type]
        return Job(items, failures)
    labels = _labels(samples, path)
    for sample_id, file, label in zip(ids, files, labels, strict=True):
        reason = _unusable(file)
        if reason is None and not isinstance(label, str):
            reason = f"it has no class in {path}; label it"
        if reason is not None:
            failures.append(Failure(sample_id, file, reason))
            continue
        output = f"{component(label)}/{_file_name(file, origin, sample_id)}"
        items.append(Item(sample_id, file, label, output))
    return Job(items, failures)


def _with_regions(
    sample_id: str, file: str, regions: Regions, origin: str
) -> Item | Failure:
    reason = _unusable(file)
    try:
        label = regions.label
    except UnreadableImageError as error:
        reason = reason or str(error)
    if reason is not None:
        return Failure(sample_id, file, reason)
    output = _file_name(file, origin, sample_id)
    return Item(sample_id, file, label, output, regions=regions)


def count_classes(samples: foc.SampleCollection, path: str) -> dict[str | None, int]:
    """How many samples have each class; those under None have none.

    Args:
        samples: a dataset or view.
        path: of the class labels, see :func:`label_path`.

    Raises:
        InputError: the view leaves out the label field.
    """
    if list_of(path) is not None:
        return dict(Counter(_labels(samples, path)))
    with plain_errors():
        try:
            return dict(samples.count_values(path))
        except ValueError as error:
            raise _left_out(error) from error


def unlabelled_job(samples: foc.SampleCollection) -> Job:
    """The files of some samples, whatever they are labelled."""
    ids, files = _values(samples, "id", "filepath")
    origin = source_of(samples._root_dataset)
    items: list[Item] = []
    failures: list[Failure] = []
    for sample_id, file in zip(ids, files, strict=True):
        reason = _unusable(file)
        if reason is None:
            output = _file_name(file, origin, sample_id)
            items.append(Item(sample_id, file, None, output))
        else:
            failures.append(Failure(sample_id, file, reason))
    return Job(items, failures)


def sample_ids(samples: foc.SampleCollection) -> list[str]:
    """The samples' ids, in order."""
    (ids,) = _values(samples, "id")
    return ids


def short_reason(failure: Failure) -> str:
    """A failure's reason without the sample id in front of it."""
    return failure.reason.removeprefix(f"{failure.sample_id}: ")


def describe(failures: list[Failure], count: int = 3) -> str:
    """A few failures as lines of text, by file name, and how many more there are."""
    some = failures[:count]
    names = told_apart([one.path for one in some])
    reasons = [
        f"{name}: {short_reason(one)}" for name, one in zip(names, some, strict=True)
    ]
    lines = [printable(line) for line in reasons]
    if len(failures) > count:
        lines.append(f"... and {len(failures) - count} more")
    return "\n".join(lines)


def told_apart(files: Sequence[str]) -> list[str]:
    """Files' names, with so many of their folders as keep them apart."""
    parts = [Path(file).parts for file in files]
    most = max(map(len, parts), default=1)
    for taken in range(1, most):
        names = ["/".join(one[-taken:]) for one in parts]
        if len(set(names)) == len(set(files)):
            return names
    return list(files)


def former_name(text: str) -> str:
    """The folder that earlier versions gave a dataset or recipient by default."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip(". ")[:80]
    return name or "_"


def tag(origin: str, sample_id: str) -> str:
    """What keeps a sample's copy apart from others of its file name.

    A sample's id is the owner's and tells when it was made; this tells nothing to
    whoever doesn't know the dataset's id, and stays the same.

    Args:
        origin: see :func:`source_of`.
        sample_id: which.

    Returns:
        12 hex digits.
    """
    return hashlib.sha256(f"{origin}\0{sample_id}".encode()).hexdigest()[:12]


def under_their_own_names(dataset: fo.Dataset, items: list[Item]) -> list[Item]:
    """Items whose outputs have the originals' names, where one sample alone has it.

    One stands for a name if no other sample's file has it, or none in a folder of that
    name where folders are classes. The others keep what keeps them apart.

    Args:
        dataset: of all samples, not only these.
        items: with outputs of ``class/name-tag``.
    """
    from fiftyone_reue.samples.fields import all_samples

    rows = zip(*all_samples(dataset).values(["id", "filepath"]), strict=True)
    named = {
        sample_id: (Path(file).parent.name, portable(Path(file).stem, _STEM_BYTES))
        for sample_id, file in rows
    }
    whole = Counter(stem.casefold() for _, stem in named.values())
    below = Counter(f"{folder}/{stem}".casefold() for folder, stem in named.values())
    renamed = []
    for item in items:
        folder, _, _ = item.output.rpartition("/")
        parent, stem = named[item.sample_id]
        alone = whole[stem.casefold()] == 1 or (
            parent == folder and below[f"{parent}/{stem}".casefold()] == 1
        )
        output = f"{folder}/{stem}" if folder and alone else item.output
        renamed.append(replace(item, output=output))
    return renamed


def _file_name(file: str, origin: str, sample_id: str) -> str:
    return f"{portable(Path(file).stem, _STEM_BYTES)}-{tag(origin, sample_id)}"


def _unusable(file: str) -> str | None:
    import fiftyone.core.media as fom

    if is_url(file):
        return IN_A_STORE
    kind = _OTHER_MEDIA.get(fom.get_media_type(file))
    return None if kind is None else f"it is {kind}; only images can be used"


def _values(samples: foc.SampleCollection, *paths: str) -> list[list[Any]]:
    with plain_errors():
        try:
            return samples.values(list(paths))
        except ValueError as error:
            raise _left_out(error) from error


def _left_out(error: ValueError) -> InputError:
    return InputError(
        f"The view leaves out a field that is needed ({error}); use a view with all "
        "fields"
    )
