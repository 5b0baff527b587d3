"""What the invertible methods cost, and whether every image comes back.

    python benchmarks/invertible_cost.py --imagenette FOLDER --photos FOLDER

Releases are made and restored as `reue protect` and `reue restore` do it, in both
tiers, and every sample is compared. CIFAR-10 is found as in the other benchmarks.
Folders hold photographs; those of --imagenette one folder a class.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from cifar import read_cifar10
from data import RESULTS, write_results
from PIL import Image

from fiftyone_reue import together
from fiftyone_reue.auditing.budgets import budget_named
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.media.codec import load
from fiftyone_reue.perturb.base import RevealingMethod
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.originals import digest_for
from fiftyone_reue.vault import records
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.protect import ProtectSummary, protect
from fiftyone_reue.workflows.restore import restore_licensed, restore_original
from fiftyone_reue.workflows.reveal import reveal

METHODS = ("rue", "deep_hiding", "raeg")
WAYS = {1: "undone", 2: "offset", 3: "samples"}


@dataclass(frozen=True)
class Row:
    """One method on one set of images.

    Attributes:
        images: what they are.
        method: registry key.
        count: how many.
        licensed: how many came back to W, sample for sample.
        original: how many came back to O.
        protect: seconds an image, fitting left out.
        restore: seconds an image, P to W.
        alone: seconds an image to reveal what it hides, and seconds of a core, when
            networks are asked for one image at a time; None where nothing is hidden.
            Decoys are left out.
        reveal: the same, when they are asked for many at once, as they are.
        record: the record's mean share of the protected file.
        largest: its largest share.
        psnr: of the release in dB, watermark included.
        ways: how many records there are of which encoding.
    """

    images: str
    method: str
    count: int
    licensed: int
    original: int
    protect: float
    restore: float
    alone: tuple[float, float] | None
    reveal: tuple[float, float] | None
    record: float
    largest: float
    psnr: float
    ways: dict[str, int]


def measure(source: Path, images: str, method: str, scratch: Path) -> Row:
    """Protect a folder, restore it in both tiers, compare."""
    items = labelled_items(source)
    release, licensed, originals = (scratch / n for n in ("p", "w", "o"))
    vault = create_folder(scratch / "vault", secrets={}, plain_key_file=True)
    with vault.ledger:
        _, key = vault.add_recipient("alice")
        config = ProtectConfig(method=method, seed=1)
        steps = protect(
            vault, "alice", items, release, name="r", source="s", config=config
        )
        summary, protecting = _protected(steps)
        copies = image_items(release)
        started = time.perf_counter()
        finish(restore_licensed(copies, release, licensed, key))
        restoring = time.perf_counter() - started
        finish(restore_original(vault, copies, originals))
        hides = isinstance(create_method(method), RevealingMethod)
        alone = _revealing(vault, copies, 1) if hides else None
        revealing = _revealing(vault, copies, together.MOST_BEGUN) if hides else None
        shares, ways, same_w, same_o = [], dict.fromkeys(WAYS.values(), 0), 0, 0
        for record in vault.ledger.records(summary.release.id):
            shares.append(len(record.blob) / (release / record.output).stat().st_size)
            envelope = records.unpack(record.blob)
            if envelope.header.version == 2:
                part = records.open_recipient(envelope, key.key, key.key_id)
                ways[WAYS[part.content[0]]] += 1
            else:
                ways["offset"] += 1
            back = load(licensed / record.output)
            own = records.unpack(back.record)
            same_w += digest_for(back.raster, own) == record.digest_w
            name = Path(record.output).with_name(Path(record.source).name)
            samples = load(originals / name).raster.samples
            same_o += np.array_equal(load(record.source).raster.samples, samples)
    count = len(items)
    return Row(
        images,
        method,
        count,
        same_w,
        same_o,
        round(protecting / count, 3),
        round(restoring / count, 3),
        alone,
        revealing,
        round(float(np.mean(shares)), 4),
        round(float(np.max(shares)), 4),
        round(summary.psnr or 0.0, 1),
        ways,
    )


def _protected(steps) -> tuple[ProtectSummary, float]:
    """The summary, and how long protecting took after the fit."""
    started = 0.0
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value, time.perf_counter() - started
        if not step.label.startswith("Protecting"):
            started = time.perf_counter()


def _revealing(vault: Vault, copies: list[Item], begun: int) -> tuple[float, float]:
    """Seconds an image and of a core, so many of a thread's at once at most."""
    usual, together.MOST_BEGUN = together.MOST_BEGUN, begun
    try:
        started, cores = time.perf_counter(), time.process_time()
        for step in reveal(vault, copies, decoys=1):
            if not step.label.startswith("Revealing"):
                break
        took = time.perf_counter() - started, time.process_time() - cores
        return round(took[0] / len(copies), 4), round(took[1] / len(copies), 4)
    finally:
        together.MOST_BEGUN = usual


def sets(
    cifar: Path | None,
    imagenette: Path | None,
    photos: Path | None,
    scratch: Path,
    *,
    small: bool,
) -> Iterator[tuple[str, Path]]:
    """Folders of images, a folder a class."""
    hold, _, classes = read_cifar10(cifar, budget_named("quick"))
    folder = scratch / "cifar"
    for place in range(300 if small else 0):
        path = folder / classes[hold.labels[place]] / f"{place:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(hold.originals[place]).save(path)
    if small:
        yield "CIFAR-10, 32 px", folder
    if imagenette:
        folder = scratch / "imagenette"
        for kind in sorted(path for path in imagenette.iterdir() if path.is_dir()):
            for path in sorted(kind.iterdir())[:10]:
                (folder / kind.name).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / kind.name / path.name)
        yield "Imagenette, 224 px JPEG", folder
    if photos:
        paths = sorted(photos.glob("*.png"))
        for name, width in (
            ("Kodak, 768 px", None),
            ("Kodak, enlarged to 2,000 px", 2000),
        ):
            folder = scratch / name.replace(" ", "_")
            for place, path in enumerate(paths if width is None else paths[:6]):
                image = Image.open(path).convert("RGB")
                if width:
                    factor = width / max(image.size)
                    size = (round(image.width * factor), round(image.height * factor))
                    image = image.resize(size, Image.Resampling.BICUBIC)
                target = folder / "ab"[place % 2] / f"{path.stem}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                image.save(target)
            yield name, folder


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| Images | Method | Exact W | Exact O | Protect, s | Restore, s | "
        "Reveal, s (of a core): alone, at once | Record, mean (largest) | "
        "Undone / offset / samples | PSNR, dB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        ways = " / ".join(str(count) for count in row.ways.values())
        seen = "–"
        if row.alone is not None and row.reveal is not None:
            seen = ", ".join(f"{a:.3f} ({c:.3f})" for a, c in (row.alone, row.reveal))
        lines.append(
            f"| {row.images} | {row.method} | {row.licensed} of {row.count} "
            f"| {row.original} of {row.count} | {row.protect:.3f} | {row.restore:.3f} "
            f"| {seen} | {100 * row.record:.1f} % ({100 * row.largest:.1f} %) | {ways} "
            f"| {row.psnr:.1f} |"
        )
    return "\n".join(lines)


@click.command()
@click.option("--cifar", type=click.Path(path_type=Path), help="CIFAR-10's zips.")
@click.option("--imagenette", type=click.Path(path_type=Path, exists=True))
@click.option("--photos", type=click.Path(path_type=Path, exists=True))
@click.option("--methods", default=",".join(METHODS), show_default=True)
@click.option("--small/--no-small", default=True, help="Whether to do CIFAR-10.")
@click.option("--name", default="invertible_cost", help="Of the result's files.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(
    cifar: Path | None,
    imagenette: Path | None,
    photos: Path | None,
    methods: str,
    small: bool,
    name: str,
    out: Path,
) -> None:
    """Cost and exactness of the invertible methods."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for images, folder in sets(
            cifar, imagenette, photos, Path(scratch), small=small
        ):
            for method in methods.split(","):
                place = Path(scratch) / f"{folder.name}_{method}"
                rows.append(measure(folder, images, method, place))
                click.echo(table(rows[-1:]).splitlines()[-1], err=True)
                shutil.rmtree(place)
    about = environment("cpu")
    text = (
        "# Cost and exactness of the invertible methods\n\nMade by `python "
        f"benchmarks/invertible_cost.py` on {about['device']}. Seconds an image "
        "with two threads of the pipeline, reading and writing included, fitting left "
        "out, while other jobs ran; revealing once as if networks were asked for one "
        "image at a time, and once as it is done, without decoys; the record's share "
        f"is of the protected file. Epsilon 8, watermark included.\n\n{table(rows)}\n"
    )
    write_results(out, name, text, [asdict(row) for row in rows])


if __name__ == "__main__":
    main()
