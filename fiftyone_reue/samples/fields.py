"""The fields that this plugin adds to a dataset, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from fiftyone_reue.errors import InputError
from fiftyone_reue.samples.database_errors import plain_errors, require_dataset

if TYPE_CHECKING:
    import fiftyone as fo

OWNER = "@reue/fiftyone-reue"

PROTECTED = "protected_filepath"
RESTORED = "restored_filepath"
REVEALED = "revealed_filepath"
PROTECTION = "protection"
LEAK = "leak"
REVEAL_AGREEMENT = "reveal_agreement"

BATCH = 500

T = TypeVar("T")

Lists = Callable[[list[str], list[str]], tuple[list[str], list[str]]]
"""New lists of releases and recipients from a sample's old ones."""


@dataclass(frozen=True)
class _Leaf:
    name: str
    kind: str
    description: str


_PROTECTION = (
    _Leaf("release", "StringField", "The release shown: whose copy this is"),
    _Leaf("recipient", "StringField", "Whom the copy shown was made for"),
    _Leaf("method", "StringField", "What the perturbation was made with"),
    _Leaf(
        "key_ref",
        "StringField",
        "Vault, release and key that restore the copy; a reference, not a secret",
    ),
    _Leaf("payload", "StringField", "The watermark's code bits, hexadecimal"),
    _Leaf("psnr", "FloatField", "Of the copy against the original, in dB"),
    _Leaf(
        "ssimulacra2",
        "FloatField",
        "How much alike copy and original look, up to 100; where it was measured",
    ),
    _Leaf(
        "unlearnability",
        "FloatField",
        "0 to 1: how much less a model learns of this image from protected copies",
    ),
    _Leaf("state", "StringField", "protected or failed"),
    _Leaf("error", "StringField", "Why protecting failed"),
    _Leaf("releases", "ListField", "Every release with a copy of this sample"),
    _Leaf("recipients", "ListField", "Everybody with a copy of this sample"),
)
_LEAK = (
    _Leaf(
        "decision",
        "StringField",
        "match, no-match, or undecided: rows of the ledger failed their check",
    ),
    _Leaf("recipient", "StringField", "Whose copy this set of suspects was made from"),
    _Leaf("p_value", "FloatField", "The chance, at most, of naming anybody wrongly"),
    _Leaf("original", "StringField", "The sample that this is a copy of"),
    _Leaf("original_filepath", "StringField", "That sample's file"),
    _Leaf("state", "StringField", "protected or licensed: which copy; or original"),
    _Leaf("exact", "BooleanField", "Whether its pixels are unchanged"),
    _Leaf("distance", "FloatField", "Difference to the copy matched, in gray levels"),
    _Leaf("payload", "StringField", "The code bits read, hexadecimal"),
    _Leaf("used", "BooleanField", "Whether it went into the evidence"),
    _Leaf("copies_of", "StringField", "Whose copies this image by itself points to"),
    _Leaf("originals_found", "IntField", "How many originals it shows, in a collage"),
    _Leaf("reason", "StringField", "Why it was not matched"),
)

LEAK_LEAVES = tuple(leaf.name for leaf in _LEAK)


@dataclass(frozen=True)
class Shown:
    """A sample's copy in one release, as its fields show it.

    Attributes:
        sample_id: whose.
        path: of the protected file.
        payload: the code bits as hex digits.
        psnr: in dB.
        unlearnability: 0 to 1, or None before it was measured.
        ssimulacra2: up to 100, or None where it wasn't measured.
    """

    sample_id: str
    path: str
    payload: str
    psnr: float
    unlearnability: float | None = None
    ssimulacra2: float | None = None


@dataclass(frozen=True)
class ReleaseInfo:
    """What the samples of a release have in common.

    Attributes:
        name: of the release, which is its run key.
        recipient: the recipient's name.
        method: what made the perturbation.
        key_ref: see :func:`key_reference`.
    """

    name: str
    recipient: str
    method: str
    key_ref: str


def key_reference(vault_id: str, release_id: str, key_id: str) -> str:
    """Says which key restores a copy, without telling anything about the key."""
    return f"reue:1:{vault_id}:{release_id}:{key_id}"


def declare_protection(dataset: fo.Dataset) -> None:
    """Add the fields that protecting writes, and the App's media field.

    Raises:
        InputError: the dataset has other fields with these names.
    """
    _declare_path(dataset, PROTECTED, "The protected copy of the release shown")
    _declare_document(dataset, PROTECTION, "The protected copy shown", _PROTECTION)
    _offer_media(dataset, PROTECTED)


def declare_restored(dataset: fo.Dataset) -> None:
    """Add the field that restoring writes, and the App's media field.

    Raises:
        InputError: the dataset has another field with this name.
    """
    _declare_path(dataset, RESTORED, "What the last restore gave back")
    _offer_media(dataset, RESTORED)


def declare_leak(dataset: fo.Dataset) -> None:
    """Add the fields that the extraction writes onto suspects.

    Raises:
        InputError: the dataset has another field with this name.
    """
    _declare_document(dataset, LEAK, "What the last leak check found", _LEAK)


def require_free(dataset: fo.Dataset, *names: str) -> None:
    """Refuse a run where the dataset has fields of its own that are called as ours.

    Verbs ask before they begin and declare what they write at their end, so that what
    is refused leaves no empty field.

    Raises:
        InputError: it has one.
    """
    for name in names:
        _require_free(dataset, name)


def declare_reveal(dataset: fo.Dataset) -> None:
    """Add the field that revealing writes.

    Raises:
        InputError: the dataset has another field with this name.
    """
    _require_free(dataset, REVEAL_AGREEMENT)
    _add(
        dataset,
        REVEAL_AGREEMENT,
        "FloatField",
        "-1 to 1: how well what is revealed in this image agrees with what was hidden",
    )


def declare_revealed(dataset: fo.Dataset) -> None:
    """Add the field for the pictures of what was revealed, and the App's media field.

    Raises:
        InputError: the dataset has another field with this name.
    """
    _declare_path(
        dataset,
        REVEALED,
        "A picture from the last reveal that made some: the image, the stripes found "
        "in it, the scene seen in them, the scene that was hidden",
    )
    _offer_media(dataset, REVEALED)


def shown_copies(dataset: fo.Dataset, sample_ids: Sequence[str]) -> dict[str, str]:
    """The protected copies that samples show, by sample."""
    field = dataset.get_field(PROTECTED)
    if field is None or (field.info or {}).get("owner") != OWNER:
        return {}
    with plain_errors():
        chosen = all_samples(dataset).select(list(sample_ids))
        rows = zip(*chosen.values(["id", PROTECTED]), strict=True)
        return {sample_id: path for sample_id, path in rows if path}


def show_copies(
    dataset: fo.Dataset, release: ReleaseInfo, copies: Sequence[Shown]
) -> None:
    """Point samples at their copies in a release."""
    lists = read_lists(dataset, [copy.sample_id for copy in copies])
    documents, paths = {}, {}
    for copy in copies:
        releases, recipients = lists.get(copy.sample_id, ([], []))
        paths[copy.sample_id] = copy.path
        documents[copy.sample_id] = _document(
            release=release.name,
            recipient=release.recipient,
            method=release.method,
            key_ref=release.key_ref,
            payload=copy.payload,
            psnr=copy.psnr,
            ssimulacra2=copy.ssimulacra2,
            unlearnability=copy.unlearnability,
            state="protected",
            error=None,
            releases=_with(releases, release.name),
            recipients=_with(recipients, release.recipient),
        )
    _write(dataset, {PROTECTED: paths, PROTECTION: documents})


def show_failures(
    dataset: fo.Dataset, release: ReleaseInfo, reasons: Mapping[str, str]
) -> None:
    """Say of samples why they have no copy in the release that is shown."""
    for some in _batches(reasons):
        lists = read_lists(dataset, some)
        documents = {
            sample_id: _absent(
                *lists.get(sample_id, ([], [])),
                release=release.name,
                recipient=release.recipient,
                method=release.method,
                state="failed",
                error=reasons[sample_id],
            )
            for sample_id in some
        }
        paths = dict.fromkeys(some)
        _write(dataset, {PROTECTED: paths, PROTECTION: documents})


def show_nothing(
    dataset: fo.Dataset,
    sample_ids: Iterable[str],
    lists_of: Lists,
) -> None:
    """Take the copy shown away from samples.

    Args:
        dataset: theirs.
        sample_ids: which.
        lists_of: gives their new lists of releases and recipients from the old ones.
    """
    for some in _batches(sample_ids):
        lists = read_lists(dataset, some)
        documents = {}
        for sample_id in some:
            releases, recipients = lists_of(*lists.get(sample_id, ([], [])))
            documents[sample_id] = _absent(releases, recipients) if releases else None
        _write(dataset, {PROTECTED: dict.fromkeys(some), PROTECTION: documents})


def samples_showing(dataset: fo.Dataset, release: str | None) -> set[str]:
    """The samples whose fields show a copy in a release; None for any release.

    Samples whose fields say that they failed in it count only for None.
    """
    if dataset.get_field(PROTECTION) is None:
        return set()
    paths = ["id", f"{PROTECTION}.release", f"{PROTECTION}.state", PROTECTED]
    with plain_errors():
        rows = zip(*all_samples(dataset).values(paths), strict=True)
        if release is None:
            return {row[0] for row in rows if any(row[1:])}
        return {
            sample_id
            for sample_id, name, state, path in rows
            if name == release and state == "protected" and path
        }


def samples_of_state(dataset: fo.Dataset, state: str) -> Any:
    """The samples whose fields say "protected" or "failed"."""
    from fiftyone import ViewField

    return all_samples(dataset).match(ViewField(f"{PROTECTION}.state") == state)


def write_lists(
    dataset: fo.Dataset, sample_ids: Iterable[str], lists_of: Lists
) -> None:
    """Change which releases and recipients samples list, and nothing else of them."""
    for some in _batches(sample_ids):
        lists = read_lists(dataset, some)
        new = {key: lists_of(*lists.get(key, ([], []))) for key in some}
        columns = {
            f"{PROTECTION}.releases": {key: pair[0] for key, pair in new.items()},
            f"{PROTECTION}.recipients": {key: pair[1] for key, pair in new.items()},
        }
        _write(dataset, columns)


def read_lists(
    dataset: fo.Dataset, sample_ids: Sequence[str]
) -> dict[str, tuple[list[str], list[str]]]:
    """Which releases and recipients have a copy of these samples, by sample."""
    paths = ["id", f"{PROTECTION}.releases", f"{PROTECTION}.recipients"]
    with plain_errors():
        chosen = all_samples(dataset).select(list(sample_ids))
        rows = zip(*chosen.values(paths), strict=True)
        return {row[0]: (list(row[1] or []), list(row[2] or [])) for row in rows}


def write_leaks(dataset: fo.Dataset, leaks: Mapping[str, dict[str, Any]]) -> None:
    """Write what an extraction found, by sample."""
    for some in _batches(leaks):
        found = {key: _document(**leaks[key]) for key in some}
        _write(dataset, {LEAK: found})


def write_values(dataset: fo.Dataset, path: str, values: Mapping[str, Any]) -> None:
    """Write one declared field or leaf of samples."""
    for some in _batches(values):
        _write(dataset, {path: {key: values[key] for key in some}})


def all_samples(dataset: fo.Dataset) -> Any:
    """A dataset's samples, of all slices where it has groups."""
    if dataset.media_type == "group":
        return dataset.select_group_slices(_allow_mixed=True)
    return dataset


def _absent(
    releases: list[str], recipients: list[str], **leaves: Any
) -> fo.DynamicEmbeddedDocument:
    empty: dict[str, Any] = {leaf.name: None for leaf in _PROTECTION}
    empty.update(leaves, releases=releases, recipients=recipients)
    return _document(**empty)


def _document(**leaves: Any) -> fo.DynamicEmbeddedDocument:
    import fiftyone as fo

    return fo.DynamicEmbeddedDocument(**leaves)


def _write(dataset: fo.Dataset, columns: Mapping[str, Mapping[str, Any]]) -> None:
    require_dataset(dataset)
    with plain_errors():
        for path, values in columns.items():
            if values:
                dataset.set_values(path, dict(values), key_field="id", progress=False)


def _declare_path(dataset: fo.Dataset, name: str, description: str) -> None:
    _require_free(dataset, name)
    _add(dataset, name, "StringField", description)


def _declare_document(
    dataset: fo.Dataset, name: str, description: str, leaves: Sequence[_Leaf]
) -> None:
    import fiftyone as fo

    _require_free(dataset, name)
    _add(
        dataset,
        name,
        "EmbeddedDocumentField",
        description,
        embedded_doc_type=fo.DynamicEmbeddedDocument,
    )
    for leaf in leaves:
        inner = {"subfield": fo.StringField} if leaf.kind == "ListField" else {}
        path = f"{name}.{leaf.name}"
        _add(dataset, path, leaf.kind, leaf.description, **inner)


def _add(
    dataset: fo.Dataset, path: str, kind: str, description: str, **options: Any
) -> None:
    import fiftyone as fo

    if dataset.get_field(path) is not None:
        return
    with plain_errors():
        dataset.add_sample_field(
            path,
            getattr(fo, kind),
            description=description,
            info={"owner": OWNER},
            **options,
        )


def _require_free(dataset: fo.Dataset, name: str) -> None:
    field = dataset.get_field(name)
    if field is not None and (field.info or {}).get("owner") != OWNER:
        raise InputError(
            f"The dataset has a field {name!r} of its own, which the plugin needs for "
            "itself; rename yours"
        )


def _offer_media(dataset: fo.Dataset, name: str) -> None:
    fields = list(dataset.app_config.media_fields)
    if name not in fields:
        dataset.app_config.media_fields = [*fields, name]
        with plain_errors():
            dataset.save()


def _with(names: list[str], name: str) -> list[str]:
    return names if name in names else [*names, name]


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(items)
    while some := list(islice(remaining, BATCH)):
        yield some
