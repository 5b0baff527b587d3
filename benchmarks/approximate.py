"""How near an approximate restore comes to the licensed copy.

    python benchmarks/approximate.py --photos FOLDER

Photographs are protected as `reue protect` does it, then compressed, blurred, shrunk
or cropped, as exact restoring refuses them, and given to `reue restore --approximate
--records`. PSNR and SSIM are against the true licensed copy (scikit-image), before
and after; "protected" is the release as it is.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from data import RESULTS, write_results
from PIL import Image, ImageFilter
from quality import psnr, ssim

from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import create_folder
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed

METHODS = ("rue", "deep_hiding", "raeg")
CLASSES = "ab"
CROP = (40, 24)
"""Pixels cut off at the left and the top by a crop, and as many at the other side."""


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Compressed and decoded again."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def blurred(image: Image.Image) -> Image.Image:
    """A Gaussian blur of one pixel."""
    return image.filter(ImageFilter.GaussianBlur(1))


def resized(image: Image.Image) -> Image.Image:
    """Three quarters of the side and back."""
    small = image.resize(
        (image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.BICUBIC
    )
    return small.resize(image.size, Image.Resampling.BICUBIC)


def cropped(image: Image.Image) -> Image.Image:
    """A crop, compressed at quality 90."""
    left, top = CROP
    box = (left, top, image.width - left, image.height - top)
    return jpeg(image.crop(box), 90)


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG-75": lambda image: jpeg(image, 75),
    "JPEG-90": lambda image: jpeg(image, 90),
    "blur": blurred,
    "resize": resized,
    "crop, JPEG-90": cropped,
}


@dataclass(frozen=True)
class Row:
    """One method under one edit, means over the images.

    Attributes:
        method: registry key.
        edit: what was done to the protected files; "protected": nothing.
        count: how many were approximated.
        of: out of how many.
        psnr_before: of the edited file against W in dB.
        psnr: of the approximation.
        ssim_before: of the edited file.
        ssim: of the approximation.
    """

    method: str
    edit: str
    count: int
    of: int
    psnr_before: float
    psnr: float | None
    ssim_before: float
    ssim: float | None


def measure(source: Path, method: str, scratch: Path) -> Iterator[Row]:
    """Protect a folder, edit the copies, approximate, compare."""
    items = labelled_items(source)
    release, licensed = scratch / "p", scratch / "w"
    vault = create_folder(scratch / "vault", secrets={}, plain_key_file=True)
    with vault.ledger:
        _, key = vault.add_recipient("alice")
        config = ProtectConfig(method=method, seed=1)
        finish(
            protect(vault, "alice", items, release, name="r", source="s", config=config)
        )
        finish(restore_licensed(image_items(release), release, licensed, key))
        names = [item.output for item in image_items(release)]
        truths = {name: pixels(licensed / f"{name}.png") for name in names}
        seen = [(truths[name], pixels(release / f"{name}.png")) for name in names]
        yield row(method, "protected", seen, seen, len(items))
        for edit, change in EDITS.items():
            yield approximated(method, edit, change, release, truths, scratch, key)


def approximated(
    method: str,
    edit: str,
    change: Callable[[Image.Image], Image.Image],
    release: Path,
    truths: dict[str, np.ndarray],
    scratch: Path,
    key,
) -> Row:
    """One row: edited copies and what is made of them, against the truth."""
    edited, near = scratch / "edited", scratch / "near"
    for name in truths:
        path = edited / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(release / f"{name}.png") as image:
            change(image.convert("RGB")).save(path)  # PNG: the edit alone counts
    finish(
        restore_licensed(
            image_items(edited), None, near, key, approximate=True, records=release
        )
    )
    before, after = [], []
    for name, whole in truths.items():
        made = near / f"{name}.approximate.png"
        copy = pixels(edited / f"{name}.png")
        truth = whole
        if copy.shape != whole.shape:
            left, top = CROP
            truth = whole[top:-top, left:-left]
        before.append((truth, copy))
        if made.exists():
            after.append((truth, pixels(made)))
    shutil.rmtree(edited)
    shutil.rmtree(near, ignore_errors=True)
    return row(method, edit, before, after, len(truths))


def row(method: str, edit: str, before: list, after: list, of: int) -> Row:
    """Means over pairs of a true image and another."""
    psnr_before = float(np.mean([psnr(*pair) for pair in before]))
    ssim_before = float(np.mean([ssim(*pair) for pair in before]))
    if not after:
        return Row(method, edit, 0, of, psnr_before, None, ssim_before, None)
    return Row(
        method,
        edit,
        len(after),
        of,
        psnr_before,
        float(np.mean([psnr(*pair) for pair in after])),
        ssim_before,
        float(np.mean([ssim(*pair) for pair in after])),
    )


def pixels(path: Path) -> np.ndarray:
    """``(H, W, 3)`` uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| Method | Edit | Approximated | PSNR, dB: before | after "
        "| SSIM: before | after |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in rows:
        if one.edit == "protected":
            lines.append(
                f"| {one.method} | none (exact restoring) | – | {one.psnr_before:.1f} "
                f"| ∞ | {one.ssim_before:.3f} | 1.000 |"
            )
            continue
        after = "–" if one.psnr is None else f"{one.psnr:.1f}"
        alike = "–" if one.ssim is None else f"{one.ssim:.3f}"
        lines.append(
            f"| {one.method} | {one.edit} | {one.count} of {one.of} "
            f"| {one.psnr_before:.1f} | {after} | {one.ssim_before:.3f} | {alike} |"
        )
    return "\n".join(lines)


def folder_of(photos: Path, scratch: Path) -> Path:
    """The photographs in two classes by turns; releases need classes."""
    folder = scratch / "photos"
    for place, path in enumerate(sorted(photos.glob("*.png"))):
        target = folder / CLASSES[place % 2] / f"{path.stem}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.convert("RGB").save(target)
    return folder


@click.command()
@click.option("--photos", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--methods", default=",".join(METHODS), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(photos: Path, methods: str, out: Path) -> None:
    """Quality of protected images and of approximations."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = folder_of(photos, Path(scratch))
        for method in methods.split(","):
            for one in measure(folder, method, Path(scratch) / method):
                rows.append(one)
                click.echo(table([one]).splitlines()[-1], err=True)
    text = (
        "# Protected images, and approximations of what exact restoring refuses\n\n"
        "Made by `python benchmarks/approximate.py`. Against the licensed copy W, "
        "whose watermark it keeps; epsilon 8, watermark included. Before: the edited "
        "file as it is. Means over the images; SSIM with its paper's Gaussian window, "
        f"mean of the channels.\n\n{table(rows)}\n"
    )
    write_results(out, "approximate", text, [asdict(one) for one in rows])


if __name__ == "__main__":
    main()
