"""What one edited image still says: is its original found, and is its recipient named?

    python -m benchmarks.tracing --photos FILE.zip

The archive holds photographs as PNG; they are released at 512 pixels or less, every
other one as a JPEG file. Each copy, protected and licensed, is edited, saved as JPEG
at quality 75 and traced alone. With ``--keep FOLDER`` the release stays there, and an
interrupted run goes on with the edits that it hadn't measured.

    python -m benchmarks.tracing --photos FILE.zip --lost

asks the same of an owner who has the vault and nothing else: neither originals nor
copies.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.markdown import table
from benchmarks.naming import RECIPIENTS
from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.tracing import Tracer
from fiftyone_reue.vault.vault import Vault, create_folder, open_folder
from fiftyone_reue.watermark import evidence
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed

DONE = "released"
"""A file that says that a kept release is whole."""

Draw = np.random.Generator
Edit = Callable[[Image.Image, Draw], Image.Image]


def cropped(percent: int) -> Edit:
    """A part of so many percent of the area, anywhere."""

    def edit(image: Image.Image, draw: Draw) -> Image.Image:
        share = (percent / 100) ** 0.5
        width, height = (max(1, round(side * share)) for side in image.size)
        left = int(draw.integers(0, image.width - width + 1))
        top = int(draw.integers(0, image.height - height + 1))
        return image.crop((left, top, left + width, top + height))

    return edit


def rotated(degrees: float) -> Edit:
    """Turned one way or the other, what is outside black."""
    return lambda image, draw: image.rotate(
        degrees * draw.choice([-1, 1]), Image.Resampling.BICUBIC
    )


def scaled(factor: float) -> Edit:
    """Resized."""
    return lambda image, _: image.resize(
        (round(image.width * factor), round(image.height * factor)),
        Image.Resampling.BICUBIC,
    )


def perspective(percent: float) -> Edit:
    """Each corner moved by up to so many percent of the sides."""

    def edit(image: Image.Image, draw: Draw) -> Image.Image:
        width, height = image.size
        ends = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
        moved = ends + draw.uniform(-1, 1, (4, 2)) * percent / 100 * [width, height]
        rows, aims = [], []
        for (x, y), (u, v) in zip(ends, moved, strict=True):
            rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y]]
            rows += [[0, 0, 0, x, y, 1, -v * x, -v * y]]
            aims += [u, v]
        how = np.linalg.solve(np.array(rows), np.array(aims))
        return image.transform(
            image.size,
            Image.Transform.PERSPECTIVE,
            tuple(how),
            Image.Resampling.BICUBIC,
        )

    return edit


def framed(
    left: int, top: int, right: int, bottom: int, colour: str, shrink: float = 1.0
) -> Edit:
    """Laid on a larger canvas."""

    def edit(image: Image.Image, draw: Draw) -> Image.Image:
        image = scaled(shrink)(image, draw) if shrink != 1 else image
        size = (image.width + left + right, image.height + top + bottom)
        canvas = Image.new("RGB", size, colour)
        canvas.paste(image, (left, top))
        return canvas

    return edit


def shifted(image: Image.Image, _: Draw) -> Image.Image:
    """Moved by 11 and 7 pixels, the rest black."""
    moved = Image.new("RGB", image.size)
    moved.paste(image, (11, 7))
    return moved


def captioned(image: Image.Image, _: Draw) -> Image.Image:
    """A black bar with words over the lowest seventh."""
    image = image.copy()
    pen = ImageDraw.Draw(image)
    top = image.height * 6 // 7
    pen.rectangle((0, top, image.width, image.height), fill="black")
    pen.text((10, top + 5), "WHEN THE LEAK IS TRACED", fill="white", font_size=28)
    return image


def pasted(image: Image.Image, draw: Draw) -> Image.Image:
    """Another picture over one half: its own other half, mirrored and turned over."""
    image = image.copy()
    half = image.crop((0, 0, image.width // 2, image.height))
    half = half.transpose(Image.Transpose.ROTATE_180)
    image.paste(half, (image.width - image.width // 2, 0))
    return image


def photographed(image: Image.Image, draw: Draw) -> Image.Image:
    """Printed and scanned, about: at an angle, softer, noisier, flatter."""
    image = perspective(1)(image, draw).filter(ImageFilter.GaussianBlur(0.8))
    samples = np.asarray(image, np.float32) * 0.85 + 22
    samples += draw.normal(0, 3, samples.shape)
    return Image.fromarray(samples.round().clip(0, 255).astype(np.uint8))


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """Saved as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def noisy(image: Image.Image, draw: Draw, deviation: float) -> Image.Image:
    """With normal noise of so many gray levels."""
    samples = np.asarray(image) + draw.normal(0, deviation, np.asarray(image).shape)
    return Image.fromarray(samples.round().clip(0, 255).astype(np.uint8))


EDITS: dict[str, Edit] = {
    "none": lambda image, _: image,
    "4 pixels off left and top": lambda image, _: image.crop((4, 4, *image.size)),
    **{f"crop to {area} %": cropped(area) for area in (98, 90, 70, 50, 25, 10)},
    **{f"rotated by {angle}°": rotated(angle) for angle in (0.5, 2, 5, 10)},
    "perspective 2 %": perspective(2),
    "shifted": shifted,
    "screenshot": framed(60, 90, 40, 30, "#dddddd", 0.8),
    "print and scan": photographed,
    "letterbox": framed(0, 50, 0, 50, "black"),
    "border": framed(24, 24, 24, 24, "white"),
    "caption": captioned,
    "paste 50 %": pasted,
    "scale 0.5": scaled(0.5),
    "scale 0.25": scaled(0.25),
    "blur 2": lambda image, _: image.filter(ImageFilter.GaussianBlur(2)),
    "JPEG-30": lambda image, _: compressed(image, 30),
    "noise of 6": lambda image, draw: noisy(image, draw, 6),
    "mirrored": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "crop to 50 %, scale 0.6": lambda image, draw: scaled(0.6)(
        cropped(50)(image, draw), draw
    ),
}


LOST = (
    *("none", "JPEG-30", "noise of 6", "scale 0.5", "scale 0.25", "blur 2"),
    *("mirrored", "4 pixels off left and top", "crop to 90 %"),
)
"""What is asked of an owner who has the vault alone."""


def photographs(archive: Path, folder: Path, count: int) -> None:
    """Originals in three classes, 512 pixels at the longer side, half of them JPEG."""
    with zipfile.ZipFile(archive) as files:
        names = sorted(name for name in files.namelist() if name.endswith(".png"))
        for number, name in enumerate(names[:: max(1, len(names) // count)][:count]):
            image = Image.open(io.BytesIO(files.read(name))).convert("RGB")
            image.thumbnail((512, 512), Image.Resampling.LANCZOS)
            place = folder / f"class{number % 3}"
            place.mkdir(parents=True, exist_ok=True)
            if number % 2:
                image.save(place / f"{number:03}.jpg", quality=92)
            else:
                image.save(place / f"{number:03}.png")


def released(folder: Path, source: Path, method: str) -> tuple[Vault, dict[str, Path]]:
    """A vault, and its copies: "P" protected and "W" licensed."""
    copies = {tier: folder / tier for tier in "PW"}
    if (folder / DONE).exists():
        return open_folder(folder / "vault"), copies
    vault = create_folder(folder / "vault", plain_key_file=True)
    _, key = vault.add_recipient("recipient")
    steps = protect(
        vault,
        "recipient",
        labelled_items(source),
        copies["P"],
        name="release",
        source=str(source),
        config=ProtectConfig.of(method=method),
    )
    failed = finish(steps).outcome.failures
    if failed:
        raise AssertionError(failed[0])
    finish(restore_licensed(image_items(copies["P"]), None, copies["W"], key))
    (folder / DONE).touch()
    return vault, copies


def faithful(source: Path, copies: dict[str, Path]) -> dict[str, float]:
    """The mean PSNR of each kind of copy, as it is shown, and the least, dB."""
    originals = {Path(item.path).stem: item for item in labelled_items(source)}
    found = {}
    for tier, place in copies.items():
        values = []
        for item in image_items(place):
            own = originals[Path(item.path).name.split(".")[0]]
            shown = [
                np.asarray(Image.open(one.path).convert("RGB")) for one in (own, item)
            ]
            values.append(psnr(shown[0], shown[1], 3, 255))
        found[f"mean {tier}"] = round(statistics.mean(values), 1)
        found[f"least {tier}"] = round(min(values), 1)
    return found


def measured(
    vault: Vault,
    copies: dict[str, Path],
    folder: Path,
    edits: Iterable[str],
    suspects: int,
) -> Iterator[dict]:
    """A row for each edit, of so many of the copies."""
    tracer = Tracer(vault)
    finish(tracer.look_at_originals())
    (recipient,) = vault.known_recipients()
    seed = recipient[2]
    for name in edits:
        row: dict = {"edit": name}
        for tier, place in copies.items():
            found, named, zs, spent = 0, 0, [], []
            items = image_items(place)
            some = np.random.default_rng(0).permutation(len(items))[:suspects]
            items = [items[place] for place in np.sort(some)]
            for number, item in enumerate(items):
                draw = np.random.default_rng([number, len(name)])
                edited = EDITS[name](Image.open(item.path).convert("RGB"), draw)
                path = folder / "suspect.jpg"
                edited.save(path, quality=75)
                start = time.process_time()
                suspect = tracer.trace(suspect_items(path)[0]).first
                spent.append(time.process_time() - start)
                right = suspect.original is not None and _same(suspect.original, item)
                found += right
                readings = [suspect.reading] if right and suspect.reading else []
                seen = evidence.weigh(readings, {"recipient": seed}, tested=RECIPIENTS)
                zs.append(seen.z)
                named += seen.decided
            row[f"found {tier}"] = round(100 * found / len(items))
            row[f"named {tier}"] = round(100 * named / len(items))
            row[f"Z {tier}"] = round(statistics.median(zs), 1)
            row[f"ms {tier}"] = round(1000 * statistics.median(spent))
        yield row


def _hidden(folder: Path, source: Path, copies: dict[str, Path]) -> dict[str, Path]:
    """The copies, where the vault knows nothing of them, and no originals."""
    apart = folder / "apart"
    apart.mkdir()
    source.rename(apart / "originals")
    return {tier: place.rename(apart / tier) for tier, place in copies.items()}


def _same(original: str, item: Item) -> bool:
    return Path(original).stem == Path(item.path).name.split(".")[0]


def report(result: dict) -> str:
    """The results as Markdown."""
    found = result["psnr"]
    lost = result.get("lost")
    title = "Tracing without originals" if lost else "Tracing edited images"
    command = (
        "python -m benchmarks.tracing --lost"
        if lost
        else ("python -m benchmarks.tracing")
    )
    return f"""# {title}

`{command}`, on {result["machine"]}. {result["photographs"]}
photographs of up to 512 pixels, method `{result["method"]}`, epsilon 8; half of the
originals JPEG files. PSNR of W {found["mean W"]} dB in the mean, {found["least W"]} at
least; of P {found["mean P"]} and {found["least P"]}. The copies of {result["suspects"]}
of them, protected (P) and licensed (W), are edited, saved as JPEG at quality 75 and
traced alone: the share whose original is found, %; the share from which the recipient
is named among {RECIPIENTS} at 1e-6, %; the median of Z; and of processor time a
suspect, ms.

{table(result["edits"])}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20, help="of photographs")
    parser.add_argument("--suspects", type=int, default=1000, help="of copies")
    parser.add_argument("--method", default="rue")
    parser.add_argument("--edit", choices=EDITS, action="append", help="only these")
    parser.add_argument("--lost", action="store_true", help="originals and copies")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--keep", type=Path, help="a folder for the release")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(options.keep or name)
        source = folder / "source"
        if not (folder / DONE).exists():
            photographs(options.photos, source, options.count)
        vault, copies = released(folder, source, options.method)
        machine = f"{platform.machine()}, Python {platform.python_version()}, two cores"
        result: dict = {
            "machine": machine,
            "photographs": len(image_items(copies["W"])),
            "suspects": min(options.suspects, len(image_items(copies["W"]))),
            "method": options.method,
            "psnr": faithful(source, copies),
            "edits": [],
        }
        name = "tracing"
        if options.lost:
            result["lost"], name = True, "tracing_lost"
            copies = _hidden(folder, source, copies)
        path = options.output / f"{name}.json"
        if options.keep and path.exists():
            before = json.loads(path.read_text())
            if all(before.get(key) == result[key] for key in result if key != "edits"):
                result["edits"] = before["edits"]
        measured_already = {row["edit"] for row in result["edits"]}
        wanted = options.edit or (LOST if options.lost else EDITS)
        todo = [one for one in wanted if one not in measured_already]
        # Written after every row, so that an interrupted run keeps what it measured.
        for row in measured(vault, copies, folder, todo, options.suspects):
            print(row, flush=True)
            result["edits"].append(row)
            path.write_text(json.dumps(result, indent=1) + "\n")
            path.with_suffix(".md").write_text(report(result))


if __name__ == "__main__":
    main()
