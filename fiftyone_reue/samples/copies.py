"""What the ledger knows of a dataset's releases, as the fields show it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fiftyone_reue.errors import named
from fiftyone_reue.names import contained
from fiftyone_reue.samples import fields, runs
from fiftyone_reue.samples.source import source_of
from fiftyone_reue.vault.entities import Record, Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import codes, patterns

if TYPE_CHECKING:
    import fiftyone as fo


def releases_of(vault: Vault, dataset: fo.Dataset) -> list[Release]:
    """A dataset's releases, oldest first."""
    source = source_of(dataset)
    return [release for release in vault.ledger.releases() if release.source == source]


def info_of(vault: Vault, release: Release) -> fields.ReleaseInfo:
    """What a release's samples have in common."""
    person = vault.recipient(release.recipient_id)
    return fields.ReleaseInfo(
        name=release.name,
        recipient=person.name,
        method=release.method,
        key_ref=fields.key_reference(vault.vault_id, release.id, person.key_id),
    )


def copy_path(release: Release, record: Record) -> str:
    """Where a record's copy is.

    Raises:
        UnsafePathError: the ledger places it outside the release's folder.
    """
    with named(f"Release {release.name}, sample {record.sample_id}"):
        return str(contained.inside(Path(release.output), record.output))


def show_from_ledger(
    vault: Vault, dataset: fo.Dataset, release: Release, sample_ids: Sequence[str]
) -> Generator[int, None, None]:
    """Point samples at their copies in a release; those without one are left alone.

    Args:
        vault: the owner's.
        dataset: the samples' own.
        release: which.
        sample_ids: which samples.

    Yields:
        How many are behind us.

    Raises:
        UnsafePathError: the ledger places a copy outside the release's folder.
    """
    info = info_of(vault, release)
    seed = vault.code_seed(vault.recipient(release.recipient_id))
    results = runs.get_results(dataset, release.name)
    scores = results.get("unlearnability") or {}
    seen = results.get("ssimulacra2") or {}
    behind = 0
    for start in range(0, len(sample_ids), fields.BATCH):
        some = sample_ids[start : start + fields.BATCH]
        records = list(vault.ledger.records(release.id, some))
        payloads = _payloads(vault, seed, records)
        copies = [
            fields.Shown(
                sample_id=record.sample_id,
                path=copy_path(release, record),
                payload=payloads[record.image_id],
                psnr=record.psnr,
                unlearnability=scores.get(record.sample_id),
                ssimulacra2=seen.get(record.sample_id),
            )
            for record in records
        ]
        fields.show_copies(dataset, info, copies)
        behind += len(some)
        yield behind


def _payloads(vault: Vault, seed: bytes, records: list[Record]) -> dict[str, str]:
    images = vault.ledger.find_images({record.image_id for record in records})
    return {
        image.id: codes.code_bytes(
            seed, image.id, patterns.bit_count(image.height, image.width)
        ).hex()
        for image in images
    }
