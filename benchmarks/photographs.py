"""Photographs: what victims of real size learn, under thieves in tiers.

    python benchmarks/photographs.py --imagenette imagenette224.zip
    python benchmarks/photographs.py --imagenette imagenette224.zip --quick
    python benchmarks/photographs.py --imagenette imagenette224.zip --minutes 8
    python benchmarks/photographs.py --tables

Imagenette at the size given, the same change of at most epsilon for every method,
victims of one recipe, tested on clean photographs. With several thieves in tiers (see
photograph_thieves.py); peers, `rue`, candidates and controls as rows. Every cell is
kept in NAME.cells.jsonl, so that an interrupted run goes on; `--minutes` stops it, and
tables are made of what there is: seed by seed, the thieves that matter most first.
`--tables` only writes NAME.md again, from NAME.json.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
import torch
from data import RESULTS, write_results
from photograph_denoiser import STEPS
from photograph_images import (
    SUBJECTS,
    Photographs,
    amplitude,
    kept_file,
    made_in,
    make_all,
    pairs_name,
    read_imagenette,
)
from photograph_thieves import (
    Arrays,
    Draws,
    Labelled,
    Lesson,
    Thief,
    draws,
    on_device,
    thieves,
)
from photograph_victims import Schedule, Training, Victims

from fiftyone_reue.auditing.cell_store import CellStore, cell_key
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.results import Cell
from fiftyone_reue.networks.device import choose_device

CACHE = Path(__file__).parent / "cache"
"""Perturbed images; remove them after changing a method."""

EPOCHS = 80
"""After which the originals gain about a point more from twice as many."""

FIRST = (
    *(
        "none",
        "denoiser",
        "bands",
        "denoiser_same",
        "jpeg_10",
        "lines",
        "blur_2",
        "stripes",
        "stripes_marked",
        "atom_image",
        "atom_block",
    ),
    *("crop", "randaugment", "grayscale", "half", "jpeg_50", "median", "blur_1"),
    *("jpeg_30", "jitter", "jpeg_75", "shrunk", "class_spectra", "mean_spectra"),
    "adversarial",
)
"""The order in which thieves are measured."""

DENOISED = (
    *("rue", "rue_marked", "rue_gratings_marked", "candidate_pool"),
    *("rue_jpeg", "rue_gratings_jpeg"),
)
"""Subjects that a denoiser is trained against."""

ATTACKED = {"originals": "rue_marked", "originals_jpeg": "rue_jpeg"}
"""What a thief took the originals for."""

PICTURES = 100
"""Of how many images the quality is measured; SSIMULACRA2 of a fifth."""

COPIES = 6
"""Keys with which a thief makes pairs of photographs of their own."""

FILTERED = "+test"
"""Behind a thief's name: the model is asked images that were filtered as well."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        sides: pixels, each a table.
        subjects: rows.
        thieves: columns.
        seeds: of the victims.
        schedule: of the victims.
        epsilon: gray levels.
        saturation: numbers of epochs that the originals are trained for beside.
        slots: victims side by side on a GPU.
        workers: processes for what runs on the processor.
        device: "auto", "cpu" or a torch device.
        denoiser_steps: of a thief's denoiser.
        until: ``time.monotonic()`` when to stop.
    """

    sides: tuple[int, ...]
    subjects: tuple[str, ...]
    thieves: tuple[str, ...]
    seeds: int
    schedule: Schedule
    epsilon: int
    saturation: tuple[int, ...]
    slots: int
    workers: int
    device: str
    denoiser_steps: int
    until: float


@dataclass(frozen=True)
class Wanted:
    """A cell."""

    side: int
    subject: str
    thief: str
    seed: int
    schedule: Schedule
    epsilon: int

    def key(self, mark: str, asked: str = "") -> str:
        """For the store."""
        return cell_key(**vars(self), mark=mark, asked=asked)


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--imagenette", type=click.Path(path_type=Path), help="The zip file.")
@click.option("--sides", default="128", show_default=True, help="Pixels, with commas.")
@click.option("--subjects", default="all", show_default=True)
@click.option("--thieves", "chosen", default="all", show_default=True)
@click.option("--victim", default="small_resnet", show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=EPOCHS, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True)
@click.option("--rate", type=float, default=0.05, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--epsilon", type=click.IntRange(6, 64), default=8, show_default=True)
@click.option("--saturation", default="", help="Epochs to try on originals.")
@click.option("--slots", type=click.IntRange(1), default=8, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True)
@click.option("--minutes", type=float, default=math.inf, help="Stop after so many.")
@click.option("--device", default="auto", show_default=True)
@click.option("--quick", is_flag=True, help="A try on a processor, in a minute.")
@click.option("--tables", is_flag=True, help="Only write the tables again.")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--name", default="photographs", show_default=True)
def main(
    imagenette: Path | None, sides: str, quick: bool, tables: bool, **given
) -> None:
    """Measure, then write the tables."""
    out, name = given["out"], given["name"] + ("_quick" if quick else "")
    if tables:
        figures = json.loads((out / f"{name}.json").read_text())
        write_results(out, name, markdown(figures), figures)
        return
    if imagenette is None:
        sys.exit("Say where Imagenette is: --imagenette FILE.zip")
    try:
        plan = _plan(sides, quick, given)
    except ValueError as error:
        sys.exit(str(error))
    out.mkdir(parents=True, exist_ok=True)
    store = CellStore(out / f"{name}.cells.jsonl")
    each = (6, 3) if quick else (None, None)
    figures = []
    for side in plan.sides:
        photographs = read_imagenette(imagenette, side, *each)
        figures.append(measured(photographs, side, plan, given["cache"], store))
    write_results(out, name, markdown(figures), figures)


def _plan(sides: str, quick: bool, given: dict) -> Plan:
    known = tuple(thieves(given["epsilon"], 10))
    schedule = Schedule(given["victim"], given["epochs"], given["batch"], given["rate"])
    if quick:
        schedule = Schedule(given["victim"], 2, 20, given["rate"])
    return Plan(
        sides=tuple(int(side) for side in sides.split(",")),
        subjects=_names(given["subjects"], SUBJECTS),
        thieves=_names(given["chosen"], known),
        seeds=1 if quick else given["seeds"],
        schedule=schedule,
        epsilon=given["epsilon"],
        saturation=tuple(int(n) for n in given["saturation"].split(",") if n),
        slots=given["slots"] if choose_device(given["device"]).type == "cuda" else 1,
        workers=given["workers"],
        device=given["device"],
        denoiser_steps=3 if quick else STEPS,
        until=time.monotonic() + 60 * given["minutes"],
    )


def _names(given: str, known: Sequence[str]) -> tuple[str, ...]:
    if given == "all":
        return tuple(known)
    wanted = tuple(part.strip() for part in given.split(",") if part.strip())
    strange = [name for name in wanted if name not in known]
    if strange:
        raise ValueError(f"There is no {strange[0]!r}; choose of {', '.join(known)}")
    return wanted


def measured(
    photographs: Photographs, side: int, plan: Plan, cache: Path, store: CellStore
) -> dict:
    """One size: make the subjects, train the victims; returns all figures."""
    started = time.monotonic()
    failures = make_all(
        plan.subjects, photographs, plan.epsilon, cache, plan.device, plan.workers
    )
    for name, why in failures.items():
        _say(f"{name} couldn't be made: {why}")
    subjects = [name for name in plan.subjects if name not in failures]
    bench = _Bench(photographs, side, plan, cache, store)
    _say(f"{side} px: subjects made in {time.monotonic() - started:.0f} s")
    if plan.workers > 1:
        attacked = [s for s in subjects if s in DENOISED]
        for name, known in (("denoiser", False), ("denoiser_same", True)):
            if name in plan.thieves:
                make_pairs(attacked, photographs, plan, cache, known=known)
        bench.compress(subjects)
        _say(f"{side} px: filtered after {time.monotonic() - started:.0f} s")
    saturation = bench.saturation()
    cells = bench.run(list(wanted_cells(side, subjects, plan)))
    _say(f"{side} px: {len(cells)} cells after {time.monotonic() - started:.0f} s")
    return {
        "side": side,
        "train": len(photographs.images),
        "test": len(photographs.test_images),
        "seeds": plan.seeds,
        "schedule": vars(plan.schedule),
        "epsilon": plan.epsilon,
        "environment": environment(plan.device),
        "seconds": round(time.monotonic() - started, 1),
        "made_in_seconds": made_in(cache, subjects, photographs.mark(), plan.epsilon),
        "not_made": failures,
        "quality": bench.quality(subjects),
        "saturation": saturation,
        "cells": [
            {
                "subject": cell.subject,
                "thief": cell.countermeasure,
                "seed": cell.seed,
                "accuracy": round(cell.accuracy, 4),
            }
            for cell in cells
        ],
    }


def wanted_cells(side: int, subjects: Sequence[str], plan: Plan) -> Iterator[Wanted]:
    """Seed by seed, thief by thief: what there is when time is up is comparable."""
    known = thieves(plan.epsilon, 10)
    for seed in range(plan.seeds):
        for name in (n for n in FIRST if n in plan.thieves):
            for subject in subjects:
                against = known[name].against
                if against and subject not in against:
                    continue
                if subject == "shuffled_labels" and name != "none":
                    continue
                if name.startswith("denoiser") and subject not in (
                    *DENOISED,
                    *ATTACKED,
                ):
                    continue
                yield Wanted(side, subject, name, seed, plan.schedule, plan.epsilon)


def make_pairs(
    subjects: Sequence[str],
    photographs: Photographs,
    plan: Plan,
    cache: Path,
    *,
    known: bool = False,
) -> dict[str, list[Path]]:
    """A thief's copies of photographs of their own, which are the test images.

    Args:
        subjects: what is attacked.
        photographs: their ``test_images``.
        plan: epsilon and processes.
        cache: where copies are kept.
        known: see :func:`pairs_name`.

    Returns:
        For each subject, a file for each key.
    """
    images, labels = photographs.test_images, photographs.test_labels
    own = Photographs(images, labels, images, labels, photographs.classes)
    names = {
        s: [pairs_name(s, copy, known=known) for copy in range(COPIES)]
        for s in subjects
    }
    every = [name for some in names.values() for name in some]
    failures = make_all(every, own, plan.epsilon, cache, plan.device, plan.workers)
    if failures:
        raise RuntimeError(f"No pairs: {next(iter(failures.values()))}")
    mark = own.mark()
    return {
        s: [kept_file(cache, name, mark, plan.epsilon) for name in some]
        for s, some in names.items()
    }


class _Bench:
    """The images on the device, the filters' work, and the victims."""

    def __init__(
        self,
        photographs: Photographs,
        side: int,
        plan: Plan,
        cache: Path,
        store: CellStore,
    ) -> None:
        self._photographs, self._side, self._plan = photographs, side, plan
        self._cache, self._store = cache, store
        self._place = choose_device(plan.device)
        self._mark = photographs.mark()
        self._thieves = thieves(plan.epsilon, len(photographs.classes))
        self._labels = torch.from_numpy(photographs.labels).to(self._place)
        order = np.random.default_rng(0).permutation(photographs.labels)
        self._shuffled = torch.from_numpy(order).to(self._place)
        self._wanted = torch.from_numpy(photographs.test_labels).to(self._place)
        self._filtered: dict[tuple[str, str], torch.Tensor] = {}
        self._learned: dict[tuple[str, str], Labelled] = {}
        self._draws: dict[tuple, Draws] = {}
        self._victims: dict[Schedule, Victims] = {}

    def compress(self, subjects: Sequence[str]) -> None:
        """Do the filters that run on a processor, in processes of their own."""
        jobs, keys = [], []
        for thief in self._thieves.values():
            if thief.arrays is None or thief.name not in self._plan.thieves:
                continue
            for subject in subjects:
                if thief.against and subject not in thief.against:
                    continue
                if subject == "shuffled_labels":
                    continue
                keys.append((subject, thief.name))
                jobs.append((self._path(subject), thief.name, thief.arrays))
        context = get_context("spawn")
        with ProcessPoolExecutor(self._plan.workers, mp_context=context) as pool:
            for key, after in zip(keys, pool.map(_filter_file, jobs), strict=True):
                self._filtered[key] = torch.from_numpy(np.load(after)).to(self._place)
                after.unlink()

    def saturation(self) -> dict[str, float]:
        """The originals' accuracy after other numbers of epochs."""
        found = {}
        for epochs in self._plan.saturation:
            schedule = self._plan.schedule
            other = Schedule(schedule.victim, epochs, schedule.batch, schedule.rate)
            cells = [
                Wanted(self._side, "originals", "none", seed, other, self._plan.epsilon)
                for seed in range(self._plan.seeds)
            ]
            started = time.monotonic()
            done = self.run(cells)
            if not done:
                break
            found[str(epochs)] = round(float(np.mean([c.accuracy for c in done])), 4)
            _say(
                f"{self._side} px, originals, {epochs} epochs: "
                f"{100 * found[str(epochs)]:.1f} % "
                f"({(time.monotonic() - started) / len(cells):.2f} s each)"
            )
        return found

    def run(self, wanted: Sequence[Wanted]) -> list[Cell]:
        """The cells that are known or that there is time for."""
        cells: list[Cell] = []
        left = []
        for one in wanted:
            known = self._known(one)
            cells += known
            if not known:
                left.append(one)
        for start in range(0, len(left), self._plan.slots):
            if time.monotonic() > self._plan.until:
                _say(f"Time is up: {len(left) - start} victims weren't trained")
                break
            cells += self._trained(left[start : start + self._plan.slots])
        return cells

    def _known(self, one: Wanted) -> list[Cell]:
        """The store's cells, both of a filter."""
        found = [self._store.get(one.key(self._mark, a)) for a in ("", FILTERED)]
        return [cell for cell in found if cell]

    def _trained(self, chunk: Sequence[Wanted]) -> list[Cell]:
        started = time.monotonic()
        work = [self._training(one) for one in chunk]
        schedule = chunk[0].schedule
        if schedule not in self._victims:
            self._victims[schedule] = Victims(
                schedule,
                len(self._photographs.images),
                self._side,
                len(self._photographs.classes),
                self._place,
                self._plan.slots,
            )
        found = self._victims[schedule].accuracies(work, self._wanted)
        seconds = round((time.monotonic() - started) / len(chunk), 2)
        cells = []
        for one, shares in zip(chunk, found, strict=True):
            for asked, share in zip(("", FILTERED), shares, strict=False):
                cell = Cell(
                    one.subject,
                    one.thief + asked,
                    schedule.victim,
                    one.seed,
                    share,
                    share,
                    (share,),
                    seconds,
                )
                self._store.put(one.key(self._mark, asked), cell)
                cells.append(cell)
        return cells

    def _training(self, one: Wanted) -> Training:
        thief = self._thieves[one.thief]
        tests = [self._filter("test", thief, plain=True)]
        if thief.learned:
            learned = self._lesson(one.subject, thief)
            tests.append(learned(self._filter("test", thief, plain=True), None))
        elif thief.tier.startswith("T1") or thief.name.startswith("jpeg"):
            tests.append(self._filter("test", thief))
        shuffled = one.subject == "shuffled_labels"
        steps = one.schedule.steps(len(self._labels))
        return Training(
            self._filter(one.subject, thief),
            self._shuffled if shuffled else self._labels,
            self._drawn(thief.draws, steps, one.schedule.batch, one.seed),
            one.seed,
            tests,
        )

    def _drawn(self, kind: str, steps: int, batch: int, seed: int) -> Draws:
        key = (kind, steps, batch, seed)
        if key not in self._draws:
            made = draws(kind, steps, batch, len(self._labels), self._side, seed)
            self._draws[key] = made.to(self._place)
        return self._draws[key]

    def _filter(
        self, subject: str, thief: Thief, *, plain: bool = False
    ) -> torch.Tensor:
        """A subject's images, filtered, on the device; kept, on a GPU."""
        filters = not plain and (thief.arrays or thief.tensors or thief.learned)
        key = (subject, thief.name if filters else "none")
        if key not in self._filtered:
            images = self._images(subject)
            if not plain and thief.arrays:
                images = thief.arrays(images)
            there = torch.from_numpy(images).to(self._place)
            if not plain and thief.tensors:
                there = on_device(there, thief.tensors)
            if not plain and thief.learned:
                there = self._lesson(subject, thief)(there, self._labels)
            if self._place.type != "cuda" and subject != "test":
                return there
            self._filtered[key] = there
        return self._filtered[key]

    def _lesson(self, subject: str, thief: Thief) -> Labelled:
        """What a thief has learned for a subject; for originals as for a release."""
        attacked = ATTACKED.get(subject, subject)
        key = (attacked, thief.name)
        if key not in self._learned:
            if len(self._learned) > 8:
                self._learned.clear()
            release = torch.from_numpy(self._images(subject)).to(self._place)
            own = self._filter("test", thief, plain=True)
            self._learned[key] = thief.learned(
                Lesson(
                    attacked,
                    release,
                    own,
                    len(self._photographs.classes),
                    amplitude(attacked, self._plan.epsilon),
                    partial(self._pairs, attacked),
                    self._plan.denoiser_steps,
                )
            )
        return self._learned[key]

    def _pairs(self, subject: str, known: bool) -> torch.Tensor:
        """What the package makes of the test images with other keys."""
        paths = make_pairs(
            [subject], self._photographs, self._plan, self._cache, known=known
        )
        copies = np.stack([np.load(path) for path in paths[subject]])
        return torch.from_numpy(copies).to(self._place)

    def _images(self, subject: str) -> np.ndarray:
        if subject == "test":
            return self._photographs.test_images
        return np.load(self._path(subject))

    def _path(self, subject: str) -> Path:
        return kept_file(self._cache, subject, self._mark, self._plan.epsilon)

    def quality(self, subjects: Sequence[str]) -> dict[str, dict[str, float]]:
        """PSNR, SSIM and, if its package is there, SSIMULACRA2 of each subject."""
        originals = self._photographs.images
        step = max(1, len(originals) // PICTURES)
        shown = [s for s in subjects if s not in ("originals", "shuffled_labels")]
        jobs = [(originals[::step], np.load(self._path(s))[::step]) for s in shown]
        if self._plan.workers == 1:
            return dict(zip(shown, map(_quality, jobs), strict=True))
        context = get_context("spawn")
        with ProcessPoolExecutor(self._plan.workers, mp_context=context) as pool:
            return dict(zip(shown, pool.map(_quality, jobs), strict=True))


def _say(words: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {words}", err=True)


def _filter_file(job: tuple[Path, str, Arrays]) -> Path:
    """Through a file, since a hundred megabytes are slow through a pipe."""
    path, name, apply = job
    after = path.with_suffix(f".{name}.npy")
    np.save(after, apply(np.load(path)))
    return after


def _quality(job: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    from quality import psnr, ssim

    pairs = list(zip(*job, strict=True))
    change = job[1].astype(np.int16) - job[0]
    found = {
        "largest": int(np.abs(change).max()),
        "psnr": float(np.mean([psnr(*pair) for pair in pairs])),
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
    }
    with contextlib.suppress(ImportError):
        found["ssimulacra2"] = float(np.mean([ssimulacra2(*p) for p in pairs[::5]]))
    return {name: round(value, 4) for name, value in found.items()}


def ssimulacra2(true: np.ndarray, image: np.ndarray) -> float:
    """100 for the same; 90 is hardly seen, 70 high quality, 50 medium.

    Raises:
        ImportError: `pip install ssimulacra2` wasn't done.
    """
    import tempfile

    from PIL import Image
    from ssimulacra2 import compute_ssimulacra2

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("true.png", "image.png")]
        for path, samples in zip(paths, (true, image), strict=True):
            Image.fromarray(samples).save(path, compress_level=1)
        return float(compute_ssimulacra2(*map(str, paths)))


def markdown(figures: Sequence[dict]) -> str:
    """What :func:`measured` returned for each size, as a page."""
    first = figures[0]
    schedule = first["schedule"]
    head = (
        "# Photographs\n\n"
        "Imagenette (JPEG photographs, box-resized), clean-test accuracy in %; lower "
        "means that less was learned, chance is 10. Mean ± standard deviation over "
        f"{first['seeds']} seeds of the victim; (2) where there are two, no ± where "
        f"there is one. ε = {first['epsilon']} of 255. Victim `{schedule['victim']}`, "
        f"{schedule['epochs']} epochs of batches of {schedule['batch']}, one cycle to "
        f"{schedule['rate']}, last epoch. Filters change the training images; the "
        "model is asked clean images or, marked †, filtered ones: whichever serves "
        "originals better. Fits are of the package's own length, which is for a "
        "processor, on these images at this size. Candidates are no methods yet. T2 "
        "knows the package and ε, not the key.\n\n"
        "Made by `python benchmarks/photographs.py` on "
        f"{first['environment']['device']} with torch {first['environment']['torch']}."
    )
    return "\n".join([head, "", *(section(figure) for figure in figures)])


def section(figure: dict) -> str:
    """One size in Markdown."""
    cells = figure["cells"]
    subjects = list(dict.fromkeys(cell["subject"] for cell in cells))
    counts = f"{figure['train']} training and {figure['test']} test images"
    lines = [f"## {figure['side']} px, {counts}", ""]
    if figure["saturation"]:
        found = figure["saturation"].items()
        said = ", ".join(f"{n} epochs {100 * share:.1f}" for n, share in found)
        lines += [f"Originals by length of training: {said}.", ""]
    if figure.get("note"):
        lines += [figure["note"], ""]
    if figure["not_made"]:
        lines += [f"Not made: {', '.join(figure['not_made'])}.", ""]
    known = thieves(figure["epsilon"], 10).values()
    for tier, title in TIERS.items():
        some = [t for t in known if t.tier == tier and _any(cells, t)]
        rows = [s for s in subjects if any(accuracies(cells, s, t.name) for t in some)]
        if rows:
            lines += [f"### {title}", "", *_table(rows, some, cells, tier != "T2"), ""]
    lines += ["### Visibility", "", *_quality_table(figure["quality"])]
    return "\n".join(lines) + "\n"


TIERS = {
    "T0": "T0: nothing or the usual",
    "T1": "T1: countermeasures",
    "T1+": "T1: more filters",
    "T2": "T2: knows the package",
}


def _any(cells: Sequence[dict], thief: Thief) -> bool:
    return any(cell["thief"] == thief.name for cell in cells)


def accuracies(cells: Sequence[dict], subject: str, thief: str) -> list[float]:
    """Of the seeds, 0 to 1."""
    wanted = (subject, thief)
    return [c["accuracy"] for c in cells if (c["subject"], c["thief"]) == wanted]


def asked(cells: Sequence[dict], thief: str) -> str:
    """How a thief asks the model: filtered images if that serves originals better."""
    clean, filtered = (
        accuracies(cells, "originals", name) for name in (thief, thief + FILTERED)
    )
    better = filtered and np.mean(filtered) > np.mean(clean)
    return thief + FILTERED if better else thief


def _table(
    rows: Sequence[str], some: Sequence[Thief], cells: Sequence[dict], summed: bool
) -> list[str]:
    """Mean and spread over the seeds in %, a row a subject."""
    ways = [asked(cells, thief.name) for thief in some]
    titles = [
        thief.title + (" †" if way.endswith(FILTERED) else "")
        for thief, way in zip(some, ways, strict=True)
    ]
    titles = ["", *titles, *(["mean", "worst"] if summed else [])]
    lines = [_row(titles), "|---" * len(titles) + "|"]
    for subject in rows:
        found = [accuracies(cells, subject, way) for way in ways]
        words = [shown_share(shares) for shares in found]
        if summed:
            means = [100 * sum(shares) / len(shares) for shares in found if shares]
            whole = len(means) == len(ways)
            words += (
                [f"{np.mean(means):.1f}", f"{max(means):.1f}"] if whole else ["", ""]
            )
        lines.append(_row([f"`{subject}`", *words]))
    return lines


def shown_share(found: Sequence[float]) -> str:
    """Mean and sample standard deviation in %."""
    if not found:
        return ""
    mean = 100 * float(np.mean(found))
    if len(found) == 1:
        return f"{mean:.1f}"
    spread = 100 * float(np.std(found, ddof=1))
    return f"{mean:.1f} ± {spread:.1f}" + (" (2)" if len(found) == 2 else "")


def _quality_table(quality: dict[str, dict[str, float]]) -> list[str]:
    titles = ["", "largest change", "PSNR, dB", "SSIM", "SSIMULACRA2"]
    lines = [_row(titles), "|---" * len(titles) + "|"]
    for subject, found in quality.items():
        score = f"{found['ssimulacra2']:.1f}" if "ssimulacra2" in found else ""
        words = [f"{found['psnr']:.1f}", f"{found['ssim']:.3f}", score]
        lines.append(_row([f"`{subject}`", f"{found['largest']:.0f}", *words]))
    return lines


def _row(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"


if __name__ == "__main__":
    main()
