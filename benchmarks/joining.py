"""Several suspects of one photograph: what they say joined, and what the nearest says.

    python -m benchmarks.joining --photos FILE.zip

The archive holds photographs as PNG, released as in ``benchmarks.tracing``, to two
recipients. Crops of a licensed copy are traced one by one, and weighed as they come in:
the nearest alone, as it was once done, and all of them joined. So are copies of both
recipients beside one another, and copies beside such with their mark turned round.
With ``--keep FOLDER`` the release stays there.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.markdown import table
from benchmarks.naming import RECIPIENTS
from benchmarks.tracing import DONE, Edit, cropped, photographs, scaled
from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.tracing import Suspect, Tracer
from fiftyone_reue.vault.vault import Vault, create_folder, open_folder
from fiftyone_reue.watermark import evidence
from fiftyone_reue.watermark.joining import joined
from fiftyone_reue.watermark.readings import Reading
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed

WHO = ("alice", "bob")
COUNTS = (1, 2, 3, 4, 6, 8)
"""So many crops of one photograph."""

POISONED = (1, 4)
"""So many files with the mark turned round beside an honest one."""


@dataclass(frozen=True)
class Kind:
    """What is done to a copy before it is traced."""

    name: str
    edits: tuple[Edit, ...]
    quality: int


KINDS = (
    Kind("crop to 10 %", (cropped(10),), 75),
    Kind("crop to 10 %, JPEG-30", (cropped(10),), 30),
    Kind("crop to 10 %, half size", (cropped(10), scaled(0.5)), 75),
    Kind("crop to 5 %, JPEG-40", (cropped(5),), 40),
    Kind("crop to 25 %, a third of the size", (cropped(25), scaled(0.35)), 75),
)


@dataclass(frozen=True)
class Seen:
    """What was read of one suspect."""

    reading: Reading
    distance: float


Chances = Callable[[Sequence[Seen], Mapping[str, bytes]], dict[str, float]]
"""Of each recipient the bound on naming anybody so firmly by chance."""


def nearest(seen: Sequence[Seen], seeds: Mapping[str, bytes]) -> dict[str, float]:
    """Of the nearest suspect alone, as it is."""
    readings = [min(seen, key=lambda one: one.distance).reading] if seen else []
    return evidence.weigh(readings, seeds, tested=RECIPIENTS, turned=False).chances


def added(seen: Sequence[Seen], seeds: Mapping[str, bytes]) -> dict[str, float]:
    """Of the joined reading alone, with no choice."""
    parts = joined([one.reading for one in seen])
    soft = {one.image_id: one.bits for one in parts}
    energy = sum(float(bits @ bits) for bits in soft.values())
    fits = evidence.fits(soft, list(seeds.values()))
    return {
        who: evidence.bound(float(fit), energy, RECIPIENTS)
        for who, fit in zip(seeds, fits, strict=True)
    }


def weighed(seen: Sequence[Seen], seeds: Mapping[str, bytes]) -> dict[str, float]:
    """As it is done."""
    readings = [one.reading for one in seen]
    return evidence.weigh(readings, seeds, tested=RECIPIENTS).chances


WAYS: dict[str, Chances] = {"nearest": nearest, "sum": added, "joined": weighed}


def released(folder: Path, source: Path) -> Vault:
    """A vault, with the licensed copies of each recipient in a folder of that name."""
    if (folder / DONE).exists():
        return open_folder(folder / "vault")
    vault = create_folder(folder / "vault", plain_key_file=True)
    for who in WHO:
        _, key = vault.add_recipient(who)
        steps = protect(
            vault,
            who,
            labelled_items(source),
            folder / f"P-{who}",
            name=who,
            source=str(source),
            config=ProtectConfig("lsp"),
        )
        failed = finish(steps).outcome.failures
        if failed:
            raise AssertionError(failed[0])
        items = image_items(folder / f"P-{who}")
        finish(restore_licensed(items, None, folder / f"W-{who}", key))
    (folder / DONE).touch()
    return vault


class Reader:
    """Traces edited copies, one at a time."""

    def __init__(self, vault: Vault, folder: Path) -> None:
        self._tracer = Tracer(vault)
        finish(self._tracer.look_at_originals())
        self._path = folder / "suspect.jpg"

    def read(self, image: Image.Image, quality: int, stem: str) -> Seen | None:
        """What is read of an image; None where its original isn't found."""
        image.save(self._path, quality=quality)
        found: Suspect = self._tracer.trace(suspect_items(self._path)[0]).first
        if found.reading is None or found.distance is None or found.original is None:
            return None
        right = Path(found.original).stem == stem
        return Seen(found.reading, found.distance) if right else None


def copies(folder: Path, who: str) -> list[tuple[str, Image.Image]]:
    """The stems of a recipient's licensed copies, and the copies."""
    items = image_items(folder / f"W-{who}")
    return [
        (Path(one.path).name.split(".")[0], Image.open(one.path).convert("RGB"))
        for one in items
    ]


def of_crops(reader: Reader, folder: Path, kind: Kind, seeds: dict) -> list[dict]:
    """A row for each number of crops: the share that names their recipient."""
    sets = []
    for number, (stem, image) in enumerate(copies(folder, WHO[0])):
        draw = np.random.default_rng([number, len(kind.name)])
        seen = []
        for _ in range(max(COUNTS)):
            edited = image
            for edit in kind.edits:
                edited = edit(edited, draw)
            seen.append(reader.read(edited, kind.quality, stem))
        sets.append(seen)
    rows = []
    for count in COUNTS:
        row: dict[str, object] = {"suspects": kind.name, "of one photograph": count}
        aligned = [[one for one in own[:count] if one is not None] for own in sets]
        row["aligned"] = share(len(own) for own in aligned) // count
        for name in ("nearest", "joined"):
            chances = [WAYS[name](own, seeds)[WHO[0]] for own in aligned]
            row[name] = share(map(_names, chances))
        logs = [
            math.log10(WAYS["joined"](own, seeds)[WHO[0]])
            - math.log10(WAYS["nearest"](own, seeds)[WHO[0]])
            for own in aligned
        ]
        row["median of the bounds' ratio"] = f"1e{np.median(logs):.1f}"
        rows.append(row)
    return rows


def of_mixtures(reader: Reader, folder: Path, seeds: dict) -> list[dict]:
    """Both recipients' copies, and copies beside others turned round."""
    originals = {
        Path(one.path).stem: Image.open(one.path).convert("RGB")
        for one in labelled_items(folder / "source")
    }
    sets: dict[str, list[list[Seen]]] = {}
    theirs = dict(copies(folder, WHO[1]))
    for stem, image in copies(folder, WHO[0]):
        samples = np.asarray(image, np.float64)
        mark = samples - np.asarray(originals[stem], np.float64)
        honest = reader.read(image, 75, stem)
        other = reader.read(theirs[stem], 75, stem)
        if honest is None or other is None:
            continue
        sets.setdefault("a copy of each of two", []).append([honest, other])
        turned = []
        for loud in (1.0, 0.5, 0.25, 2.0):
            poison = samples - (1 + loud) * mark
            made = Image.fromarray(poison.round().clip(0, 255).astype(np.uint8))
            turned.append(reader.read(made, 95, stem))
        poisons = [one for one in turned if one is not None]
        for count in POISONED:
            name = f"a copy, and {count} with its mark turned round"
            sets.setdefault(name, []).append([honest, *poisons[:count]])
    rows = []
    for name, found in sets.items():
        for together in (1, 5):
            row: dict[str, object] = {"suspects": name, "photographs": together}
            groups = [
                [one for own in found[start : start + together] for one in own]
                for start in range(0, len(found) - together + 1, together)
            ]
            for way, chances in WAYS.items():
                bounds = [chances(own, seeds) for own in groups]
                row[f"{way}: alice"] = share(_names(one["alice"]) for one in bounds)
                row[f"{way}: bob"] = share(_names(one["bob"]) for one in bounds)
            rows.append(row)
    return rows


def _names(chance: float) -> bool:
    return chance <= evidence.FALSE_ACCUSATION


def share(of: object) -> int:
    """Percent."""
    return round(100 * float(np.mean(list(of))))  # type: ignore[call-overload]


def report(result: dict) -> str:
    """The results as Markdown."""
    return f"""# Several suspects of one photograph

`python -m benchmarks.joining`, on {result["machine"]}. {result["photographs"]}
photographs of up to 512 pixels, licensed copies, method `lsp`, saved as JPEG-75 where
nothing else is said. How many of the crops could be aligned, %; from how many
photographs the recipient is named among {RECIPIENTS} at 1e-6, %, by the nearest crop
alone and by all joined; and the median of how much smaller the bound becomes (it is
cut at 1e-300).

{table(result["crops"])}

Copies of two recipients, or copies beside such with the mark turned round, JPEG-95, as
loud, half, a quarter and twice as loud: from how many sets of one or of five
photographs a recipient is named, %, each by a single code's bound; by the nearest
suspect of each original, by the sum of all alone, and joined, with a choice
([evidence](../../docs/evidence.md#several-suspects-of-one-original)).

{table(result["mixtures"])}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24, help="of photographs")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--keep", type=Path, help="a folder for the release")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(options.keep or name)
        if not (folder / DONE).exists():
            photographs(options.photos, folder / "source", options.count)
        vault = released(folder, folder / "source")
        seeds = {one.name: seed for one, _, seed in vault.known_recipients()}
        reader = Reader(vault, folder)
        machine = f"{platform.machine()}, Python {platform.python_version()}, two cores"
        result: dict = {
            "machine": machine,
            "photographs": len(image_items(folder / f"W-{WHO[0]}")),
            "mixtures": of_mixtures(reader, folder, seeds),
            "crops": [],
        }
        path = options.output / "joining.json"
        for kind in KINDS:
            result["crops"] += of_crops(reader, folder, kind, seeds)
            print(result["crops"][-len(COUNTS) :], flush=True)
            path.write_text(json.dumps(result, indent=1) + "\n")
            path.with_suffix(".md").write_text(report(result))


if __name__ == "__main__":
    main()
