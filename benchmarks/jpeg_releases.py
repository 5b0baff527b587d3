"""Releases of JPEG files: exact, how large, how fast, and how well they are traced.

    pip install mozjpeg-lossless-optimization
    python -m benchmarks.jpeg_releases --imagenette FILE.zip --photos FILE.zip
    python -m benchmarks.jpeg_releases --only speed

The archives hold Imagenette's JPEG files and photographs as PNG. Releases are made by
the default method at epsilon 8; speed is that of gratings too. Evidence is of 60
photographs, carried by coefficients and by pixels. With `--only`, what was measured of
the other parts before is kept, and with `--of`, `--size` and `--attack` of the others
of these.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

import fiftyone_reue.workflows.protect as protecting
from benchmarks.jpeg_exact import of_archive, of_encoders, photograph
from benchmarks.markdown import table
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.watermark import codes
from fiftyone_reue.watermark.evidence import weigh
from fiftyone_reue.workflows.extract import ExtractSummary, extract
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed, restore_original
from tests.media.jpeg_coefficients import encoded

RECIPIENTS = 5
PHOTOGRAPHS = 60
ORDERS = 25
METHODS = ("rue", "rue_gratings")
SOURCES = ("Imagenette", "encoders")
PARTS = ("evidence", "sizes", "exactness", "speed")
SIZES = {
    "224 px": (224, 224),
    "1 MP": (1152, 896),
    "12 MP": (4032, 3024),
    "50 MP": (8160, 6144),
}
FILES = {"224 px": 60, "1 MP": 12, "12 MP": 2, "50 MP": 2}
"""How many of each size are timed."""

SCREENSHOTS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Scales at which a picture is shown when somebody takes a picture of the screen."""
LARGE = 50_000


class House:
    """A vault with recipients, and a folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vault: Vault = create_folder(folder / "vault", plain_key_file=True)
        for number in range(RECIPIENTS):
            self.vault.add_recipient(f"recipient{number}")
        self.who = self.vault.recipient("recipient0")

    def protect(self, source: Path, output: Path, **settings: object) -> list[str]:
        """Make a release; what failed, in words."""
        steps = protect(
            self.vault,
            self.who.name,
            labelled_items(source),
            output,
            name=output.name,
            source=str(source),
            config=ProtectConfig.of(**settings),
        )
        return [one.reason for one in finish(steps).outcome.failures]

    def restore(self, copies: Path, output: Path) -> None:
        """A recipient's licensed copies."""
        key = self.vault.recipient_key(self.who)
        finish(restore_licensed(image_items(copies), None, output, key))

    def originals(self, copies: Path, output: Path) -> None:
        """The owner's originals."""
        finish(restore_original(self.vault, image_items(copies), output))


def written(files: Iterator[tuple[str, bytes]], folder: Path) -> dict[str, bytes]:
    """Files in ten classes, by their path without suffix."""
    found = {}
    for number, (_, data) in enumerate(files):
        name = f"class{number % 10}/{number:05}"
        path = folder / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        found[name] = data
    return found


def by_name(folder: Path) -> dict[str, bytes]:
    """A folder's images, by their path without suffix."""
    return {
        str(path.relative_to(folder).with_suffix("")): path.read_bytes()
        for path in folder.rglob("*.*")
        if path.suffix in (".jpg", ".png")
    }


def exactness(house: House, files: Iterator[tuple[str, bytes]], name: str) -> dict:
    """Both tiers of a release; raises unless every file comes back byte for byte."""
    place = house.folder / name
    source = written(files, place / "source")
    refused = Counter(house.protect(place / "source", place / "p"))
    copies = by_name(place / "p")
    house.restore(place / "p", place / "w")
    house.originals(place / "p", place / "of_p")
    house.originals(place / "w", place / "of_w")
    licensed = by_name(place / "w")
    if licensed.keys() != copies.keys():
        raise AssertionError("a licensed copy is missing")
    for tier in ("of_p", "of_w"):
        restored = by_name(place / tier)
        if restored != {key: source[key] for key in copies}:
            raise AssertionError(f"{name}: an original didn't come back")
    shares = {key: len(data) / len(source[key]) for key, data in copies.items()}
    large = [share for key, share in shares.items() if len(source[key]) > LARGE]
    return {
        "files": name,
        "protected": len(copies),
        "both tiers byte for byte": len(copies),
        "refused": sum(refused.values()),
        "mean kB": round(statistics.mean(map(len, source.values())) / 1000, 1),
        "P / O mean": round(statistics.mean(shares.values()), 3),
        "P / O of all bytes": round(
            sum(map(len, copies.values())) / sum(len(source[key]) for key in copies), 3
        ),
        "P / O largest above 50 kB": round(max(large), 3) if large else "",
        "W / O mean": round(
            statistics.mean(len(licensed[key]) / len(source[key]) for key in copies), 3
        ),
        "why refused": dict(refused),
    }


def sizes(house: House, files: list[tuple[str, bytes]]) -> list[dict]:
    """What the same files take otherwise."""
    place = house.folder / "sizes"
    source = written(iter(files), place / "source")
    whole = sum(map(len, source.values()))
    rows = []
    for carrier in ("auto", "pixels"):
        failed = house.protect(place / "source", place / carrier, carrier=carrier)
        if failed:
            raise AssertionError(failed[0])
        copies = sum(map(len, by_name(place / carrier).values()))
        name = {"auto": "coefficients (JPEG)", "pixels": "pixels (PNG)"}[carrier]
        rows.append({"copies": name, "size / originals": round(copies / whole, 3)})
        if carrier == "auto":
            rows.append(
                {
                    "copies": "coefficients, and the encrypted original beside",
                    "size / originals": round(1 + copies / whole, 3),
                }
            )
    return rows


def spent_by_children() -> float:
    """Processor time of the programs that were run so far, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_photographs(size: str, folder: Path) -> None:
    """Those that a size is timed with."""
    width, height = SIZES[size]
    files = (
        (str(i), encoded.pillow(photograph(i, width, height), quality=75))
        for i in range(FILES[size])
    )
    written(files, folder)


def speeds(house: House, sizes: list[str]) -> list[dict]:
    """Throughput of a run's verbs beside jpegtran's on the same files, one thread.

    Without the look at how visible the change is, which is of a few images a run.
    """
    protecting.LOOKED_AT = 0
    rows = []
    for size, method in itertools.product(sizes, METHODS):
        count = FILES[size]
        place = house.folder / f"{size} {method}".replace(" ", "_")
        # Elsewhere, for photographs take more memory to make than to protect.
        with ProcessPoolExecutor(1, get_context("spawn")) as maker:
            maker.submit(write_photographs, size, place / "source").result()
        begun = spent_by_children()
        for path in (place / "source").rglob("*.jpg"):
            subprocess.run(
                ["jpegtran", "-copy", "all", "-outfile", os.devnull, path], check=True
            )
        bare = (spent_by_children() - begun) / count

        def timed(act: Callable[[], object], count: int = count) -> float:
            begun = time.process_time()
            act()
            return (time.process_time() - begun) / count

        parts = {
            "protect": timed(
                lambda p=place, m=method: house.protect(p / "source", p / "p", method=m)
            ),
            "restore W": timed(lambda p=place: house.restore(p / "p", p / "w")),
            "restore O": timed(lambda p=place: house.originals(p / "p", p / "o")),
            "extract": timed(
                lambda p=place: finish(extract(house.vault, image_items(p / "p")))
            ),
        }
        row: dict = {
            "size": size,
            "method": method,
            "jpegtran ms": round(1000 * bare, 1),
        }
        row |= {f"{name} ms": round(1000 * each, 1) for name, each in parts.items()}
        row["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        row |= {
            f"{name} / jpegtran": round(bare / parts[name], 2)
            for name in ("protect", "restore O")
        }
        rows.append(row)
    return rows


def attacks() -> dict[str, Callable[[Image.Image], bytes]]:
    """What thieves do, by name."""

    def saved(image: Image.Image, quality: int) -> bytes:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return file.getvalue()

    def scaled(image: Image.Image, by: float) -> Image.Image:
        size = (round(image.width * by), round(image.height * by))
        return image.resize(size, Image.Resampling.BICUBIC)

    def cut(image: Image.Image, pixels: int) -> Image.Image:
        box = (pixels, pixels, image.width - pixels, image.height - pixels)
        return image.crop(box)

    made = {
        f"JPEG-{quality}": lambda image, quality=quality: saved(image, quality)
        for quality in (90, 75, 50, 30)
    }
    return (
        made
        | {
            "half size, JPEG-90": lambda image: saved(scaled(image, 0.5), 90),
            "1.3 times, JPEG-75": lambda image: saved(scaled(image, 1.3), 75),
            "3 px off each side, JPEG-90": lambda image: saved(cut(image, 3), 90),
            "mirrored, JPEG-75": lambda image: saved(
                image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 75
            ),
        }
        | {
            f"screenshot at {by}, PNG": lambda image, by=by: screenshot(image, by)
            for by in SCREENSHOTS
        }
    )


def screenshot(image: Image.Image, by: float) -> bytes:
    """A part of a screen: the picture at another scale on a page, as PNG."""
    width, height = (round(side * by) for side in image.size)
    shown = image.resize((width, height), Image.Resampling.BILINEAR)
    page = Image.new("RGB", (width + 61, height + 118), (247, 247, 249))
    page.paste((32, 33, 36), (0, 0, page.width, 71))  # the browser's bar
    page.paste(shown, (23, 94))
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def evidence(house: House, photos: Path, imagenette: Path, only: str) -> list[dict]:
    """Bits read and images needed, carried by coefficients and by pixels.

    Args:
        house: where it is done.
        photos: an archive of PNG files.
        imagenette: an archive of JPEG files, for the rest.
        only: part of the names of the attacks to try.
    """
    place = house.folder / "evidence"
    pictures: list[tuple[str, bytes]] = []
    with zipfile.ZipFile(photos) as archive:
        for name in sorted(archive.namelist()):
            if name.lower().endswith(".png"):
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    samples = np.asarray(image.convert("RGB"))
                pictures.append((name, encoded.pillow(samples, quality=85)))
    wanted = PHOTOGRAPHS - len(pictures)
    pictures += list(itertools.islice(of_archive(imagenette), wanted))
    written(iter(pictures), place / "source")
    rows = []
    chosen = {
        name: attack
        for name, attack in {"none": None, **attacks()}.items()
        if only in name
    }
    for carrier in ("auto", "pixels"):
        house.protect(place / "source", place / carrier, carrier=carrier)
        for name, attack in chosen.items():
            target = place / f"{carrier}-{name}".replace(" ", "_")
            target.mkdir()
            for number, data in enumerate(by_name(place / carrier).values()):
                with Image.open(io.BytesIO(data)) as image:
                    image.load()
                    file = attack(image.convert("RGB")) if attack else data
                suffix = ".png" if file.startswith(b"\x89PNG") else ".jpg"
                (target / f"{number:03}{suffix}").write_bytes(file)
            found = finish(extract(house.vault, image_items(target)))
            rows.append({"carrier": carrier, "attack": name, **figures(house, found)})
    return rows


def figures(house: House, found: ExtractSummary) -> dict:
    """How many bits were read rightly, and how many images name the recipient."""
    seeds = {one.id: house.vault.code_seed(one) for one in house.vault.recipients()}
    own = seeds[house.who.id]
    readings = [one.reading for one in found.suspects if one.used and one.reading]
    right = [
        float(np.mean((r.soft > 0) == (codes.code(own, r.image_id, len(r.soft)) > 0)))
        for r in readings
    ]
    needed = []
    for seed in range(ORDERS):
        order = np.random.default_rng(seed).permutation(len(readings))
        for count in range(1, len(order) + 1):
            weighed = weigh([readings[i] for i in order[:count]], seeds)
            if weighed.decided and weighed.recipient_id == house.who.id:
                needed.append(count)
                break
        else:
            needed.append(len(order) + 1)
    middle = int(statistics.median(needed))
    return {
        "matched": len(readings),
        "bits right": round(100 * statistics.mean(right), 1) if right else "",
        "images needed": middle if middle <= len(readings) else "more",
    }


def renewed(before: list[dict], rows: list[dict], key: tuple[str, ...]) -> list[dict]:
    """Rows measured before, but for those that were measured again."""

    def of(row: dict) -> tuple:
        return tuple(row[name] for name in key)

    again = {of(row): row for row in rows}
    kept = [again.pop(of(row), row) for row in before]
    return kept + list(again.values())


def beside(rows: list[dict]) -> list[dict]:
    """The two carriers' figures in one row an attack."""
    made = []
    for row in rows:
        if row["carrier"] == "auto":
            (other,) = (
                one
                for one in rows
                if one["attack"] == row["attack"] and one["carrier"] == "pixels"
            )
            both: dict = {"attack": row["attack"]}
            for name in ("matched", "bits right", "images needed"):
                both[f"{name}, JPEG"] = row[name]
                both[f"{name}, PNG"] = other[name]
            made.append(both)
    return made


def report(result: dict) -> str:
    """The results as Markdown."""
    exact = [
        {name: value for name, value in row.items() if name != "why refused"}
        for row in result["exactness"]
    ]
    return f"""# Releases of JPEG files

`python -m benchmarks.jpeg_releases`, on {result["machine"]}. Method `rue`, epsilon 8.

## Exactness and size

Every file that is protected comes back byte for byte from both tiers, or the benchmark
fails. Sizes are with the record.

{table(exact)}

{table(result["sizes"])}

## Speed

Processor time of one thread a file, everything included (ledger, checks, files) but the
look at how visible the change is, which is of a few images a run; `jpegtran -copy all`
is a process of its own, whose start counts. Memory is that at the process's peak, which
is while extracting, small sizes first. See the [notes](jpeg_releases_notes.md) on what
makes the difference.

{table(result["speed"])}

## Evidence

{PHOTOGRAPHS} photographs, {RECIPIENTS} recipients: how many suspects were matched to
their originals, the share of code bits read rightly, %, and of {ORDERS} random orders
the median of how many images name the recipient.

{table(beside(result["evidence"]))}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imagenette", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--only", choices=PARTS, action="append", help="parts to run")
    parser.add_argument("--count", type=int, default=1000, help="of Imagenette's files")
    parser.add_argument("--every", type=int, default=8, help="of the encoders' files")
    parser.add_argument("--of", choices=SOURCES, action="append", help="exactness of")
    parser.add_argument("--size", choices=SIZES, action="append", help="to be timed")
    parser.add_argument("--attack", default="", help="part of the attacks' names")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    if shutil.which("jpegtran") is None:
        parser.error("jpegtran is missing; install libjpeg-turbo-progs")
    wanted = options.only or PARTS
    if wanted != ["speed"] and not (options.imagenette and options.photos):
        parser.error("--imagenette and --photos are needed for all but speed")
    path = options.output / "jpeg_releases.json"
    result: dict = json.loads(path.read_text()) if options.only else {}
    machine = f"{platform.machine()}, Python {platform.python_version()}, two cores"
    result["machine"] = machine
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder) / "house")
        if "evidence" in wanted:
            archives = options.photos, options.imagenette
            rows = evidence(house, *archives, options.attack)
            result["evidence"] = renewed(
                result.get("evidence", []), rows, ("carrier", "attack")
            )
            print(table(beside(result["evidence"])), flush=True)
        if options.imagenette:
            every = list(of_archive(options.imagenette))
            chosen = every[:: max(1, len(every) // options.count)][: options.count]
        if "sizes" in wanted:
            result["sizes"] = sizes(house, chosen[:: max(1, len(chosen) // 100)])
            print(table(result["sizes"]), flush=True)
        if "exactness" in wanted:
            scratch = Path(folder) / "scratch"
            scratch.mkdir()
            some = itertools.islice(of_encoders(scratch), 0, None, options.every)
            files = dict(zip(SOURCES, (iter(chosen), some), strict=True))
            rows = [exactness(house, files[name], name) for name in options.of or files]
            result["exactness"] = renewed(result.get("exactness", []), rows, ("files",))
            print(table(result["exactness"]), flush=True)
        if "speed" in wanted:
            rows = speeds(house, options.size or list(SIZES))
            result["speed"] = renewed(result.get("speed", []), rows, ("size", "method"))
    options.output.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    path.with_suffix(".md").write_text(report(result))
    print(report(result))


if __name__ == "__main__":
    main()
