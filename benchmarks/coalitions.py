"""Recipients who mix their copies: how many images name them, by fair and biased codes.

    python -m benchmarks.coalitions --photos FILE.zip

Every recipient of a coalition has the licensed copy (W) of the same photographs. They
mix each one out of all their copies, save it as JPEG at quality 75, and it is read with
its original. Codes are this package's fair coins, or Tardos' (a bias for each place,
drawn from the arcsine distribution, and the symmetric score of Skoric, Katzenbeisser
and Celik 2008), carried by the same mark. What is told is how many images, in the order
in which they come in, name the first and half of the coalition among 1,000 at 1e-6.

Fair codes are weighed as `extract` does it. Biased ones are flattered: the bound of a
single fair code is taken for them, though their scores have longer tails; the sign that
suits them costs nothing; and the part of what is read that everybody's code has in
common is taken off before, since the biases are known.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.markdown import table
from benchmarks.naming import RECIPIENTS
from fiftyone_reue.media import jpeg
from fiftyone_reue.media.jpeg_coefficients.limits import added
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.watermark.codes import code
from fiftyone_reue.watermark.embed import carried_mark
from fiftyone_reue.watermark.evidence import FALSE_ACCUSATION, bound, weigh
from fiftyone_reue.watermark.patterns import bit_count
from fiftyone_reue.watermark.read import Difference, carried_bits, luma, residual
from fiftyone_reue.watermark.readings import Reading
from fiftyone_reue.watermark.weights import weighted
from fiftyone_reue.workflows.in_coefficients import beside_of, marked

Draw = np.random.Generator
Mix = Callable[[np.ndarray, Draw], np.ndarray]
"""``(c, H, W, 3)`` uint8, a copy of each, to ``(H, W, 3)`` of any type."""

EPSILON, AMPLITUDE = 8, 2
"""Gray levels: the default, and the mark's share of it."""

QUALITY = 85
"""Of originals that are JPEG files."""

LEAST_BIAS = 0.02
"""Biases are at least so far from 0 and 1, for coalitions of up to a few tens."""

ORDERS = 21


def mean(copies: np.ndarray, _: Draw) -> np.ndarray:
    """Of all copies."""
    return copies.mean(0, dtype=np.float32)


def median(copies: np.ndarray, _: Draw) -> np.ndarray:
    """Of each sample."""
    made: np.ndarray = np.median(copies, 0)
    return made.astype(np.float32)


def middle(copies: np.ndarray, _: Draw) -> np.ndarray:
    """Half way between the smallest and the largest of each sample."""
    return (copies.min(0).astype(np.float32) + copies.max(0)) / 2


def negative(copies: np.ndarray, draw: Draw) -> np.ndarray:
    """Smallest plus largest less the median ("modified negative")."""
    return 2 * middle(copies, draw) - median(copies, draw)


def outlier(copies: np.ndarray, _: Draw) -> np.ndarray:
    """Of each sample what lies farthest from the median ("minority extreme")."""
    least, most = copies.min(0).astype(np.float32), copies.max(0).astype(np.float32)
    usual = np.median(copies, 0).astype(np.float32)
    return np.where(most - usual > usual - least, most, least)


def mosaic(side: int) -> Mix:
    """Squares of so many pixels, each somebody's."""

    def mix(copies: np.ndarray, draw: Draw) -> np.ndarray:
        count, height, width = copies.shape[:3]
        coarse = draw.integers(0, count, (-(-height // side), -(-width // side)))
        whose = coarse.repeat(side, 0).repeat(side, 1)[:height, :width]
        taken: np.ndarray = np.take_along_axis(copies, whose[None, ..., None], 0)[0]
        return taken

    return mix


def halved(copies: np.ndarray, draw: Draw) -> np.ndarray:
    """Squares of 8 pixels, by turns the mean and the modified negative: the mark as it
    is in one half, and the wrong way round in the other."""
    height, width = copies.shape[1:3]
    rows, columns = np.indices((height, width)) // 8
    first = ((rows + columns) % 2 == 0)[..., None]
    return np.where(first, mean(copies, draw), negative(copies, draw))


def by_turns(copies: np.ndarray, draw: Draw) -> np.ndarray:
    """Somebody's copy, whole."""
    taken: np.ndarray = copies[draw.integers(len(copies))]
    return taken


MIXES: dict[str, Mix] = {
    "mean": mean,
    "median": median,
    "middle of extremes": middle,
    "modified negative": negative,
    "farthest from the median": outlier,
    "mosaic of pixels": mosaic(1),
    "mosaic of 8 x 8": mosaic(8),
    "mean and negative by squares": halved,
    "whole copies by turns": by_turns,
}


@dataclass(frozen=True)
class Codes:
    """A coalition's codes for one image, and how they are scored.

    Attributes:
        bits: ``(c, bits)`` int8, -1 or 1.
        scores: ``(c, bits)`` float64, of mean 0 and variance 1 for an innocent.
        common: ``(bits,)`` float64, everybody's mean.
    """

    bits: np.ndarray
    scores: np.ndarray
    common: np.ndarray


def seed(who: int) -> bytes:
    """Of a recipient's fair codes."""
    return b"coalition" + who.to_bytes(8)


def fair(count: int, image_id: str, bits: int) -> Codes:
    """This package's."""
    made = np.stack([code(seed(who), image_id, bits) for who in range(count)])
    return Codes(made, made.astype(np.float64), np.zeros(bits))


def biased(count: int, image_id: str, bits: int) -> Codes:
    """Tardos'."""
    draw = np.random.default_rng([count, *image_id.encode()])
    edge = np.arcsin(np.sqrt(LEAST_BIAS))
    share = np.sin(draw.uniform(edge, np.pi / 2 - edge, bits)) ** 2
    ones = draw.random((count, bits)) < share
    made = np.where(ones, 1, -1).astype(np.int8)
    common = 2 * share - 1
    return Codes(made, (made - common) / (2 * np.sqrt(share * (1 - share))), common)


Release = Callable[[np.ndarray, list[np.ndarray]], tuple[np.ndarray, np.ndarray]]
"""Of a photograph and marks the original and the marked copies, as they are shown."""


def in_pixels(
    photograph: np.ndarray, marks: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """As `reue protect` marks what is no JPEG file."""
    whole = photograph.astype(np.int16)
    copies = [(whole + mark).clip(0, 255).astype(np.uint8) for mark in marks]
    return photograph, np.stack(copies)


def in_coefficients(
    photograph: np.ndarray, marks: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """As it marks JPEG files."""
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "JPEG", quality=QUALITY)
    found = read(file.getvalue(), max_pixels=photograph.size)
    original = jpeg.shown(found)
    beside = beside_of(found, original)
    held = (
        marked(found, mark[..., 0], AMPLITUDE, EPSILON, beside).offsets
        for mark in marks
    )
    return original, np.stack([jpeg.shown(added(found, one)) for one in held])


@dataclass(frozen=True)
class Kind:
    """What is measured.

    Attributes:
        codes: makes a coalition's.
        release: marks with them.
    """

    codes: Callable[[int, str, int], Codes]
    release: Release


KINDS = {
    "fair": Kind(fair, in_pixels),
    "biased": Kind(biased, in_pixels),
    "JPEG, fair": Kind(fair, in_coefficients),
}


def without_common(soft: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Soft bits without their part along what everybody's code has in common."""
    known = float(common @ common)
    return soft - common * float(soft @ common) / known if known > 0 else soft


def read_of(original: np.ndarray, mixed: np.ndarray, carrier: bytes) -> np.ndarray:
    """The soft bits of a mixed copy, saved as JPEG-75."""
    file = io.BytesIO()
    Image.fromarray(mixed).save(file, "JPEG", quality=75)
    suspect = np.asarray(Image.open(file).convert("RGB"))
    left = residual(luma(suspect, 3), luma(original, 3))
    return carried_bits(Difference(left), carrier, AMPLITUDE)


def photographs(archive: Path, side: int) -> list[np.ndarray]:
    """Of at most so many pixels at the longer side."""
    images = []
    with zipfile.ZipFile(archive) as files:
        for name in sorted(one for one in files.namelist() if one.endswith(".png")):
            image = Image.open(io.BytesIO(files.read(name))).convert("RGB")
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            images.append(np.asarray(image))
    return images


@dataclass(frozen=True)
class Seen:
    """One mixed image.

    Attributes:
        reading: what was read of it.
        fits: ``(c,)`` float64, how well each of the coalition fits it.
        energy: at most 1.
    """

    reading: Reading
    fits: np.ndarray
    energy: float


def measured(
    images: Sequence[np.ndarray], count: int, kind: Kind, copies: int
) -> tuple[dict[str, list[Seen]], dict[str, float]]:
    """Of each mix what is seen, image by image, and its PSNR in the mean."""
    found: dict[str, list[Seen]] = {mix: [] for mix in MIXES}
    quality: dict[str, list[float]] = {mix: [] for mix in MIXES}
    for number in range(copies):
        photograph = images[number % len(images)]
        height, width = photograph.shape[:2]
        image_id = f"image{number:05}"
        carrier = image_id.encode().ljust(32, b"-")
        codes = kind.codes(count, image_id, bit_count(height, width))
        marks = [
            carried_mark(carrier, bits, height, width, AMPLITUDE) for bits in codes.bits
        ]
        original, made = kind.release(photograph, marks)
        for name, mix in MIXES.items():
            mixed = mix(made, np.random.default_rng([number, count]))
            whole = np.rint(mixed).clip(0, 255).astype(np.uint8)
            bits = read_of(original, whole, carrier)
            soft = weighted(without_common(bits, codes.common))
            own = Seen(Reading(image_id, bits), codes.scores @ soft, float(soft @ soft))
            found[name].append(own)
            quality[name].append(psnr(original, whole, 3))
    return found, {name: float(np.mean(own)) for name, own in quality.items()}


def named(seen: Sequence[Seen], kind: Kind) -> int:
    """How many of the coalition these images name."""
    count = len(seen[0].fits)
    if kind.codes is fair:
        seeds = {f"{who}": seed(who) for who in range(count)}
        readings = [one.reading for one in seen]
        return len(weigh(readings, seeds, tested=RECIPIENTS).culprits)
    fit = np.abs(np.sum([one.fits for one in seen], axis=0))
    energy = sum(one.energy for one in seen)
    return sum(bound(one, energy, RECIPIENTS) <= FALSE_ACCUSATION for one in fit)


def needed(seen: Sequence[Seen], kind: Kind, share: float) -> int | None:
    """The median of how many images name this share of the coalition, or None.

    Args:
        seen: image by image.
        kind: what was measured.
        share: of the coalition; 0 is the first of them.
    """
    wanted = max(1, int(np.ceil(share * len(seen[0].fits))))
    counts = []
    for order in range(ORDERS):
        places = np.random.default_rng(order).permutation(len(seen))
        counts.append(_first([seen[place] for place in places], kind, wanted))
    half = sorted(counts)[ORDERS // 2]
    return half if half <= len(seen) else None


def _first(seen: Sequence[Seen], kind: Kind, wanted: int) -> int:
    """How many images name so many, by halving; one more than there are if none do."""
    low, high = 0, 1
    while high < len(seen) and named(seen[:high], kind) < wanted:
        low, high = high, min(2 * high, len(seen))
    if named(seen[:high], kind) < wanted:
        return len(seen) + 1
    while high - low > 1:
        middle = (low + high) // 2
        enough = named(seen[:middle], kind) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--coalitions", type=int, nargs="+", default=[3, 10, 20, 30])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    images = photographs(options.photos, options.side)
    rows = []
    start = time.process_time()
    for count in options.coalitions:
        found = {
            name: measured(images, count, kind, options.images)
            for name, kind in KINDS.items()
        }
        for mix in MIXES:
            row: dict[str, object] = {"recipients": count, "mixed": mix}
            row["PSNR, dB"] = round(found["fair"][1][mix], 1)
            for name, kind in KINDS.items():
                seen = found[name][0][mix]
                row[f"{name}: first"] = needed(seen, kind, 0.0)
                row[f"{name}: half"] = needed(seen, kind, 0.5)
            rows.append(row)
            print(row, f"{time.process_time() - start:.0f} s", flush=True)
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "photographs": len(images),
        "images": options.images,
        "side": options.side,
        "rows": rows,
    }
    (options.output / "coalitions.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "coalitions.md").write_text(report(result))


def report(result: dict) -> str:
    """The results as Markdown."""
    rows = [
        {name: "–" if value is None else value for name, value in row.items()}
        for row in result["rows"]
    ]
    return f"""# Recipients who mix their copies

`python -m benchmarks.coalitions`, on {result["machine"]}. {result["images"]} licensed
copies of {result["photographs"]} photographs of up to {result["side"]} pixels, each
with places of its own, mixed out of the copies of so many recipients and saved as
JPEG-75: how many images (median of {ORDERS} orders) name the first, and half, of the
coalition among {RECIPIENTS:,} at {FALSE_ACCUSATION:g}. PSNR is that of what was mixed,
before it is saved. *Fair* codes are this package's; *biased* ones are Tardos' with the
symmetric score, in the same mark; *JPEG*: the originals are such files, of quality
{QUALITY}, marked in their coefficients. – is more than {result["images"]}.

{table(rows)}
"""


if __name__ == "__main__":
    main()
