"""Package: all that a recipient is handed but their key, in one folder or file."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.media.codec import read_file
from fiftyone_reue.names import contained
from fiftyone_reue.names.display import printable
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.changes import digest_of, is_copy
from fiftyone_reue.releases.lookup import require_apart
from fiftyone_reue.stores.address import Place, place
from fiftyone_reue.vault.commitments import list_commitments
from fiftyone_reue.vault.entities import (
    ANNOTATED_DIGEST,
    LICENCE_OF,
    Recipient,
    Record,
    Release,
)
from fiftyone_reue.vault.vault import PUBLISHED, Vault
from fiftyone_reue.watermark.commitment import Commitment
from fiftyone_reue.workflows.package_card import (
    COMMITMENT,
    LABELS,
    TERMS,
    Told,
    card,
    readme,
)
from fiftyone_reue.workflows.package_writers import (
    FOLDER,
    IMAGES,
    PARQUET,
    ZIPPED,
    Copied,
    format_of,
    import_parquet,
    writing,
)

README, CARD = "README.txt", "README.md"

MOST_TERMS = 4 << 20
"""Bytes of a text of terms."""

_BATCH, _BATCH_BYTES = 256, 32 << 20
"""So many files, or bytes, are held and written together."""

_SHOWN = 3


@dataclass(frozen=True)
class PackageSummary:
    """What was packed.

    Attributes:
        path: the folder or file.
        release: the release's name.
        recipient: for whom.
        images: how many copies.
        bytes: of all files.
        left_out: how many images of the source have no copy, having failed.
    """

    path: str
    release: str
    recipient: str
    images: int
    bytes: int
    left_out: int


def package_release(
    vault: Vault,
    release: Release,
    output: Path,
    *,
    terms: Path | None = None,
    labels: Mapping[str, bytes] | None = None,
    format: str | None = None,
) -> Generator[Progress, None, PackageSummary]:
    """Pack a release for whom it is for: copies, labels, terms, and what to do.

    The key isn't in it: it goes by another way. Every copy is compared with what was
    made; a package is there whole or not at all.

    Args:
        vault: the owner's.
        release: which; its folder must be there.
        output: a new folder, or a new file that ends in ``.zip``.
        terms: a text, what the recipient may do.
        labels: contents of files by their names, to be put below ``labels/``.
        format: "folder" or "zip", else what ``output`` says; "parquet" or
            "webdataset": a folder as ``datasets`` or ``webdataset`` reads it, with the
            copies' files byte for byte, their classes and a card.

    Yields:
        Progress. Closing the generator cancels, and leaves nothing behind.

    Returns:
        The summary.

    Raises:
        InputError: the release isn't finished, or is a licence; copies are missing or
            aren't what was made; the output is there, or in a release; the terms
            aren't a text; there is no such format.
        MissingPackageError: what writes this format isn't installed.
        RevokedKeyError: the recipient was revoked.
        OutputError: it can't be written.
    """
    form = format_of(output, format)
    if form == PARQUET:
        import_parquet()
    recipient = vault.recipient(release.recipient_id)
    _require_ready(vault, release, recipient)
    _require_free(vault, output)
    text = None if terms is None else _text(terms)
    total = vault.ledger.count_records(release.id)
    if not total:
        raise InputError(f"Release {release.name} has no copies; protect images first")
    manifest.write(vault, release, recipient)
    known = list_commitments(vault, release.id)
    beside = {
        f"{IMAGES}/{manifest.NAME}": (
            place(release.output) / manifest.NAME
        ).read_bytes(),
        **_annotations(release),
        COMMITMENT: _commitments(known),
        **({} if text is None else {TERMS: text}),
        **{f"{LABELS}/{name}": data for name, data in (labels or {}).items()},
    }
    told = Told(release, recipient, total, beside)
    classes = None
    if form in (FOLDER, ZIPPED):
        beside[README] = readme(told).encode()
    else:
        classes = _classes(vault, release)
        roots = [one.root.hex() for one in known]
        said = None if text is None else text.decode()
        beside[CARD] = card(told, form, classes, roots, said).encode()
    wrong: list[str] = []
    size = 0
    with writing(output, form, classes) as writer:
        writer.beside(list(beside.items()))
        batch: list[Copied] = []
        held = 0
        for behind, record in enumerate(vault.ledger.records(release.id), 1):
            data = _copy(place(release.output), record)
            if data is None:
                wrong.append(record.output)
                continue
            batch.append(Copied(record.output, data, record.label))
            held += len(data)
            size += len(data)
            if held >= _BATCH_BYTES or len(batch) == _BATCH:
                writer.copies(batch)
                batch, held = [], 0
                yield Progress(behind / total, f"Packing: {behind} of {total}")
        writer.copies(batch)
        if wrong:
            raise InputError(_not_as_made(release, wrong))
    return PackageSummary(
        str(output),
        release.name,
        recipient.name,
        total,
        size + sum(map(len, beside.values())),
        int(release.counts.get("failed", 0)),
    )


def _classes(vault: Vault, release: Release) -> list[str] | None:
    """The names of a release's classes, sorted; None where they aren't the images' own.

    Clusters are only the program's, and of regions an image has several.
    """
    if release.parameters.get("clusters") or release.parameters.get("regions"):
        return None
    return sorted({one.label or "" for one in vault.ledger.records(release.id)})


def _require_ready(vault: Vault, release: Release, recipient: Recipient) -> None:
    if LICENCE_OF in release.parameters:
        raise InputError(
            f"Release {release.name} is a licence, one file: send {release.output} "
            "beside the published set's package"
        )
    if release.state != "done":
        raise InputError(
            f"Release {release.name} isn't finished ({release.state}); protect again, "
            "which goes on with it"
        )
    if recipient.name != PUBLISHED:
        vault.require_active(recipient)


def _require_free(vault: Vault, output: Path) -> None:
    require_apart(vault, output, "a package holds copies of its own")
    if os.path.lexists(output):
        raise InputError(f"{output} is there already; choose a new name")
    if not output.resolve().parent.is_dir():
        raise InputError(f"{output.parent}: there is no such folder; make it first")


def _annotations(release: Release) -> dict[str, bytes]:
    """What is annotated in the copies, beside them, if the release holds that."""
    name = release.parameters.get("annotations")
    if name is None:
        return {}
    try:
        path = contained.inside(place(release.output), contained.bare(name))
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{release.output}/{name}: what is annotated in the copies can't be read "
            f"({error.strerror}); protect again, which writes it anew, then pack"
        ) from error
    made = release.parameters.get(ANNOTATED_DIGEST)
    if made is not None and digest_of(data).hex() != made:
        raise InputError(
            f"{release.output}/{name}: what is annotated in the copies isn't what was "
            "written; protect again, which writes it anew, then pack"
        )
    return {f"{IMAGES}/{name}": data}


def _text(path: Path) -> bytes:
    data = read_file(path, most=MOST_TERMS)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: this isn't a text in UTF-8; give the terms as one"
        ) from None
    if b"-----BEGIN " in data or b"AGE-SECRET-KEY-" in data:
        raise InputError(f"{path}: this is a key, which no package may have in it")
    return data


def _copy(folder: Place, record: Record) -> bytes | None:
    """A copy's bytes, or None if they aren't what was made."""
    try:
        path = contained.inside(folder, record.output)
        data = read_file(path)
        if record.copy_digest:
            return data if digest_of(data) == record.copy_digest else None
        return data if is_copy(path, record) else None
    except ReueError:
        return None


def _not_as_made(release: Release, wrong: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in wrong[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    copies = "copy is" if len(wrong) == 1 else "copies are"
    return (
        f"{len(wrong)} {copies} missing from {release.output}, or not what was made "
        f"({shown}{more}); protect again, which makes them anew, then pack"
    )


def _commitments(known: Sequence[Commitment]) -> bytes:
    """What owner and recipient hold alike: roots, which were made before the copies."""
    told = [
        {
            "vault": one.vault_id,
            "release": one.release_id,
            "previous": one.previous.hex(),
            "recipients": len(one.recipients),
            "images": len(one.images),
            "root": one.root.hex(),
        }
        for one in known
    ]
    return json.dumps({"commitments": told}, indent=1).encode()
