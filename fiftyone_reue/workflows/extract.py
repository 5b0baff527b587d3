"""Extract: whose copy a set of suspect images was made from, and how sure that is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import ReueError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.names.display import count
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.proofs import words
from fiftyone_reue.proofs.words import originals
from fiftyone_reue.releases.locating import UnseenOriginalsError
from fiftyone_reue.releases.looks import note_look
from fiftyone_reue.releases.tracing import ITSELF, Suspect, Traced, Tracer
from fiftyone_reue.stores.address import Place
from fiftyone_reue.vault import records
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark.evidence import (
    FALSE_ACCUSATION,
    Evidence,
    pointed_to,
    weigh,
)
from fiftyone_reue.watermark.looks import Look, log_ways
from fiftyone_reue.watermark.readings import version
from fiftyone_reue.workflows.what_it_is import naming

MATCH = "match"
"""A decision: somebody is named."""

NO_MATCH = "no-match"
"""A decision: nobody is named, by all that the vault knows."""

UNDECIDED = "undecided"
"""A decision: nobody is named, but rows of the ledger failed their check."""


_AT_ONCE, _LOOKING = 0.2, 0.6
"""The shares of a run's progress that reading what is whole has, and, where that isn't
all, looking at originals that nobody looked at for their parts yet."""


@dataclass(frozen=True)
class ExtractSummary:
    """The verdict on a set of suspects.

    Attributes:
        evidence: the statistics.
        recipient: the best recipient's name, or None.
        suspects: every suspect, in order; several of a file that shows several
            originals.
        outcome: counts, and the files that could not be read.
        names: recipient names by id.
        ledger_problems: rows of the ledger that were left out, since somebody without
            the owner key wrote or removed them, and what is wrong.
        look: this look as it was noted, or None where nothing was weighed.
        earlier_looks: those before it, by which its bound is multiplied.
        other_vaults: the ids of other vaults that records in the files name, and in
            how many files; looked up where nobody is named.
    """

    evidence: Evidence
    recipient: str | None
    suspects: list[Suspect]
    outcome: Outcome
    names: dict[str, str]
    ledger_problems: list[str] = field(default_factory=list)
    look: Look | None = None
    earlier_looks: list[Look] = field(default_factory=list)
    other_vaults: dict[str, int] = field(default_factory=dict)

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
        """The recipient that the decision names first, or None."""
        return self.recipient if self.evidence.decided else None

    @property
    def all_named(self) -> list[str]:
        """Everybody that the decision names, the firmest first."""
        return [self.names[one.recipient_id] for one in self.evidence.culprits]

    @cached_property
    def used(self) -> list[Suspect]:
        """The suspects that went into the evidence, in order."""
        return [one for one in self.suspects if one.used]

    def sources(self, suspect: Suspect) -> list[str]:
        """Whose copies a suspect is from, the firmest first; nobody's, where its
        original doesn't tell by itself. See
        :func:`fiftyone_reue.watermark.evidence.pointed_to`.
        """
        return self._sources.get((suspect.sample_id, suspect.image_id or ""), [])

    @cached_property
    def _sources(self) -> dict[tuple[str, str], list[str]]:
        image_ids = [one.image_id or "" for one in self.used]
        pointed = pointed_to(self.evidence.culprits, image_ids)
        found: dict[tuple[str, str], list[str]] = {}
        for one, image_id, whose in zip(self.used, image_ids, pointed, strict=True):
            names = found.setdefault((one.sample_id, image_id), [])
            names += [self.names[culprit.recipient_id] for culprit in whose]
        return found

    @cached_property
    def joined(self) -> dict[str, int]:
        """How many suspects were joined, of each original that has several, by id."""
        counts = Counter(one.image_id or "" for one in self.used)
        return {image_id: count for image_id, count in counts.items() if count > 1}

    @property
    def matched(self) -> int:
        """How many files show an original; not those that only look like one."""
        found = (s for s in self.suspects if s.image_id is not None)
        return len({s.sample_id for s in found if not self.is_unread(s)})

    def is_unread(self, suspect: Suspect) -> bool:
        """Whether a file looks like an original that is gone, and shows no mark."""
        return not suspect.marked and not self.sources(suspect)

    @property
    def unread(self) -> int:
        """How many files look like originals that are gone, and show no mark."""
        return len({s.sample_id for s in self.suspects if self.is_unread(s)})

    @property
    def unaided(self) -> int:
        """How many files were read without their originals, which are gone."""
        found = (s for s in self.suspects if s.unaided)
        return len({s.sample_id for s in found if not self.is_unread(s)})

    @property
    def themselves(self) -> int:
        """How many files are no copies, but have the pixels of originals."""
        return len({s.sample_id for s in self.suspects if s.state == ITSELF})

    @property
    def collages(self) -> dict[str, list[Suspect]]:
        """What was found in each file that shows several originals, by its id."""
        found: dict[str, list[Suspect]] = {}
        for suspect in self.suspects:
            found.setdefault(suspect.sample_id, []).append(suspect)
        return {who: some for who, some in found.items() if len(some) > 1}

    def verdict(self) -> str:
        """The result in words."""
        matched = self.matched
        evidence = self.evidence
        if evidence.decided:
            return self._accusation()
        if self.ledger_problems:
            problems = count(len(self.ledger_problems), "problem")
            none = "none of these images could be matched"
            point = "points" if evidence.images == 1 else "point"
            few = f"{originals(evidence.images)} {point} to nobody who is left"
            return (
                f"Undecided: {few if matched else none}, but the ledger isn't as the "
                f"owner left it ({problems}, the first: "
                f"{self.ledger_problems[0]}), so that may be why."
            )
        if self.outcome.failures and not self.suspects:
            return (
                "None of these files could be read as an image, so they say nothing "
                "about any recipient."
            )
        if not matched and self.other_vaults:
            return self._of_other_vaults()
        if not matched and self.unread:
            look = "looks" if self.unread == 1 else "look"
            more = evidence.more_images
            nearly = (
                f", and about {count(more, 'more image')} like these would decide it"
                if more is not None
                else ""
            )
            return (
                f"No decision: {count(self.unread, 'image')} {look} like originals "
                "that aren't there any more, but no mark is read from any by itself. "
                "They may be other pictures of the same scenes, or copies that lost "
                "too much: say where the originals are now (--originals FOLDER)"
                f"{nearly}."
            )
        if not matched:
            nowhere = sum(suspect.unaligned for suspect in self.suspects)
            which = "the original that it looks like a part of"
            if nowhere > 1:
                which = "the originals that they look like parts of"
            apart = (
                f" {nowhere} of them could not be aligned with {which}."
                if nowhere
                else ""
            )
            return (
                "None of these images matches an original in this vault, so they say "
                f"nothing about any recipient.{apart}"
            )
        more = evidence.more_images
        hint = (
            f"about {count(more, 'more image')} like these would decide it"
            if more is not None
            else "these images point to nobody"
        )
        if self.themselves == matched:
            hint = "these images are the originals themselves, which point to nobody"
        told = f"No decision from {originals(evidence.images)}: {hint}."
        if self._decided_at_first():
            told += (
                f" It is look number {len(self.earlier_looks) + 1}: as the first one "
                "it would name somebody, but every look before, and every choice among "
                "images that were seen, gives chance more ways to do so."
            )
        return f"{told} {self._of_other_vaults()}" if self.other_vaults else told

    def _decided_at_first(self) -> bool:
        """Whether only what was looked at before stands between this and a name."""
        if not self.earlier_looks or self.evidence.energy <= 0:
            return False
        first = replace(self.evidence, log_ways=log_ways([], {}))
        return first.chance(self.evidence.z) <= FALSE_ACCUSATION

    def _of_other_vaults(self) -> str:
        """Which vaults made copies that this one can tell nothing of."""
        parts = [
            f"vault {vault_id} made {count(number, 'of them', 'of them')}"
            for vault_id, number in sorted(self.other_vaults.items())
        ]
        return (
            f"Records in these images say that {' and '.join(parts)}; this is "
            "another. Ask who has that vault whose copies they are."
        )

    def _accusation(self) -> str:
        found = [
            words.Named(name, one)
            for name, one in zip(self.all_named, self.evidence.culprits, strict=True)
        ]
        evidence = self.evidence
        return words.accusation(
            found, evidence.images, evidence.recipients_tested, len(self.earlier_looks)
        )

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
            "images_matched": self.matched,
            "images_unaided": self.unaided,
            "images_unread": self.unread,
            "collages": {who: len(some) for who, some in self.collages.items()},
            "images_unaligned": sum(s.unaligned for s in self.suspects),
            "images_failed": len(self.outcome.failures),
            "recipients_tested": evidence.recipients_tested,
            "best_innocent_p": evidence.best_innocent_p,
            "best_innocent_z": evidence.best_innocent_z,
            "needed_z": evidence.needed_z if evidence.energy > 0 else None,
            "culprits": [
                {
                    "recipient": name,
                    "z": one.z,
                    "p_value": one.p_value,
                    "share": one.share,
                    "images": len(one.images),
                    "images_turned": len(one.turned),
                }
                for name, one in zip(self.all_named, evidence.culprits, strict=True)
            ],
            "look": None if self.look is None else self.look.number,
            "ways": math.exp(min(evidence.log_ways, 700.0)),
            "more_images_needed": evidence.more_images,
            "verdict": self.verdict(),
            "other_vaults": self.other_vaults,
            "ledger_problems": self.ledger_problems,
            "originals_joined": len(self.joined),
            "per_image": [self._per_image(suspect) for suspect in self.suspects]
            + [
                {"image": failure.sample_id, "matched": None, "error": failure.reason}
                for failure in self.outcome.failures
            ],
        }

    def _per_image(self, suspect: Suspect) -> dict[str, Any]:
        return {
            "image": suspect.sample_id,
            "matched": suspect.image_id,
            "original": suspect.original,
            "box": None if suspect.box is None else list(suspect.box),
            "state": suspect.state,
            "exact": suspect.exact,
            "distance": suspect.distance,
            "unaided": suspect.unaided,
            "unread": self.is_unread(suspect),
            "payload": suspect.payload,
            "used": suspect.used,
            "joined": self._joined_with(suspect),
            "from": self.sources(suspect) if suspect.used else [],
            "reason": suspect.reason,
        }

    def _joined_with(self, suspect: Suspect) -> int:
        """How many suspects its original's reading is joined of; 0 if it isn't used."""
        return self.joined.get(suspect.image_id or "", 1) if suspect.used else 0


def extract(
    vault: Vault,
    items: Sequence[Item],
    *,
    originals_folder: Place | None = None,
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
    suspects = _each_once((yield from _traced(tracer, items, outcome)))
    recipients = vault.known_recipients()
    names = {one.id: one.name for one, _, _ in recipients}
    seeds = {one.id: seed for one, _, seed in recipients}
    readings = [s.reading for s in suspects if s.used and s.reading is not None]
    look, earlier, ways = note_look(vault, readings, len(seeds))
    evidence = weigh(readings, seeds, ways)
    best = names[evidence.recipient_id] if evidence.recipient_id else None
    problems = [str(problem) for problem in vault.ledger.problems]
    return ExtractSummary(
        evidence,
        best,
        suspects,
        outcome,
        names,
        problems,
        look if readings else None,
        earlier,
        {} if evidence.decided else _other_vaults(vault, suspects, max_pixels),
    )


def _other_vaults(
    vault: Vault, suspects: Sequence[Suspect], max_pixels: int
) -> dict[str, int]:
    """How many files have a record that names which other vault.

    Anybody can write such a record: it says where to ask, and is no evidence.
    """
    found: Counter[str] = Counter()
    ours = (one.path for one in suspects if one.exact and one.state != ITSELF)
    for path in {one.path for one in suspects}.difference(ours):
        try:
            record = load(path, max_pixels=max_pixels).record
            made_by = None if record is None else records.unpack(record).header.vault
        except ReueError:
            continue  # a record that can't be read names nobody
        if made_by is not None and made_by != vault.vault_id:
            found[made_by] += 1
    return dict(found)


def _traced(
    tracer: Tracer, items: Sequence[Item], outcome: Outcome
) -> Generator[Progress, None, list[Suspect]]:
    """What every suspect that can be read shows, in order.

    Those that may be parts of originals come last, since all originals may have to be
    looked at for them first.
    """
    waiting: list[Item] = []
    found: dict[str, Traced] = {}

    def quick(item: Item) -> Traced:
        try:
            with naming(item):
                return tracer.trace(item, wait=False)
        except UnseenOriginalsError:
            waiting.append(item)
            return Traced((Suspect(item.sample_id, item.path),))

    def keep(batch: list[Traced]) -> None:
        found.update((one.first.sample_id, one) for one in batch)

    share = 1.0 if tracer.knows_parts else _AT_ONCE
    for behind in pipeline.run(items, quick, keep, outcome):
        label = f"Reading marks: {behind} of {len(items)}"
        yield Progress(share * behind / len(items), label)
    if waiting:
        yield from mapped(
            tracer.look_at_originals(),
            lambda p: Progress(_AT_ONCE + _LOOKING * p.fraction, p.label),
        )
        begun = _AT_ONCE + _LOOKING
        again = Outcome()
        for behind in pipeline.run(waiting, tracer.trace, keep, again):
            yield Progress(
                begun + (1 - begun) * behind / len(waiting),
                f"Looking for parts: {behind} of {len(waiting)}",
            )
        outcome.done -= len(again.failures)
        outcome.failures += again.failures
        for one in again.failures:
            del found[one.sample_id]
    in_order = (found[one.sample_id] for one in items if one.sample_id in found)
    return [suspect for traced in in_order for suspect in traced.suspects]


def _each_once(suspects: list[Suspect]) -> list[Suspect]:
    """Use whatever says something of an original: a file that is there twice is one."""
    nearest: dict[tuple[str, str], Suspect] = {}
    for suspect in suspects:
        if suspect.reading is None or suspect.distance is None:
            continue
        said = suspect.reading.image_id, version(suspect.reading)
        kept = nearest.get(said)
        if kept is None or suspect.distance < (kept.distance or 0.0):
            nearest[said] = suspect
    chosen = {id(suspect) for suspect in nearest.values()}
    return [replace(s, used=True) if id(s) in chosen else s for s in suspects]
