"""What the results of the watermark interaction benchmark say, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from interaction_images import EDITS
from interaction_ours import RECIPIENTS
from interaction_parts import MARKED, NAIVE, NOISY, PERTURBED, PROTECTED, WHOLE

from fiftyone_reue.auditing.grid import NONE
from fiftyone_reue.auditing.results import ORIGINALS, Audit, Summary
from fiftyone_reue.watermark.evidence import FALSE_ACCUSATION


@dataclass(frozen=True)
class Loss:
    """What a perturbation takes from a mark where it takes most.

    Attributes:
        points: per cent of the bits.
        where: the images, suspect and edit, and both shares.
    """

    points: float
    where: str


def largest_loss(rows: Sequence[dict], alone: Sequence[dict]) -> Loss:
    """Of rows, beside the row of ``alone`` with the same images and bits."""
    found = []
    for row in rows:
        (mark,) = (
            one
            for one in alone
            if (one["images"], one.get("bits")) == (row["images"], row.get("bits"))
        )
        for edit in EDITS:
            before, after = (one["edits"][edit]["bits"] for one in (mark, row))
            where = f"{row['images']}, {row['suspect']}, {edit}: {percent(before)} % "
            where += f"to {percent(after)} %"
            found.append(Loss(100 * (before - after), where))
    return max(found, key=lambda loss: loss.points)


def reading_words(part: dict) -> list[str]:
    """What the tables of reading show."""
    lines = [_our_words(part["ours"]), _decoy_words(part["ours"])]
    for mark in dict.fromkeys(row["mark"] for row in part["published"]):
        rows = [row for row in part["published"] if row["mark"] == mark]
        lines += _mark_words(mark, rows)
    return lines


def _our_words(ours: list[dict]) -> str:
    alone = [row for row in ours if row["suspect"] == "W"]
    right = [row for row in ours if row["subtracted"] == "O + δ"]
    wrong = [row for row in ours if row["subtracted"] == "O" and row not in alone]
    kept, lost = largest_loss(right, alone), largest_loss(wrong, alone)
    weakest = min(right, key=lambda row: row["edits"]["JPEG-50"]["z"])
    needed = pooled(weakest["edits"]["JPEG-50"]["z"])
    return (
        f"- Ours, read by the right extractor: a perturbation takes at most "
        f"{kept.points:.1f} points of the bits ({kept.where}). By the wrong one: at "
        f"most {lost.points:.1f} ({lost.where}). Where least is left after JPEG-50 "
        f"({weakest['images']}, {weakest['suspect']}), {needed} "
        f"{'image names' if needed == 1 else 'images together name'} one of "
        f"{RECIPIENTS:,} recipients."
    )


def _mark_words(mark: str, rows: list[dict]) -> list[str]:
    lines = []
    read_ones = [row for row in rows if "edits" in row]
    alone = [row for row in read_ones if row["suspect"] == "W'"]
    under = [row for row in read_ones if row["suspect"].startswith("W' +")]
    over = [row for row in read_ones if row["suspect"].endswith("then marked")]
    if under and over:
        lost, kept = largest_loss(under, alone), largest_loss(over, alone)
        lines.append(
            f"- {mark}: a perturbation over the mark takes up to {lost.points:.1f} "
            f"points of the bits ({lost.where}); one under it, up to "
            f"{kept.points:.1f} ({kept.where})."
        )
    lines += [
        f"- {mark}, {row['images']}, {row['bits']} bits: {row['refused']}."
        for row in rows
        if "refused" in row
    ]
    return lines


def pooled(z: float) -> int:
    """How many images of that Z name one of RECIPIENTS: Z grows as their root."""
    needed = math.sqrt(2 * math.log(RECIPIENTS / FALSE_ACCUSATION))
    return math.ceil((needed / z) ** 2)


def _decoy_words(ours: list[dict]) -> str:
    found = [edit for row in ours for edit in row["edits"].values()]
    means = [edit["decoys_z"] for edit in found]
    spreads = [edit["decoys_sd"] for edit in found]
    return (
        f"- Codes that nobody holds read as Z between {min(means):+.2f} and "
        f"{max(means):+.2f} on average, with a standard deviation of at most "
        f"{max(spreads):.2f}: what is read above is the mark."
    )


def training_words(audit: Audit) -> list[str]:
    """What the table of training shows."""
    pairs = [
        (ORIGINALS, MARKED, "Our mark alone against the originals"),
        (PERTURBED, PROTECTED, "Our mark under our perturbation against the latter"),
        (WHOLE, PROTECTED, "The same against rue with the mark's share of epsilon too"),
        (NOISY, NAIVE, "blind_watermark over em_class against em_class alone"),
    ]
    lines = []
    for before, after, text in pairs:
        one, other = (audit.summary(name, NONE) for name in (before, after))
        if one is not None and other is not None:
            lines.append(f"- {text}: {difference(one, other)}.")
    return lines


def difference(before: Summary, after: Summary) -> str:
    """By how many points, and whether that is more than the seeds' spread."""
    points = 100 * (after.mean - before.mean)
    if before.spread is None or after.spread is None:
        return f"{points:+.1f} points, one seed each, so that nothing is known of it"
    error = 100 * math.hypot(
        before.spread / math.sqrt(before.count), after.spread / math.sqrt(after.count)
    )
    if abs(points) > 2 * error:
        return (
            f"{points:+.1f} points, more than twice the standard error of {error:.1f}"
        )
    return (
        f"{points:+.1f} points, within twice the standard error of {error:.1f}: no "
        f"effect is shown, nor one of less than {2 * error:.0f} points ruled out"
    )


def percent(share: float) -> str:
    """Without the sign, for tables."""
    return f"{100 * share:.1f}"
