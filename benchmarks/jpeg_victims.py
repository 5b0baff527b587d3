"""JPEG releases as thieves use them: reduced, or cut, to the size that they train at.

    python benchmarks/jpeg_victims.py --imagenette imagenette224.zip
    python benchmarks/jpeg_victims.py --imagenette imagenette224.zip --methods rue,lsp
    python benchmarks/jpeg_victims.py --tables

The archive's own files are protected as `reue protect` does it, mark included. A victim
trains on what a thief makes of the decoded copies and is asked clean test photographs
of which the same was made. Every cell is kept in NAME.cells.jsonl, so that an
interrupted run goes on; tables are made of what there is, also while it runs.
"""

from __future__ import annotations

import json
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch
from data import RESULTS, write_results
from photograph_images import KEY, MARK_AMPLITUDE
from photograph_jpeg import originals, released
from photograph_thieves import draws, jpeg
from photograph_victims import Schedule, Training, Victims
from PIL import Image

from fiftyone_reue.auditing.cell_store import CellStore, cell_key
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.results import Cell
from fiftyone_reue.networks.device import choose_device
from fiftyone_reue.perturb.base import FitOptions
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.perturb.rue import matched_filter

CACHE = Path(__file__).parent / "cache"
"""Decoded copies; remove them after changing a method."""

ORIGINALS = "originals"

OWN = 10
"""Every so manyth test photograph is one that a thief learns on."""


@dataclass(frozen=True)
class Files:
    """JPEG files of one size and their classes.

    Attributes:
        files: the training files.
        labels: ``(N,)`` int64.
        test_files: likewise.
        test_labels: ``(T,)`` int64.
        classes: names, sorted.
    """

    files: tuple[bytes, ...]
    labels: np.ndarray
    test_files: tuple[bytes, ...]
    test_labels: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """What a thief does with ``(N, S, S, 3)`` uint8 before and while training.

    Attributes:
        title: of the column.
        fitted: makes images of the side trained at; the test images' too.
        taken_off: what a thief with the package does to the copies first, as they are.
        filtered: what is done to the fitted copies alone.
        draws: as :attr:`photograph_thieves.Thief.draws`.
    """

    title: str
    fitted: Callable[[np.ndarray, int], np.ndarray]
    taken_off: Callable[[np.ndarray, Files, int], np.ndarray] | None = None
    filtered: Callable[[np.ndarray], np.ndarray] | None = None
    draws: str = "shift"


def reduced(images: np.ndarray, side: int) -> np.ndarray:
    """Every pixel a mean of those that it is made of."""
    return np.stack(
        [
            np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BOX))
            for one in images
        ]
    )


def middle(images: np.ndarray, side: int) -> np.ndarray:
    """The middle, as it is."""
    first = (images.shape[1] - side) // 2
    return np.ascontiguousarray(images[:, first : first + side, first : first + side])


def without_bands(copies: np.ndarray, data: Files, amplitude: int) -> np.ndarray:
    """Copies less what the matched filter for `rue`'s bands takes for theirs.

    The thief has learned it on the test photographs, at full size, and has the labels.
    """
    own = torch.from_numpy(originals(data.test_files[::OWN]))
    thief = matched_filter.learned(own, len(data.classes), amplitude)
    labels = torch.from_numpy(data.labels)
    return thief.without(torch.from_numpy(copies), labels).numpy()


USES = {
    "reduced": Use("reduced", reduced),
    "middle": Use("the middle", middle),
    "crop": Use("reduced, random resized crop", reduced, draws="crop"),
    "jpeg_50": Use("reduced, JPEG-50", reduced, filtered=partial(jpeg, 50)),
    "jpeg_10": Use("reduced, JPEG-10", reduced, filtered=partial(jpeg, 10)),
    "bands": Use("bands matched, reduced", reduced, without_bands),
    "randaugment": Use("reduced, RandAugment", reduced, draws="randaugment"),
}


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--imagenette", type=click.Path(path_type=Path), help="The zip file.")
@click.option("--methods", default="rue", show_default=True, help="With commas.")
@click.option("--uses", default=",".join(USES), show_default=True)
@click.option("--side", type=click.IntRange(32), default=128, show_default=True)
@click.option("--victim", default="small_resnet", show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True)
@click.option("--rate", type=float, default=0.05, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 20), default=1, show_default=True)
@click.option("--epsilon", type=click.IntRange(6, 64), default=8, show_default=True)
@click.option("--each", type=click.IntRange(1), help="Files a class at most.")
@click.option("--device", default="auto", show_default=True)
@click.option("--tables", is_flag=True, help="Only write the tables again.")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--name", default="jpeg_victims", show_default=True)
def main(
    imagenette: Path | None,
    methods: str,
    uses: str,
    each: int | None,
    epsilon: int,
    seeds: int,
    side: int,
    device: str,
    tables: bool,
    cache: Path,
    out: Path,
    name: str,
    **schedule,
) -> None:
    """Measure, then write the tables."""
    if tables:
        figures = json.loads((out / f"{name}.json").read_text())
        write_results(out, name, markdown(figures), figures)
        return
    if imagenette is None:
        sys.exit("Say where Imagenette is: --imagenette FILE.zip")
    strange = [one for one in uses.split(",") if one not in USES]
    if strange:
        sys.exit(f"There is no use {strange[0]!r}; choose of {', '.join(USES)}")
    data = read_files(imagenette, each)
    subjects = (ORIGINALS, *methods.split(","))
    for subject in subjects:
        copies_of(subject, data, epsilon, cache, device)
    plan = Schedule(
        schedule["victim"], schedule["epochs"], schedule["batch"], schedule["rate"]
    )
    out.mkdir(parents=True, exist_ok=True)
    store = CellStore(out / f"{name}.cells.jsonl")
    cells = []
    for cell in trained(
        data,
        subjects,
        uses.split(","),
        seeds,
        side,
        plan,
        epsilon,
        cache,
        device,
        store,
    ):
        cells.append(cell)
        figures = {
            "side": side,
            "train": len(data.files),
            "test": len(data.test_files),
            "seeds": seeds,
            "schedule": vars(plan),
            "epsilon": epsilon,
            "environment": environment(device),
            "cells": cells,
        }
        write_results(out, name, markdown(figures), figures)


def read_files(archive: Path, each: int | None) -> Files:
    """The files of an archive with ``train/CLASS/*`` and ``val/CLASS/*``.

    Args:
        archive: a zip file of JPEGs of one size in colour.
        each: training files a class at most.
    """
    with zipfile.ZipFile(archive) as found:
        names = sorted(n for n in found.namelist() if n.endswith(".JPEG"))
        classes = tuple(sorted({name.split("/")[-2] for name in names}))
        parts = []
        for part, most in (("train", each), ("val", None)):
            files, labels = [], []
            for place, kind in enumerate(classes):
                mine = [n for n in names if f"/{part}/{kind}/" in f"/{n}"][:most]
                files += [found.read(name) for name in mine]
                labels += [place] * len(mine)
            parts += [tuple(files), np.array(labels, np.int64)]
    return Files(*parts, classes)


def copies_of(
    subject: str, data: Files, epsilon: int, cache: Path, device: str
) -> np.ndarray:
    """A release of the training files, decoded, from the cache if it is there.

    Args:
        subject: a method's name, or :data:`ORIGINALS`.
        data: the files.
        epsilon: the largest change, gray levels, mark included.
        cache: a folder.
        device: of methods that are fitted.

    Returns:
        ``(N, S, S, 3)`` uint8.
    """
    path = cache / f"jpeg_victims_{subject}_{epsilon}_{len(data.files)}.npy"
    if path.exists():
        return np.load(path)
    started = time.monotonic()
    if subject == ORIGINALS:
        copies = originals(data.files)
    else:
        options = FitOptions(epsilon - MARK_AMPLITUDE, 0, KEY, device)
        copies = released(
            data.files,
            data.labels,
            data.classes,
            create_method(subject),
            options,
            MARK_AMPLITUDE,
        )
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path.with_suffix(".part.npy"), copies)
    path.with_suffix(".part.npy").rename(path)
    click.echo(f"{subject}: made in {time.monotonic() - started:.0f} s", err=True)
    return copies


def trained(
    data: Files,
    subjects: Sequence[str],
    uses: Sequence[str],
    seeds: int,
    side: int,
    schedule: Schedule,
    epsilon: int,
    cache: Path,
    device: str,
    store: CellStore,
) -> Iterator[dict]:
    """Victims, seed by seed and use by use: what there is at any time is comparable."""
    place = choose_device(device)
    labels = torch.from_numpy(data.labels).to(place)
    wanted = torch.from_numpy(data.test_labels).to(place)
    tests = originals(data.test_files)
    count, kinds = len(data.files), len(data.classes)
    victims = Victims(schedule, count, side, kinds, place, slots=1)
    for seed in range(seeds):
        for name in uses:
            use = USES[name]
            for subject in subjects:
                key = cell_key(
                    subject=subject,
                    use=name,
                    seed=seed,
                    side=side,
                    schedule=schedule,
                    epsilon=epsilon,
                    count=count,
                )
                cell = store.get(key)
                if cell is None:
                    started = time.monotonic()
                    images = copies_of(subject, data, epsilon, cache, device)
                    if use.taken_off:
                        amplitude = epsilon - MARK_AMPLITUDE
                        images = use.taken_off(images, data, amplitude)
                    images = use.fitted(images, side)
                    if use.filtered:
                        images = use.filtered(images)
                    steps = schedule.steps(count)
                    drawn = draws(use.draws, steps, schedule.batch, count, side, seed)
                    work = Training(
                        torch.from_numpy(images).to(place),
                        labels,
                        drawn.to(place),
                        seed,
                        [torch.from_numpy(use.fitted(tests, side)).to(place)],
                    )
                    share = victims.accuracies([work], wanted)[0][0]
                    seconds = round(time.monotonic() - started, 1)
                    cell = Cell(
                        subject,
                        name,
                        schedule.victim,
                        seed,
                        share,
                        share,
                        (share,),
                        seconds,
                    )
                    store.put(key, cell)
                yield {
                    "subject": subject,
                    "use": name,
                    "seed": seed,
                    "accuracy": round(cell.accuracy, 4),
                }


def markdown(figures: dict) -> str:
    """The page."""
    schedule, cells = figures["schedule"], figures["cells"]
    there = [name for name in USES if any(cell["use"] == name for cell in cells)]
    lines = [
        "# JPEG releases as thieves use them",
        "",
        f"{figures['train']} JPEG files of Imagenette as they are, protected as `reue "
        f"protect` does it, at ε = {figures['epsilon']} with the mark in it; decoded, "
        f"and made {figures['side']} pixels a side as the columns say. A victim "
        f"(`{schedule['victim']}`, {schedule['epochs']} epochs, {figures['seeds']} "
        f"seeds) is asked {figures['test']} clean test photographs of which the same "
        "was made: accuracy in %, chance is "
        "10.",
        "",
        "Made by `python benchmarks/jpeg_victims.py` on "
        f"{figures['environment']['device']} with torch "
        f"{figures['environment']['torch']}.",
        "",
    ]
    lines += ["", "| | " + " | ".join(USES[use].title for use in there) + " |"]
    lines.append("|---" * (len(there) + 1) + "|")
    for subject in dict.fromkeys(cell["subject"] for cell in cells):
        row = [_shown(cells, subject, use) for use in there]
        lines.append(f"| `{subject}` | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def _shown(cells: Sequence[dict], subject: str, use: str) -> str:
    shares = [
        cell["accuracy"]
        for cell in cells
        if (cell["subject"], cell["use"]) == (subject, use)
    ]
    if not shares:
        return ""
    mean = f"{100 * np.mean(shares):.1f}"
    if len(shares) == 1:
        return mean
    return f"{mean} ± {100 * np.std(shares):.1f} ({len(shares)})"


if __name__ == "__main__":
    main()
