"""Report: a verdict with all that it rests on, in a folder that others can check."""

from __future__ import annotations

import base64
import hashlib
import shutil
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fiftyone_reue.batch import outputs, pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.media.codec import read_file
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.proofs import contents, page, pdf, pictures
from fiftyone_reue.proofs.shown import PROGRAM
from fiftyone_reue.proofs.timestamps import Reply, read_reply
from fiftyone_reue.releases.lookup import require_apart
from fiftyone_reue.releases.tracing import AMPLITUDE, Suspect, Traced, Tracer
from fiftyone_reue.stores.address import Place, is_url
from fiftyone_reue.vault.commitments import leaf_of, list_commitments
from fiftyone_reue.vault.entities import Recipient
from fiftyone_reue.vault.timestamps import list_timestamps
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark.commitment import (
    Commitment,
    image_leaf,
    inclusion,
    merkle_root,
)
from fiftyone_reue.watermark.patterns import carrier_key, grid_side
from fiftyone_reue.watermark.read import Difference
from fiftyone_reue.workflows.extract import ExtractSummary, extract

_OTHERS = 5
"""So many of those who aren't named are told, without names."""


@dataclass(frozen=True)
class ReportSummary:
    """What a report was made of.

    Attributes:
        folder: where it is.
        extracted: the verdict.
        page: the report for people, HTML.
        printed: the same as PDF.
        evidence: the report for :func:`fiftyone_reue.verify`, JSON.
    """

    folder: Path
    extracted: ExtractSummary
    page: Path
    printed: Path
    evidence: Path

    @property
    def outcome(self) -> Outcome:
        """Counts, and the files that could not be read."""
        return self.extracted.outcome

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            **self.extracted.to_dict(),
            "page": str(self.page),
            "pdf": str(self.printed),
            "evidence": str(self.evidence),
        }


def report(
    vault: Vault,
    items: Sequence[Item],
    folder: Path,
    *,
    originals_folder: Place | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, ReportSummary]:
    """Weigh suspects as :func:`extract` does, and write the case to a new folder.

    The case holds the suspects that were used, small pictures of their originals, the
    code seeds of those who are named and, for these images alone, where the marks lie:
    whoever has it could make marked copies of these images. No key is in it.

    Args:
        vault: the owner's.
        items: the suspects.
        folder: where the case goes; must not be there, or be empty.
        originals_folder: where the originals are now, if they moved.
        max_pixels: larger images are refused before they are decoded.

    Yields:
        Progress.

    Raises:
        InputError: as :func:`extract`, or the folder holds something, or is in a
            release.
        OutputError: it can't be written.
        TamperedLedgerError: as :func:`extract`, or a commitment isn't as it was.
    """
    _require_empty(folder)
    require_apart(vault, folder, "a case tells codes")
    steps = extract(
        vault, items, originals_folder=originals_folder, max_pixels=max_pixels
    )
    summary = yield from mapped(steps, lambda p: Progress(0.5 * p.fraction, p.label))
    outputs.prepare(folder, private=True)
    case = _Case(vault, folder, summary)
    used = {(s.sample_id, s.image_id): s for s in summary.suspects if s.used}
    files = {who for who, _ in used}
    todo = [item for item in items if item.sample_id in files]
    seen: dict[tuple[str, str | None], Difference] = {}
    tracer = Tracer(
        vault,
        originals_folder,
        max_pixels=max_pixels,
        witness=lambda who, original, found: seen.update({(who, original): found}),
    )

    def keep(batch: list[Traced]) -> None:
        for suspect in (one for traced in batch for one in traced.suspects):
            shown = suspect.sample_id, suspect.image_id
            difference = seen.pop(shown, None)
            if difference is not None and shown in used:
                original = tracer.original(suspect.image_id or "")
                case.add(used.pop(shown), difference, original)

    again = Outcome()
    for behind in pipeline.run(todo, tracer.trace, keep, again):
        fraction = 0.5 + 0.5 * behind / max(1, len(todo))
        yield Progress(fraction, f"Writing the case: {behind} of {len(todo)}")
    if again.failures:
        raise InputError(
            f"{again.failures[0].path} was changed while the report was made: "
            f"{again.failures[0].reason}"
        )
    for suspect in used.values():
        raise InputError(
            f"{suspect.path} was changed while the report was made: it doesn't show "
            f"{suspect.original} any more"
        )
    return case.finish()


class _Case:
    """A case as it is written."""

    def __init__(self, vault: Vault, folder: Path, summary: ExtractSummary) -> None:
        self._vault = vault
        self._folder = folder
        self._summary = summary
        self._mark_key = vault.derive("watermark")
        self._rows: list[dict[str, Any]] = []
        self._copies: dict[str, str] = {}
        self._shows = {who: len(some) for who, some in summary.collages.items()}
        people = {one.id: one for one in vault.recipients()}
        self._culprits = [people[one.recipient_id] for one in summary.evidence.culprits]
        self._commitments: list[tuple[str, Commitment]] = [
            (person.id, one)
            for person in self._culprits
            for release in vault.ledger.releases(person.id)
            for one in list_commitments(vault, release.id)
        ]
        stamped = {
            reply.digest: reply
            for release in {one.release_id for _, one in self._commitments}
            for reply in map(read_reply, list_timestamps(vault, release))
        }
        self._stamps = [stamped.get(one.root) for _, one in self._commitments]
        self._leaves = [frozenset(one.images) for _, one in self._commitments]
        for name in (contents.SUSPECTS, contents.DIFFERENCES, contents.PICTURES):
            (folder / name).mkdir(exist_ok=True)

    def add(self, suspect: Suspect, found: Difference, original: Raster | None) -> None:
        """Add what one suspect says of an original, which may not be there any more."""
        reading, image_id = suspect.reading, suspect.image_id
        assert reading is not None
        assert image_id is not None
        image = self._vault.ledger.image(image_id)
        if image is None:
            raise InputError(f"The ledger has lost the original of {suspect.path}")
        number = f"{len(self._rows) + 1:05}"
        copy = self._copies.get(suspect.sample_id)
        difference = f"{contents.DIFFERENCES}/{number}.npz"
        try:
            if copy is None:
                copy = (
                    f"{contents.SUSPECTS}/{number}{Path(suspect.path).suffix.lower()}"
                )
                _fetch(suspect.path, self._folder / copy)
                self._copies[suspect.sample_id] = copy
            contents.write_difference(self._folder / difference, found)
        except OSError as error:
            raise OutputError(
                f"{self._folder}: the case can't be written ({error.strerror}); "
                "check space and permissions"
            ) from error
        carrier = carrier_key(self._mark_key, image_id)
        leaf = image_leaf(image_id, image.digest, carrier)
        self._rows.append(
            {
                "image_id": image_id,
                "digest": image.digest.hex(),
                "carrier_key": carrier.hex(),
                "soft": reading.soft.tolist(),
                "suspect": {
                    "file": copy,
                    "name": suspect.sample_id,
                    "sha256": contents.digest_in(self._folder, copy),
                    "state": suspect.state,
                    "exact": suspect.exact,
                    "distance": suspect.distance,
                    "unaided": suspect.unaided,
                    "unread": self._summary.is_unread(suspect),
                    "turned": suspect.turned,
                    "grid": grid_side(*found.left.shape),
                    "box": None if suspect.box is None else list(suspect.box),
                    "originals": self._shows.get(suspect.sample_id, 1),
                },
                "difference": difference,
                "inclusions": self._inclusions(leaf),
                "from": self._summary.sources(suspect),
                "pictures": self._pictures(
                    number,
                    self._folder / copy,
                    original,
                    image_id,
                    found.left,
                    suspect.box,
                ),
            }
        )

    def _pictures(
        self,
        number: str,
        suspect: Path,
        original: Raster | None,
        image_id: str,
        left: np.ndarray,
        box: tuple[int, int, int, int] | None,
    ) -> dict[str, dict[str, str]]:
        """Draw what a suspect's row shows: of each picture its file and digest."""
        made = pictures.draw(
            self._folder / contents.PICTURES,
            number,
            suspect=suspect,
            box=box,
            original=original,
            left=left,
            mark=self._mark(image_id, left.shape),
        )
        files = {what: f"{contents.PICTURES}/{name}" for what, name in made.items()}
        return {
            what: {"file": file, "sha256": contents.digest_in(self._folder, file)}
            for what, file in files.items()
        }

    def _inclusions(self, leaf: bytes) -> list[dict[str, Any]]:
        return [
            {"commitment": place, "path": _path(inclusion(one.images, leaf))}
            for place, (_, one) in enumerate(self._commitments)
            if leaf in self._leaves[place]
        ]

    def _mark(self, image_id: str, shape: tuple[int, ...]) -> np.ndarray | None:
        """The mark of the first who is named, as it was put into this image."""
        if not self._culprits:
            return None
        seed = self._vault.code_seed(self._culprits[0])
        height, width = shape
        return pictures.mark(self._mark_key, image_id, seed, height, width)

    def finish(self) -> ReportSummary:
        """Write the pages, and the evidence last: where it is, the case is whole."""
        evidence = self._evidence()
        html = page.rendered(evidence)
        printed = pdf.rendered(html, self._folder, evidence["created"])
        evidence["pdf"] = {
            "file": contents.PDF_NAME,
            "sha256": hashlib.sha256(printed).hexdigest(),
        }
        files = [
            (contents.HTML_NAME, html.encode()),
            (contents.PDF_NAME, printed),
            (contents.JSON_NAME, contents.packed(evidence)),
        ]
        for reason in outputs.write_below(self._folder, files).values():
            raise OutputError(reason)
        folder = self._folder
        return ReportSummary(
            folder,
            self._summary,
            folder / contents.HTML_NAME,
            folder / contents.PDF_NAME,
            folder / contents.JSON_NAME,
        )

    def _others(self) -> list[dict[str, float]]:
        """The likeliest recipients who aren't named, without their names."""
        evidence = self._summary.evidence
        named = {one.recipient_id for one in evidence.culprits}
        others = [
            (chance, -evidence.scores[who])
            for who, chance in evidence.chances.items()
            if who not in named
        ]
        return [{"z": -z, "p_value": p} for p, z in sorted(others)[:_OTHERS]]

    def _evidence(self) -> dict[str, Any]:
        evidence, summary = self._summary.evidence, self._summary
        look = summary.look
        return {
            "format": contents.FORMAT,
            "program": PROGRAM,
            "created": time.time(),
            "vault": self._vault.vault_id,
            "claim": summary.verdict(),
            "decision": summary.decision,
            "amplitude": AMPLITUDE,
            "recipients_tested": evidence.recipients_tested,
            "others": self._others(),
            "best_innocent_p": evidence.best_innocent_p,
            "best_innocent_z": evidence.best_innocent_z,
            "needed_z": evidence.needed_z if evidence.energy > 0 else None,
            "suspects": len({one.sample_id for one in summary.suspects}),
            "suspects_matched": summary.matched,
            "suspects_failed": len(summary.outcome.failures),
            "ledger_problems": summary.ledger_problems,
            "culprits": [
                self._culprit(person, **vars(one))
                for person, one in zip(self._culprits, evidence.culprits, strict=True)
            ],
            "look": {} if look is None else look.to_dict(),
            "earlier_looks": [one.to_dict() for one in summary.earlier_looks],
            "commitments": [
                _told(one, stamp)
                for (_, one), stamp in zip(self._commitments, self._stamps, strict=True)
            ],
            "readings": self._rows,
        }

    def _culprit(
        self,
        person: Recipient,
        *,
        z: float,
        p_value: float,
        share: float,
        images: Sequence[str],
        **_: object,
    ) -> dict[str, Any]:
        leaf = leaf_of(self._vault, person)
        own = [
            (place, one)
            for place, (who, one) in enumerate(self._commitments)
            if who == person.id and leaf in one.recipients
        ]
        return {
            "recipient_id": person.id,
            "name": person.name,
            "code_seed": self._vault.code_seed(person).hex(),
            "z": z,
            "p_value": p_value,
            "share": share,
            "images": list(images),
            "releases": sorted({one.release_id for _, one in own}),
            "inclusions": [
                {"commitment": place, "path": _path(inclusion(one.recipients, leaf))}
                for place, one in own
            ],
        }


def _told(one: Commitment, stamp: Reply | None) -> dict[str, Any]:
    """What may be told of a commitment: nothing of its leaves but their number."""
    timestamp = None
    if stamp is not None:
        reply = base64.b64encode(stamp.raw).decode()
        timestamp = {"time": stamp.when, "reply": reply}
    return {
        "timestamp": timestamp,
        "vault": one.vault_id,
        "release": one.release_id,
        "previous": one.previous.hex(),
        "recipients": _tree(one.recipients),
        "images": _tree(one.images),
        "root": one.root.hex(),
    }


def _tree(leaves: Sequence[bytes]) -> dict[str, Any]:
    return {"count": len(leaves), "root": merkle_root(leaves).hex()}


def _path(nodes: Sequence[tuple[str, bytes]]) -> list[list[str]]:
    return [[side, node.hex()] for side, node in nodes]


def _fetch(source: str, path: Path) -> None:
    """Copy a suspect's file, or its object."""
    if is_url(source):
        path.write_bytes(read_file(source))
    else:
        shutil.copyfile(source, path)


def _require_empty(folder: Path) -> None:
    try:
        occupied = folder.exists() and any(folder.iterdir())
    except NotADirectoryError:
        raise InputError(f"{folder} is a file; choose a new folder") from None
    except OSError as error:
        raise OutputError(
            f"{folder}: this folder can't be read ({error.strerror}); choose another"
        ) from error
    if occupied:
        raise InputError(
            f"{folder}: the folder isn't empty; a case goes to a new one, so that "
            "nothing in it is of another"
        )
