"""How many edited 32-pixel images it takes to name their recipient.

    python -m benchmarks.tracing_small --cifar FOLDER

CIFAR-10's training images are released; some copies, protected and licensed, are
edited, saved as JPEG at quality 75 and traced. From their readings sets are drawn: how
many images it takes until the recipient is named among 1,000 in 95 % of the sets, those
counted that weren't found. Test images, which were never released, are edited and
traced as well: none should be found.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.cifar import read_cifar10
from benchmarks.markdown import table
from benchmarks.naming import RECIPIENTS, images_needed
from benchmarks.tracing import Draw, Edit, cropped, released, rotated
from fiftyone_reue.auditing.budgets import BUDGETS
from fiftyone_reue.batch.folders import image_items, suspect_items
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.tracing import Suspect, Tracer
from fiftyone_reue.watermark.readings import Reading

SIDE = 32
MOST = 200
"""More images aren't tried."""


def back(edit: Edit) -> Edit:
    """An edit, and resized to what it was."""
    return lambda image, draw: edit(image, draw).resize(
        image.size, Image.Resampling.BICUBIC
    )


def shifted(image: Image.Image, draw: Draw) -> Image.Image:
    """Moved by up to three pixels each way, the border repeated."""
    down, across = draw.integers(-3, 4, 2)
    samples = np.pad(np.asarray(image), ((3, 3), (3, 3), (0, 0)), "edge")
    return Image.fromarray(samples[3 + down :, 3 + across :][:SIDE, :SIDE])


EDITS: dict[str, Edit] = {
    "none": lambda image, _: image,
    "crop to 90 %, resized": back(cropped(90)),
    "crop to 75 %, resized": back(cropped(75)),
    "crop to 75 %": cropped(75),
    "crop to 50 %, resized": back(cropped(50)),
    "shifted by up to 3": shifted,
    "rotated by 5°": rotated(5),
    "scale 2": lambda image, _: image.resize((64, 64), Image.Resampling.BICUBIC),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--originals", type=int, default=1000)
    parser.add_argument("--suspects", type=int, default=200)
    parser.add_argument("--method", default="lsp")
    parser.add_argument(
        "--edit",
        choices=EDITS,
        action="append",
        help="only these, beside those that are in the table",
    )
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    result: dict = {
        "machine": machine,
        "originals": options.originals,
        "suspects": options.suspects,
        "method": options.method,
    }
    path = options.output / "tracing_small.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    others = kept.pop("edits", []) if options.edit else []
    if others and kept != result:
        parser.error(f"{path} is of other images or of another machine; without --edit")
    rows = {row["edit"]: row for row in others}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        strangers = written(folder, options.cifar, options.originals, options.suspects)
        vault, copies = released(folder, folder / "source", options.method)
        tracer = Tracer(vault)
        finish(tracer.look_at_originals())
        ((_, _, seed),) = vault.known_recipients()
        for edit in options.edit or EDITS:
            row = measured(tracer, copies, folder, edit, options.suspects, seed)
            found = (
                traced(tracer, path, folder, edit, number)
                for number, path in enumerate(strangers)
            )
            row["strangers"] = sum(one.image_id is not None for one in found)
            print(row, flush=True)
            rows[edit] = row
            result["edits"] = [rows[one] for one in EDITS if one in rows]
            path.write_text(json.dumps(result, indent=1) + "\n")
            path.with_suffix(".md").write_text(report(result))


def report(result: dict) -> str:
    """The results as Markdown."""
    return f"""# Tracing edited images of 32 pixels

`python -m benchmarks.tracing_small`, on {result["machine"]}. {result["originals"]}
images of CIFAR-10 released with `{result["method"]}`, epsilon 8; {result["suspects"]}
copies, protected (P) and licensed (W), and as many strangers, are edited, saved as JPEG
at quality 75 and traced: the share whose original is found, %; how many were taken for
another; how many images it takes to name the recipient among {RECIPIENTS} at 1e-6 in
95 % of sets; processor time a suspect, ms; and how many strangers matched anything.

{table(result["edits"])}
"""


def written(folder: Path, cifar: Path, originals: int, others: int) -> list[Path]:
    """Originals in folders of their classes, and images that are never released."""
    size = replace(BUDGETS["quick"], train=originals, clean=0, test=others)
    holdings, held_out, _ = read_cifar10(cifar, size)
    pairs = zip(holdings.images, holdings.labels, strict=True)
    for number, (samples, label) in enumerate(pairs):
        place = folder / "source" / f"class{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(samples).save(place / f"{number:05}.png")
    (folder / "strangers").mkdir()
    paths = []
    for number, samples in enumerate(held_out.images):
        paths.append(folder / "strangers" / f"{number:05}.png")
        Image.fromarray(samples).save(paths[-1])
    return paths


def measured(
    tracer: Tracer,
    copies: dict[str, Path],
    folder: Path,
    edit: str,
    count: int,
    seed: bytes,
) -> dict:
    """A row: what is found, how many images it takes, and what it costs."""
    row: dict = {"edit": edit}
    for tier, place in copies.items():
        readings: list[Reading | None] = []
        spent, wrong = [], 0
        items = image_items(place)
        step = max(1, len(items) // count)
        for number, item in enumerate(items[::step][:count]):
            start = time.process_time()
            found = traced(tracer, Path(item.path), folder, edit, number)
            spent.append(time.process_time() - start)
            right = found.original and Path(found.original).stem == Path(item.path).stem
            wrong += bool(found.original and not right)
            readings.append(found.reading if right else None)
        row[f"found {tier}"] = round(100 * sum(map(bool, readings)) / len(readings))
        row[f"wrong {tier}"] = wrong
        row[f"images {tier}"] = images_needed(readings, seed, MOST) or f"over {MOST}"
        row[f"ms {tier}"] = round(1000 * statistics.median(spent), 1)
    return row


def traced(tracer: Tracer, path: Path, folder: Path, edit: str, number: int) -> Suspect:
    """What is read from an edited image."""
    draw = np.random.default_rng([number, len(edit)])
    suspect = folder / "suspect.jpg"
    EDITS[edit](Image.open(path).convert("RGB"), draw).save(suspect, quality=75)
    return tracer.trace(suspect_items(suspect)[0]).first


if __name__ == "__main__":
    main()
