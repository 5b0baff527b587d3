"""What the owner does with releases besides making them: find, describe, delete."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from fiftyone_reue.batch.folders import image_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import InputError, OutputError, named
from fiftyone_reue.names import contained
from fiftyone_reue.names.display import count
from fiftyone_reue.releases import manifest
from fiftyone_reue.stores.address import Place, is_there, place
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.vault import Vault


def find_release(vault: Vault, name_or_id: str) -> Release:
    """A release by its id or its name.

    Raises:
        InputError: there is none, or several have the name.
    """
    known = vault.ledger.releases()
    found = [r for r in known if name_or_id in (r.id, r.name)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(release.id for release in found)
        raise InputError(
            f"{len(found)} releases are called {name_or_id!r}; give an id: {ids}"
        )
    names = ", ".join(f"{r.name} ({r.id})" for r in known) or "none yet"
    raise InputError(f"There is no release {name_or_id!r}; there are: {names}")


def require_apart(vault: Vault, folder: Place, why: str) -> None:
    """Keep what isn't for recipients out of folders that are handed out.

    Args:
        vault: the owner's.
        folder: where it is to go.
        why: it isn't for them, in words that follow "and".

    Raises:
        InputError: the folder is a release's, or in one.
    """
    resolved = folder.resolve()
    for release in vault.ledger.releases():
        output = place(release.output).resolve()
        if output == resolved or output in resolved.parents:
            raise InputError(
                f"{folder}: this is in the folder of release {release.name}, which is "
                f"handed out, and {why}; choose another one"
            )


def describe_release(vault: Vault, release: Release) -> dict[str, Any]:
    """All that the owner may want to know of a release, as JSON can hold it.

    The folder that is handed out tells none of it but ids and the files' names.

    Args:
        vault: the owner's.
        release: which.

    Returns:
        What it is, for whom, from where and made how; ``images`` and ``classes`` with
        a count each (of a release by clusters, these); ``psnr`` with the mean and the
        least in dB, or None without an image; ``failures`` of its last run, each with
        ``image`` and ``reason``, no more than the ledger keeps; ``scores`` as measured.
    """
    classes: Counter[str] = Counter()
    values = []
    for record in vault.ledger.records(release.id):
        classes["" if record.label is None else record.label] += 1
        values.append(record.psnr)
    recipient = vault.recipient(release.recipient_id)
    mean = sum(values) / len(values) if values else None
    return {
        "release": release.id,
        "name": release.name,
        "recipient": recipient.name,
        "recipient_key": recipient.key_id,
        "revoked_at": recipient.revoked_at,
        "state": release.state,
        "method": release.method,
        "settings": release.parameters,
        "source": release.source,
        "output": release.output,
        "created": release.created,
        "updated": release.updated,
        "finished": release.finished,
        "commitment": release.commitment,
        "images": len(values),
        "classes": dict(sorted(classes.items())),
        "psnr": None if mean is None else {"mean": mean, "least": min(values)},
        "failed": release.counts.get("failed", 0),
        "failures": release.counts.get("failures", []),
        "scores": release.scores,
    }


def released_items(vault: Vault, folder: Place) -> list[Item]:
    """A release's files with their classes.

    The classes are what the release's records say, or the folders' names of files
    that none speaks of.

    Raises:
        InputError: as :func:`image_items`, or a file has no class.
    """
    items = image_items(folder)
    content = manifest.read(folder) or {}
    release = vault.ledger.release(str(content.get("release")))
    if release is not None:
        labels = {r.output: r.label for r in vault.ledger.records(release.id)}
        clusters = "clusters" in release.parameters  # which no folder is named for
        items = [
            replace(
                item, label=labels.get(item.sample_id, None if clusters else item.label)
            )
            for item in items
        ]
    loose = [item.sample_id for item in items if item.label is None]
    if loose:
        raise InputError(
            f"{folder}: {count(len(loose), 'image')} without a class, such as "
            f"{loose[0]}; give a "
            f"release's whole folder, with {manifest.NAME} and nothing added"
        )
    return items


def delete_release(vault: Vault, release: Release, *, files: bool) -> int:
    """Forget a release, and delete its files if wanted.

    Copies of images that are in no other release can't be traced any more. Files that
    carry their record are still restored by either key.
    Only files that the ledger lists are deleted, and folders left empty by that; and
    only from a folder whose manifest says that it is this release's.

    Args:
        vault: the owner's.
        release: which.
        files: whether to delete the protected files too.

    Returns:
        How many files were deleted.

    Raises:
        OutputError: a file can't be deleted, or the folder isn't known to be the
            release's; the release is kept then.
        UnsafePathError: the ledger names a file outside the folder, or one is there
            through a link; nothing is deleted then.
    """
    deleted = 0
    if files:
        deleted = _delete_files(vault, release)
    vault.ledger.delete_release(release.id)
    return deleted


def _delete_files(vault: Vault, release: Release) -> int:
    folder = place(release.output)
    names = []
    for record in vault.ledger.records(release.id):
        with named(f"Release {release.name}, {record.sample_id}"):
            contained.unlinked(folder, record.output)
        names.append(record.output)
    content = manifest.read(folder)
    if content is None or content.get("release") != release.id:
        if not any(is_there(folder / name) for name in names):
            return 0
        raise OutputError(
            f"{folder}: no {manifest.NAME} says that this folder is release "
            f"{release.name}'s, so nothing in it was deleted, and the release is kept; "
            "forget it without its files, and delete those yourself"
        )
    deleted = sum(_delete(folder, name) for name in names)
    if "annotations" in release.parameters:
        deleted += _delete(folder, contained.bare(release.parameters["annotations"]))
    _delete(folder, manifest.NAME)
    if isinstance(folder, Path):
        with contextlib.suppress(OSError):  # not empty: something else is in it
            folder.rmdir()
    return deleted


def _delete(folder: Place, name: str) -> int:
    try:
        return int(contained.remove(folder, name))
    except OSError as error:
        raise OutputError(
            f"{folder / name} can't be deleted: {error.strerror}; the release is kept"
        ) from error
