"""Recompute a verdict from a case alone, without the vault."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.media.codec import largest_file
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.names.display import count, printable
from fiftyone_reue.proofs import shown, suspects
from fiftyone_reue.proofs.contents import (
    Digests,
    file_in,
    identity,
    joins,
    read_difference,
    read_evidence,
    turns,
)
from fiftyone_reue.proofs.steps import State, Step
from fiftyone_reue.proofs.timestamps import (
    Reply,
    read_certificates,
    read_reply,
    require_signed,
)
from fiftyone_reue.watermark import read
from fiftyone_reue.watermark.commitment import (
    image_leaf,
    is_included,
    recipient_leaf,
    statement_of,
)
from fiftyone_reue.watermark.evidence import FALSE_ACCUSATION, Evidence, weigh
from fiftyone_reue.watermark.looks import Look, images_of, log_ways
from fiftyone_reue.watermark.readings import Reading, seen_of, version

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CLOSE = 1e-5
"""Soft bits may differ by so much of the largest between machines."""

_MOST_AMPLITUDE = 127

MOST_ROWS, MOST_OF_ONE, MOST_NAMED = 100_000, 10_000, 100
"""Suspects of a case, suspects of one original, and recipients who are named."""

MOST_WEIGHED = 500_000
"""Suspects times who is named: each is weighed for each, in half a millisecond."""

DIFFERENCES, ALONE, ROOT = "differences", "suspects alone", "recipient's root"
"""Names of steps."""

_OTHER_FORM = (
    *(KeyError, TypeError, ValueError, IndexError, AttributeError),
    *(ArithmeticError, struct.error),
)
"""What values of another kind or size than a report writes raise."""


@dataclass(frozen=True)
class Verification:
    """What became of a case.

    Attributes:
        named: whom the recomputed evidence names.
        p_value: the bound that it gives, 0 to 1.
        images: how many originals were weighed.
        steps: all of them, in order.
    """

    named: list[str]
    p_value: float
    images: int
    steps: list[Step]

    @property
    def holds(self) -> bool:
        """Whether somebody is named and no step failed."""
        return bool(self.named) and all(one.state != "failed" for one in self.steps)

    def verdict(self) -> str:
        """The result in words."""
        failed = [one for one in self.steps if one.state == "failed"]
        if failed:
            return (
                f"The case doesn't hold: {failed[0].name}: {failed[0].text} "
                f"({len(failed)} of {count(len(self.steps), 'step')} failed)"
            )
        if not self.named:
            return (
                f"The case names nobody: the recomputed chance is {self.p_value:.1e} "
                f"from {count(self.images, 'original')}"
            )
        believed = sum(one.state == "believed" for one in self.steps)
        return (
            f"The case holds for {' and '.join(self.named)}: the recomputed chance of "
            f"naming anybody so firmly by accident is at most {self.p_value:.1e} from "
            f"{count(self.images, 'original')}. {believed} of "
            f"{count(len(self.steps), 'step')} must be believed"
        )

    def told_of(self, folder: str, where: str) -> Verification:
        """The same, with where the case is in place of a folder that it was read from.

        Args:
            folder: as the steps name it.
            where: as whoever reads them knows it.
        """
        steps = [
            replace(one, text=one.text.replace(folder, where)) for one in self.steps
        ]
        return replace(self, steps=steps)

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "holds": self.holds,
            "named": self.named,
            "p_value": self.p_value,
            "images": self.images,
            "verdict": self.verdict(),
            "steps": [vars(one) for one in self.steps],
        }


def verify(
    folder: Path,
    manifests: Sequence[Sequence[str]] = (),
    *,
    authority: bytes | None = None,
    read_suspects: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Verification:
    """Recompute a case's verdict.

    Args:
        folder: the case's.
        manifests: of each recipient's ``manifest.json`` or package that is there the
            commitments in it, 64 hex digits each, the newest last, at least one; none
            where nobody's are known. Of each the newest that is of this case counts.
        authority: certificates, PEM, of whom the reader believes when something was
            there, or None.
        read_suspects: whether to open the suspects' pictures and read them without
            the originals as well; see :mod:`fiftyone_reue.proofs.suspects`.
        max_pixels: differences and suspects of more pixels are refused before they are
            unpacked; by default those of more than
            :data:`fiftyone_reue.proofs.contents.MOST_READ` and
            :data:`fiftyone_reue.proofs.suspects.MOST_READ`.

    Raises:
        InputError: there is no case in the folder, or it is not of the form of one, or
            there is no certificate.
    """
    trusted = None if authority is None else read_certificates(authority)
    content = read_evidence(folder)
    try:
        found = _verified(folder, content, manifests, trusted, max_pixels)
        if read_suspects and all(one.state != "failed" for one in found.steps):
            step = _alone(folder, content, max_pixels)
            found = replace(found, steps=_with_alone(found.steps, step))
        return found
    except _OTHER_FORM as error:
        raise InputError(
            f"{folder}: the case isn't of the form that `reue report` writes "
            f"({type(error).__name__}: {error}); ask for it again"
        ) from error


def _verified(
    folder: Path,
    content: Mapping[str, Any],
    manifests: Sequence[Sequence[str]],
    authority: Sequence[Certificate] | None,
    max_pixels: int,
) -> Verification:
    rows = content["readings"]
    culprits = content["culprits"]
    _require_few(rows, culprits)
    digests = Digests(folder)
    readings = [
        Reading(str(row["image_id"]), np.array(row["soft"], np.float64)) for row in rows
    ]
    if not all(np.isfinite(one.soft).all() for one in readings):
        raise ValueError("a soft bit isn't finite")
    _require_distinct(content, readings)
    amplitude = int(content["amplitude"])
    if not 1 <= amplitude <= _MOST_AMPLITUDE:
        raise ValueError("no mark has such an amplitude")
    seeds = _seeds(culprits)
    commitments = _Commitments(content, manifests)
    readings, bits = _bits(folder, rows, readings, amplitude, max_pixels)
    steps = [
        _files(rows, digests, max_pixels),
        bits,
        Step(
            DIFFERENCES,
            "believed",
            "that each difference is what remains of its suspect after the original "
            "without the mark: whoever is given the original can compute it anew, and "
            "--read-suspects reads the suspects without it; the choice of the original "
            "never looks at a code",
        ),
        commitments.roots(),
        *commitments.recipients(),
        *commitments.images(),
        *commitments.held(),
        commitments.time(authority),
    ]
    looks, step = _looks(content, readings)
    tested = int(content["recipients_tested"])
    counts = commitments.counts()
    enough = not counts or tested >= max(counts)
    steps += [
        step,
        Step(
            "recipients tested",
            "checked" if enough and counts else "believed" if enough else "failed",
            f"{tested}, with {max(counts, default=0)} committed to",
        ),
    ]
    evidence = weigh(readings, seeds, looks, tested=tested, turned=turns(content))
    named = [one.recipient_id for one in evidence.culprits]
    names = _names(culprits)
    claimed = sorted(seeds)
    p_value = _bound(evidence)
    if seeds:
        steps.append(
            Step(
                "verdict",
                "checked" if sorted(named) == claimed else "failed",
                f"the codes of {', '.join(names[one] for one in claimed)} were made "
                f"from their seeds and weighed: a chance of {p_value:.1e} at most, "
                f"where {FALSE_ACCUSATION:.0e} names",
            )
        )
    steps += [
        shown.claim(content, evidence, len(content["earlier_looks"])),
        *shown.pages(folder, content, digests),
        *shown.pictures(rows, digests),
    ]
    steps.append(
        Step(
            "the owner",
            "believed",
            "that the owner didn't make the suspect files: whoever holds the vault can "
            "make any recipient's copy again",
        )
    )
    return Verification([names[one] for one in named], p_value, evidence.images, steps)


def _seeds(culprits: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Code seeds by recipient id."""
    return {
        str(one["recipient_id"]): bytes.fromhex(one["code_seed"]) for one in culprits
    }


def _names(culprits: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Names to be shown, by recipient id."""
    return {str(one["recipient_id"]): printable(one["name"]) for one in culprits}


def _bound(evidence: Evidence) -> float:
    """The largest bound of those who are named, or the best one's."""
    return max((one.p_value for one in evidence.culprits), default=evidence.p_value)


def _require_few(
    rows: Sequence[Mapping[str, Any]], culprits: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse what would take for ever.

    Raises:
        ValueError: there are more suspects or people than any case has.
    """
    alike = Counter(str(row["image_id"]) for row in rows)
    most = max(alike.values(), default=0)
    if len(rows) > MOST_ROWS or most > MOST_OF_ONE:
        raise ValueError(
            f"{len(rows):,} suspects, {most:,} of one original, are more than the "
            f"{MOST_ROWS:,} and {MOST_OF_ONE:,} that are weighed"
        )
    named = len(culprits)
    if named > MOST_NAMED or len(rows) * named > MOST_WEIGHED:
        raise ValueError(
            f"{named:,} people are named by {len(rows):,} suspects: more than "
            f"{MOST_NAMED} people, or {MOST_WEIGHED:,} pairs of these, aren't weighed"
        )


def _require_distinct(content: Mapping[str, Any], readings: Sequence[Reading]) -> None:
    """Refuse what a report doesn't write: a suspect that says what another does."""
    said = [(one.image_id, version(one)) for one in readings]
    if len(set(said)) != len(said):
        raise ValueError("a suspect of an original is there twice")
    files = [str(row["difference"]) for row in content["readings"]]
    if len(set(files)) != len(files):
        raise ValueError("a difference is there twice")
    if not joins(content) and len({image for image, _ in said}) != len(said):
        raise ValueError("an original is there twice")


def _alone(folder: Path, content: Mapping[str, Any], max_pixels: int) -> Step:
    """Whom the suspects name where they are read without their originals."""
    rows = content["readings"][: suspects.MOST]
    images = max(
        (int(one["images"]["count"]) for one in content["commitments"]), default=0
    )
    if not images:
        text = "that the differences are what they should be: no images were committed"
        return Step(ALONE, "believed", f"{text} to, so any could have been chosen")
    readings, why = [], ""
    for row in rows:
        try:
            found = suspects.difference_of(folder, row, max_pixels)
        except (OSError, ReueError, ValueError) as error:
            why = why or f"; of the first that wasn't: {printable(error)}"
            continue
        carrier = bytes.fromhex(row["carrier_key"])
        soft = read.carried_bits(found, carrier, int(content["amplitude"]))
        readings.append(Reading(str(row["image_id"]), soft))
    culprits = content["culprits"]
    names = _names(culprits)
    seeds = _seeds(culprits)
    looks, _ = _looks(content, readings)
    ways = looks + len(rows) * suspects.log_ways(images) + math.log(_MOST_AMPLITUDE)
    tested = int(content["recipients_tested"])
    evidence = weigh(readings, seeds, ways, tested=tested, turned=turns(content))
    named = {one.recipient_id for one in evidence.culprits}
    p_value = _bound(evidence)
    which = f"{len(readings)} of {count(len(content['readings']), 'suspect')}"
    if seeds and named == set(seeds):
        text = (
            f"{which}, read from their pictures alone, without originals and "
            f"differences, name {' and '.join(names[one] for one in sorted(named))} "
            f"too: a chance of {p_value:.1e} at most, whatever originals they are said "
            f"to be of and however they are turned{why}"
        )
        return Step(ALONE, "checked", text)
    text = (
        f"that the differences are what they should be: {which} were read from their "
        f"pictures alone, with a chance of {p_value:.1e}, which doesn't name all who "
        f"are named with the originals{why}"
    )
    return Step(ALONE, "believed", text)


def _with_alone(steps: list[Step], alone: Step) -> list[Step]:
    """The steps with that of suspects that were read alone, after the differences."""
    place = [one.name for one in steps].index(DIFFERENCES) + 1
    return [*steps[:place], alone, *steps[place:]]


def _files(
    rows: Sequence[Mapping[str, Any]], digests: Digests, max_pixels: int
) -> Step:
    for row in rows:
        suspect = row["suspect"]
        try:
            found = digests.of(suspect["file"], largest_file(max_pixels))
        except (OSError, ReueError) as error:
            return Step("suspect files", "failed", str(error))
        if found != suspect["sha256"]:
            return Step(
                "suspect files",
                "failed",
                f"{printable(suspect['file'])} isn't the file that was read",
            )
    files = {str(row["suspect"]["file"]) for row in rows}
    have = "has the digest" if len(files) == 1 else "have the digests"
    text = f"{count(len(files), 'file')} {have} (SHA-256) that a suspect is known by"
    return Step("suspect files", "checked", text)


def _bits(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    readings: Sequence[Reading],
    amplitude: int,
    max_pixels: int,
) -> tuple[list[Reading], Step]:
    """The readings with what was seen by each, and whether they follow."""
    found = list(readings)
    known: set[tuple[int, int] | str] = set()
    for place, (row, reading) in enumerate(zip(rows, readings, strict=True)):
        try:
            path = file_in(folder, row["difference"])
            which = identity(path)
            if which in known:
                text = f"{printable(row['difference'])} is a difference that was read"
                return found, Step("soft bits", "failed", text)
            known.add(which)
            difference = read_difference(path, max_pixels)
            carrier = bytes.fromhex(row["carrier_key"])
            soft = read.carried_bits(difference, carrier, amplitude)
        except (OSError, ReueError) as error:
            return found, Step("soft bits", "failed", str(error))
        found[place] = replace(reading, seen=seen_of(difference.shown))
        # Large numbers of a crafted difference overflow, and to within infinity
        # everything is alike.
        largest = float(np.abs(soft).max())
        if (
            soft.shape != reading.soft.shape
            or not math.isfinite(largest)
            or not np.allclose(soft, reading.soft, rtol=0, atol=_CLOSE * largest)
        ):
            text = f"those of {reading.image_id} don't follow from its difference"
            return found, Step("soft bits", "failed", text)
    text = (
        f"those of {count(len(rows), 'reading')} follow from the differences and the "
        "places of the marks, and how several of one original are joined follows from "
        "them; no code is used for that"
    )
    return found, Step("soft bits", "checked", text)


def _looks(
    content: Mapping[str, Any], readings: Sequence[Reading]
) -> tuple[float, Step]:
    """What the looks before multiply the bound by."""
    earlier = [Look.from_dict(one) for one in content["earlier_looks"]]
    look = content["look"].get("images", {})  # nothing was weighed
    images = {str(i): str(v) for i, v in look.items()}
    ways = log_ways(earlier, images, joined=joins(content))
    if images != images_of(readings):
        text = "the look is of other images, or of other versions of them"
        return ways, Step("looks", "failed", text)
    return ways, Step(
        "looks",
        "believed",
        f"that there {'was' if len(earlier) == 1 else 'were'} "
        f"{count(len(earlier), 'look')} before this one; the chance is "
        f"{math.exp(min(ways, 700.0)):.3g} times as large for all looks (that was "
        "checked); the owner's ledger has them under its own authentication",
    )


class _Commitments:
    """The commitments of the culprits' releases, and what was shown to be in them."""

    def __init__(
        self, content: Mapping[str, Any], manifests: Sequence[Sequence[str]]
    ) -> None:
        self._content = content
        self._all: list[Mapping[str, Any]] = list(content["commitments"])
        self._roots = [str(one["root"]) for one in self._all]
        self._given = [
            self._newest_of_case([one.lower() for one in roots]) for roots in manifests
        ]
        self._rows: list[Mapping[str, Any]] = list(content["readings"])
        self._included = [self._shown_in(row) for row in self._rows]

    def _newest_of_case(self, held: Sequence[str]) -> str:
        """Of the roots in one manifest the newest that is of this case, or the newest
        where none is."""
        known = [one for one in held if one in self._roots]
        return (known or held)[-1]

    def _shown_in(self, row: Mapping[str, Any]) -> dict[int, bool]:
        """The commitments that a row says it is in, and whether it is."""
        leaf = image_leaf(
            str(row["image_id"]), _hex(row["digest"]), _hex(row["carrier_key"])
        )
        found: dict[int, bool] = {}
        for given in row["inclusions"]:
            place = given["commitment"]
            root = _hex(self._all[place]["images"]["root"])
            good = is_included(root, leaf, _path(given["path"]))
            found[place] = good and found.get(place, True)
        return found

    def counts(self) -> list[int]:
        """How many recipients each is over."""
        return [int(one["recipients"]["count"]) for one in self._all]

    def roots(self) -> Step:
        """Whether every root is over what it says, and on top of the one before."""
        last: dict[str, str] = {}
        for one in self._all:
            release = str(one["release"])
            told = statement_of(
                str(one["vault"]),
                release,
                bytes.fromhex(one["previous"]),
                *(
                    (int(one[part]["count"]), bytes.fromhex(one[part]["root"]))
                    for part in ("recipients", "images")
                ),
            )
            if hashlib.sha256(told).hexdigest() != one["root"]:
                return Step("commitment", "failed", "a root isn't over what it says")
            if one["previous"] != last.get(release, one["previous"]):
                return Step("commitment", "failed", "a root isn't on the one before")
            last[release] = one["root"]
        if not self._all and not self._content["culprits"]:
            text = "nobody is named, so that there is no commitment to check"
            return Step("commitment", "believed", text)
        if not self._all:
            return Step(
                "commitment",
                "believed",
                "that codes and images weren't chosen after the leak: the release is "
                "of a version that committed to neither names nor images",
            )
        roots = count(len(self._all), "root")
        are = "is" if len(self._all) == 1 else "are"
        text = f"{roots} {are} over recipients, images, release and vault"
        return Step("commitment", "checked", text)

    def recipients(self) -> list[Step]:
        """Whether the culprits' names and codes are in their releases' roots."""
        steps = []
        for one in self._content["culprits"]:
            name = printable(one["name"])
            if not one["inclusions"]:
                text = f"that {name}'s code is the one that was committed to"
                steps.append(Step("recipient", "believed", text))
                continue
            leaf = recipient_leaf(
                str(one["recipient_id"]), str(one["name"]), _hex(one["code_seed"])
            )
            good = all(
                is_included(
                    _hex(self._all[given["commitment"]]["recipients"]["root"]),
                    leaf,
                    _path(given["path"]),
                )
                and self._all[given["commitment"]]["release"] in one["releases"]
                for given in one["inclusions"]
            )
            text = f"the root is over {name}'s name, id and code"
            if not good:
                text = f"{name}'s name, id and code aren't what the root is over"
            steps.append(Step("recipient", "checked" if good else "failed", text))
        return steps

    def images(self) -> list[Step]:
        """Whether the originals and their marks' places are in the culprits' roots."""
        steps: list[Step] = []
        held = self._held_places()
        for one in self._content["culprits"]:
            name = printable(one["name"])
            committed: set[str] = set()
            missing: set[str] = set()
            own = {given["commitment"] for given in one["inclusions"]}
            own = own & held or own
            for row, included in zip(self._rows, self._included, strict=True):
                given = included.keys() & own
                if not all(included[place] for place in given):
                    text = f"{row['image_id']} isn't what {name}'s root is over"
                    return [*steps, Step("images", "failed", text)]
                (committed if given else missing).add(str(row["image_id"]))
            total = len(committed | missing)
            text = (
                f"ids, originals and places of marks of {total - len(missing)} of "
                f"{count(total, 'image')} are what {name}'s root is over"
            )
            state: State = "believed" if missing else "checked"
            if missing:
                text += "; that the others weren't chosen afterwards must be believed"
            steps.append(Step("images", state, text))
        return steps

    def _held_places(self) -> set[int]:
        """The commitments that the roots in the recipients' hands are over.

        Whatever else was committed to may have been so after the leak.
        """
        return {place for root in self._given for place in self._below(root)}

    def _below(self, root: str) -> set[int]:
        """The commitments that a root is over: its own, and of its release those
        before; none where it isn't of this case."""
        if root not in self._roots:
            return set()
        last = self._roots.index(root)
        release = self._all[last]["release"]
        return {i for i in range(last + 1) if self._all[i]["release"] == release}

    def _is_over(self, root: str, culprit: Mapping[str, Any]) -> bool:
        """Whether a root is over somebody who is named.

        Else a culprit who is shown to be in no root could have anybody's code, while
        the root that is held only stands beside them.
        """
        below = self._below(root)
        return any(given["commitment"] in below for given in culprit["inclusions"])

    def held(self) -> list[Step]:
        """Whether each who is named holds a root that these lead up to, and what else
        was given is over nobody."""
        culprits: list[Mapping[str, Any]] = list(self._content["culprits"])
        others = [
            self._of_nobody(root)
            for root in self._given
            if not any(self._is_over(root, one) for one in culprits)
        ]
        if not culprits and not others:
            text = "nobody is named, so that there is nobody's root to compare"
            return [Step(ROOT, "believed", text)]
        own = [self._held_by(one, alone=len(culprits) == 1) for one in culprits]
        if others and len(own) == 1:
            own = [one for one in own if one.state == "checked"]
        return [*own, *others]

    def _of_nobody(self, root: str) -> Step:
        """What is said of a root that was given and is over nobody who is named."""
        if root in self._roots:
            text = (
                f"a root that a recipient holds, {printable(root)}, isn't shown to be "
                "over the name and code of anybody who is named"
            )
            return Step(ROOT, "failed", text)
        text = (
            f"a root that a recipient holds, {printable(root)}, isn't one of this "
            f"case's {len(self._all)}: it is of another release, or was made after the "
            "case was written"
        )
        return Step(ROOT, "failed", text)

    def _held_by(self, culprit: Mapping[str, Any], *, alone: bool) -> Step:
        """Whether somebody who is named holds a root of theirs.

        Args:
            culprit: who.
            alone: whether nobody else is named.
        """
        name = printable(culprit["name"])
        step = ROOT if alone else f"{ROOT} of {name}"
        given = [root for root in self._given if self._is_over(root, culprit)]
        if given:
            root = max(given, key=self._roots.index)
            text = (
                f"{name} holds a root of this case{self._age(root)}, and images of "
                "their release are counted as committed where that root is over them"
            )
            return Step(step, "checked", text)
        own = self._own_roots(culprit)
        handed = "a root, of which this case has none"
        if own:
            handed = own[-1]
        if len(own) > 1:
            handed = (
                f"one of their {len(own)} roots in this case, an older one or the "
                f"newest, {own[-1]} (report.html lists them)"
            )
        text = (
            f"that {name} was handed {printable(handed)}: compare it with `commitment` "
            "in the manifest.json of their copy, or give that here"
        )
        return Step(step, "believed", text)

    def _own_roots(self, culprit: Mapping[str, Any]) -> list[str]:
        """The roots that are over somebody who is named, those of a release in
        order."""
        firsts: dict[str, int] = {}
        for given in culprit["inclusions"]:
            place = given["commitment"]
            release = str(self._all[place]["release"])
            firsts[release] = min(place, firsts.get(release, place))
        return [
            root
            for place, root in enumerate(self._roots)
            if place >= firsts.get(str(self._all[place]["release"]), len(self._all))
        ]

    def _age(self, root: str) -> str:
        """Which of its release's roots one is, where it is an older one; later roots
        are over it, as :meth:`roots` checks."""
        release = self._all[self._roots.index(root)]["release"]
        own = [str(one["root"]) for one in self._all if one["release"] == release]
        number = own.index(root) + 1
        if number == len(own):
            return ""
        return (
            f", number {number} of {len(own)} of their release, which the later "
            f"{'one is' if len(own) - number == 1 else 'ones are'} built on"
        )

    def time(self, authority: Sequence[Certificate] | None) -> Step:
        """Whether the roots of who is named were there when an authority says.

        A root is over the one before, so that a time stamp is of all before it.
        """
        stamps: dict[int, Reply] = {}
        for place, one in enumerate(self._all):
            told = one.get("timestamp")
            if not told:
                continue
            try:
                reply = read_reply(base64.b64decode(told["reply"], validate=True))
                if reply.digest.hex() != one["root"] or reply.when != told["time"]:
                    text = "a time stamp is of something else than the case says"
                    return Step("time", "failed", text)
                if authority is not None:
                    require_signed(reply, authority)
            except InputError as error:
                return Step("time", "failed", str(error))
            stamps[place] = reply
        needed = {
            given["commitment"]
            for one in self._content["culprits"]
            for given in one["inclusions"]
        }
        firsts = self._firsts(stamps)
        first = [firsts[place] for place in sorted(needed)]
        known = [one for one in first if one is not None]
        if not known or len(known) < len(first):
            return Step("time", "believed", _UNTIMED)
        latest = max(known, key=lambda one: one.time).when
        if authority is None:
            text = (
                f"that the roots were there on {latest}, as their time stamps say: who "
                "signed them wasn't checked, since no authority's certificate was given"
            )
            return Step("time", "believed", text)
        text = (
            f"the roots were there on {latest}, by the signature of the authority "
            "whose certificate was given; whether the leak came later is for you to see"
        )
        return Step("time", "checked", text)

    def _firsts(self, stamps: Mapping[int, Reply]) -> dict[int, Reply | None]:
        """Of each root the earliest time stamp, its own or of one on top of it."""
        found: dict[int, Reply | None] = {}
        of_release: dict[str, Reply] = {}
        for place in range(len(self._all) - 1, -1, -1):
            release = str(self._all[place]["release"])
            if place in stamps:
                known = of_release.get(release, stamps[place])
                of_release[release] = min(stamps[place], known, key=lambda r: r.time)
            found[place] = of_release.get(release)
        return found


_UNTIMED = (
    "that the root was made before the files were: the recipient's manifest came with "
    "the files; a time stamp or a public log of the root shows it to anybody"
)


def _hex(text: str) -> bytes:
    return bytes.fromhex(text)


def _path(given: Sequence[Sequence[str]]) -> list[tuple[str, bytes]]:
    return [(str(side), bytes.fromhex(node)) for side, node in given]
