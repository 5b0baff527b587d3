"""Pack a dataset's release to be handed over, with labels in usual formats."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiftyone_reue.batch.folders import whole_path
from fiftyone_reue.errors import InputError
from fiftyone_reue.names.filenames import component
from fiftyone_reue.progress import Progress
from fiftyone_reue.samples import fields, runs
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.progress_bars import ProgressOption, run
from fiftyone_reue.samples.releases import find_release
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.package import PackageSummary, package_release

if TYPE_CHECKING:
    import fiftyone as fo

FORMATS = {
    "Classifications": "FiftyOneImageClassificationDataset",
    "Detections": "COCODetectionDataset",
    "Polylines": "COCODetectionDataset",
    "Segmentation": "ImageSegmentationDirectory",
}
"""FiftyOne's exporter of labels that take a file, or a folder, of their own."""

TABLE = "samples.csv"
"""File names, tags, classes and plain values; all that a line can hold."""


def packable_fields(dataset: fo.Dataset) -> list[str]:
    """The fields that a package can hold: labels of the kinds above, plain values.

    Example::

        print(reue.packable_fields(dataset))     # ["ground_truth", "boxes", "licence"]

    Args:
        dataset: the release's.
    """
    schema = dataset.get_field_schema(flat=False)
    ours = {fields.PROTECTION, "leak", "id", "filepath", "metadata", "tags"}
    return [
        name
        for name, field in schema.items()
        if name not in ours
        and not name.endswith("_filepath")
        and (_kind(field) in FORMATS or _in_table(name, field) is not None)
    ]


def package_samples(
    dataset: fo.Dataset,
    release: str,
    output: str | os.PathLike[str],
    *,
    fields: Sequence[str] | None = None,
    terms: str | os.PathLike[str] | None = None,
    format: str | None = None,
    vault: Vault | None = None,
    progress: ProgressOption = None,
) -> PackageSummary:
    """Pack a release to be handed over: copies, labels, what to do, terms, commitment.

    Boxes and polylines go as COCO, masks as images, several classes of an image as
    JSON; tags, classes and plain values as a table. FiftyOne's exporters write them.
    The recipient's key isn't in it; it goes by another way.

    Example::

        path = Path("for_alice.zip").resolve()
        reue.package_samples(dataset, "alice_1", path, fields=["ground_truth"])

    Args:
        dataset: the release's.
        release: its name.
        output: a new folder, or a new file that ends in ``.zip``; the whole path.
        fields: what of the samples goes along, see :func:`packable_fields`; None for
            the field that the release took its classes from.
        terms: a text file with what the recipient may do.
        format: "folder" or "zip", else what ``output`` says; "parquet" or
            "webdataset": a folder as these programs read it.
        vault: by default the one in FiftyOne's database.
        progress: as in FiftyOne's own functions.

    Raises:
        InputError: the release isn't finished, copies aren't what was made, a field
            can't be packed, or the output is there already.
        RevokedKeyError: the recipient was revoked.
        MissingPackageError: what writes this format isn't installed.
        OutputError: it can't be written.
    """
    steps = package_steps(
        dataset,
        release,
        output,
        fields=fields,
        terms=terms,
        format=format,
        vault=vault,
    )
    return run(steps, progress)


def package_steps(
    dataset: fo.Dataset,
    release: str,
    output: str | os.PathLike[str],
    *,
    fields: Sequence[str] | None = None,
    terms: str | os.PathLike[str] | None = None,
    format: str | None = None,
    vault: Vault | None = None,
) -> Generator[Progress, None, PackageSummary]:
    """See :func:`package_samples`; closing the generator cancels."""
    path = whole_path(output)
    vault = vault or open_vault()
    found = find_release(vault, dataset, release)
    wanted = _default_fields(dataset, release) if fields is None else list(fields)
    _check_fields(dataset, wanted)
    yield Progress(0.0, "Exporting the labels")
    labels = _labels(vault, dataset, found, wanted)
    steps = package_release(
        vault,
        found,
        path,
        terms=None if terms is None else whole_path(terms),
        labels=labels,
        format=format,
    )
    return (yield from steps)


def _default_fields(dataset: fo.Dataset, release: str) -> list[str]:
    config = runs.get_config(dataset, release) or {}
    name = str(config.get("label_field") or "").split(".")[0]
    return [name] if name in packable_fields(dataset) else []


def _check_fields(dataset: fo.Dataset, wanted: Sequence[str]) -> None:
    known = packable_fields(dataset)
    for name in wanted:
        if name not in known:
            can = ", ".join(known) or "none"
            raise InputError(
                f"The field {name!r} can't go into a package; these can: {can}"
            )


def _kind(field: Any) -> str:
    document = getattr(field, "document_type", None)
    return "" if document is None else str(document.__name__)


def _in_table(name: str, field: Any) -> str | None:
    """The path of what goes into the table of a field; None if nothing does."""
    import fiftyone as fo

    if _kind(field) == "Classification":
        return f"{name}.label"
    plain = (
        fo.StringField,
        fo.IntField,
        fo.FloatField,
        fo.BooleanField,
        fo.DateField,
        fo.DateTimeField,
    )
    return name if isinstance(field, plain) else None


def _labels(
    vault: Vault, dataset: fo.Dataset, release: Release, wanted: Sequence[str]
) -> dict[str, bytes]:
    """The files of the labels by their names, made by FiftyOne's exporters."""
    outputs = {r.sample_id: r.output for r in vault.ledger.records(release.id)}
    with plain_errors(), tempfile.TemporaryDirectory() as made:
        view = fields.all_samples(dataset).select(list(outputs), ordered=False)
        copied = view.select_fields([*wanted]).clone()
        try:
            ids = copied.values("id")
            root = Path(release.output)
            copied.set_values("filepath", [str(root / outputs[one]) for one in ids])
            folder = Path(made)
            for name in wanted:
                _export(copied, name, folder, release)
            _export_table(copied, wanted, folder, release)
        finally:
            copied.delete()
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def _export(copied: fo.Dataset, name: str, folder: Path, release: Release) -> None:
    """Write a field's labels, if they take a file or folder of their own."""
    import fiftyone as fo

    form = FORMATS.get(_kind(copied.get_field(name)))
    if form is None:
        return
    target = folder / component(name)
    masks = form == "ImageSegmentationDirectory"
    copied.export(
        dataset_type=getattr(fo.types, form),
        labels_path=str(target if masks else target.with_name(f"{target.name}.json")),
        label_field=name,
        export_media=False,
        rel_dir=release.output,
        progress=False,
    )


def _export_table(
    copied: fo.Dataset, wanted: Sequence[str], folder: Path, release: Release
) -> None:
    import fiftyone as fo

    paths = [_in_table(name, copied.get_field(name)) for name in wanted]
    copied.export(
        dataset_type=fo.types.CSVDataset,
        labels_path=str(folder / TABLE),
        fields=["filepath", "tags", *filter(None, paths)],
        export_media=False,
        rel_dir=release.output,
        progress=False,
    )
