"""Whether watermark and perturbation spoil each other: RUE's and the naive sum.

    python benchmarks/watermark_interaction.py --photos photos.zip
    python benchmarks/watermark_interaction.py --part training --seeds 3

Two parts. "reading": how well a mark is read when a perturbation lies over it or
under it, unchanged and after JPEG, for ours and for published marks. "training": what
a network learns from the images with the perturbation alone, the mark alone, and both.

Wang et al. (IEEE TCSVT 2026) claim that a published watermark and a published
unlearnable noise, simply added, are both worse for it. The published watermarks are
no dependencies of this project; to measure them:

    pip install invisible-watermark blind-watermark     # and onnxruntime for rivaGan

It writes NAME.json and NAME.md; a run of one part keeps the other part's results.
Noise that needs a fit is kept in the cache, and trained cells in NAME.cells.jsonl.
This is the command; what it does is in interaction_*.py.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

import click
from data import RESULTS, plan_of, read_data
from interaction_images import ImageSet, photo_sets, read_photos
from interaction_noise import PERTURBATION, PUBLISHED, make_noise
from interaction_parts import reading_part, training_part
from interaction_tables import markdown
from published_marks import PACKAGES, published_mark

from fiftyone_reue.auditing.budgets import budget_named
from fiftyone_reue.auditing.cell_store import CellStore
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.grid import NONE
from fiftyone_reue.errors import ReueError
from fiftyone_reue.perturb.base import FitData


@click.command(help=__doc__.split("\n\n")[0])
@click.option(
    "--photos",
    type=Path,
    default=Path("../shared/data/photos.zip"),
    help="A folder or zip archive of PNG photographs.",
)
@click.option("--data-dir", type=Path, default=None, help="Where CIFAR-10's zips are.")
@click.option(
    "--part", type=click.Choice(["reading", "training", "both"]), default="both"
)
@click.option("--marks", default="dwtDct,dwtDctSvd,blind_watermark", show_default=True)
@click.option("--published/--no-published", default=True, help="Published marks.")
@click.option("--count", type=click.IntRange(2), default=200, help="CIFAR-10 to read.")
@click.option("--limit", type=click.IntRange(2), default=None, help="Photographs.")
@click.option("--slow", type=click.IntRange(2), default=None, help="For slow marks.")
@click.option("--train", type=click.IntRange(20), default=2000, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--out", type=Path, default=RESULTS, show_default=False)
@click.option("--name", default="watermark_interaction", show_default=True)
def main(
    photos: Path,
    data_dir: Path | None,
    part: str,
    marks: str,
    published: bool,
    count: int,
    limit: int | None,
    slow: int | None,
    train: int,
    seeds: int,
    device: str,
    out: Path,
    name: str,
) -> None:
    """Measure, then write the tables."""
    parts = ["reading", "training"] if part == "both" else [part]
    budget = replace(budget_named("quick"), train=train, seeds=seeds)
    measured: dict
    try:
        names = [one.strip() for one in marks.split(",")] if published else []
        chosen = [published_mark(one) for one in names]
        summed = published_mark("blind_watermark") if published else None
        holdings, test, classes = read_data("cifar10", data_dir, budget)
        for one in parts:
            if one == "reading":
                data = FitData(holdings.originals, holdings.labels, classes)
                small = ImageSet(
                    "CIFAR-10, 32 px",
                    list(holdings.originals[:count]),
                    holdings.labels[:count].tolist(),
                )
                opened = list(islice(read_photos(photos), limit))
                sets = photo_sets(opened, len(classes))
                noises = [
                    make_noise("rue", PERTURBATION, data, device),
                    make_noise("lsp", PUBLISHED, data, device),
                    make_noise("em_class", PUBLISHED, data, device),
                ]
                measured = reading_part(sets, small, noises, chosen, slow)
                measured["environment"] = environment(device) | _versions()
            else:
                plan = plan_of(budget, [NONE], device)
                store = CellStore(out / f"{name}.cells.jsonl")
                measured = training_part(holdings, classes, test, plan, store, summed)
                measured["environment"] |= _versions()
            _write(one, measured, out, name)
    except ReueError as error:
        sys.exit(str(error))


def _write(part: str, measured: dict, out: Path, name: str) -> None:
    """Put a part beside what another run found of the other part."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    command = ["python benchmarks/watermark_interaction.py", *sys.argv[1:]]
    results[part] = {**measured, "command": " ".join(command)}
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".md").write_text(markdown(results))
    click.echo(path.with_suffix(".md"))


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
