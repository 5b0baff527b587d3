"""What a recipient does to get rid of the mark, what it costs, and what is left of it.

    python -m benchmarks.removals --photos FILE.zip

Licensed copies of photographs are changed by whoever holds them and knows how marks
are made, but not the key. What a change costs is the PSNR beside the copy. Then one
changed copy is traced alone, and sets of them: how many images it takes until the
recipient is named among 1,000 at 1e-6 in 95 % of the sets.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.markdown import table
from benchmarks.naming import RECIPIENTS, images_needed
from benchmarks.tracing import photographs, released
from fiftyone_reue.batch.folders import image_items, suspect_items
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.tracing import Tracer
from fiftyone_reue.watermark import evidence

Draw = np.random.Generator
Removal = Callable[[np.ndarray, Draw], np.ndarray]
"""``(H, W, 3)`` uint8 to the same, or to float32 that is rounded and cut off."""

MOST = 44
"""More images aren't tried."""


def shrunk_cosines(threshold: float, times: float = 1.0) -> Removal:
    """Cosines of 8x8 blocks at four offsets below a threshold taken away; ``times``
    above 1 takes more away than was found."""

    def removal(samples: np.ndarray, _: Draw) -> np.ndarray:
        whole = samples.astype(np.float32)
        found = np.mean(
            [_shrunk(whole, shift, threshold) for shift in range(0, 8, 2)], 0
        )
        return whole + times * (found - whole)

    return removal


def _shrunk(samples: np.ndarray, shift: int, threshold: float) -> np.ndarray:
    height, width = samples.shape[:2]
    down, across = -(height + shift) % 8, -(width + shift) % 8
    around = ((shift, down), (shift, across), (0, 0))
    padded = np.pad(samples, around, mode="reflect")
    for top in range(0, padded.shape[0], 8):
        for left in range(0, padded.shape[1], 8):
            for channel in range(3):
                block = padded[top : top + 8, left : left + 8, channel]
                cosines = cv2.dct(np.ascontiguousarray(block))
                first = cosines[0, 0]
                cosines[np.abs(cosines) < threshold] = 0
                cosines[0, 0] = first
                padded[top : top + 8, left : left + 8, channel] = cv2.idct(cosines)
    return padded[shift : shift + height, shift : shift + width]


def non_local_means(strength: float) -> Removal:
    """Pixels replaced by the mean of those in like surroundings."""
    return lambda samples, _: cv2.fastNlMeansDenoisingColored(
        samples, None, strength, strength, 7, 21
    )


def noise(sigma: float) -> Removal:
    """Gaussian noise, the same in all colours."""
    return lambda samples, draw: (
        samples + draw.normal(0, sigma, (*samples.shape[:2], 1)).astype(np.float32)
    )


def jpeg(quality: int) -> Removal:
    """Saved as JPEG."""

    def removal(samples: np.ndarray, _: Draw) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(samples).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return removal


def bent(pixels: float, waves: float = 40.0) -> Removal:
    """Every place moved in its own direction, smoothly: what no one map undoes."""

    def removal(samples: np.ndarray, draw: Draw) -> np.ndarray:
        height, width = samples.shape[:2]
        rows, columns = np.indices((height, width), np.float32)
        moves = []
        for _ in range(2):
            field = draw.normal(0, 1, (height, width)).astype(np.float32)
            field = cv2.GaussianBlur(field, (0, 0), waves)
            moves.append(field * np.float32(pixels / np.abs(field).max()))
        return cv2.remap(
            samples,
            columns + moves[0],
            rows + moves[1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )

    return removal


def resampled(factor: float) -> Removal:
    """Reduced and enlarged again."""

    def removal(samples: np.ndarray, _: Draw) -> np.ndarray:
        size = samples.shape[1::-1]
        small = cv2.resize(
            samples, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
        )
        return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)

    return removal


REMOVALS: dict[str, Removal] = {
    "nothing": lambda samples, _: samples,
    "JPEG-50": jpeg(50),
    "JPEG-20": jpeg(20),
    "noise of 4": noise(4),
    "median of 3 x 3": lambda samples, _: cv2.medianBlur(samples, 3),
    "bilateral": lambda samples, _: cv2.bilateralFilter(samples, 7, 12, 3),
    "non-local means of 4": non_local_means(4),
    "shrunk cosines, 12": shrunk_cosines(12),
    "shrunk cosines, 12, twice what was found": shrunk_cosines(12, 2),
    "shrunk cosines, 20": shrunk_cosines(20),
    "half size and back": resampled(0.5),
    "bent by 0.5 px": bent(0.5),
    "bent by 1 px": bent(1),
    "bent by 2 px": bent(2),
    "bent by 4 px": bent(4),
    "bent by 2 px, in shorter waves": bent(2, 15),
    "bent by 1 px, shrunk cosines": lambda samples, draw: shrunk_cosines(12)(
        _whole(bent(1)(samples, draw)), draw
    ),
}


def _whole(samples: np.ndarray) -> np.ndarray:
    return np.asarray(samples, np.float32).round().clip(0, 255).astype(np.uint8)


def measured(
    tracer: Tracer, copies: Path, folder: Path, name: str, seed: bytes
) -> dict:
    """A row."""
    costs, zs, readings = [], [], []
    named = 0
    # Bending isn't seen; what it costs is what resampling does.
    straight = REMOVALS["nothing"] if name.startswith("bent by") else REMOVALS[name]
    for number, item in enumerate(image_items(copies)):
        samples = np.asarray(Image.open(item.path).convert("RGB"))
        changed = _whole(REMOVALS[name](samples, np.random.default_rng(number)))
        beside = _whole(straight(samples, np.random.default_rng(number)))
        costs.append(min(99.0, psnr(samples, beside, 3, 255)))
        path = folder / "suspect.png"
        Image.fromarray(changed).save(path)
        found = tracer.trace(suspect_items(path)[0]).first
        stem = Path(item.path).name.split(".")[0]
        right = found.original is not None and Path(found.original).stem == stem
        readings.append(found.reading if right else None)
        one = [found.reading] if right and found.reading else []
        seen = evidence.weigh(one, {"recipient": seed}, tested=RECIPIENTS)
        zs.append(seen.z)
        named += seen.decided
    return {
        "removal": name,
        "PSNR, dB": "bent" if straight is not REMOVALS[name] else _shown(costs),
        "found, %": round(
            100 * sum(one is not None for one in readings) / len(readings)
        ),
        "named from one, %": round(100 * named / len(readings)),
        "Z of one, median": round(statistics.median(zs), 1),
        "images needed": images_needed(readings, seed, MOST) or f"over {MOST}",
    }


def _percent(some: int, every: int) -> int:
    return round(100 * some / every)


def _shown(costs: list[float]) -> str:
    mean = statistics.mean(costs)
    return "" if mean > 90 else f"{mean:.1f}"


def report(result: dict) -> str:
    """The results as Markdown."""
    return f"""# What it takes to remove a mark

`python -m benchmarks.removals`, on {result["machine"]}. {result["photographs"]}
photographs of up to 512 pixels, half of them JPEG files; licensed copies (the mark
alone, without perturbation), changed by a recipient and traced. PSNR is beside the
copy; what is bent differs by where things are. Named: among {RECIPIENTS} at 1e-6.

{table(result["rows"])}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=22, help="of photographs")
    parser.add_argument("--only", choices=REMOVALS, action="append")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--keep", type=Path, help="a folder for the release")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(options.keep or name)
        if not (folder / "source").exists():
            photographs(options.photos, folder / "source", options.count)
        vault, copies = released(folder, folder / "source", "rue")
        tracer = Tracer(vault)
        finish(tracer.look_at_originals())
        ((_, _, seed),) = vault.known_recipients()
        result: dict = {
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "photographs": len(image_items(copies["W"])),
            "rows": [],
        }
        path = options.output / "removals.json"
        for removal in options.only or REMOVALS:
            result["rows"].append(measured(tracer, copies["W"], folder, removal, seed))
            print(result["rows"][-1], flush=True)
            path.write_text(json.dumps(result, indent=1) + "\n")
            path.with_suffix(".md").write_text(report(result))


if __name__ == "__main__":
    main()
