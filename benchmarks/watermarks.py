"""Who is named from one edited image: this package beside published blind watermarks.

    pip install invisible-watermark blind-watermark onnxruntime
    python -m benchmarks.watermarks --photos FILE.zip

The photographs and edits of ``benchmarks.tracing``, and stronger JPEG. A published
mark carries a random code of its recipient, and names them where so many bits are
right that chance names one of 1,000 innocents so with 1e-6 at most. It is read blind,
as its package does, and once more from the suspect that was brought onto its original
by the map that this package found for its own copy, edited in the same way. Published
packages have no such alignment; this package's own reading has the original, always.

It writes a row after every edit; with ``--keep FOLDER`` an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.markdown import table
from benchmarks.naming import RECIPIENTS
from benchmarks.published_marks import (
    MARKS,
    PACKAGES,
    Pixels,
    PublishedMark,
    published_mark,
)
from benchmarks.tracing import DONE, EDITS, Edit, photographs, released
from fiftyone_reue.alignment.resampling import resampled
from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import with_range
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.locating import Nearest
from fiftyone_reue.releases.tracing import Tracer
from fiftyone_reue.watermark import evidence, match

QUALITY = 75
"""An edited image is saved as JPEG of this quality."""

STRONGER = {f"JPEG-{quality}": quality for quality in (50, 30, 10)}
"""Unedited images saved at less, by the name of the row."""

BITS = {"dwtDct": 64, "dwtDctSvd": 64, "rivaGan": 32, "blind_watermark": 64}
"""What a mark carries: of 32, 64 and 128 bits what names most after JPEG, reduction
and a caption; rivaGan carries 32 and no others."""

SLOWEST = "rivaGan"
"""Takes a second an image, so that it is measured on every other photograph."""

OURS = "this package"


def bits_needed(bits: int) -> int:
    """Of so many bits how many must be right for a recipient to be named.

    That many are right of a fair coin's with no more than 1e-6 over RECIPIENTS.
    """
    limit = evidence.FALSE_ACCUSATION / RECIPIENTS * 2**bits
    ways, needed = 0, bits + 1
    while needed and (ways := ways + math.comb(bits, needed - 1)) <= limit:
        needed -= 1
    return needed


@dataclass
class Rival:
    """A published mark, and the photographs that it was written into.

    Attributes:
        mark: as its package has it.
        sent: ``(bits,)`` uint8 each, by the photograph's stem.
        copies: the marked photographs.
        costs: their PSNR, dB.
        spent: processor time of writing each, s.
    """

    mark: PublishedMark
    sent: dict[str, np.ndarray] = field(default_factory=dict)
    copies: dict[str, Pixels] = field(default_factory=dict)
    costs: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)

    def write(self, stem: str, original: Pixels, draw: np.random.Generator) -> None:
        """Mark a photograph with bits of its own."""
        bits = draw.integers(0, 2, BITS[self.mark.name]).astype(np.uint8)
        start = time.process_time()
        self.copies[stem] = self.mark.write(original, bits)
        self.spent.append(time.process_time() - start)
        self.costs.append(psnr(original, self.copies[stem], 3, 255))
        self.sent[stem] = bits

    def names(self, stem: str, suspect: Pixels) -> bool:
        """Whether enough bits of a suspect are right; not where it is refused."""
        sent = self.sent[stem]
        try:
            found = self.mark.read(suspect, len(sent))
        except (RuntimeError, AssertionError):  # both say: too small
            return False
        return int((found == sent).sum()) >= bits_needed(len(sent))


def brought(suspect: Pixels, near: Nearest, original: Pixels) -> Pixels:
    """A suspect on its original's pixels; the original's where it doesn't show it."""
    turned = match.orient(suspect, near.orientation)
    height, width = original.shape[:2]
    made = []
    for channel in range(3):
        samples = turned[..., channel].astype(np.float32)
        if near.matrix is None:
            made.append(match.resize(samples, height, width))
        else:
            made.append(resampled(samples, near.matrix, height, width)[0])
    whole = np.stack(made, -1).round().clip(0, 255).astype(np.uint8)
    if near.shown is None:
        return whole
    return np.where(near.shown[..., None] > 0, whole, original)


class Run:
    """All photographs, their copies, and who is named from an edited one.

    Args:
        folder: for the release and its vault, which are made unless they are there.
        archive: of the photographs.
        count: how many.
        marks: names of published marks.
    """

    def __init__(
        self, folder: Path, archive: Path, count: int, marks: list[str]
    ) -> None:
        source = folder / "source"
        if not (folder / DONE).exists():
            photographs(archive, source, count)
        vault, copies = released(folder, source, "rue")
        self._tracer = Tracer(vault)
        finish(self._tracer.look_at_originals())
        ((_, _, self._seed),) = vault.known_recipients()
        self._path = folder / "suspect.jpg"
        self.originals = {
            Path(item.path).stem: _pixels(item.path) for item in labelled_items(source)
        }
        self.own = {
            Path(item.path).name.split(".")[0]: _pixels(item.path)
            for item in image_items(copies["W"])
        }
        self.ours = OURS in marks
        self.rivals = [Rival(published_mark(name)) for name in marks if name != OURS]
        for rival in self.rivals:
            step = 2 if rival.mark.name == SLOWEST else 1
            for number, stem in enumerate([*self.originals][::step]):
                draw = np.random.default_rng(number)
                rival.write(stem, self.originals[stem], draw)

    def costs(self) -> list[dict]:
        """A row each of what a mark carries and costs."""
        rows = []
        if self.ours:
            pairs = [(self.originals[stem], one) for stem, one in self.own.items()]
            decibels = [psnr(original, own, 3, 255) for original, own in pairs]
            rows.append(_cost(OURS, "soft", "", decibels, ""))
        for rival in self.rivals:
            bits = BITS[rival.mark.name]
            spent = round(1000 * statistics.median(rival.spent))
            needed = bits_needed(bits)
            rows.append(_cost(rival.mark.name, bits, needed, rival.costs, spent))
        return rows

    def row(self, name: str, edit: Edit, quality: int) -> dict:
        """The share of photographs from which the recipient is named, %, by mark."""
        named: dict[str, list[bool]] = {}
        for number, stem in enumerate(self.originals):

            def suspect(copy: Pixels, number: int = number) -> Pixels:
                draw = np.random.default_rng([number, len(name)])
                edited = edit(Image.fromarray(copy), draw)
                edited.save(self._path, quality=quality)
                return _pixels(self._path)

            rivals = [one for one in self.rivals if stem in one.copies]
            suspect(self.own[stem])
            if self.ours:
                named.setdefault(OURS, []).append(self._names(stem))
            near = self._nearest(stem) if rivals else None
            for rival in rivals:
                seen = suspect(rival.copies[stem])
                blind = aligned = rival.names(stem, seen)
                if near is not None:
                    placed = brought(seen, near, self.originals[stem])
                    if not np.array_equal(placed, seen):
                        aligned = rival.names(stem, placed)
                title = rival.mark.name
                named.setdefault(title, []).append(blind)
                named.setdefault(f"{title}, aligned", []).append(aligned)
        return {"edit": name} | {
            mark: round(100 * statistics.mean(some)) for mark, some in named.items()
        }

    def _names(self, stem: str) -> bool:
        """Whether the suspect names the recipient of this package's copy."""
        found = self._tracer.trace(suspect_items(self._path)[0]).first
        if found.reading is None or Path(found.original or "").stem != stem:
            return False
        readings = [found.reading]
        seen = evidence.weigh(readings, {"recipient": self._seed}, tested=RECIPIENTS)
        return seen.decided

    def _nearest(self, stem: str) -> Nearest | None:
        """How the suspect lies on its original; None where that isn't found."""
        raster = with_range(load(str(self._path), ignore_record=True).raster)
        try:
            near = self._tracer.nearest(raster)
        except InputError:
            return None
        return near if Path(near.image.source).stem == stem else None


def _pixels(path: str | Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"))


def _cost(
    mark: str,
    bits: int | str,
    needed: int | str,
    decibels: list[float],
    milliseconds: int | str,
) -> dict:
    return {
        "mark": mark,
        "photographs": len(decibels),
        "bits": bits,
        "needed": needed,
        "PSNR, dB": round(statistics.mean(decibels), 1),
        "least": round(min(decibels), 1),
        "ms to write": milliseconds,
    }


def rows(run: Run, todo: list[str]) -> Iterator[dict]:
    """A row for each edit."""
    for name in todo:
        edit = EDITS.get(name, EDITS["none"])
        yield run.row(name, edit, STRONGER.get(name, QUALITY))


def report(result: dict) -> str:
    """The results as Markdown."""
    versions = ", ".join(f"{name} {one}" for name, one in result["versions"].items())
    return f"""# Beside published watermarks

`python -m benchmarks.watermarks`, on {result["machine"]}; {versions}.
{result["photographs"]} photographs of up to 512 pixels, half of them JPEG files
({SLOWEST}, of which reading takes a second, has every other one); each copy with the
mark alone (of this package the licensed copy, W) is edited, saved as JPEG-{QUALITY} and
read alone.

{table(result["costs"])}

The share of photographs from which the right recipient is named among {RECIPIENTS} at
1e-6, %. A published mark names where `needed` bits or more are right, by the tail of
fair coins. It is read blind, as its package does; *aligned*: from the suspect that was
brought onto its original by the map that this package found for its own copy, which was
edited in the same way, with the original filled in where the suspect doesn't show it
(as it is, where that wasn't found). **This package always has the original**:
that is what it is built on, and what a blind mark does without. dwtDct, dwtDctSvd and
rivaGan refuse images of less than 65,536 pixels, which counts as nobody named.

{table(result["rows"])}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=11, help="of photographs")
    parser.add_argument("--mark", choices=[OURS, *MARKS], action="append")
    parser.add_argument("--edit", choices=[*EDITS, *STRONGER], action="append")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--keep", type=Path, help="a folder for the release")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        try:
            run = Run(
                folder, options.photos, options.count, options.mark or [OURS, *MARKS]
            )
        except InputError as error:
            sys.exit(str(error))
        result: dict = {
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "versions": {name: version(name) for name in PACKAGES},
            "photographs": len(run.originals),
            "costs": run.costs(),
            "rows": [],
        }
        path = options.output / "watermarks.json"
        if options.keep and path.exists():
            before = json.loads(path.read_text())
            if before["photographs"] == result["photographs"]:
                result["rows"] = before["rows"]
        done = {row["edit"] for row in result["rows"]}
        todo = [one for one in options.edit or [*EDITS, *STRONGER] if one not in done]
        for row in rows(run, todo):
            print(row, flush=True)
            result["rows"].append(row)
            path.write_text(json.dumps(result, indent=1) + "\n")
            path.with_suffix(".md").write_text(report(result))


if __name__ == "__main__":
    main()
