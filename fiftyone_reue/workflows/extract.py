"""Extract: whose copy a set of suspect images was made from, and how sure that is."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases.tracing import Suspect, Tracer
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark.evidence import Evidence, weigh

MATCH = "match"
"""A decision: somebody is named."""

NO_MATCH = "no-match"
"""A decision: nobody is named, by all that the vault knows."""

UNDECIDED = "undecided"
"""A decision: nobody is named, but rows of the ledger failed their check."""


@dataclass(frozen=True)
class ExtractSummary:
    """The verdict on a set of suspects.

    Attributes:
        evidence: the statistics.
        recipient: the best recipient's name, or None.
        suspects: every suspect, in order.
        outcome: counts, and the files that could not be read.
        names: recipient names by id.
        ledger_problems: rows of the ledger that were left out, since somebody without
            the owner key wrote or removed them, and what is wrong.
    """

    evidence: Evidence
    recipient: str | None
    suspects: list[Suspect]
    outcome: Outcome
    names: dict[str, str]
    ledger_problems: list[str] = field(default_factory=list)

    @property
    def decision(self) -> str:
        """ "match", "no-match" or "undecided".

        Undecided is what names nobody while the ledger isn't as the owner left it:
        whoever it was may be among the rows that were left out.
        """
        if self.evidence.decided:
            return MATCH
        return UNDECIDED if self.ledger_problems else NO_MATCH

    @property
    def named(self) -> str | None:
        """The recipient that the decision names, or None."""
        return self.recipient if self.evidence.decided else None

    def verdict(self) -> str:
        """The result in words."""
        matched = sum(suspect.image_id is not None for suspect in self.suspects)
        evidence = self.evidence
        if evidence.decided:
            return (
                f"These images are derived from the copy of {self.recipient}: the "
                f"chance of naming anybody this firmly by accident is at most "
                f"{evidence.p_value:.1e} ({evidence.images} originals, "
                f"{evidence.recipients_tested} recipients tested). It says whose "
                "copy it was, not who leaked it."
            )
        if self.ledger_problems:
            count = len(self.ledger_problems)
            none = "none of these images could be matched"
            few = f"{evidence.images} originals point to nobody who is left"
            return (
                f"Undecided: {few if matched else none}, but the ledger isn't as the "
                f"owner left it ({count} problem{'s' if count > 1 else ''}, the first: "
                f"{self.ledger_problems[0]}), so that may be why."
            )
        if not matched:
            return (
                "None of these images matches an original in this vault, so they say "
                "nothing about any recipient."
            )
        more = evidence.more_images
        hint = (
            f"about {more} more images like these would decide it"
            if more is not None
            else "these images point to nobody"
        )
        return f"No decision from {evidence.images} originals: {hint}."

    def to_dict(self) -> dict[str, Any]:
        """The verdict for machines."""
        evidence = self.evidence
        return {
            "decision": self.decision,
            "recipient": self.named,
            "best_candidate": self.recipient,
            "p_value": evidence.p_value,
            "z": evidence.z,
            "images_used": evidence.images,
            "images_matched": sum(s.image_id is not None for s in self.suspects),
            "images_failed": len(self.outcome.failures),
            "recipients_tested": evidence.recipients_tested,
            "best_innocent_p": evidence.best_innocent_p,
            "more_images_needed": evidence.more_images,
            "verdict": self.verdict(),
            "ledger_problems": self.ledger_problems,
            "per_image": [_per_image(suspect) for suspect in self.suspects]
            + [
                {"image": failure.sample_id, "matched": None, "error": failure.reason}
                for failure in self.outcome.failures
            ],
        }


def extract(
    vault: Vault,
    items: Sequence[Item],
    *,
    originals_folder: Path | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, ExtractSummary]:
    """Weigh a set of suspects.

    Args:
        vault: the owner's.
        items: the suspects.
        originals_folder: where the originals are now, if they moved since they were
            protected.
        max_pixels: larger images are refused before they are decoded.

    Yields:
        Progress.

    Raises:
        InputError: nothing was ever protected with this vault.
        TamperedLedgerError: somebody without the owner key changed or removed all
            that was.
    """
    tracer = Tracer(vault, originals_folder, max_pixels=max_pixels)
    outcome = Outcome()
    suspects: list[Suspect] = []
    for behind in pipeline.run(items, tracer.suspect, suspects.extend, outcome):
        yield Progress(behind / len(items), f"Reading marks: {behind} of {len(items)}")
    suspects = _one_an_original(suspects)
    recipients = vault.known_recipients()
    names = {one.id: one.name for one, _, _ in recipients}
    seeds = {one.id: seed for one, _, seed in recipients}
    readings = [s.reading for s in suspects if s.used and s.reading is not None]
    evidence = weigh(readings, seeds)
    best = names[evidence.recipient_id] if evidence.recipient_id else None
    problems = [str(problem) for problem in vault.ledger.problems]
    return ExtractSummary(evidence, best, suspects, outcome, names, problems)


def _one_an_original(suspects: list[Suspect]) -> list[Suspect]:
    """Use the nearest suspect of each original: five crops are not five proofs."""
    nearest: dict[str, Suspect] = {}
    for suspect in suspects:
        if suspect.image_id is None or suspect.distance is None:
            continue
        kept = nearest.get(suspect.image_id)
        if kept is None or suspect.distance < (kept.distance or 0.0):
            nearest[suspect.image_id] = suspect
    chosen = {id(suspect) for suspect in nearest.values()}
    return [replace(s, used=True) if id(s) in chosen else s for s in suspects]


def _per_image(suspect: Suspect) -> dict[str, Any]:
    return {
        "image": suspect.sample_id,
        "matched": suspect.image_id,
        "original": suspect.original,
        "state": suspect.state,
        "exact": suspect.exact,
        "distance": suspect.distance,
        "payload": suspect.payload,
        "used": suspect.used,
        "reason": suspect.reason,
    }
