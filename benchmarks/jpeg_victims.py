"""JPEG releases as thieves use them: reduced, or cut, to the size that they train at.

    python benchmarks/jpeg_victims.py --imagenette imagenette224.zip
    python benchmarks/jpeg_victims.py --imagenette imagenette224.zip --methods rue,lsp
    python benchmarks/jpeg_victims.py --imagenette imagenette224.zip --methods restored
    python benchmarks/jpeg_victims.py --imagenette imagenette224.zip \\
        --methods rue:waves=long --epochs 60
    python benchmarks/jpeg_victims.py --imagenette imagenette224.zip \\
        --methods rue@92 --epochs 60
    python benchmarks/jpeg_victims.py --tables

The archive's own files are protected as `reue protect` does it, mark included. A victim
trains on what a thief makes of the decoded copies and is asked clean test photographs
of which the same was made. Every cell is kept in NAME.cells.jsonl, so that an
interrupted run goes on; tables are made of what there is, also while it runs. What
follows an @ is the quality that the files are saved at before they are protected.
"""

from __future__ import annotations

import json
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path

import click
import numpy as np
import torch
from data import RESULTS, write_results
from photograph_denoiser import denoised, trained
from photograph_images import KEY, MARK_AMPLITUDE
from photograph_jpeg import original, originals, released
from photograph_thieves import draws, jpeg
from photograph_victims import Schedule, Training, Victims
from PIL import Image

from fiftyone_reue.auditing.cell_store import CellStore, cell_key
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.results import Cell
from fiftyone_reue.networks.device import choose_device
from fiftyone_reue.perturb.base import FitOptions, Method
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.perturb.rue import matched_filter
from fiftyone_reue.prf import derive

CACHE = Path(__file__).parent / "cache"
"""Decoded copies; remove them after changing a method."""

ORIGINALS, RESTORED = "originals", "restored"
"""What isn't a method: the files, and what a recipient restores of a release."""

FOREIGN_KEYS = 6
"""With so many a thief makes pairs."""

DENOISER_STEPS, DENOISER_WIDTHS = 1500, (16, 32, 64, 96)
"""Of a denoiser that a processor trains in half an hour; see
:mod:`photograph_denoiser`, whose own widths are those that a GPU trains."""

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
        denoised: whether a denoiser that saw other keys' pairs takes off what it can.
        filtered: what is done to the fitted copies alone.
        draws: as :attr:`photograph_thieves.Thief.draws`.
    """

    title: str
    fitted: Callable[[np.ndarray, int], np.ndarray]
    taken_off: Callable[[np.ndarray, Files, int], np.ndarray] | None = None
    denoised: bool = False
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


def by_other_keys(
    subject: str,
    copies: np.ndarray,
    data: Files,
    epsilon: int,
    device: str,
    place: torch.device,
) -> np.ndarray:
    """Copies, denoised by who has the package and makes pairs with keys of their own.

    Args:
        subject: see :func:`method_of`.
        copies: ``(N, S, S, 3)`` uint8, as they are trained on.
        data: its test photographs are the thief's, who gives them classes by chance.
        epsilon: gray levels, mark included.
        device: of methods that are fitted.
        place: of the denoiser.
    """
    side, files = copies.shape[1], data.test_files
    draw = np.random.default_rng(0)
    made = []
    for number in range(FOREIGN_KEYS):
        key = derive(KEY, f"thief's own {number}")
        options = FitOptions(epsilon - MARK_AMPLITUDE, 0, key, device)
        labels = draw.integers(0, len(data.classes), len(files))
        method = method_of(subject)
        made.append(
            released(files, labels, data.classes, method, options, MARK_AMPLITUDE)
        )
    pairs = [reduced(one, side) for one in (originals(files), *made)]
    clean, *theirs = (torch.from_numpy(one).to(place) for one in pairs)
    network = trained(
        clean, torch.stack(theirs), steps=DENOISER_STEPS, widths=DENOISER_WIDTHS
    )
    return denoised(network, torch.from_numpy(copies).to(place)).cpu().numpy()


USES = {
    "reduced": Use("reduced", reduced),
    "middle": Use("the middle", middle),
    "crop": Use("reduced, random resized crop", reduced, draws="crop"),
    "jpeg_50": Use("reduced, JPEG-50", reduced, filtered=partial(jpeg, 50)),
    "jpeg_10": Use("reduced, JPEG-10", reduced, filtered=partial(jpeg, 10)),
    "bands": Use("bands matched, reduced", reduced, without_bands),
    "denoiser": Use("reduced, denoised by other keys' pairs", reduced, denoised=True),
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
@click.option("--kept", is_flag=True, help="Train nobody: only what was measured.")
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
    kept: bool,
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
    plan = Schedule(
        schedule["victim"], schedule["epochs"], schedule["batch"], schedule["rate"]
    )
    out.mkdir(parents=True, exist_ok=True)
    store = CellStore(out / f"{name}.cells.jsonl")
    bench = Bench(data, side, plan, epsilon, cache, device, store)
    figures = {
        "side": side,
        "train": len(data.files),
        "test": len(data.test_files),
        "schedule": vars(plan),
        "epsilon": epsilon,
        "environment": environment(device),
        "cells": [],
    }
    # Seed by seed and use by use: what there is at any time is comparable.
    for seed, use, subject in product(range(seeds), uses.split(","), subjects):
        look = bench.kept if kept else bench.measured
        cell = look(subject, use, seed)
        if cell is None:
            continue
        accuracy = round(cell.accuracy, 4)
        figures["cells"].append(
            {"subject": subject, "use": use, "seed": seed, "accuracy": accuracy}
        )
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


def saved_again(files: Sequence[bytes], quality: int) -> tuple[bytes, ...]:
    """JPEG files of another quality, as if a camera had taken them at it."""
    return tuple(original(image, quality) for image in originals(files))


def method_of(subject: str) -> Method:
    """What a name and options, as in ``rue:waves=long@92``, stand for."""
    name, *given = subject.split("@")[0].split(":")
    return create_method(name, **dict(one.split("=", 1) for one in given))


def copies_of(
    subject: str, data: Files, epsilon: int, cache: Path, device: str
) -> np.ndarray:
    """A release of the training files, decoded, from the cache if it is there.

    Args:
        subject: see :func:`method_of`, or :data:`ORIGINALS` or :data:`RESTORED`.
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
        name, _, quality = subject.partition("@")
        copies = released(
            saved_again(data.files, int(quality)) if quality else data.files,
            data.labels,
            data.classes,
            None if name == RESTORED else method_of(subject),
            options,
            MARK_AMPLITUDE,
        )
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path.with_suffix(".part.npy"), copies)
    path.with_suffix(".part.npy").rename(path)
    click.echo(f"{subject}: made in {time.monotonic() - started:.0f} s", err=True)
    return copies


class Bench:
    """Trains victims, or finds what was measured of them.

    Args:
        data: the files.
        side: pixels that victims train at.
        schedule: theirs.
        epsilon: gray levels, mark included.
        cache: where copies are kept.
        device: "auto", "cpu" or a torch device.
        store: what was measured.
    """

    def __init__(
        self,
        data: Files,
        side: int,
        schedule: Schedule,
        epsilon: int,
        cache: Path,
        device: str,
        store: CellStore,
    ) -> None:
        self._data, self._side, self._schedule = data, side, schedule
        self._epsilon, self._cache, self._device = epsilon, cache, device
        self._store = store
        self._place = choose_device(device)

    def kept(self, subject: str, use: str, seed: int) -> Cell | None:
        """What was measured before."""
        return self._store.get(self._key(subject, use, seed))

    def measured(self, subject: str, use: str, seed: int) -> Cell:
        """What a victim learns; measured, unless it was before."""
        known = self.kept(subject, use, seed)
        if known is not None:
            return known
        started = time.monotonic()
        share = self._accuracy(subject, USES[use], seed)
        seconds = round(time.monotonic() - started, 1)
        victim = self._schedule.victim
        cell = Cell(subject, use, victim, seed, share, share, (share,), seconds)
        self._store.put(self._key(subject, use, seed), cell)
        return cell

    def _key(self, subject: str, use: str, seed: int) -> str:
        return cell_key(
            subject=subject,
            use=use,
            seed=seed,
            side=self._side,
            schedule=self._schedule,
            epsilon=self._epsilon,
            count=len(self._data.files),
        )

    def _accuracy(self, subject: str, use: Use, seed: int) -> float:
        data, side, count = self._data, self._side, len(self._data.files)
        images = copies_of(subject, data, self._epsilon, self._cache, self._device)
        if use.taken_off:
            images = use.taken_off(images, data, self._epsilon - MARK_AMPLITUDE)
        images = use.fitted(images, side)
        if use.denoised and subject not in (ORIGINALS, RESTORED):
            images = by_other_keys(
                subject, images, data, self._epsilon, self._device, self._place
            )
        if use.filtered:
            images = use.filtered(images)
        steps, batch = self._schedule.steps(count), self._schedule.batch
        work = Training(
            self._there(images),
            self._there(data.labels),
            draws(use.draws, steps, batch, count, side, seed).to(self._place),
            seed,
            [self._there(use.fitted(self._tests, side))],
        )
        return self._victims.accuracies([work], self._there(data.test_labels))[0][0]

    @cached_property
    def _tests(self) -> np.ndarray:
        return originals(self._data.test_files)

    @cached_property
    def _victims(self) -> Victims:
        count, kinds = len(self._data.files), len(self._data.classes)
        return Victims(self._schedule, count, self._side, kinds, self._place, slots=1)

    def _there(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(self._place)


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
        f"(`{schedule['victim']}`, {schedule['epochs']} epochs) "
        f"is asked {figures['test']} clean test photographs of which the same "
        "was made: accuracy in %, chance is 10; "
        "mean ± standard deviation and the number of seeds where there are several. "
        "The matched filter has the package and the labels, and not the key. What "
        "follows an @ is the quality that files were saved at again before.",
        "",
        f"Made by `python benchmarks/jpeg_victims.py --epochs {schedule['epochs']}` on "
        f"{figures['environment']['device']} with torch "
        f"{figures['environment']['torch']}.",
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
