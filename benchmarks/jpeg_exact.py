"""JPEG files back byte for byte, how fast, and how much of a change their steps let in.

    pip install mozjpeg-lossless-optimization
    python -m benchmarks.jpeg_exact --imagenette FILE.zip --photos FILE.zip

Exactness: each file is read, written anew with other Huffman tables, read again, and
rebuilt from these coefficients and its description. Beside Imagenette's files there are
thousands that Pillow, OpenCV, cjpeg, jpegtran and mozjpeg make of photographs at
qualities from 5 to 100. Speed: beside `jpegtran -copy all` of the same file in the same
run, which is a process of its own. Strength: how much of a wanted change of pixels is
left when it is rounded to the file's steps and held within its limit, as decoded.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import platform
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import mozjpeg_lossless_optimization as mozjpeg
import numpy as np
from PIL import Image

from benchmarks.markdown import table
from fiftyone_reue.demo.tiles import PHOTOS, load_photo
from fiftyone_reue.errors import ReueError
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.decoding import decoded
from fiftyone_reue.media.jpeg_coefficients.exact import describe, rebuild
from fiftyone_reue.media.jpeg_coefficients.limits import added, hold
from fiftyone_reue.media.jpeg_coefficients.planes import targets
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.rounding import PARTS, strength
from fiftyone_reue.media.jpeg_coefficients.writing import write
from tests.media.jpeg_coefficients import encoded

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 98, 100)
SIZES = {"224 px": (224, 224, 50), "1 MP": (1152, 896, 12), "12 MP": (4000, 3000, 3)}
KINDS = {
    "quality 75": {"quality": 75},
    "quality 92, 4:4:4": {"quality": 92, "subsampling": 0},
    "quality 85, progressive": {"quality": 85, "progressive": True},
}
STRENGTHS = (30, 50, 60, 75, 85, 90, 95)


def photograph(index: int, width: int, height: int) -> np.ndarray:
    """A (height, width, 3) uint8 piece of a photograph, with a camera's noise."""
    names = sorted(PHOTOS)
    image = load_photo(names[index % len(names)]).convert("RGB")
    factor = 1.05 * max(width / image.width, height / image.height)
    if factor > 1:
        grown = (int(image.width * factor) + 1, int(image.height * factor) + 1)
        image = image.resize(grown, Image.Resampling.BICUBIC)
    piece = np.asarray(image.crop((0, 0, width, height)), np.float32)
    noise = np.random.default_rng(index).normal(0, 2, piece.shape)
    return (piece + noise).clip(0, 255).astype(np.uint8)


def of_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """The JPEG files in an archive."""
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.lower().endswith((".jpg", ".jpeg")):
                yield name, archive.read(name)


def of_encoders(scratch: Path) -> Iterator[tuple[str, bytes]]:
    """Files of every kind that the encoders here make."""
    script, two = scratch / "script", scratch / "two"
    script.write_text(encoded.SCRIPT)
    two.write_text(encoded.TWO_SCANS)
    for index, quality in enumerate(QUALITIES):
        samples = photograph(index, 150 + 3 * index, 121 + 2 * index)
        yield from encoded.by_pillow(quality, samples)
        yield from encoded.by_opencv(quality, samples)
        yield from encoded.by_cjpeg(quality, samples, str(script), str(two))
        for sampling in (0, 2):
            plain = encoded.pillow(samples, quality=quality, subsampling=sampling)
            yield f"mozjpeg {quality} {sampling}", mozjpeg.optimize(plain)
        yield from of_jpegtran(quality, samples, script)


def of_jpegtran(
    quality: int, samples: np.ndarray, script: Path
) -> Iterator[tuple[str, bytes]]:
    """Files that jpegtran makes of others."""
    kinds = (
        "-progressive",
        "-optimize",
        "-restart 1",
        "-restart 5B",
        "-grayscale",
        "-rotate 90",
        "-trim -rotate 90",
        "-flip vertical",
        "-transpose",
        "-crop 100x90+16+16",
    )
    sources = [encoded.pillow(samples, quality=quality, subsampling=s) for s in (0, 2)]
    for source, kind in itertools.product(sources, (*kinds, f"-scans {script}")):
        command = ["jpegtran", "-copy", "all", *kind.split()]
        made = subprocess.run(command, input=source, capture_output=True, check=True)
        yield f"jpegtran {quality} {kind}", made.stdout


def exactness(files: Iterator[tuple[str, bytes]]) -> dict:
    """How files came back, and how many bytes their descriptions took."""
    hows: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    sizes, shares = [], []
    for name, data in files:
        try:
            found = read(data)
        except ReueError as error:
            refused[str(error)] += 1
            continue
        description = describe(data, found)
        again = read(write(found, optimise=True))
        if rebuild(description.content, again) != data:
            raise AssertionError(f"{name} didn't come back")
        hows[description.how] += 1
        sizes.append(len(description.content))
        shares.append(len(description.content) / len(data))
    return {
        "files": sum(hows.values()),
        "how": dict(hows),
        "refused": dict(refused),
        "median bytes": float(np.median(sizes)),
        "largest bytes": max(sizes),
        "mean share": round(float(np.mean(shares)), 5),
    }


def speeds(scratch: Path) -> list[dict]:
    """Milliseconds of each step, the fastest of several, beside jpegtran's."""
    rows = []
    for (size, (width, height, repeats)), (kind, options) in itertools.product(
        SIZES.items(), KINDS.items()
    ):
        data = encoded.pillow(photograph(0, width, height), **options)
        path, out = scratch / "in.jpg", scratch / "out.jpg"
        path.write_bytes(data)
        progressive = ["-progressive"] if options.get("progressive") else []
        command = ["jpegtran", "-copy", "all", *progressive, "-outfile", out, path]
        found = read(data)
        content = describe(data, found).content
        steps: dict[str, Callable[[], object]] = {
            "jpegtran": lambda c=command: subprocess.run(c, check=True),
            "read": lambda d=data: read(d),
            "describe": lambda d=data, f=found: describe(d, f),
            "write": lambda f=found: write(f),
            "rebuild": lambda c=content, f=found: rebuild(c, f),
            "decode": lambda d=data: decoded(d),
        }
        fastest = dict.fromkeys(steps, float("inf"))
        for _ in range(repeats):  # in turn, so that all have the same neighbours
            for name, step in steps.items():
                started = time.perf_counter()
                step()
                spent = 1000 * (time.perf_counter() - started)
                fastest[name] = min(fastest[name], spent)
        row = {"size": size, "kind": kind, "kB": round(len(data) / 1000, 1)}
        row |= {name: round(value, 2) for name, value in fastest.items()}
        there = fastest["read"] + fastest["describe"] + fastest["write"]
        row["protect / jpegtran"] = round(fastest["jpegtran"] / there, 2)
        back = fastest["read"] + fastest["rebuild"]
        row["restore / jpegtran"] = round(fastest["jpegtran"] / back, 2)
        rows.append(row)
    return rows


def patterns(height: int, width: int, seed: int) -> dict[str, tuple[np.ndarray, int]]:
    """Changes of (height, width) gray levels, and their limits."""
    rng = np.random.default_rng(seed)

    def band(low: float, high: float) -> np.ndarray:
        one, other = (
            cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), sigma)
            for sigma in (low, high)
        )
        return one / one.std() - other / other.std()

    atom = np.outer(np.sign(np.cos(np.pi * 3 * (np.arange(8) + 0.5) / 8)), np.ones(8))
    signs = rng.choice([-1, 1], (-(-height // 8), -(-width // 8)))
    atoms = np.kron(signs, 8 * atom)[:height, :width]
    mark = np.clip(band(1.2, 4), -1, 1)
    return {
        "±8, band of 5 to 20 px": (8 * np.sign(band(2, 4)), 8),
        "±8, a DCT atom a block": (atoms, 8),
        "±8, independent signs": (8 * rng.choice([-1, 1], (height, width)), 8),
        "±2, low band (a mark)": (np.rint(2 * mark), 2),
    }


def strengths(photos: Path, count: int) -> list[dict]:
    """What is left of changes at each quality."""
    rows = []
    with zipfile.ZipFile(photos) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".png"))[:count]
        pictures = [
            np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("RGB"))
            for n in names
        ]
    for quality in STRENGTHS:
        sums: dict[str, list[tuple[float, ...]]] = {}
        for seed, samples in enumerate(pictures):
            data = encoded.pillow(samples, quality=quality)
            found = read(data)
            floor = len(write(found))
            changes = patterns(*samples.shape[:2], seed)
            for name, (change, limit) in changes.items():
                wanted = targets(found, change.astype(int))
                held = hold(found, wanted, limit)
                rounded = _rounded(found, wanted)
                copy = write(added(found, held.offsets))
                after = decoded(copy).astype(int) - decoded(data)
                sums.setdefault(name, []).append(
                    (
                        strength(wanted, held.offsets, found),
                        strength(wanted, rounded, found),
                        np.abs(after).max(),
                        len(copy) / floor,
                        held.rounds,
                    )
                )
        for name, values in sums.items():
            kept, plain, largest, size, rounds = np.mean(values, 0)
            rows.append(
                {
                    "quality": quality,
                    "change": name,
                    "strength": round(float(kept), 2),
                    "rounded, no limit": round(float(plain), 2),
                    "largest change": round(float(largest), 1),
                    "size": round(float(size), 3),
                    "rounds": round(float(rounds), 1),
                }
            )
    return rows


def _rounded(found: Coefficients, wanted: list[np.ndarray | None]) -> list[np.ndarray]:
    return [
        np.zeros(one.blocks.shape)
        if target is None
        else np.rint(target / PARTS / one.quantisation)
        for target, one in zip(wanted, found.components, strict=True)
    ]


def report(result: dict) -> str:
    """The results as Markdown."""
    counts = [
        {
            "files": name,
            "came back": one["files"],
            "how": ", ".join(f"{how}: {n}" for how, n in one["how"].items()),
            "refused": sum(one["refused"].values()),
            "median bytes": one["median bytes"],
            "largest": one["largest bytes"],
            "mean share of the file": one["mean share"],
        }
        for name, one in result["exactness"].items()
    ]
    return f"""# JPEG files from their coefficients

`python -m benchmarks.jpeg_exact`, on {result["machine"]}.

## Exactness

Every file that is read comes back byte for byte, or the benchmark fails.

{table(counts)}

## Speed

Milliseconds, the fastest of several, one thread; `jpegtran -copy all` is a process of
its own. The last columns are throughput over jpegtran's: of read, describe and write,
and of read and rebuild; what computing and decoding take comes on top.

{table(result["speed"])}

## Strength

Gray changes of photographs, limited as decoded: the share of the wanted change that is
left, the same for plain rounding that keeps no limit, and the size over the original's
with the same segments.

{table(result["strength"])}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imagenette", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=6, help="photographs for strength")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    for program in ("cjpeg", "jpegtran"):
        if shutil.which(program) is None:
            parser.error(f"{program} is missing; install libjpeg-turbo-progs")
    machine = f"{platform.machine()}, Python {platform.python_version()}, two cores"
    result: dict = {"machine": machine, "exactness": {}}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if options.imagenette:
            found = exactness(of_archive(options.imagenette))
            result["exactness"]["Imagenette"] = found
        result["exactness"]["encoders"] = exactness(of_encoders(scratch))
        result["speed"] = speeds(scratch)
    if options.photos:
        result["strength"] = strengths(options.photos, options.count)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "jpeg_exact.json").write_text(json.dumps(result, indent=1) + "\n")
    text = report(result) if options.photos else json.dumps(result, indent=1)
    if options.photos:
        (options.output / "jpeg_exact.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
